//! The roles that another stage renders for the functions of the local cloud.
//!
//! A rendered role names resources of its own stage. [`Resolver`] reads it as if that stage were here: the names of the stage, the
//! account and the region are exchanged, and a reference becomes the physical ID of what is deployed here.

mod resolver;

use std::collections::{BTreeMap, BTreeSet};

use model::{
    foundation,
    rendered::{FunctionId, RenderedStack, RenderedSystem},
    stage::Stage,
    statements::{PolicyStatement, Request, list},
};
use resolver::Resolver;
use serde_json::{Value, json};

use super::{RightsError, calls::Place};
use crate::aws::{AwsError, Clients};

/// The physical IDs of a stage's deployed resources: by system and stack, then by logical ID.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deployed(pub BTreeMap<(String, String), BTreeMap<String, String>>);

/// A stage and its rendered systems, foundation included.
#[derive(Debug, Clone, Copy)]
pub struct Rendered<'a> {
    /// The stage.
    pub stage: &'a Stage,
    /// Its systems.
    pub systems: &'a [RenderedSystem],
}

/// What a function may do in another stage, in terms of the resources here.
#[derive(Debug, Clone, PartialEq)]
pub struct Role {
    /// The function's name in Lambda here.
    pub function: String,
    /// The statements of its role.
    pub statements: Vec<PolicyStatement>,
    /// The statements of the role's permissions boundary, if it has one.
    pub boundary: Option<Vec<PolicyStatement>>,
    /// What could not be read, in words. A grant that it belongs to allows no request here.
    pub unread: BTreeSet<String>,
    /// The tags of user pools and keys, by the ARN here: the permissions boundary names both by their tags.
    pub tags: BTreeMap<String, Vec<(String, String)>>,
    /// Names of resources here that differ from the stage's by more than the stage's name: by the name here, the other.
    pub renamed: BTreeMap<String, String>,
}

impl Place {
    /// The account and the region of a stage.
    #[must_use]
    pub fn of(stage: &Stage) -> Self {
        Self { account: stage.account.clone(), region: stage.region.clone() }
    }
}

impl Deployed {
    /// Reads the deployed resources of systems. A stack that is not deployed has none.
    ///
    /// # Errors
    ///
    /// When a call fails.
    pub async fn read(systems: &[RenderedSystem], clients: &Clients) -> Result<Self, AwsError> {
        let mut deployed = BTreeMap::new();
        for stack in systems.iter().flat_map(|system| &system.stacks) {
            let ids = clients.cloudformation(stack.region.as_deref()).physical_ids(&stack.name).await?;
            deployed.insert((stack.system.clone(), stack.stack.clone()), ids);
        }
        Ok(Self(deployed))
    }

    fn id(&self, stack: &RenderedStack, logical_id: &str) -> Option<&str> {
        let ids = self.0.get(&(stack.system.clone(), stack.stack.clone()))?;
        ids.get(logical_id).map(String::as_str)
    }
}

/// Returns the role in stage `other` of each function that both stages have.
///
/// # Errors
///
/// When a function has no role in its own stack.
pub fn roles(other: Rendered<'_>, here: Rendered<'_>, deployed: &Deployed) -> Result<Vec<Role>, RightsError> {
    let (renamed, tags) = (renamed(other, here, deployed), resource_tags(other, here, deployed));
    let mut roles = Vec::new();
    for (stack, id) in functions(other.systems) {
        let function =
            functions(here.systems).find(|(_, own)| (&own.system, &own.logical_id) == (&id.system, &id.logical_id));
        let Some(function) = function.and_then(|(stack, own)| name(stack, own)) else { continue };
        let mut resolver = Resolver::new(other, here, stack, deployed);
        let role = role_of(id, stack)?;
        let (statements, mut unread) = statements(role, stack, &mut resolver);
        let boundary = boundary(role, other, &mut resolver, deployed);
        unread.append(&mut resolver.unread);
        roles.push(Role { function, statements, boundary, unread, tags: tags.clone(), renamed: renamed.clone() });
    }
    Ok(roles)
}

