//! The deployment of an API: a snapshot, whose logical ID contains a hash of everything that is in it.
//!
//! Changes of an API take effect only with a new deployment (API Gateway developer guide, "Updates to REST APIs that require
//! redeployment"). The hash is computed when the system is rendered, so it also covers the properties that
//! [`Stack::set`](crate::template::Stack::set) changes and the resources that a stack adds to the API by itself.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    resources::api_gateway::Deployment,
    template::{Reference, RenderError, Resource, Stack, json::sorted, set, value::REFERENCE},
};

/// The types of resources that are in a snapshot besides the API itself.
const TYPES: &[&str] = &[
    "AWS::ApiGateway::Authorizer",
    "AWS::ApiGateway::DocumentationPart",
    "AWS::ApiGateway::DocumentationVersion",
    "AWS::ApiGateway::GatewayResponse",
    PATH,
    "AWS::ApiGateway::Method",
    "AWS::ApiGateway::Model",
    "AWS::ApiGateway::RequestValidator",
];
const PATH: &str = "AWS::ApiGateway::Resource";

/// A resource by its stack and its logical ID.
type Key = (String, String);

/// Adds the deployment of an API under a provisional logical ID, which [`seal`] replaces.
pub(super) fn add(stack: &mut Stack, id: &str, api: &Reference) -> Reference {
    let deployment = Deployment { rest_api_id: set(api.id()), ..Deployment::default() };
    stack.resource(&provisional(id), Resource::of(deployment))
}

fn provisional(api: &str) -> String {
    format!("{api}Deployment")
}

/// Checks that everything in a snapshot is in its API's stack: a resource of another stack is created after the deployment, and
/// clients would not see it.
///
/// # Errors
///
/// The first resource of an API's snapshot in another stack.
pub(crate) fn check(system: &str, stacks: &[Stack]) -> Result<(), RenderError> {
    for (owner, api) in stacks.iter().flat_map(|stack| stack.apis.iter().map(move |api| (stack, &api.logical_id))) {
        for stack in stacks.iter().filter(|stack| stack.name != owner.name) {
            if let Some(logical_id) = members(stack, &owner.name, api).into_iter().next() {
                return Err(RenderError::OutsideDeployment {
                    system: system.to_owned(),
                    stack: stack.name.clone(),
                    logical_id,
                    owner: owner.name.as_str().into(),
                    api: api.as_str().into(),
                });
            }
        }
    }
    Ok(())
}

/// Gives every deployment its final logical ID, and makes it wait for the resources in its snapshot.
pub(crate) fn seal(stacks: &mut [Stack]) {
    let all: BTreeMap<Key, &Resource> = stacks
        .iter()
        .flat_map(|stack| stack.resources.iter().map(|(id, resource)| ((stack.name.clone(), id.clone()), resource)))
        .collect();
    let of = |stack: &Stack, api: &str| {
        let key = |id: &str| (stack.name.clone(), id.to_owned());
        let members = members(stack, &stack.name, api);
        let hash = hash(members.iter().map(|id| key(id)).chain([key(api)]), &all);
        // Methods and paths wait for their own paths.
        let waits_for =
            members.into_iter().filter(|id| stack.resources[id].resource_type() != PATH).collect::<Vec<_>>();
        (hash, waits_for)
    };
    let sealed: Vec<Vec<_>> = stacks
        .iter()
        .map(|stack| stack.apis.iter().map(|api| (api.logical_id.clone(), of(stack, &api.logical_id))).collect())
        .collect();
    for (stack, apis) in stacks.iter_mut().zip(sealed) {
        for (api, (hash, waits_for)) in apis {
            rename(stack, &api, &hash, &waits_for);
        }
    }
}

fn rename(stack: &mut Stack, api: &str, hash: &str, waits_for: &[String]) {
    let Some(deployment) = stack.resources.remove(&provisional(api)) else { return };
    let deployment = waits_for.iter().fold(deployment, |deployment, id| deployment.depends_on(id));
    let deployment = stack.resource(&format!("{}{}", provisional(api), &hash[..10]), deployment);
    stack.set(&super::stage_id(api), "DeploymentId", json!(deployment.id()));
}

/// The logical IDs of a stack's resources that are in the snapshot of an API, which belongs to the stack `owner`.
fn members(stack: &Stack, owner: &str, api: &str) -> Vec<String> {
    let is_of_api = |resource: &Resource| {
        let reference = &resource.properties()["RestApiId"][REFERENCE];
        reference["stack"] == owner && reference["logicalId"] == api
    };
    let resources = stack.resources.iter();
    resources
        .filter(|(_, resource)| TYPES.contains(&resource.resource_type()) && is_of_api(resource))
        .map(|(id, _)| id.clone())
        .collect()
}

/// Hashes all properties of the snapshot's resources, and the names of the resources that they refer to: a renamed function has
/// another ARN, which the snapshot contains.
fn hash(members: impl Iterator<Item = Key>, all: &BTreeMap<Key, &Resource>) -> String {
    let mut shape = BTreeMap::new();
    let mut waiting = Vec::new();
    for key in members {
        let Some(resource) = all.get(&key) else { continue };
        waiting.extend(references(resource.properties()));
        shape.insert(key, json!([resource.resource_type(), resource.properties()]));
    }
    let mut seen: BTreeSet<_> = shape.keys().cloned().collect();
    while let Some(key) = waiting.pop() {
        if !seen.insert(key.clone()) {
            continue;
        }
        let Some(resource) = all.get(&key) else { continue };
        let properties = resource.properties().as_object().into_iter().flatten();
        let names: Value = properties
            .filter(|(property, _)| property.ends_with("Name"))
            .map(|(property, value)| (property.clone(), value.clone()))
            .collect::<serde_json::Map<_, _>>()
            .into();
        waiting.extend(references(&names));
        shape.insert(key, json!([resource.resource_type(), names]));
    }
    let shape: Vec<_> = shape.into_iter().collect();
    hex::encode(Sha256::digest(sorted(json!(shape)).to_string()))
}

/// The resources that a value refers to.
fn references(value: &Value) -> Vec<Key> {
    match value {
        Value::Object(object) => {
            let text = |reference: &Value, field: &str| reference[field].as_str().unwrap_or_default().to_owned();
            let marked = object.get(REFERENCE).map(|marked| (text(marked, "stack"), text(marked, "logicalId")));
            marked.into_iter().chain(object.values().flat_map(references)).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}
