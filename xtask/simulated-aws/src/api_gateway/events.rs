//! The events that API Gateway sends to functions, and the responses that it makes of their payloads.

use std::collections::BTreeMap;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::{Kind, Route};
use crate::wire::{Call, Reply, form::decoded};

/// A request to a route.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) api: &'a str,
    pub(super) kind: Kind,
    pub(super) stage: &'a str,
    /// The path below the stage.
    pub(super) path: &'a str,
    pub(super) route: &'a Route,
    pub(super) variables: &'a BTreeMap<String, String>,
    pub(super) call: &'a Call,
}

impl Request<'_> {
    /// The event of the integration.
    pub(super) fn event(&self) -> Value {
        if self.kind == Kind::Rest { self.rest_event() } else { self.http_event() }
    }

    fn body(&self) -> Value {
        let body = &self.call.body;
        if body.is_empty() { Value::Null } else { String::from_utf8_lossy(body).into_owned().into() }
    }

    fn variables(&self) -> Value {
        or_null(self.variables.iter().map(|(name, value)| (name.clone(), decoded(value))).collect())
    }

    /// API Gateway developer guide, "Lambda proxy integrations in API Gateway": input format.
    fn rest_event(&self) -> Value {
        let Self { api, stage, path, route, call, .. } = *self;
        let query: BTreeMap<_, _> = call.query.iter().cloned().collect();
        let lists: BTreeMap<_, _> = query.iter().map(|(name, value)| (name, [value])).collect();
        let lists = if lists.is_empty() { Value::Null } else { json!(lists) };
        let headers: BTreeMap<_, _> = call.headers.iter().map(|(name, value)| (name, [value])).collect();
        json!({
            "resource": route.path,
            "path": path,
            "httpMethod": call.method,
            "headers": call.headers,
            "multiValueHeaders": headers,
            "queryStringParameters": or_null(query),
            "multiValueQueryStringParameters": lists,
            "pathParameters": self.variables(),
            "stageVariables": null,
            "requestContext": {
                "apiId": api,
                "httpMethod": call.method,
                "identity": { "sourceIp": "192.0.2.1", "userAgent": call.header("user-agent") },
                "path": format!("/{stage}{path}"),
                "protocol": "HTTP/1.1",
                "requestId": "simulated",
                "resourceId": "simulated",
                "resourcePath": route.path,
                "stage": stage,
            },
            "body": self.body(),
            "isBase64Encoded": false,
        })
    }

    /// API Gateway developer guide, "Create AWS Lambda proxy integrations for HTTP APIs in API Gateway": payload format 2.0.
    fn http_event(&self) -> Value {
        let Self { api, stage, path, route, call, .. } = *self;
        let key =
            if route.path == "$default" { route.path.clone() } else { format!("{} {}", route.method, route.path) };
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&call.query).finish();
        let http = json!({
            "method": call.method,
            "path": path,
            "protocol": "HTTP/1.1",
            "sourceIp": "192.0.2.1",
            "userAgent": call.header("user-agent"),
        });
        let mut event = json!({
            "version": "2.0",
            "routeKey": key,
            "rawPath": path,
            "rawQueryString": query,
            "headers": call.headers,
            "requestContext": {
                "apiId": api,
                "domainName": call.host,
                "http": http,
                "requestId": "simulated",
                "routeKey": key,
                "stage": stage,
            },
            "isBase64Encoded": false,
        });
        // Unlike a REST API's event, this one leaves out what a request lacks.
        for (name, value) in [("pathParameters", self.variables()), ("body", self.body())] {
            if !value.is_null() {
                event[name] = value;
            }
        }
        event
    }

    /// The values of the authorizer's identity sources, joined; `None` if one is missing, for which the authorizer is not called (API Gateway
    /// developer guide, "Configure an API Gateway Lambda authorizer"). Sources are `method.request.header.Authorization`,
    /// `$request.header.Authorization`, `route.request.querystring.token`; by default it is the header `Authorization`.
    pub(super) fn identity(&self) -> Option<String> {
        let sources = &self.route.authorizer["IdentitySource"];
        let listed = sources.as_array().into_iter().flatten().filter_map(Value::as_str);
        let sources: Vec<_> = sources.as_str().into_iter().flat_map(|all| all.split(',')).chain(listed).collect();
        let sources = if sources.is_empty() { vec!["header.authorization"] } else { sources };
        let value = |source: &str| {
            let (place, name) = source.trim().rsplit_once('.')?;
            let value = match place.rsplit('.').next()? {
                "querystring" => self.call.query(name),
                _ => self.call.header(&name.to_lowercase()),
            };
            value.filter(|value| !value.is_empty()).map(str::to_owned)
        };
        sources.into_iter().map(value).collect::<Option<Vec<_>>>().map(|values| values.join(","))
    }

    /// The event of a Lambda authorizer (API Gateway developer guide, "Input to an API Gateway Lambda authorizer").
    pub(super) fn authorizer_event(&self, region: &str, account: &str, token: &str) -> Value {
        let Self { api, stage, path, call, .. } = *self;
        let resource = path.trim_start_matches('/');
        let arn = format!("arn:aws:execute-api:{region}:{account}:{api}/{stage}/{}/{resource}", call.method);
        let mut event = self.event();
        match self.kind {
            Kind::Rest if self.route.authorizer["Type"] == "TOKEN" => {
                json!({ "type": "TOKEN", "authorizationToken": token, "methodArn": arn })
            }
            Kind::Rest => {
                event["type"] = "REQUEST".into();
                event["methodArn"] = arn.into();
                event
            }
            _ => {
                event["type"] = "REQUEST".into();
                // A WebSocket API names the ARN as a REST API does.
                let name = if self.kind == Kind::Http { "routeArn" } else { "methodArn" };
                event[name] = arn.into();
                event["identitySource"] = json!([token]);
                event
            }
        }
    }
}