/// Functions of the systems whose roles can be compared.
fn functions(systems: &[RenderedSystem]) -> impl Iterator<Item = (&RenderedStack, &FunctionId)> {
    let own = systems.iter().filter(|system| system.name != foundation::SYSTEM);
    own.flat_map(|system| &system.stacks)
        .flat_map(|stack| stack.functions.iter().map(move |function| (stack, &function.id)))
}

fn name(stack: &RenderedStack, id: &FunctionId) -> Option<String> {
    stack.functions.iter().find(|function| function.id == *id).map(|function| function.function_name.clone())
}

/// The role of a function: a resource of the same stack.
fn role_of<'a>(id: &FunctionId, stack: &'a RenderedStack) -> Result<(&'a str, &'a Value), RightsError> {
    let error = |reason: &str| RightsError::Role {
        function: id.logical_id.clone(),
        stack: stack.name.clone(),
        reason: reason.to_owned(),
    };
    let resources = &stack.template["Resources"];
    let role = &resources[&id.logical_id]["Properties"]["Role"];
    let role = role["Fn::GetAtt"][0].as_str().ok_or_else(|| error("its `Role` refers to no resource"))?;
    let resource = resources.get(role).ok_or_else(|| error("its `Role` refers to another stack"))?;
    Ok((role, resource))
}

/// The statements of a role's own policies and of the policies that the stack attaches to it; and the policies that are elsewhere.
fn statements(
    (role, resource): (&str, &Value),
    stack: &RenderedStack,
    resolver: &mut Resolver<'_>,
) -> (Vec<PolicyStatement>, BTreeSet<String>) {
    let mut documents: Vec<&Value> =
        list(&resource["Properties"]["Policies"]).iter().map(|policy| &policy["PolicyDocument"]).collect();
    let managed = list(&resource["Properties"]["ManagedPolicyArns"]);
    let resources = stack.template["Resources"].as_object().into_iter().flatten();
    for (logical_id, policy) in resources {
        let is_policy = matches!(policy["Type"].as_str(), Some("AWS::IAM::Policy" | "AWS::IAM::ManagedPolicy"));
        let is_ref = |value: &Value, target: &str| value["Ref"] == target;
        let is_attached = list(&policy["Properties"]["Roles"]).iter().any(|value| is_ref(value, role))
            || managed.iter().any(|value| is_ref(value, logical_id));
        if is_policy && is_attached {
            documents.push(&policy["Properties"]["PolicyDocument"]);
        }
    }
    let is_elsewhere =
        |arn: &&Value| arn["Ref"].as_str().is_none_or(|name| stack.template["Resources"][name].is_null());
    let elsewhere: Vec<_> = managed.iter().filter(is_elsewhere).collect();
    let elsewhere = elsewhere.into_iter().map(|arn| format!("the managed policy {}", resolver.text(arn))).collect();
    let statements = documents.into_iter().flat_map(|document| list(&document["Statement"]));
    (statements.map(|statement| resolver.statement(statement)).collect(), elsewhere)
}

/// The statements of a role's permissions boundary, a managed policy of any of the stage's templates.
fn boundary(
    (_, role): (&str, &Value),
    other: Rendered<'_>,
    resolver: &mut Resolver<'_>,
    deployed: &Deployed,
) -> Option<Vec<PolicyStatement>> {
    let arn = role["Properties"].get("PermissionsBoundary")?;
    let arn = resolver.text(arn);
    let wanted = arn.rsplit('/').next().unwrap_or(&arn);
    for stack in other.systems.iter().flat_map(|system| &system.stacks) {
        let resources = stack.template["Resources"].as_object().into_iter().flatten();
        for (_, policy) in resources.filter(|(_, resource)| resource["Type"] == "AWS::IAM::ManagedPolicy") {
            let mut own = Resolver::new(other, resolver.here, stack, deployed);
            if own.text(&policy["Properties"]["ManagedPolicyName"]) == wanted {
                let statements = list(&policy["Properties"]["PolicyDocument"]["Statement"]);
                return Some(statements.iter().map(|statement| own.statement(statement)).collect());
            }
        }
    }
    resolver.unread.insert(format!("the permissions boundary {arn}"));
    None
}

