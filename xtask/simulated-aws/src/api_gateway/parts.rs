//! The resources of APIs in templates.

use serde_json::Value;

use super::{Api, Deployment, Kind};
use crate::{
    account::Account,
    bags,
    resources::{Provided, Provider, Wanted},
    shared::Shared,
};

/// Creates, updates and deletes APIs and all that belongs to one.
pub(crate) const PART: Provider = Provider { create, update, delete };

/// Types of API Gateway that belong to no API. They are property bags.
const OTHERS: [&str; 10] = [
    "Account",
    "ApiKey",
    "ApiMapping",
    "BasePathMapping",
    "ClientCertificate",
    "DomainName",
    "DomainNameV2",
    "UsagePlan",
    "UsagePlanKey",
    "VpcLink",
];

/// Whether a type is an API or belongs to one.
pub(crate) fn is_part(resource_type: &str) -> bool {
    let kind =
        resource_type.strip_prefix("AWS::ApiGateway::").or_else(|| resource_type.strip_prefix("AWS::ApiGatewayV2::"));
    kind.is_some_and(|kind| !OTHERS.contains(&kind))
}

fn is_api(resource_type: &str) -> bool {
    matches!(resource_type, "AWS::ApiGateway::RestApi" | "AWS::ApiGatewayV2::Api")
}

fn kind(wanted: Wanted<'_>) -> &str {
    wanted.resource_type.rsplit("::").next().unwrap_or_default()
}

fn create(account: &mut Account, wanted: Wanted<'_>) -> Result<Provided, String> {
    if is_api(wanted.resource_type) {
        return Ok(create_api(account, wanted));
    }
    let name = match kind(wanted) {
        "Stage" => wanted.properties["StageName"].as_str(),
        "Model" => wanted.properties["Name"].as_str(),
        _ => None,
    };
    let id = name.map_or_else(|| id(account, 6), str::to_owned);
    let now = account.now();
    let api = api_of(account, &id, wanted).ok_or("Invalid API identifier specified")?;
    if let Some(conflict) = conflict(api, &id, wanted) {
        return Err(conflict);
    }
    match kind(wanted) {
        "Deployment" => {
            let deployment = Deployment::of(api, now);
            // API Gateway API reference, `CreateDeployment`: `BadRequestException`.
            if deployment.routes.is_empty() {
                return Err("The REST API doesn't contain any methods".to_owned());
            }
            api.deployments.insert(id.clone(), Shared::new(deployment));
        }
        "Stage" => serve(api, &id, wanted)?,
        _ => {}
    }
    api.parts.insert((wanted.resource_type.to_owned(), id.clone()), wanted.properties.clone());
    Ok(provided(&id, wanted))
}

fn create_api(account: &mut Account, wanted: Wanted<'_>) -> Provided {
    let (api_id, root) = (id(account, 10), id(account, 10));
    let kind = match wanted.properties["ProtocolType"].as_str() {
        Some("WEBSOCKET") => Kind::WebSocket,
        Some(_) => Kind::Http,
        None => Kind::Rest,
    };
    let (region, properties) = (wanted.region.to_owned(), wanted.properties.clone());
    let api = Api { region, kind, properties, root, ..Api::default() };
    let provided = provided_api(&api_id, &api);
    account.apis.insert(api_id, Shared::new(api));
    provided
}

/// CloudFormation template reference, `AWS::ApiGateway::RestApi` and `AWS::ApiGatewayV2::Api`: return values.
fn provided_api(id: &str, api: &Api) -> Provided {
    let scheme = if api.kind == Kind::WebSocket { "wss" } else { "https" };
    let endpoint = format!("{scheme}://{id}.execute-api.{}.amazonaws.com", api.region);
    match api.kind {
        Kind::Rest => bags::provided(id, &[("RestApiId", id), ("RootResourceId", &api.root)]),
        _ => bags::provided(id, &[("ApiId", id), ("ApiEndpoint", &endpoint)]),
    }
}

/// `Fn::GetAtt` returns the ID under the name of its kind: `ResourceId`, `DeploymentId`, `AuthorizerId`, …
fn provided(id: &str, wanted: Wanted<'_>) -> Provided {
    bags::provided(id, &[(&format!("{}Id", kind(wanted)), id), ("Id", id)])
}

fn id(account: &mut Account, length: usize) -> String {
    account.chance.capitals(length).to_lowercase()
}

