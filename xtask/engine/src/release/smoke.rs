//! Smoke tests: requests that each new version must serve before any traffic, and the API while and after traffic shifts.

use std::{collections::BTreeMap, convert::Infallible};

use base64::{Engine, prelude::BASE64_STANDARD};
use model::rendered::ApiKind;
use serde_json::{Value, json};

use super::context::Attempts;
use crate::{
    aws::lambda::Invocation,
    http::{Request, Response},
};

/// A request, and the response that must follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SmokeTest {
    /// The URL, or the reason why there is none: then the test fails.
    pub(crate) url: Result<String, String>,
    /// The expected status.
    pub(crate) status: u16,
    /// Fields that the response's JSON must contain; other fields are ignored.
    pub(crate) json: Option<Value>,
    /// How to send the request to the function itself, if the gateway passes it on without a check.
    pub(crate) direct: Option<DirectInvocation>,
}

/// A request as a function receives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DirectInvocation {
    /// The function's name in Lambda.
    pub(crate) function_name: String,
    /// The path below the API's URL, with its query.
    pub(crate) path: String,
    /// The path of the route that matches, for example `/notes/{id}`.
    pub(crate) route: String,
    /// The values of the route's variables.
    pub(crate) variables: BTreeMap<String, String>,
    /// The name of the API's stage.
    pub(crate) stage: String,
    /// The kind of the API, which decides the form of the event.
    pub(crate) kind: ApiKind,
}

/// Repeats an attempt until it passes. The outer error says that the attempt was not possible, the inner one how the last
/// attempt failed.
pub(super) async fn with_retries<E>(
    Attempts { count, pause }: Attempts,
    mut attempt: impl AsyncFnMut() -> Result<Result<(), String>, E>,
) -> Result<Result<(), String>, E> {
    for _ in 1..count {
        match attempt().await? {
            Ok(()) => return Ok(Ok(())),
            Err(_) => tokio::time::sleep(pause).await,
        }
    }
    let last = attempt().await?;
    Ok(if count == 1 { last } else { last.map_err(|why| format!("{why}, {count} times")) })
}

/// The error type of API Gateway's response to a request without a route (API Gateway developer guide, "Gateway response types":
/// `MISSING_AUTHENTICATION_TOKEN` is also the response to an unsupported method or resource).
const NO_ROUTE: &str = "MissingAuthenticationTokenException";
/// Its error types where such a request has an `Authorization` header, which API Gateway then reads as a signature of AWS (AWS re:Post,
/// "How do I troubleshoot HTTP 403 errors from API Gateway?"). Authorizers and functions have other ones.
const UNSIGNED: [&str; 2] = ["IncompleteSignatureException", "InvalidSignatureException"];

/// The name, in messages, of an HTTP API's response to a request without a route.
const NOT_FOUND: &str = "Not Found";
/// The header that only responses of HTTP APIs have. REST APIs name the request's ID `x-amzn-requestid`.
const OF_HTTP_API: &str = "apigw-requestid";

/// Returns API Gateway's error type if it had no route for the request. A REST API answers with status 403, as an authorizer does. A stage
/// may set another status and body; the header stays. An HTTP API answers with status 404 and a body of its own. `has_token` is whether the request had an `Authorization` header.
pub(crate) fn missing_route(response: &Response, has_token: bool) -> Option<&'static str> {
    let is_of_http_api = response.status == 404 && response.headers.contains_key(OF_HTTP_API);
    if is_of_http_api && response.json() == Some(json!({ "message": NOT_FOUND })) {
        return Some(NOT_FOUND);
    }
    let error_type = response.headers.get("x-amzn-errortype")?;
    let of_token: &[&str] = if has_token { &UNSIGNED } else { &[] };
    [NO_ROUTE].iter().chain(of_token).copied().find(|known| error_type.starts_with(known))
}

/// Describes a response of [`missing_route`], whose error type is the last argument.
pub(crate) fn no_route(method: &str, url: &str, status: u16, error_type: &str) -> String {
    format!("{url} has no route for {method}: the gateway itself responds with {status}, {error_type}")
}

