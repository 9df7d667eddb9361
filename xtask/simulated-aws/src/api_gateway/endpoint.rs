//! The endpoints of APIs: `https://<API>.execute-api.<region>.amazonaws.com/<stage>/<path>`, without the stage for `$default`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Api, Deployment, Integration, Kind, events, events::Request, routes::function};
use crate::{
    account::Account,
    wire::{Call, Reply},
};

const DEFAULT_STAGE: &str = "$default";

/// Whether a host is the endpoint of an API.
pub(crate) fn is_host(host: &str) -> bool {
    host.contains(".execute-api.")
}

/// A response of the gateway itself (API Gateway developer guide, "Gateway response types for API Gateway").
struct Own {
    kind: &'static str,
    status: u16,
    error: &'static str,
    message: &'static str,
}

const fn own(kind: &'static str, status: u16, error: &'static str, message: &'static str) -> Own {
    Own { kind, status, error, message }
}

const MISSING_TOKEN: Own =
    own("MISSING_AUTHENTICATION_TOKEN", 403, "MissingAuthenticationTokenException", "Missing Authentication Token");
/// The response to a request without a route whose `Authorization` header is no signature.
const INCOMPLETE_SIGNATURE: Own = own(
    "INVALID_SIGNATURE",
    403,
    "IncompleteSignatureException",
    "Authorization header requires 'Credential' parameter.",
);
const UNAUTHORIZED: Own = own("UNAUTHORIZED", 401, "UnauthorizedException", "Unauthorized");
const ACCESS_DENIED: Own =
    own("ACCESS_DENIED", 403, "AccessDeniedException", "User is not authorized to access this resource");
const AUTHORIZER_FAILURE: Own =
    own("AUTHORIZER_CONFIGURATION_ERROR", 500, "AuthorizerConfigurationException", "Internal server error");
/// A function that fails, or whose payload is malformed (API Gateway developer guide, "Handle Lambda errors in API Gateway").
const INTEGRATION_FAILURE: Own = own("DEFAULT_5XX", 502, "InternalServerErrorException", "Internal server error");

/// Serves a request.
pub(crate) fn serve(account: &mut Account, call: &Call) -> Reply {
    let id = call.host.split('.').next().unwrap_or_default();
    let now = account.now();
    // Copied, not borrowed: a function may change the account.
    let Some(api) = account.apis.get(id).cloned() else { return forbidden() };
    let (stage, path) = stage_and_path(&api, &call.path);
    let Some(deployment) = api.deployed(stage, now) else { return forbidden() };
    let reply = match api.kind {
        Kind::Rest => rest(account, call, &deployment, (id, stage, path)),
        Kind::Http => http(account, call, (&api, &deployment), (id, stage, path)),
        Kind::WebSocket => connect(account, call, &deployment, (id, stage, path)),
    };
    let name = if api.kind == Kind::Rest { "x-amzn-requestid" } else { "apigw-requestid" };
    let request = account.chance.uuid();
    reply.header(name, request)
}

/// The response of an endpoint without an API or a stage.
fn forbidden() -> Reply {
    Reply::json(403, &json!({ "message": "Forbidden" })).header("x-amzn-errortype", "ForbiddenException")
}

fn stage_and_path<'a>(api: &Api, path: &'a str) -> (&'a str, &'a str) {
    if api.stages.contains_key(DEFAULT_STAGE) {
        return (DEFAULT_STAGE, path);
    }
    let rest = path.strip_prefix('/').unwrap_or(path);
    let end = rest.find('/').unwrap_or(rest.len());
    let below = &rest[end..];
    (&rest[..end], if below.is_empty() { "/" } else { below })
}

fn rest(account: &mut Account, call: &Call, deployment: &Deployment, (api, stage, path): (&str, &str, &str)) -> Reply {
    let own = |own: &Own| gateway_response(deployment, own);
    let Some((route, variables)) = deployment.find(&call.method, path) else {
        let has_token = call.header("authorization").is_some();
        return own(if has_token { &INCOMPLETE_SIGNATURE } else { &MISSING_TOKEN });
    };
    let (kind, variables) = (Kind::Rest, &variables);
    let request = Request { api, kind, stage, path, route, variables, call };
    if let Err(refusal) = authorize(account, request) {
        return own(match refusal {
            Refused::NoToken if route.authorization == "AWS_IAM" => &MISSING_TOKEN,
            Refused::NoToken => &UNAUTHORIZED,
            Refused::Denied => &ACCESS_DENIED,
            Refused::Broken => &AUTHORIZER_FAILURE,
        });
    }
    let answered = match &route.integration {
        Integration::Mock(status, headers) => {
            return Reply { headers: headers.clone(), ..Reply::empty(*status) };
        }
        Integration::Function(function) => invoke(account, function, &request.event()),
        Integration::Other => None,
    };
    answered.and_then(|payload| events::reply(kind, &payload)).unwrap_or_else(|| own(&INTEGRATION_FAILURE))
}

/// The gateway's own response, as the API configures it: its type's settings or those of all 4xx or 5xx. The header with the error's type stays
/// (API Gateway developer guide, "Gateway responses for REST APIs in API Gateway").
fn gateway_response(deployment: &Deployment, own: &Own) -> Reply {
    let default = if own.status < 500 { "DEFAULT_4XX" } else { "DEFAULT_5XX" };
    let settings = deployment.responses.get(own.kind).or_else(|| deployment.responses.get(default));
    let message = json!(own.message);
    let mut reply = Reply::json(own.status, &json!({ "message": message }));
    if let Some(settings) = settings {
        if let Some(status) = settings["StatusCode"].as_str().and_then(|status| status.parse().ok()) {
            reply.status = status;
        }
        if let Some(template) = settings["ResponseTemplates"]["application/json"].as_str() {
            let body = template.replace("$context.error.responseType", own.kind);
            let body = body.replace("$context.error.messageString", &message.to_string());
            reply.body = body.replace("$context.error.message", own.message).into_bytes();
        }
        for (name, value) in settings["ResponseParameters"].as_object().into_iter().flatten() {
            if let (Some(name), Some(value)) = (name.strip_prefix("gatewayresponse.header."), value.as_str()) {
                reply = reply.header(&name.to_lowercase(), value.trim_matches('\''));
            }
        }
    }
    reply.header("x-amzn-errortype", own.error)
}