/// The API that a resource belongs to: its properties name it. Otherwise, the API that has the resource.
fn api_of<'a>(account: &'a mut Account, id: &str, wanted: Wanted<'_>) -> Option<&'a mut Api> {
    let named = ["RestApiId", "ApiId"].iter().find_map(|name| wanted.properties[*name].as_str()).map(str::to_owned);
    let part = (wanted.resource_type.to_owned(), id.to_owned());
    let found = named.or_else(|| {
        let mut apis = account.apis.iter();
        apis.find(|(_, api)| api.parts.contains_key(&part)).map(|(id, _)| id.clone())
    });
    account.apis.get_mut(&found?).map(|api| &mut **api)
}

/// The reason of a `ConflictException` (API Gateway API reference): two resources of a REST API have the same path, or two methods, routes or
/// stages the same key.
fn conflict(api: &Api, id: &str, wanted: Wanted<'_>) -> Option<String> {
    let keys: &[&str] = match kind(wanted) {
        "Resource" => &["ParentId", "PathPart"],
        "Method" => &["ResourceId", "HttpMethod"],
        "Route" => &["RouteKey"],
        "Stage" => &["StageName"],
        "GatewayResponse" => &["ResponseType"],
        "Model" => &["Name"],
        _ => return None,
    };
    let is_equal = |other: &Value| keys.iter().all(|key| other[*key] == wanted.properties[*key]);
    let mut others = api.parts.iter().filter(|((kind, _), _)| kind == wanted.resource_type);
    others.any(|(_, other)| is_equal(other)).then(|| match kind(wanted) {
        "Resource" => {
            let part = wanted.properties["PathPart"].as_str().unwrap_or_default();
            format!("Another resource with the same parent already has this name: {part}")
        }
        "Method" => "Method already exists for this resource".to_owned(),
        "Route" => {
            let key = wanted.properties["RouteKey"].as_str().unwrap_or_default();
            format!("Route with key {key} already exists for this API")
        }
        kind => format!("{kind} {id} already exists"),
    })
}

/// Makes a stage serve its deployment.
fn serve(api: &mut Api, stage: &str, wanted: Wanted<'_>) -> Result<(), String> {
    let deployment = wanted.properties["DeploymentId"].as_str().map(str::to_owned);
    if deployment.as_ref().is_some_and(|id| !api.deployments.contains_key(id)) {
        return Err("Invalid Deployment identifier specified".to_owned());
    }
    api.stages.insert(stage.to_owned(), deployment);
    Ok(())
}

fn update(account: &mut Account, id: &str, wanted: Wanted<'_>) -> Result<Provided, String> {
    if is_api(wanted.resource_type) {
        let api = account.apis.get_mut(id).ok_or("Invalid API identifier specified")?;
        wanted.properties.clone_into(&mut api.properties);
        return Ok(provided_api(id, api));
    }
    let api = api_of(account, id, wanted).ok_or("Invalid API identifier specified")?;
    let key = (wanted.resource_type.to_owned(), id.to_owned());
    if !api.parts.contains_key(&key) {
        return Err(format!("Invalid {} identifier specified", kind(wanted)));
    }
    if kind(wanted) == "Stage" {
        serve(api, id, wanted)?;
    }
    api.parts.insert(key, wanted.properties.clone());
    Ok(provided(id, wanted))
}

fn delete(account: &mut Account, id: &str, wanted: Wanted<'_>) -> Result<(), String> {
    if is_api(wanted.resource_type) {
        account.apis.remove(id);
        return Ok(());
    }
    let Some(api) = api_of(account, id, wanted) else { return Ok(()) };
    match kind(wanted) {
        "Deployment" => {
            // API Gateway API reference, `DeleteDeployment`: `BadRequestException`.
            if api.stages.values().any(|deployment| deployment.as_deref() == Some(id)) {
                return Err("Active stages pointing to this deployment must be moved or deleted".to_owned());
            }
            api.deployments.remove(id);
        }
        "Stage" => {
            api.stages.remove(id);
        }
        "Resource" => remove_below(api, id),
        _ => {}
    }
    api.parts.remove(&(wanted.resource_type.to_owned(), id.to_owned()));
    Ok(())
}

/// Removes the methods and the resources below a resource, which are deleted with it (API Gateway API reference, `DeleteResource`).
fn remove_below(api: &mut Api, resource: &str) {
    api.parts.retain(|(kind, _), part| kind != "AWS::ApiGateway::Method" || part["ResourceId"] != resource);
    let children = api
        .parts
        .iter()
        .filter(|((kind, _), part)| kind == "AWS::ApiGateway::Resource" && part["ParentId"] == resource);
    let children: Vec<_> = children.map(|(key, _)| key.clone()).collect();
    for child in children {
        api.parts.remove(&child);
        remove_below(api, &child.1);
    }
}
