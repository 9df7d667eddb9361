//! The routes of an API in a template.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Template, api_of, http, resources};

/// The difference between the routes of an API in two templates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteChanges {
    /// The routes that only the new template has, for example `GET /notes/{id}`.
    pub added: Vec<String>,
    /// The routes that only the old template has.
    pub removed: Vec<String>,
    /// The routes that both have, with other settings: authorization, function, model.
    pub changed: Vec<String>,
}

impl RouteChanges {
    /// Returns whether there is no difference.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// Compares the routes of an API, given by its logical ID, in two templates. Preflights are left out. The HTTP API of another stack is
/// given by the parameter with its ID.
#[must_use]
pub fn route_changes(old: &Value, new: &Value, api: &str) -> RouteChanges {
    changes_of(&Template::of(old), &Template::of(new), api)
}

pub(super) fn changes_of(old: &Template<'_>, new: &Template<'_>, api: &str) -> RouteChanges {
    let (before, after) = (routes(old, api), routes(new, api));
    let only = |one: &BTreeMap<String, Value>, other: &BTreeMap<String, Value>| {
        one.keys().filter(|route| !other.contains_key(*route)).cloned().collect::<Vec<_>>()
    };
    let differs = |(route, settings): (&String, &Value)| {
        before.get(route).is_some_and(|old| old != settings).then(|| route.clone())
    };
    RouteChanges {
        added: only(&after, &before),
        removed: only(&before, &after),
        changed: after.iter().filter_map(differs).collect(),
    }
}

/// Returns the deployment that each API of a stack serves: the API as `stack/logical ID`, and the deployment's logical ID, which
/// is another one after each change of the API. For an HTTP API it is a hash.
#[must_use]
pub fn deployments(stack: &str, template: &Value) -> BTreeMap<String, String> {
    let stages = resources(template).filter(|(_, kind, _)| *kind == "AWS::ApiGateway::Stage");
    stages
        .filter_map(|(_, _, properties)| {
            let deployment = properties["DeploymentId"]["Ref"].as_str()?;
            Some((format!("{stack}/{}", api_of(properties)?), deployment.to_owned()))
        })
        .chain(http::deployments(stack, &Template::of(template)))
        .collect()
}

/// Returns the routes of an API with their settings.
fn routes(template: &Template<'_>, api: &str) -> BTreeMap<String, Value> {
    let methods = template
        .parts(api)
        .iter()
        .filter(|(_, kind, properties)| *kind == "AWS::ApiGateway::Method" && properties["HttpMethod"] != "OPTIONS");
    methods
        .filter_map(|(_, _, properties)| {
            let path = match properties["ResourceId"]["Ref"].as_str() {
                Some(id) => path(template.body, id)?,
                None => "/".to_owned(),
            };
            let mut settings = (*properties).clone();
            // The resource's logical ID is not seen by clients.
            settings["ResourceId"] = json!(null);
            Some((format!("{} {path}", properties["HttpMethod"].as_str()?), settings))
        })
        .chain(http::routes(template, api))
        .collect()
}

/// Returns the path of an `AWS::ApiGateway::Resource`.
pub(super) fn path(template: &Value, logical_id: &str) -> Option<String> {
    let mut path = String::new();
    let mut next = Some(logical_id);
    while let Some(id) = next {
        let properties = &template["Resources"].get(id)?["Properties"];
        let part = properties["PathPart"].as_str()?;
        path = format!("/{part}{path}");
        // The parent of the first part is an attribute of the API. A template cannot have a cycle of parents, but a text may.
        next = properties["ParentId"]["Ref"].as_str().filter(|_| path.len() < 10_000);
    }
    Some(path)
}
