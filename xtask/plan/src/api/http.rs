//! HTTP APIs: their routes in a template, and what clients get after its stack is updated.
//!
//! The stage deploys every change at once, so clients see each of them while the stack is updated. A stack may also have routes of
//! another stack's API, which is a parameter of its template then.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Template, Update, api_of, effects, resources, routes::changes_of};
use crate::{changes::ResourceChange, findings::Finding};

const API: &str = "AWS::ApiGatewayV2::Api";
const ROUTE: &str = "AWS::ApiGatewayV2::Route";
const STAGE: &str = "AWS::ApiGatewayV2::Stage";
const AUTHORIZER: &str = "AWS::ApiGatewayV2::Authorizer";
const INTEGRATION: &str = "AWS::ApiGatewayV2::Integration";
/// The parts that clients see, besides routes.
const SETTINGS: &[&str] = &[AUTHORIZER, INTEGRATION, STAGE];

/// Describes the effects on the APIs that have routes in the stack before and after the update.
pub(super) fn effects(update: &Update<'_>) -> Vec<Finding> {
    let present = |api: &&str| !update.makes(api);
    apis(update.new.body).into_iter().filter(present).filter_map(|api| of_api(update, api)).collect()
}

/// Returns the APIs of a template by their logical IDs, and those of other stacks by the parameters of their IDs.
fn apis(template: &Value) -> BTreeSet<&str> {
    let is_http = |properties: &Value| properties["ProtocolType"] != "WEBSOCKET";
    let own = resources(template).filter(|(_, kind, properties)| *kind == API && is_http(properties));
    let parameters = &template["Parameters"];
    let of_routes = resources(template).filter(|(_, kind, properties)| *kind == ROUTE && key(properties).is_some());
    let others = of_routes.filter_map(|(_, _, properties)| api_of(properties));
    own.map(|(id, ..)| id).chain(others.filter(|api| !parameters[*api].is_null())).collect()
}

fn of_api(update: &Update<'_>, api: &str) -> Option<Finding> {
    let changes = changes_of(&update.old, &update.new, api);
    let list = |what: &str, routes: &[String]| routes.iter().map(|route| format!("{what} {route}")).collect::<Vec<_>>();
    let mut parts = list("adds", &changes.added);
    parts.extend(list("changes", &changes.changed));
    parts.extend(list("no longer serves", &changes.removed));
    let has_other_cors = |change: &ResourceChange| {
        change.properties.iter().any(|property| property.path.split('/').next() == Some("CorsConfiguration"))
    };
    if update.changes.of(api).is_some_and(has_other_cors) {
        parts.push("browsers may send requests from other origins, or with other methods or headers".to_owned());
    }
    parts.extend(effects::changed_resources(update, api, SETTINGS));
    let message = format!(
        "{api} changes while its stack is updated, before new versions are probed, and even if their release fails:"
    );
    effects::listing(update, api, &message, parts)
}

/// Returns the route key of a route with a method and a path, which routes of WebSocket APIs do not have; that of the default route is
/// `$default`.
fn key(route: &Value) -> Option<&str> {
    route["RouteKey"].as_str().filter(|key| *key == "$default" || key.contains(' '))
}

/// Returns the routes of an HTTP API with their settings. Their function is the target.
pub(super) fn routes(template: &Template<'_>, api: &str) -> BTreeMap<String, Value> {
    let own = template.parts(api).iter().filter(|(_, kind, _)| *kind == ROUTE);
    own.filter_map(|(_, _, properties)| {
        let mut settings = (*properties).clone();
        settings["Target"] = target(template.body, properties);
        Some((key(properties)?.to_owned(), settings))
    })
    .collect()
}

/// Returns the function of a route's integration: the integration's logical ID is not seen by clients.
fn target(template: &Value, route: &Value) -> Value {
    let target = &route["Target"];
    let text = target["Fn::Sub"].as_str().or_else(|| target["Fn::Sub"][0].as_str()).unwrap_or_default();
    let id = text.strip_prefix("integrations/${").and_then(|rest| rest.strip_suffix('}'));
    let integration = id.and_then(|id| template["Resources"].get(id));
    integration.map_or_else(|| target.clone(), |integration| integration["Properties"].clone())
}

/// Returns a hash of everything that clients see of each HTTP API in a template, by `stack/API`. The routes of another stack's API are
/// an entry of their own.
pub(super) fn deployments(stack: &str, template: &Template<'_>) -> BTreeMap<String, String> {
    let hash = |api: &str| {
        let mut seen = json!({ "routes": routes(template, api), "api": template.body["Resources"][api]["Properties"] });
        let settings = template.parts(api).iter().filter(|(_, kind, _)| [AUTHORIZER, STAGE].contains(kind));
        for (id, _, properties) in settings {
            seen[format!("setting {id}")] = (*properties).clone();
        }
        hex::encode(&Sha256::digest(seen.to_string())[..5])
    };
    apis(template.body).into_iter().map(|api| (format!("{stack}/{api}"), hash(api))).collect()
}