impl SmokeTest {
    /// Sends the request until the test passes, at most so often. The error describes the last failure.
    pub(super) async fn run_with_retries(&self, attempts: Attempts) -> Result<(), String> {
        let Ok(result) = with_retries(attempts, async || Ok::<_, Infallible>(self.run().await)).await;
        result
    }

    /// Sends the request once. The error describes the failure.
    pub(crate) async fn run(&self) -> Result<(), String> {
        let url = self.url.as_ref().map_err(Clone::clone)?;
        let response = Request::get(url).send().await.map_err(|error| error.to_string())?;
        let status = response.status;
        if let Some(error_type) = missing_route(&response, false) {
            return Err(no_route("GET", url, status, error_type));
        }
        if status != self.status {
            return Err(format!("{url} responds with {status} instead of {}", self.status));
        }
        let Some(expected) = &self.json else { return Ok(()) };
        let actual = response.json().ok_or_else(|| format!("{url} responds without JSON"))?;
        // The error is stored in the ledger, so it does not contain the response, which may contain anything.
        if contains(&actual, expected) { Ok(()) } else { Err(format!("{url} responds with JSON without {expected}")) }
    }

    /// Verifies a function's response to a direct invocation. The error describes the failure.
    pub(super) fn verify_invocation(&self, direct: &DirectInvocation, response: &Invocation) -> Result<(), String> {
        let path = &direct.path;
        if response.error.is_some() {
            let text = String::from_utf8_lossy(&response.payload);
            return Err(format!("GET {path} failed with {}", text.chars().take(500).collect::<String>()));
        }
        let response: Value = serde_json::from_slice(&response.payload).unwrap_or_default();
        let status = &response["statusCode"];
        if *status != self.status {
            return Err(format!("GET {path} returned status {status} instead of {}", self.status));
        }
        let Some(expected) = &self.json else { return Ok(()) };
        let actual = body(&response).ok_or_else(|| format!("GET {path} returned no JSON"))?;
        if contains(&actual, expected) { Ok(()) } else { Err(format!("GET {path} returned JSON without {expected}")) }
    }
}

/// Returns the JSON body of a proxy integration's response.
fn body(response: &Value) -> Option<Value> {
    let body = response["body"].as_str().unwrap_or_default();
    if response["isBase64Encoded"] == true {
        BASE64_STANDARD.decode(body).ok().and_then(|body| serde_json::from_slice(&body).ok())
    } else {
        serde_json::from_str(body).ok()
    }
}

impl DirectInvocation {
    /// Returns the event that the API makes of the request.
    pub(super) fn event(&self) -> Value {
        match self.kind {
            ApiKind::Rest => self.rest_event(),
            ApiKind::Http => self.http_event(),
        }
    }

    /// API Gateway developer guide, "Create AWS Lambda proxy integrations for HTTP APIs in API Gateway": payload format 2.0.
    fn http_event(&self) -> Value {
        let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let variables: BTreeMap<_, _> = self.variables.iter().map(|(name, value)| (name, decoded(value))).collect();
        let key = format!("GET {}", self.route);
        json!({
            "version": "2.0",
            "routeKey": key,
            "rawPath": path,
            "rawQueryString": query,
            "headers": { "accept": "*/*", "host": "release", "user-agent": "xtask" },
            "pathParameters": or_null(&variables),
            "requestContext": {
                "accountId": "",
                "apiId": "release",
                "domainName": "release",
                "http": {
                    "method": "GET",
                    "path": path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "127.0.0.1",
                    "userAgent": "xtask",
                },
                "requestId": "release",
                "routeKey": key,
                "stage": self.stage,
                "timeEpoch": 0,
            },
            "isBase64Encoded": false,
        })
    }

