//! The permissions boundary: the upper limit of the permissions of all roles of a stage's systems, regardless of their
//! policies.
//!
//! A deploy may create roles, so their permissions are limited by a boundary that a person has bootstrapped. It allows
//! the actions of the roles in the templates, on the stage's resources. A new action is a change of foundation, which a
//! workflow cannot deploy.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    SYSTEM,
    execution::sub,
    limits::Tags,
    networks,
    scope::{Scopes, scopes, with_wildcards},
};
use crate::{
    parts::{key, policy::Statement},
    rendered::{RenderedStack, RenderedSystem},
    stage::Stage,
    statements::{list, matches},
    template::{RenderError, Text, json::sorted},
};

/// Sends messages to topics, and to phone numbers, which have no ARN. Allowed on all resources, it would include every
/// topic of the account.
const PUBLISH: &str = "sns:Publish";
/// All topics.
const TOPICS: &str = "arn:${AWS::Partition}:sns:*:*:*";

/// Returns the boundary's name in IAM.
pub(super) fn name(stage: &Stage) -> String {
    format!("{SYSTEM}-boundary-{}", stage.name)
}

/// Returns the boundary's ARN.
pub(super) fn arn(stage: &Stage) -> Text {
    sub(&format!("arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:policy/{}", name(stage)))
}

/// Returns the boundary's statements for the roles of these stacks.
///
/// # Errors
///
/// When a role has a managed policy, because the templates do not contain its statements.
pub(super) fn statements(stacks: &[&RenderedStack], stage: &Stage) -> Result<Vec<Statement>, RenderError> {
    let mut systems: BTreeMap<&str, Vec<&RenderedStack>> = BTreeMap::new();
    for stack in stacks {
        systems.entry(&stack.system).or_default().push(stack);
    }
    let of_system = |(system, stacks)| (system, scopes(stacks));
    let known = Known { all: scopes(stacks.iter().copied()), by_system: systems.into_iter().map(of_system).collect() };
    let mut limits: BTreeMap<String, Limit> = BTreeMap::new();
    for stack in stacks {
        for (logical_id, resource) in iam_resources(&stack.template, &["Role", "Policy", "ManagedPolicy"]) {
            if resource["Properties"]["ManagedPolicyArns"].is_array() {
                let message = format!(
                    "{logical_id} of {} has ManagedPolicyArns, whose statements are not in the template; use inline policies \
                     instead",
                    stack.name
                );
                return Err(RenderError::Settings { system: stack.system.clone(), message });
            }
            let others = allow_statements(&resource["Properties"]).into_iter();
            for statement in others.filter(|statement| !networks::is_of_interfaces(statement)) {
                let (actions, resources) = (texts(&statement["Action"]), &statement["Resource"]);
                for action in actions {
                    let service = action.split(':').next().unwrap_or_default().to_owned();
                    limits.entry(service).or_default().add(action, resources, &stack.system);
                }
            }
        }
    }
    let tags = Tags::new(&stage.name, stacks);
    let statements = limits.iter().flat_map(|(service, limit)| limit.statements(service, &known, &tags));
    Ok(statements.chain(networks::on_interfaces(stacks)).collect())
}

/// The ARNs of the stage's resources: of all systems together, and of each.
struct Known<'a> {
    all: Scopes,
    by_system: BTreeMap<&'a str, Scopes>,
}

/// The actions and resources of one service that roles use.
#[derive(Debug, Default)]
struct Limit {
    /// Actions that are allowed on all resources.
    anywhere: BTreeSet<String>,
    /// The other actions, limited to the stage's resources of the service.
    scoped: BTreeSet<String>,
    /// Resources that are given by ARN.
    named: BTreeSet<String>,
    /// The systems whose roles give a resource by a reference, which only their own stacks can resolve.
    referring: BTreeSet<String>,
}

impl Limit {
    fn add(&mut self, action: String, resources: &Value, system: &str) {
        for resource in list(resources) {
            if resource == "*" {
                self.anywhere.insert(action.clone());
                continue;
            }
            self.scoped.insert(action.clone());
            let text = resource.as_str().or_else(|| resource["Fn::Sub"].as_str()).unwrap_or_default();
            if text.starts_with("arn:") {
                self.named.insert(with_wildcards(text));
            } else {
                self.referring.insert(system.to_owned());
            }
        }
    }

    /// Returns whether an action of the roles can concern a resource: functions are invoked, but their layers are not, and messages
    /// are published to topics, but not to subscriptions, and events to buses, but not to rules.
    fn concerns(&self, service: &str, arn: &str) -> bool {
        let uses = |noun: &str| self.scoped.iter().any(|action| action.to_lowercase().contains(noun));
        match service {
            "lambda" if arn.contains(":layer:") => uses("layer"),
            "lambda" if arn.contains(":event-source-mapping:") => uses("mapping"),
            "events" if arn.contains(":rule/") => uses("rule"),
            "kms" if arn.contains(":alias/") => uses("alias"),
            "sns" if arn.ends_with(":*") => uses("subscri"),
            _ => true,
        }
    }