fn or_null(map: BTreeMap<String, String>) -> Value {
    if map.is_empty() { Value::Null } else { json!(map) }
}

/// Whether a Lambda authorizer allows the request: by its policy, or by a simple response of an HTTP API (API Gateway developer guide, "Output
/// from an API Gateway Lambda authorizer"). A statement that denies wins.
pub(super) fn is_allowed(answer: &Value) -> bool {
    if let Some(is_allowed) = answer["isAuthorized"].as_bool() {
        return is_allowed;
    }
    let statements = answer["policyDocument"]["Statement"].as_array();
    statements.is_some_and(|all| {
        all.iter().any(|statement| statement["Effect"] == "Allow")
            && all.iter().all(|statement| statement["Effect"] != "Deny")
    })
}

/// The response that a payload stands for; `None` if it is malformed. Only HTTP APIs infer one from a payload without a status (API Gateway
/// developer guide, "Format 2.0: API Gateway can infer the response format").
pub(super) fn reply(kind: Kind, payload: &[u8]) -> Option<Reply> {
    let answer: Value = serde_json::from_slice(payload).ok()?;
    let Some(status) = answer["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok()) else {
        return (kind == Kind::Http && answer.get("errorMessage").is_none()).then(|| Reply::json(200, &answer));
    };
    let text = answer["body"].as_str().unwrap_or_default();
    let body = if answer["isBase64Encoded"] == true { BASE64_STANDARD.decode(text).ok()? } else { text.into() };
    let single = answer["headers"].as_object().into_iter().flatten();
    let lists = answer["multiValueHeaders"].as_object().into_iter().flatten();
    let lists = lists.filter_map(|(name, values)| Some((name, values.as_array()?.last()?)));
    let headers = single.chain(lists).map(|(name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        (name.to_lowercase(), value)
    });
    let mut headers: BTreeMap<_, _> = headers.collect();
    headers.entry("content-type".to_owned()).or_insert_with(|| "application/json".to_owned());
    Some(Reply { headers, body, ..Reply::empty(status) })
}