    /// API Gateway developer guide, "Input format of a Lambda function for proxy integration".
    fn rest_event(&self) -> Value {
        let (stage, route) = (&self.stage, &self.route);
        let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let query: BTreeMap<_, _> = query.split('&').filter(|pair| !pair.is_empty()).map(parameter).collect();
        let lists: BTreeMap<_, _> = query.iter().map(|(name, value)| (name, [value])).collect();
        let variables: BTreeMap<_, _> = self.variables.iter().map(|(name, value)| (name, decoded(value))).collect();
        json!({
            "resource": route,
            "path": path,
            "httpMethod": "GET",
            "headers": { "Accept": "*/*", "Host": "release", "User-Agent": "xtask" },
            "multiValueHeaders": { "Accept": ["*/*"], "Host": ["release"], "User-Agent": ["xtask"] },
            "queryStringParameters": or_null(&query),
            "multiValueQueryStringParameters": or_null(&lists),
            "pathParameters": or_null(&variables),
            "stageVariables": null,
            "requestContext": {
                "accountId": "",
                "apiId": "release",
                "httpMethod": "GET",
                "identity": { "sourceIp": "127.0.0.1", "userAgent": "xtask" },
                "path": format!("/{stage}{path}"),
                "protocol": "HTTP/1.1",
                "requestId": "release",
                "resourceId": "release",
                "resourcePath": route,
                "stage": stage,
            },
            "body": null,
            "isBase64Encoded": false,
        })
    }
}

/// Returns the map in JSON; an empty one is null, as in API Gateway's events.
fn or_null<K: serde::Serialize, V: serde::Serialize>(map: &BTreeMap<K, V>) -> Value {
    if map.is_empty() { Value::Null } else { json!(map) }
}

/// Returns the decoded name and value of a query's parameter.
fn parameter(pair: &str) -> (String, String) {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    (decoded(&name.replace('+', " ")), decoded(&value.replace('+', " ")))
}

