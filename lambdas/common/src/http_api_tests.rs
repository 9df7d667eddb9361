//! A small router, called with the events of an HTTP API.

use axum::{Json, http::header::SET_COOKIE, response::AppendHeaders, routing::on};
use contract::Route;
use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::{Authorized, Caller, SourceAddress, body::Parameters, notes::List, telemetry::capture::Lines};

#[derive(Debug, Clone, Copy)]
enum TestRoute {
    Who,
    Account,
    Request,
    Body,
}

impl Routes for TestRoute {
    const ALL: &'static [Self] = &[Self::Who, Self::Account, Self::Request, Self::Body];

    fn route(self) -> Route {
        let (method, path) = match self {
            Self::Who => (contract::Method::Get, "/users/{name}"),
            Self::Account => (contract::Method::Get, "/account"),
            Self::Request => (contract::Method::Get, "/files/{path+}"),
            Self::Body => (contract::Method::Post, "/files"),
        };
        Route { method, path }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Account {
    account_id: String,
    level: u32,
}

fn test_router(origins: Origins) -> Router {
    router::<List, TestRoute, ()>(origins, (), |route, filter| match route {
        TestRoute::Who => on(filter, async |caller: Caller, SourceAddress(address): SourceAddress| {
            Json(json!({ "username": caller.username, "address": address }))
        }),
        TestRoute::Account => on(filter, async |Authorized(account): Authorized<Account>| {
            format!("{} {}", account.account_id, account.level)
        }),
        TestRoute::Request => on(filter, async |parameters: Parameters, request: Request| {
            let headers = AppendHeaders([(SET_COOKIE, "a=1"), (SET_COOKIE, "b=2")]);
            let vary = AppendHeaders([("vary", "Accept"), ("vary", "Origin")]);
            let cookie = request.headers().get("cookie").and_then(|value| value.to_str().ok()).unwrap_or_default();
            let (path, query) = (request.uri().path(), request.uri().query());
            let all: Vec<_> = query.unwrap_or_default().split('&').map(str::to_owned).collect();
            (headers, vary, Json(json!({ "path": path, "size": parameters.get("size"), "all": all, "cookie": cookie })))
        }),
        TestRoute::Body => on(filter, async |body: String| body),
    })
}

/// An event of an HTTP API, as in "Create AWS Lambda proxy integrations for HTTP APIs in API Gateway".
fn event(method: &str, path: &str, query: &str) -> Value {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query,
        "headers": { "host": "abc.execute-api.eu-central-1.amazonaws.com", "x-forwarded-proto": "https" },
        "requestContext": {
            "accountId": "111122223333", "apiId": "abc", "stage": "$default", "routeKey": "$default",
            "domainName": "abc.execute-api.eu-central-1.amazonaws.com", "requestId": "id",
            "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.7", "userAgent": "curl" },
            "time": "12/Mar/2020:19:03:58 +0000", "timeEpoch": 1_583_348_638_390_u64,
        },
        "isBase64Encoded": false,
    })
}

fn authorized(path: &str, authorizer: Value) -> Value {
    let mut event = event("GET", path, "");
    event["requestContext"]["authorizer"] = authorizer;
    event
}

async fn call(event: Value) -> Value {
    let router = test_router(Origins::gateway());
    answer::<List>(router, LambdaEvent::new(event, lambda_runtime::Context::default())).await.expect("an answer")
}

fn body(answer: &Value) -> Value {
    serde_json::from_str(answer["body"].as_str().expect("a body")).expect("JSON")
}

