//! The statements that allow actions on every resource of a type, with their conditions and reasons: a list for reviews.

use serde_json::Value;

use super::access::{IDENTITIES, WITHOUT_RESOURCES, is_wildcard, plain, statements};
use crate::{
    rendered::RenderedStack,
    statements::{Effect, Patterns, PolicyStatement, list},
    template::reasons,
};

/// A statement of a role or policy whose resources are a wildcard.
#[derive(Debug, Clone, PartialEq)]
pub struct Wildcard {
    /// The logical ID of the role or policy.
    pub logical_id: String,
    /// The actions.
    pub actions: Vec<String>,
    /// The resources that are wildcards, as `Fn::Sub` writes them.
    pub resources: Vec<String>,
    /// The condition; `Null` if there is none.
    pub condition: Value,
    /// The reason for the wildcard; `None` if the condition limits the resources.
    pub reason: Option<String>,
}

/// Returns the wildcards of a stack's roles and policies.
#[must_use]
pub fn wildcards(stack: &RenderedStack) -> Vec<Wildcard> {
    let resources = stack.template["Resources"].as_object().into_iter().flatten();
    let holders = resources.filter(|(_, resource)| IDENTITIES.iter().any(|name| resource["Type"] == *name));
    holders.flat_map(|(logical_id, resource)| of_holder(logical_id, resource)).collect()
}

fn of_holder(logical_id: &str, resource: &Value) -> Vec<Wildcard> {
    let properties = resource["Properties"].as_object().into_iter().flatten();
    let policies = properties.filter(|(name, _)| *name != "AssumeRolePolicyDocument");
    let statements = policies.flat_map(|(_, value)| statements(value));
    let mut found: Vec<Wildcard> = Vec::new();
    for statement in statements {
        let parsed = PolicyStatement::parse(statement);
        let resources = wide_resources(&parsed);
        let Patterns::Only(actions) = parsed.actions() else { continue };
        if parsed.effect() == Effect::Deny || resources.is_empty() {
            continue;
        }
        for action in actions {
            let reason = reason_of(resource, statement, action);
            let is_same = |wildcard: &&mut Wildcard| {
                (&wildcard.resources, &wildcard.condition, &wildcard.reason)
                    == (&resources, &statement["Condition"], &reason)
            };
            match found.iter_mut().find(is_same) {
                Some(wildcard) => wildcard.actions.push(action.clone()),
                None => found.push(Wildcard {
                    logical_id: logical_id.to_owned(),
                    actions: vec![action.clone()],
                    resources: resources.clone(),
                    condition: statement["Condition"].clone(),
                    reason,
                }),
            }
        }
    }
    found
}

fn wide_resources(statement: &PolicyStatement) -> Vec<String> {
    match statement.resources() {
        Patterns::Only(resources) => {
            resources.iter().filter(|resource| is_wildcard(resource)).map(|resource| plain(resource)).collect()
        }
        Patterns::AllExcept(excepted) => {
            let excepted: Vec<_> = excepted.iter().map(|resource| plain(resource)).collect();
            vec![format!("all except {}", excepted.join(", "))]
        }
    }
}

/// The reason that the statement gives, or that of the whole resource, or that of the action.
fn reason_of(resource: &Value, statement: &Value, action: &str) -> Option<String> {
    let of_statement = |actions: &Value| list(actions) == list(&statement["Action"]);
    let given: Vec<_> = reasons(resource).collect();
    let exact = given.iter().find(|(actions, _)| of_statement(actions));
    let reason =
        exact.or_else(|| given.iter().find(|(actions, _)| actions.is_null())).map(|(_, reason)| (*reason).to_owned());
    let of_action = || WITHOUT_RESOURCES.iter().find(|(name, _)| name.eq_ignore_ascii_case(action));
    reason.or_else(|| of_action().map(|(_, why)| format!("The action has no resource type: {why}.")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::Example;

    #[test]
    fn every_wildcard_of_the_example_has_a_reason_or_a_condition() {
        let systems = Example::systems(&Example::stage_named("prod"));
        let found: Vec<_> = systems.iter().flat_map(|system| &system.stacks).flat_map(wildcards).collect();
        assert!(found.len() > 5, "{found:#?}");
        assert!(found.iter().all(|found| found.reason.is_some() || !found.condition.is_null()), "{found:#?}");
    }

    #[test]
    fn a_reason_belongs_to_its_statement() {
        let systems = Example::systems(&Example::stage_named("prod"));
        let found: Vec<_> = systems.iter().flat_map(|system| &system.stacks).flat_map(wildcards).collect();
        let tagging = found.iter().filter(|found| found.actions == ["cloudfront:TagResource"]).collect::<Vec<_>>();
        let [tagging] = tagging[..] else { panic!("{found:#?}") };
        assert!(tagging.reason.as_deref().is_some_and(|reason| reason.contains("no tags yet")), "{tagging:#?}");
        let deleting = found.iter().find(|found| found.actions.contains(&"cloudfront:DeleteDistribution".to_owned()));
        assert!(deleting.is_some_and(|found| found.reason.is_none() && !found.condition.is_null()), "{deleting:#?}");
    }
}
