//! The permissions boundary: the most that any role of a stage's systems may do, whatever its own policies come to say.
//!
//! Who deploys may make roles, so what those may do is limited by what a person has bootstrapped: the calls that the templates'
//! roles make, on what the stage has. A new call is a change of foundation, which a workflow cannot make.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    SYSTEM,
    execution::sub,
    scope::{Scopes, known_in_advance, scopes},
};
use crate::{
    parts::policy::{Statement, as_list},
    rendered::{RenderedStack, RenderedSystem},
    stage::Stage,
    template::{RenderError, Text, json::sorted},
};

/// Sending a message to a phone number, which has no ARN, can only be allowed on everything, and that would be every topic of the
/// account too.
const TO_PHONES: &str = "sns:Publish";
/// Every topic.
const TOPICS: &str = "arn:${AWS::Partition}:sns:*:*:*";

/// The boundary's name in IAM.
pub(super) fn name(stage: &Stage) -> String {
    format!("{SYSTEM}-boundary-{}", stage.name)
}

/// Its ARN.
pub(super) fn arn(stage: &Stage) -> Text {
    sub(&format!("arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:policy/{}", name(stage)))
}

/// The most that these stacks' roles may do.
///
/// # Errors
///
/// When a role takes a policy that no template holds, and that nobody can look into here.
pub(super) fn statements(stacks: &[&RenderedStack]) -> Result<Vec<Statement>, RenderError> {
    let scopes = scopes(stacks.iter().copied());
    let mut limits: BTreeMap<String, Limit> = BTreeMap::new();
    for stack in stacks {
        for (logical_id, resource) in resources(&stack.template, &["Role", "Policy", "ManagedPolicy"]) {
            if resource["Properties"]["ManagedPolicyArns"].is_array() {
                let message = format!(
                    "{logical_id} of {} has ManagedPolicyArns, so nobody knows here what it may do; give it statements",
                    stack.name
                );
                return Err(RenderError::Settings { system: stack.system.clone(), message });
            }
            for statement in allowed(&resource["Properties"]) {
                let (actions, on) = (texts(&statement["Action"]), &statement["Resource"]);
                for action in actions {
                    let service = action.split(':').next().unwrap_or_default().to_owned();
                    limits.entry(service).or_default().add(action, on);
                }
            }
        }
    }
    Ok(limits.iter().flat_map(|(service, limit)| limit.statements(service, &scopes)).collect())
}

/// What roles may do with one service.
#[derive(Debug, Default)]
struct Limit {
    /// Calls that are allowed on everything: there is nothing that they could be limited to.
    anywhere: BTreeSet<String>,
    /// The others, on what the stage has of the service.
    scoped: BTreeSet<String>,
    /// What they name that has a name of its own.
    named: BTreeSet<String>,
    /// Do they refer to anything else, which only its own stack knows?
    refers: bool,
}

impl Limit {
    fn add(&mut self, action: String, on: &Value) {
        for resource in as_list(on) {
            if resource == "*" {
                self.anywhere.insert(action.clone());
                continue;
            }
            self.scoped.insert(action.clone());
            let text = resource.as_str().or_else(|| resource["Fn::Sub"].as_str()).unwrap_or_default();
            if text.starts_with("arn:") {
                self.named.insert(known_in_advance(text));
            } else {
                self.refers = true;
            }
        }
    }

    fn statements(&self, service: &str, scopes: &Scopes) -> Vec<Statement> {
        let mut ours = scopes.get(service).cloned().unwrap_or_default();
        if service == "s3" {
            ours.extend(ours.iter().map(|bucket| format!("{bucket}/*")).collect::<Vec<_>>());
        }
        let mut limits = if self.refers { ours.clone() } else { BTreeSet::new() };
        // One pattern that the stage has anyway stands for many names.
        let covering = |named: &String| ours.iter().find(|limit| covers(limit, named)).unwrap_or(named).clone();
        limits.extend(self.named.iter().map(covering));
        let mut statements = Vec::new();
        let mut anywhere = self.anywhere.clone();
        if anywhere.remove(TO_PHONES) {
            statements.push(Statement::allow_except([TO_PHONES], [sub(TOPICS)]));
        }
        let scoped: Vec<_> = self.scoped.difference(&anywhere).map(String::as_str).collect();
        if !scoped.is_empty() {
            statements.push(Statement::allow(scoped, limits.iter().map(|arn| sub(arn))));
        }
        if !anywhere.is_empty() {
            statements.push(Statement::allow(anywhere.iter().map(String::as_str), [Text::from("*")]));
        }
        statements
    }
}

/// Is everything that this pattern names named by that one?
fn covers(pattern: &str, named: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == named,
        Some((begin, "")) => named.starts_with(begin),
        Some((begin, rest)) => named
            .strip_prefix(begin)
            .is_some_and(|named| (0..=named.len()).any(|at| named.get(at..).is_some_and(|named| covers(rest, named)))),
    }
}

/// Puts the boundary on every role of these systems.
pub(super) fn put_on(systems: &mut [RenderedSystem], stage: &Stage) {
    let arn = json!(arn(stage));
    for stack in systems.iter_mut().flat_map(|system| &mut system.stacks) {
        let roles: Vec<_> = resources(&stack.template, &["Role"]).map(|(logical_id, _)| logical_id.clone()).collect();
        for role in &roles {
            stack.template["Resources"][role]["Properties"]["PermissionsBoundary"] = arn.clone();
        }
        if !roles.is_empty() {
            stack.template = sorted(std::mem::take(&mut stack.template));
        }
    }
}

/// Tags every user pool of these systems. Who may make the test user is told by the pools' tags, and those of a stack do not
/// reach user pools everywhere.
pub(super) fn tag_pools(systems: &mut [RenderedSystem], stage: &Stage) {
    for stack in systems.iter_mut().flat_map(|system| &mut system.stacks) {
        let tags = json!({ "stack": stack.stack, "stage": stage.name, "system": stack.system });
        let resources = stack.template["Resources"].as_object_mut().into_iter().flatten();
        for (_, pool) in resources.filter(|(_, resource)| resource["Type"] == "AWS::Cognito::UserPool") {
            pool["Properties"]["UserPoolTags"] = tags.clone();
        }
        stack.template = sorted(std::mem::take(&mut stack.template));
    }
}

/// A template's resources of these of IAM's types.
fn resources<'a>(template: &'a Value, kinds: &'a [&str]) -> impl Iterator<Item = (&'a String, &'a Value)> {
    let resources = template["Resources"].as_object().into_iter().flatten();
    resources.filter(move |(_, resource)| {
        let kind = resource["Type"].as_str().and_then(|kind| kind.strip_prefix("AWS::IAM::"));
        kind.is_some_and(|kind| kinds.contains(&kind))
    })
}

/// The statements of a resource's policies that allow something.
fn allowed(properties: &Value) -> Vec<&Value> {
    let inline = properties["Policies"].as_array().into_iter().flatten();
    let documents = inline.map(|policy| &policy["PolicyDocument"]).chain([&properties["PolicyDocument"]]);
    let statements = documents.filter_map(|document| document["Statement"].as_array()).flatten();
    statements.filter(|statement| statement["Effect"] == "Allow").collect()
}

fn texts(value: &Value) -> Vec<String> {
    as_list(value).iter().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_what_it_matches() {
        assert!(covers("a-*-z", "a-b-z") && covers("a/*", "a/b/*") && covers("a", "a"));
        assert!(!covers("a-*-z", "a-b-y") && !covers("a", "a/b") && !covers("a*c*e", "abde"));
    }
}