    /// Returns the resources among these that the roles' actions can concern.
    fn within(&self, service: &str, scopes: &Scopes) -> BTreeSet<String> {
        let mut own = scopes.get(service).cloned().unwrap_or_default();
        own.retain(|arn| self.concerns(service, arn));
        if service == "s3" {
            own.extend(own.iter().map(|bucket| format!("{bucket}/*")).collect::<Vec<_>>());
        }
        own
    }

    fn statements(&self, service: &str, known: &Known<'_>, tags: &Tags<'_>) -> Vec<Statement> {
        let own = self.within(service, &known.all);
        let referring = self.referring.iter().filter_map(|system| known.by_system.get(system.as_str()));
        let mut limits: BTreeSet<String> = referring.flat_map(|scopes| self.within(service, scopes)).collect();
        // One of the stage's patterns replaces the names that it covers.
        let covering = |named: &String| own.iter().find(|limit| matches(limit, named)).unwrap_or(named).clone();
        limits.extend(self.named.iter().map(covering));
        let mut statements = Vec::new();
        let mut anywhere = self.anywhere.clone();
        if anywhere.remove(PUBLISH) {
            statements.push(Statement::allow_except([PUBLISH], [sub(TOPICS)]));
        }
        let scoped: Vec<_> = self.scoped.difference(&anywhere).map(String::as_str).collect();
        if !scoped.is_empty() {
            // The IDs of user pools and keys are generated, so their tags limit the actions (Service Authorization Reference, "Amazon
            // Cognito User Pools" and "AWS Key Management Service": `aws:ResourceTag`).
            let is_generated = |arn: &&String| arn.ends_with(":userpool/*") || arn.ends_with(":key/*");
            let (generated, named): (Vec<_>, Vec<_>) = limits.iter().partition(is_generated);
            if !named.is_empty() {
                statements.push(Statement::allow(scoped.iter().copied(), named.into_iter().map(|arn| sub(arn))));
            }
            if !generated.is_empty() {
                let generated: Vec<_> = generated.into_iter().map(|arn| sub(arn)).collect();
                let own = tags.of_service(service, &self.referring).unwrap_or_default();
                statements.extend(on_generated(&scoped, &generated, own));
            }
        }
        if !anywhere.is_empty() {
            statements.push(Statement::allow(anywhere.iter().map(String::as_str), [Text::from("*")]));
        }
        statements
    }
}

/// Returns the statements for actions on resources with generated IDs. Data is encrypted and decrypted only within an encryption context
/// (KMS developer guide, "Condition keys for AWS KMS": `kms:EncryptionContextKeys`).
fn on_generated(actions: &[&str], arns: &[Text], own: Value) -> Vec<Statement> {
    let (cryptographic, others): (Vec<&str>, Vec<&str>) =
        actions.iter().partition(|action| key::is_cryptographic(action));
    let limited = |actions: Vec<&str>, condition: Value| {
        let statement = Statement::allow(actions, arns.iter().cloned());
        if condition.is_null() { statement } else { statement.when(condition) }
    };
    let mut within_context = own.clone();
    within_context["Null"] = json!({ "kms:EncryptionContextKeys": "false" });
    let mut statements = Vec::new();
    if !cryptographic.is_empty() {
        statements.push(limited(cryptographic, within_context));
    }
    if !others.is_empty() {
        statements.push(limited(others, own));
    }
    statements
}

/// Sets the boundary of all roles of these systems.
pub(super) fn set_on_roles(systems: &mut [RenderedSystem], stage: &Stage) {
    let arn = json!(arn(stage));
    for stack in systems.iter_mut().flat_map(|system| &mut system.stacks) {
        let roles: Vec<_> =
            iam_resources(&stack.template, &["Role"]).map(|(logical_id, _)| logical_id.clone()).collect();
        for role in &roles {
            stack.template["Resources"][role]["Properties"]["PermissionsBoundary"] = arn.clone();
        }
        if !roles.is_empty() {
            stack.template = sorted(std::mem::take(&mut stack.template));
        }
    }
}

/// Returns a template's resources of these types of IAM.
fn iam_resources<'a>(template: &'a Value, types: &'a [&str]) -> impl Iterator<Item = (&'a String, &'a Value)> {
    let resources = template["Resources"].as_object().into_iter().flatten();
    resources.filter(move |(_, resource)| {
        let iam_type = resource["Type"].as_str().and_then(|name| name.strip_prefix("AWS::IAM::"));
        iam_type.is_some_and(|name| types.contains(&name))
    })
}

/// Returns the statements with effect `Allow` in a resource's policies.
fn allow_statements(properties: &Value) -> Vec<&Value> {
    let inline = properties["Policies"].as_array().into_iter().flatten();
    let documents = inline.map(|policy| &policy["PolicyDocument"]).chain([&properties["PolicyDocument"]]);
    let statements = documents.filter_map(|document| document["Statement"].as_array()).flatten();
    statements.filter(|statement| statement["Effect"] == "Allow").collect()
}

fn texts(value: &Value) -> Vec<String> {
    list(value).iter().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}