/// Decodes percent-encoded bytes. An incomplete encoding stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Returns whether `actual` contains every field of `expected` with its value.
pub(crate) fn contains(actual: &Value, expected: &Value) -> bool {
    match (actual, expected) {
        (Value::Object(actual), Value::Object(expected)) => {
            expected.iter().all(|(key, expected)| actual.get(key).is_some_and(|actual| contains(actual, expected)))
        }
        (actual, expected) => actual == expected,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn direct(path: &str, route: &str, variables: &[(&str, &str)]) -> DirectInvocation {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        DirectInvocation {
            function_name: "f".to_owned(),
            path: path.to_owned(),
            route: route.to_owned(),
            variables: variables.collect(),
            stage: "prod".to_owned(),
            kind: ApiKind::Rest,
        }
    }

    #[test]
    fn an_event_has_the_route_its_variables_and_the_query() {
        let event = direct("/notes/a%20b?limit=1&text=x+y", "/notes/{id}", &[("id", "a%20b")]).event();
        assert_eq!((&event["resource"], &event["path"]), (&json!("/notes/{id}"), &json!("/notes/a%20b")));
        assert_eq!(event["pathParameters"], json!({ "id": "a b" }));
        assert_eq!(event["queryStringParameters"], json!({ "limit": "1", "text": "x y" }));
        assert_eq!(event["multiValueQueryStringParameters"]["limit"], json!(["1"]));
        assert_eq!(event["requestContext"]["resourcePath"], "/notes/{id}");
        let event = direct("/health", "/health", &[]).event();
        assert_eq!((&event["pathParameters"], &event["queryStringParameters"]), (&Value::Null, &Value::Null));
        assert_eq!(decoded("50%"), "50%");
    }

    #[test]
    fn the_event_of_an_http_api_has_its_form() {
        let direct = direct("/notes/a%20b?limit=1&limit=2", "/notes/{id}", &[("id", "a%20b")]);
        let event = DirectInvocation { kind: ApiKind::Http, stage: "$default".to_owned(), ..direct }.event();
        assert_eq!((&event["version"], &event["routeKey"]), (&json!("2.0"), &json!("GET /notes/{id}")));
        assert_eq!((&event["rawPath"], &event["rawQueryString"]), (&json!("/notes/a%20b"), &json!("limit=1&limit=2")));
        assert_eq!(event["pathParameters"], json!({ "id": "a b" }));
        assert_eq!(event["requestContext"]["http"]["method"], "GET");
    }

    #[tokio::test]
    async fn a_test_without_a_url_fails() {
        let reason = "API NotesApi is not deployed".to_owned();
        let test = SmokeTest { url: Err(reason.clone()), status: 200, json: None, direct: None };
        assert_eq!(test.run().await, Err(reason));
    }

    #[test]
    fn a_missing_route_is_recognized_by_its_error_type() {
        let response = |error_type: &str| Response {
            status: 403,
            headers: [("x-amzn-errortype".to_owned(), error_type.to_owned())].into(),
            ..Response::default()
        };
        for has_token in [false, true] {
            assert_eq!(missing_route(&response(NO_ROUTE), has_token), Some(NO_ROUTE));
            for refused in ["UnauthorizedException", "AccessDeniedException"] {
                assert_eq!(missing_route(&response(refused), has_token), None, "{refused}");
            }
            assert_eq!(missing_route(&Response { status: 403, ..Response::default() }, has_token), None);
        }
        for unsigned in UNSIGNED {
            assert_eq!(missing_route(&response(unsigned), true), Some(unsigned));
            assert_eq!(
                missing_route(&response(unsigned), false),
                None,
                "the method itself reads signatures: {unsigned}"
            );
        }
    }

    #[test]
    fn a_missing_route_of_an_http_api_is_recognized_by_its_body() {
        let response = |status: u16, header: &str, body: &str| Response {
            status,
            headers: [(header.to_owned(), "id".to_owned())].into(),
            body: body.as_bytes().to_vec(),
        };
        let own = r#"{"message":"Not Found"}"#;
        assert_eq!(missing_route(&response(404, OF_HTTP_API, own), false), Some(NOT_FOUND));
        for other in [
            response(404, "x-amzn-requestid", own),
            response(403, OF_HTTP_API, r#"{"message":"Forbidden"}"#),
            response(401, OF_HTTP_API, r#"{"message":"Unauthorized"}"#),
            response(404, OF_HTTP_API, r#"{"error":"Not Found","message":"there is no such note"}"#),
        ] {
            assert_eq!(missing_route(&other, true), None, "{other:?}");
        }
    }

    #[test]
    fn a_direct_response_is_verified_by_status_and_json() {
        let direct = direct("/health", "/health", &[]);
        let test = SmokeTest {
            url: Ok(String::new()),
            status: 200,
            json: Some(json!({ "status": "healthy" })),
            direct: Some(direct.clone()),
        };
        let verified = |payload: Value, error: Option<&str>| {
            let response = Invocation { payload: payload.to_string().into_bytes(), error: error.map(str::to_owned) };
            test.verify_invocation(&direct, &response)
        };
        let body = r#"{"status":"healthy","more":1}"#;
        assert_eq!(verified(json!({ "statusCode": 200, "body": body }), None), Ok(()));
        let encoded = BASE64_STANDARD.encode(body);
        assert_eq!(verified(json!({ "statusCode": 200, "body": encoded, "isBase64Encoded": true }), None), Ok(()));
        for (payload, error, expected) in [
            (json!({ "statusCode": 500, "body": body }), None, "returned status 500 instead of 200"),
            (json!({ "statusCode": 200, "body": r#"{"status":"sick"}"# }), None, "returned JSON without"),
            (json!({ "statusCode": 200, "body": "<html>" }), None, "returned no JSON"),
            (json!({ "ready": true }), None, "returned status null"),
            (json!({ "errorMessage": "TABLE is missing" }), Some("Unhandled"), "failed with"),
        ] {
            let why = verified(payload, error).expect_err(expected);
            assert!(why.starts_with("GET /health") && why.contains(expected), "{why}");
        }
    }

    #[test]
    fn expected_fields_must_be_present_and_others_may_be() {
        let actual = json!({ "status": "ok", "checks": { "table": true, "bucket": true } });
        assert!(contains(&actual, &json!({ "status": "ok" })));
        assert!(contains(&actual, &json!({ "checks": { "table": true } })));
        assert!(!contains(&actual, &json!({ "checks": { "table": false } })));
        assert!(!contains(&actual, &json!({ "missing": 1 })));
    }
}