/// API Gateway developer guide, "Create routes for HTTP APIs in API Gateway" and "Troubleshooting HTTP API Lambda integrations".
fn http(
    account: &mut Account,
    call: &Call,
    (api, deployment): (&Api, &Deployment),
    (id, stage, path): (&str, &str, &str),
) -> Reply {
    let own = |status: u16, message: &str| Reply::json(status, &json!({ "message": message }));
    let cors = &api.properties["CorsConfiguration"];
    if call.method == "OPTIONS" && !cors.is_null() && call.header("access-control-request-method").is_some() {
        return preflight(call, cors);
    }
    let reply = match deployment.find(&call.method, path) {
        None => own(404, "Not Found"),
        Some((route, variables)) => {
            let (kind, variables) = (Kind::Http, &variables);
            let request = Request { api: id, kind, stage, path, route, variables, call };
            match (authorize(account, request), &route.integration) {
                (Err(Refused::NoToken), _) => own(401, "Unauthorized"),
                (Err(Refused::Denied), _) => own(403, "Forbidden"),
                (Ok(()), Integration::Function(function)) => {
                    let payload = invoke(account, function, &request.event());
                    let reply = payload.and_then(|payload| events::reply(kind, &payload));
                    reply.unwrap_or_else(|| own(500, "Internal Server Error"))
                }
                _ => own(500, "Internal Server Error"),
            }
        }
    };
    match allowed_origin(call, cors) {
        Some(origin) => reply.header("access-control-allow-origin", origin),
        None => reply,
    }
}

/// API Gateway developer guide, "Configure CORS for HTTP APIs in API Gateway": the gateway answers preflights itself, without a route.
fn preflight(call: &Call, cors: &Value) -> Reply {
    let Some(origin) = allowed_origin(call, cors) else { return Reply::empty(204) };
    let joined = |name: &str| {
        let values = cors[name].as_array().into_iter().flatten().filter_map(Value::as_str);
        values.collect::<Vec<_>>().join(",")
    };
    let reply = Reply::empty(204).header("access-control-allow-origin", origin);
    let reply = reply.header("access-control-allow-methods", joined("AllowMethods"));
    let reply = reply.header("access-control-allow-headers", joined("AllowHeaders"));
    match cors["MaxAge"].as_u64() {
        Some(seconds) => reply.header("access-control-max-age", seconds.to_string()),
        None => reply,
    }
}

fn allowed_origin(call: &Call, cors: &Value) -> Option<String> {
    let origin = call.header("origin")?;
    let mut allowed = cors["AllowOrigins"].as_array()?.iter().filter_map(Value::as_str);
    allowed.find(|allowed| *allowed == "*" || *allowed == origin).map(str::to_owned)
}

/// Why an authorizer refuses a request.
enum Refused {
    NoToken,
    Denied,
    Broken,
}

/// A new connection of a WebSocket API (API Gateway developer guide, "Manage connected users and client apps: `$connect` and `$disconnect`
/// routes"). Only refusals are modelled: connections are not.
fn connect(
    account: &mut Account,
    call: &Call,
    deployment: &Deployment,
    (api, stage, path): (&str, &str, &str),
) -> Reply {
    let own = |status: u16, message: &str| Reply::json(status, &json!({ "message": message }));
    let Some(route) = deployment.routes.iter().find(|route| route.path == "$connect") else {
        return own(501, "the simulated AWS keeps no connections");
    };
    let variables = BTreeMap::new();
    let request = Request { api, kind: Kind::WebSocket, stage, path, route, variables: &variables, call };
    match authorize(account, request) {
        Err(Refused::NoToken) => own(401, "Unauthorized"),
        Err(Refused::Denied) => own(403, "Forbidden"),
        Err(Refused::Broken) => own(500, "Internal server error"),
        Ok(()) => own(501, "the simulated AWS keeps no connections"),
    }
}

/// Asks the authorizer of a route. The model has no users, so that no token of a pool or of another issuer is valid.
fn authorize(account: &mut Account, request: Request<'_>) -> Result<(), Refused> {
    let route = request.route;
    if matches!(route.authorization.as_str(), "NONE" | "") {
        return Ok(());
    }
    let Some(token) = request.identity() else { return Err(Refused::NoToken) };
    if route.authorization != "CUSTOM" {
        return Err(Refused::NoToken);
    }
    let Some(uri) = route.authorizer["AuthorizerUri"].as_str() else { return Err(Refused::Broken) };
    let event = request.authorizer_event(&account.region, &account.id, &token);
    let answer = invoke(account, &function(uri), &event).ok_or(Refused::Broken)?;
    let answer: Value = serde_json::from_slice(&answer).map_err(|_| Refused::Broken)?;
    if events::is_allowed(&answer) { Ok(()) } else { Err(Refused::Denied) }
}

fn invoke(account: &mut Account, function: &str, event: &Value) -> Option<Vec<u8>> {
    (account.invoke)(account, function, event.to_string().as_bytes()).ok()
}
