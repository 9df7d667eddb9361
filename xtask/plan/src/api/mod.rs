//! Changes of APIs that resource schemas do not describe: which ones API Gateway refuses, and what clients get.
//!
//! `conflicts` finds variables of paths that exist until CloudFormation deletes them;
//! `effects` describes the routes that change before new versions are probed, and `http` those of HTTP APIs.

mod conflicts;
mod effects;
mod http;
mod routes;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub use self::routes::{RouteChanges, deployments, route_changes};
use crate::{
    changes::{ResourceAction, ResourceChange, StackChanges},
    findings::Finding,
};

/// A stack before and after an update.
struct Update<'a> {
    /// The stack's name in CloudFormation.
    stack: &'a str,
    /// The deployed template.
    old: Template<'a>,
    /// The template to deploy.
    new: Template<'a>,
    changes: &'a StackChanges,
    /// The changing parts of each API.
    changing_parts: BTreeMap<&'a str, Vec<&'a ResourceChange>>,
}

/// A template, with its resources by API: a stack may have many of both.
struct Template<'a> {
    body: &'a Value,
    /// The parts of each API, by [`api_of`].
    parts: BTreeMap<&'a str, Vec<Part<'a>>>,
}

/// A resource's logical ID, type and properties.
type Part<'a> = (&'a str, &'a str, &'a Value);

/// Returns the findings about the APIs of a stack. A new stack has none.
pub(crate) fn findings(stack: &str, old: Option<&Value>, new: &Value, changes: &StackChanges) -> Vec<Finding> {
    let Some(old) = old else { return Vec::new() };
    let update = Update::new(stack, Template::of(old), Template::of(new), changes);
    let mut found = conflicts::conflicts(&update);
    // An update that is refused changes nothing for clients.
    if found.is_empty() && changes.resources.iter().all(|change| change.impossible.is_none()) {
        found = effects::effects(&update);
        found.extend(http::effects(&update));
    }
    found
}

impl<'a> Template<'a> {
    fn of(body: &'a Value) -> Self {
        let mut parts: BTreeMap<&str, Vec<Part<'_>>> = BTreeMap::new();
        for part in resources(body) {
            if let Some(api) = api_of(part.2) {
                parts.entry(api).or_default().push(part);
            }
        }
        Self { body, parts }
    }

    /// Returns the resources that belong to an API, by logical ID.
    fn parts(&self, api: &str) -> &[Part<'a>] {
        self.parts.get(api).map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns the API of a resource, and the resource's type.
    fn api_of(&self, logical_id: &str) -> Option<(&'a str, &'a str)> {
        let resource = self.body.get("Resources")?.get(logical_id)?;
        Some((api_of(&resource["Properties"])?, resource["Type"].as_str()?))
    }
}

impl<'a> Update<'a> {
    fn new(stack: &'a str, old: Template<'a>, new: Template<'a>, changes: &'a StackChanges) -> Self {
        let mut changing_parts: BTreeMap<&str, Vec<&ResourceChange>> = BTreeMap::new();
        for change in &changes.resources {
            let sides = [&old, &new].into_iter().filter_map(|template| template.api_of(&change.logical_id));
            let apis: BTreeSet<_> = sides.map(|(api, _)| api).collect();
            apis.into_iter().for_each(|api| changing_parts.entry(api).or_default().push(change));
        }
        Self { stack, old, new, changes, changing_parts }
    }

    fn action(&self, logical_id: &str) -> Option<ResourceAction> {
        self.changes.of(logical_id).map(|change| change.action)
    }

    /// Returns whether the update makes a resource, in place of an old one or besides it.
    fn makes(&self, logical_id: &str) -> bool {
        matches!(self.action(logical_id), Some(ResourceAction::Create | ResourceAction::Replace))
    }
}

/// Returns the resources of a template with their types and properties.
fn resources(template: &Value) -> impl Iterator<Item = Part<'_>> {
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
