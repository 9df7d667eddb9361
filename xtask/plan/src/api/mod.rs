//! Changes of APIs that resource schemas do not describe: which ones API Gateway refuses, and what clients get.
//!
//! `conflicts` finds variables of paths that exist until CloudFormation deletes them;
//! `effects` describes the routes that change before new versions are probed, and `http` those of HTTP APIs.

mod conflicts;
mod effects;
mod http;
mod routes;

use serde_json::Value;

pub use self::routes::{RouteChanges, deployments, route_changes};
use crate::{
    changes::{ResourceAction, StackChanges},
    findings::Finding,
};

/// A stack before and after an update.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Update<'a> {
    /// The stack's name in CloudFormation.
    pub(crate) stack: &'a str,
    /// The deployed template.
    pub(crate) old: &'a Value,
    /// The template to deploy.
    pub(crate) new: &'a Value,
    pub(crate) changes: &'a StackChanges,
}

/// Returns the findings about the APIs of a stack. A new stack has none.
pub(crate) fn findings(stack: &str, old: Option<&Value>, new: &Value, changes: &StackChanges) -> Vec<Finding> {
    let Some(old) = old else { return Vec::new() };
    let update = Update { stack, old, new, changes };
    let mut found = conflicts::conflicts(&update);
    // An update that is refused changes nothing for clients.
    if found.is_empty() && changes.resources.iter().all(|change| change.impossible.is_none()) {
        found = effects::effects(&update);
        found.extend(http::effects(&update));
    }
    found
}

impl Update<'_> {
    fn action(&self, logical_id: &str) -> Option<ResourceAction> {
        self.changes.of(logical_id).map(|change| change.action)
    }

    /// Returns whether the update makes a resource, in place of an old one or besides it.
    fn makes(&self, logical_id: &str) -> bool {
        matches!(self.action(logical_id), Some(ResourceAction::Create | ResourceAction::Replace))
    }
}

/// Returns the resources of a template with their types and properties.
fn resources(template: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let resources = template.get("Resources").and_then(Value::as_object).into_iter().flatten();
    resources
        .map(|(id, resource)| (id.as_str(), resource["Type"].as_str().unwrap_or_default(), &resource["Properties"]))
}

/// Returns the logical ID of the API that a resource belongs to, or the parameter with the ID of another stack's API.
fn api_of(properties: &Value) -> Option<&str> {
    properties["RestApiId"]["Ref"].as_str().or_else(|| properties["ApiId"]["Ref"].as_str())
}

#[cfg(test)]
mod tests;
