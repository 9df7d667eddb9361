//! Exceptions from the requirements for all templates and from the validator's rules, as metadata of the resource that has them.

use serde_json::{Value, json};

/// The key of a resource's metadata.
const KEY: &str = "Exceptions";
/// The rule that [`crate::parts::policy::Statement::because`] is an exception from.
pub(crate) const WILDCARD_RESOURCE: &str = "wildcard-resource";

/// A requirement, or a rule of the template validator, for example `F3002`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule(String);

impl From<&str> for Rule {
    fn from(name: &str) -> Self {
        Self(name.to_owned())
    }
}

/// An exception of one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    rule: Rule,
    /// The actions that it is limited to; empty for the whole resource.
    actions: Vec<String>,
    reason: String,
}

impl Exception {
    /// Creates an exception for the whole resource.
    #[must_use]
    pub fn new(rule: impl Into<Rule>, reason: &str) -> Self {
        Self { rule: rule.into(), actions: Vec::new(), reason: reason.to_owned() }
    }

    /// Creates an exception for statements that allow these actions.
    pub(crate) fn of_actions(actions: Vec<String>, reason: &str) -> Self {
        Self { actions, ..Self::new(WILDCARD_RESOURCE, reason) }
    }

    /// Adds the exception to a resource in CloudFormation's JSON form.
    pub(crate) fn add_to(&self, resource: &mut Value) {
        let mut exception = json!({ "Rule": self.rule.0, "Reason": self.reason });
        if !self.actions.is_empty() {
            exception["Actions"] = json!(self.actions);
        }
        match resource["Metadata"][KEY].as_array_mut() {
            Some(exceptions) => exceptions.push(exception),
            None => resource["Metadata"][KEY] = json!([exception]),
        }
    }
}

/// Has a resource, in CloudFormation's JSON form, an exception from a rule?
#[must_use]
pub fn is_excepted(resource: &Value, rule: &str) -> bool {
    all(resource).any(|exception| exception["Rule"] == rule && exception["Actions"].is_null())
}

/// Returns the reasons of a resource's exceptions for wildcards, each with the actions that it is for; `Null` for all.
pub(crate) fn reasons(resource: &Value) -> impl Iterator<Item = (&Value, &str)> {
    let of_wildcards = all(resource).filter(|exception| exception["Rule"] == WILDCARD_RESOURCE);
    of_wildcards.map(|exception| (&exception["Actions"], exception["Reason"].as_str().unwrap_or_default()))
}

/// The exceptions that have a reason.
fn all(resource: &Value) -> impl Iterator<Item = &Value> {
    let exceptions = resource["Metadata"][KEY].as_array().into_iter().flatten();
    exceptions.filter(|exception| exception["Reason"].as_str().is_some_and(|reason| !reason.trim().is_empty()))
}