#[tokio::test(flavor = "current_thread")]
async fn an_id_token_and_an_access_token_name_the_caller() {
    for claim in ["cognito:username", "username"] {
        let claims = json!({ "jwt": { "claims": { claim: "ana", "sub": "7" }, "scopes": null } });
        let answer = call(authorized("/users/ana", claims)).await;
        assert_eq!(answer["statusCode"], 200, "{answer}");
        assert_eq!(body(&answer), json!({ "username": "ana", "address": "192.0.2.7" }));
    }
    let of_a_function = json!({ "lambda": { "claims": { "cognito:username": "ana" } } });
    for authorizer in [json!(null), json!({ "jwt": { "claims": {}, "scopes": null } }), of_a_function] {
        assert_eq!(call(authorized("/users/ana", authorizer)).await["statusCode"], 401);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn the_values_of_an_authorizer_reach_the_handler() {
    let answer = call(authorized("/account", json!({ "lambda": { "accountId": "a-1", "level": 2 } }))).await;
    assert_eq!((&answer["statusCode"], &answer["body"]), (&json!(200), &json!("a-1 2")));
}

#[tokio::test(flavor = "current_thread")]
async fn a_route_without_the_values_of_an_authorizer_is_an_internal_error() {
    let lines = Lines::default();
    let _guard = lines.listen();
    let incomplete = json!({ "lambda": { "accountId": "a-1" } });
    let of_a_token = json!({ "jwt": { "claims": { "accountId": "a-1", "level": "2" }, "scopes": null } });
    for authorizer in [json!(null), json!({ "lambda": null }), json!({ "lambda": {} }), incomplete, of_a_token] {
        let answer = call(authorized("/account", authorizer.clone())).await;
        assert_eq!(answer["statusCode"], 500, "{authorizer}");
        assert_eq!(body(&answer)["details"], json!({ "code": "InternalError" }));
    }
    let lines = lines.values();
    assert_eq!(lines[0]["error"], "the gateway passed no values of an authorizer");
    assert_eq!(lines[3]["error"], "failed to read the values of the authorizer: missing field `level`");
}

#[tokio::test(flavor = "current_thread")]
async fn query_cookies_and_repeated_headers_are_kept() {
    let mut event = event("GET", "/files/a b.txt", "size=1&size=2&q=%C3%BC+<x>");
    event["cookies"] = json!(["s=1", "t=2"]);
    let answer = call(event).await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let expected = json!({
        "path": "/files/a%20b.txt", "size": "1", "cookie": "s=1; t=2", "all": ["size=1", "size=2", "q=%C3%BC+%3Cx%3E"],
    });
    let mut actual = body(&answer);
    // The first or the last value, as for REST APIs.
    assert!(["1", "2"].contains(&actual["size"].as_str().expect("a size")), "{actual}");
    actual["size"] = json!("1");
    assert_eq!(actual, expected);
    assert_eq!(answer["cookies"], json!(["a=1", "b=2"]));
    assert_eq!(answer["headers"]["vary"], "Accept, Origin");
    assert!(answer["headers"]["set-cookie"].is_null(), "{answer}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_stage_in_the_path_is_removed() {
    let mut event = event("GET", "/dev/files/a", "");
    event["requestContext"]["stage"] = json!("dev");
    assert_eq!(body(&call(event).await)["path"], "/files/a");
}

#[tokio::test(flavor = "current_thread")]
async fn a_path_is_not_normalized() {
    for path in ["/elsewhere/../account", "/./account", "/account/x/..", "/elsewhere/%2e%2e/account"] {
        assert_eq!(call(event("GET", path, "")).await["statusCode"], 404, "{path}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_body_in_base64_is_decoded() {
    let mut event = event("POST", "/files", "");
    (event["body"], event["isBase64Encoded"]) = (json!("aGVsbG8="), json!(true));
    assert_eq!(call(event).await["body"], "hello");
}

#[tokio::test(flavor = "current_thread")]
async fn cors_is_left_to_the_gateway() {
    let mut get = authorized("/account", json!({ "lambda": { "accountId": "a-1", "level": 2 } }));
    get["headers"]["origin"] = json!("https://www.example.com");
    let mut preflight = event("OPTIONS", "/account", "");
    preflight["headers"]["origin"] = json!("https://www.example.com");
    for (event, status) in [(get, 200), (preflight, 405)] {
        let answer = call(event).await;
        assert_eq!(answer["statusCode"], status);
        let headers = answer["headers"].as_object().expect("headers");
        assert!(!headers.keys().any(|name| name.starts_with("access-control-") || name == "vary"), "{headers:?}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_function_may_still_apply_cors_itself() {
    let mut preflight = event("OPTIONS", "/account", "");
    preflight["headers"]["origin"] = json!("https://www.example.com");
    let router = test_router(Origins::parse("https://www.example.com"));
    let event = LambdaEvent::new(preflight, lambda_runtime::Context::default());
    let answer = answer::<List>(router, event).await.expect("an answer");
    assert_eq!(answer["headers"]["access-control-allow-origin"], "https://www.example.com");
}