/// The properties that name a resource, and where ARNs have the name.
const NAMES: [(&str, &str, &str); 2] =
    [("AWS::DynamoDB::Table", "TableName", "table/"), ("AWS::SecretsManager::Secret", "Name", "secret:")];

/// Returns the names of resources that are different here: an emulator may name them in its own way.
fn renamed(other: Rendered<'_>, here: Rendered<'_>, deployed: &Deployed) -> BTreeMap<String, String> {
    let mut renamed = BTreeMap::new();
    for stack in other.systems.iter().flat_map(|system| &system.stacks) {
        let resources = stack.template["Resources"].as_object().into_iter().flatten();
        for (logical_id, resource) in resources {
            let Some((_, property, prefix)) = NAMES.iter().find(|(kind, ..)| resource["Type"] == *kind) else {
                continue;
            };
            let given = &resource["Properties"][property];
            let id = deployed.id(stack, logical_id).map(|id| id.rsplit(':').next().unwrap_or(id));
            let (Some(id), false) = (id, given.is_null()) else { continue };
            let name = Resolver::new(other, here, stack, deployed).text(given);
            if id != name {
                renamed.insert(format!("{prefix}{id}"), format!("{prefix}{name}"));
            }
        }
    }
    renamed
}

/// Types with generated IDs, with the property of their tags.
const TAGGED: [(&str, &str); 2] = [("AWS::Cognito::UserPool", "UserPoolTags"), ("AWS::KMS::Key", "Tags")];

/// Returns the tags that the templates give resources with generated IDs, by the ARN here.
fn resource_tags(
    other: Rendered<'_>,
    here: Rendered<'_>,
    deployed: &Deployed,
) -> BTreeMap<String, Vec<(String, String)>> {
    let mut tags = BTreeMap::new();
    for stack in other.systems.iter().flat_map(|system| &system.stacks) {
        let resources = stack.template["Resources"].as_object().into_iter().flatten();
        for (logical_id, resource) in resources {
            let Some((_, property)) = TAGGED.iter().find(|(kind, _)| resource["Type"] == *kind) else { continue };
            let mut resolver = Resolver::new(other, here, stack, deployed);
            let arn = resolver.text(&json!({ "Fn::GetAtt": [logical_id, "Arn"] }));
            let given = &resource["Properties"][property];
            let in_map = given.as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), value));
            let in_list = given.as_array().into_iter().flatten();
            let in_list = in_list.filter_map(|tag| Some((tag["Key"].as_str()?, &tag["Value"])));
            let named = in_map.chain(in_list);
            let named = named.map(|(key, value)| (format!("aws:ResourceTag/{key}"), resolver.text(value)));
            tags.insert(arn, named.collect());
        }
    }
    tags
}

impl Role {
    /// Returns the request as it would be in the other stage, where the permissions boundary names resources by their names.
    pub(super) fn elsewhere(&self, request: &Request) -> Request {
        let rename = |resource: String, (here, there): (&String, &String)| match resource.split_once(here.as_str()) {
            Some((before, after)) if after.is_empty() || after.starts_with('/') => format!("{before}{there}{after}"),
            _ => resource,
        };
        let mut resource = self.renamed.iter().fold(request.resource().to_owned(), rename);
        if resource.contains(":secret:") && !has_suffix(&resource) {
            // Secrets Manager adds a hyphen and six characters to the name (Secrets Manager user guide, "What's in a secret"); the
            // emulator does not.
            resource.push_str("-AbCdEf");
        }
        let tags = self.tags.get(&resource).into_iter().flatten();
        tags.fold(request.on(resource), |request, (key, value)| request.with(key, value))
    }
}

fn has_suffix(arn: &str) -> bool {
    let suffix = arn.rsplit_once('-').map(|(_, suffix)| suffix);
    suffix.is_some_and(|suffix| suffix.len() == 6 && suffix.chars().any(|letter| letter.is_ascii_uppercase()))
}

#[cfg(test)]
mod tests;
