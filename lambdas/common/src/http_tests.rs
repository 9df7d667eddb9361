//! A small router, called with API Gateway's events.

use axum::{Json, extract::Path, response::IntoResponse, routing::on};
use contract::Route;
use serde_json::json;

use super::*;
use crate::{Caller, body::Fields, body::Parameters, notes::List, telemetry::capture::Lines};

#[derive(Debug, Clone, Copy)]
enum TestRoute {
    Who,
    Echo,
    Break,
    File,
}

impl Routes for TestRoute {
    const ALL: &'static [Self] = &[Self::Who, Self::Echo, Self::Break, Self::File];

    fn route(self) -> Route {
        let (method, path) = match self {
            Self::Who => (contract::Method::Get, "/media/{filename}"),
            Self::Echo => (contract::Method::Post, "/media"),
            Self::Break => (contract::Method::Delete, "/media/{filename}"),
            Self::File => (contract::Method::Get, "/files/{path+}"),
        };
        Route { method, path }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the database password is hunter2")]
struct Secret;

async fn who(caller: Caller, parameters: Parameters) -> impl IntoResponse {
    let body = Json(json!({"username": caller.username, "size": parameters.get("size")}));
    let mut response = body.into_response();
    response.extensions_mut().insert(Logged { bytes: Some(7), ..Logged::default() });
    response
}

async fn echo(Fields(fields): Fields) -> impl IntoResponse {
    (StatusCode::CREATED, Json(fields))
}

async fn fail() -> Result<(), ApiError> {
    Err(Secret)?
}

fn test_router() -> Router {
    let origins = Origins::parse("https://www.example.com");
    router::<List, TestRoute, ()>(origins, (), |route, filter| match route {
        TestRoute::Who => on(filter, who),
        TestRoute::Echo => on(filter, echo),
        TestRoute::Break => on(filter, fail),
        TestRoute::File => on(filter, async |Path(path): Path<String>| path),
    })
}

/// An event of API Gateway for stage `dev`.
fn event(method: &str, path: &str) -> Value {
    json!({
        "resource": path, "path": path, "httpMethod": method,
        "headers": {"Host": "abc.execute-api.eu-central-1.amazonaws.com", "X-Forwarded-Proto": "https"},
        "multiValueHeaders": {"Host": ["abc.execute-api.eu-central-1.amazonaws.com"], "X-Forwarded-Proto": ["https"]},
        "queryStringParameters": null, "multiValueQueryStringParameters": null,
        "pathParameters": null, "stageVariables": null,
        "requestContext": {
            "stage": "dev", "path": format!("/dev{path}"), "httpMethod": method, "resourcePath": path,
            "authorizer": {"claims": {"cognito:username": "ana", "token_use": "id"}},
            "identity": {}
        },
        "body": null, "isBase64Encoded": false
    })
}

async fn call(event: Value) -> Value {
    answer::<List>(test_router(), LambdaEvent::new(event, lambda_runtime::Context::default())).await.expect("an answer")
}

fn body(answer: &Value) -> Value {
    serde_json::from_str(answer["body"].as_str().expect("a body")).expect("JSON")
}

#[tokio::test(flavor = "current_thread")]
async fn routes_match_without_the_stage() {
    let mut event = event("GET", "/media/abc");
    event["multiValueQueryStringParameters"] = json!({"size": ["a b&c"]});
    let answer = call(event).await;
    assert_eq!(answer["statusCode"], 200);
    assert_eq!(answer["isBase64Encoded"], false);
    assert_eq!(body(&answer), json!({"username": "ana", "size": "a b&c"}));
}

#[tokio::test(flavor = "current_thread")]
async fn a_greedy_variable_matches_the_rest_of_the_path() {
    for rest in ["a.txt", "2026/11/a.txt"] {
        let answer = call(event("GET", &format!("/files/{rest}"))).await;
        assert_eq!((&answer["statusCode"], &answer["body"]), (&json!(200), &json!(rest)));
    }
    for path in ["/files", "/files/"] {
        assert_eq!(call(event("GET", path)).await["statusCode"], 404, "{path}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_stage_named_like_a_route_changes_nothing() {
    let mut event = event("GET", "/media/abc");
    event["requestContext"]["stage"] = json!("media");
    assert_eq!(call(event).await["statusCode"], 200);
}

#[tokio::test(flavor = "current_thread")]
async fn a_decoded_path_has_no_query_and_no_fragment() {
    for path in ["/media/a?b", "/media/a#b", "/media/a?"] {
        assert_eq!(call(event("GET", path)).await["statusCode"], 200, "{path}");
    }
    for path in ["/media?b", "/media#b"] {
        assert_eq!(call(event("POST", path)).await["statusCode"], 404, "{path}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_path_is_not_normalized() {
    for path in
        ["/elsewhere/../media/abc", "/elsewhere/%2e%2E/media/abc", "/./media/abc", "/media/x/../abc", "/media\\abc"]
    {
        assert_eq!(call(event("GET", path)).await["statusCode"], 404, "{path}");
    }
    let lines = Lines::default();
    let _guard = lines.listen();
    for path in ["/media/abc ", "/media/abc\t", "/media/..", "/media/a\\b"] {
        assert_eq!(call(event("GET", path)).await["statusCode"], 200, "{path}");
    }
    let named: Vec<_> = lines.values().iter().map(|line| line["filename"].as_str().map(str::to_owned)).collect();
    assert_eq!(named, ["abc ", "abc\t", "%2E%2E", "a\\b"].map(|name| Some(name.to_owned())));
}

#[tokio::test(flavor = "current_thread")]
async fn without_claims_there_is_no_caller() {
    for authorizer in [json!(null), json!({}), json!({"claims": {}}), json!({"claims": {"cognito:username": ""}})] {
        let mut event = event("GET", "/media/abc");
        event["requestContext"]["authorizer"] = authorizer;
        let answer = call(event).await;
        assert_eq!(answer["statusCode"], 401);
        assert_eq!(body(&answer)["details"]["code"], "Unauthorized");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn bodies_can_be_text_or_base64_and_large() {
    // More than axum's default limit of 2 MB.
    let text = "a".repeat(5 * 1024 * 1024);
    let mut event = event("POST", "/media");
    event["body"] = json!(json!({"text": text}).to_string());
    let answer = call(event.clone()).await;
    assert_eq!(answer["statusCode"], 201);
    assert_eq!(body(&answer)["text"].as_str().map(str::len), Some(text.len()));

    event["body"] = json!("eyJhIjoxfQ==");
    event["isBase64Encoded"] = json!(true);
    assert_eq!(body(&call(event).await), json!({"a": 1}));
}

#[tokio::test(flavor = "current_thread")]
async fn bad_json_names_the_body() {
    for (text, message) in
        [("{", "the body is not valid JSON"), ("[]", "the body must be a JSON object"), ("", "the body")]
    {
        let mut event = event("POST", "/media");
        event["body"] = json!(text);
        let answer = call(event).await;
        assert_eq!(answer["statusCode"], 400);
        let body = body(&answer);
        assert_eq!(body["details"], json!({"code": "MalformedJson", "field": "body"}));
        assert!(body["message"].as_str().expect("a message").starts_with(message), "{body}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn internal_errors_are_not_exposed() {
    let lines = Lines::default();
    let _guard = lines.listen();
    let answer = call(event("DELETE", "/media/abc")).await;
    assert_eq!(answer["statusCode"], 500);
    assert_eq!(
        body(&answer),
        json!({
            "error": "Internal Server Error", "message": "something went wrong; please try again", "statusCode": 500,
            "details": {"code": "InternalError"},
        })
    );
    assert_eq!(lines.values()[0]["error"], "the database password is hunter2");
}

#[tokio::test(flavor = "current_thread")]
async fn unknown_routes_get_json_responses() {
    let lost = call(event("GET", "/elsewhere")).await;
    assert_eq!((&lost["statusCode"], &body(&lost)["error"]), (&json!(404), &json!("Not Found")));
    let wrong = call(event("PUT", "/media")).await;
    assert_eq!((&wrong["statusCode"], &body(&wrong)["details"]["code"]), (&json!(405), &json!("MethodNotAllowed")));
}

#[tokio::test(flavor = "current_thread")]
async fn a_request_is_one_log_line() {
    let lines = Lines::default();
    let _guard = lines.listen();
    call(event("GET", "/media/abc")).await;
    let lines = lines.values();
    assert_eq!(lines.len(), 1, "{lines:?}");
    let line = &lines[0];
    assert_eq!(line["function"], "notes-list");
    assert_eq!((&line["filename"], &line["status"], &line["bytes"]), (&json!("abc"), &json!(200), &json!(7)));
    assert!(line["ms"].is_u64(), "{line}");
}

#[tokio::test(flavor = "current_thread")]
async fn probes_do_not_reach_the_router() {
    let ready = call(json!({"probe": "ready"})).await;
    assert_eq!(ready, json!({"ready": true, "function": "notes-list"}));
}

#[tokio::test(flavor = "current_thread")]
async fn other_events_are_an_error() {
    let event = LambdaEvent::new(json!({"probe": "steady"}), lambda_runtime::Context::default());
    assert!(answer::<List>(test_router(), event).await.is_err());
}

fn from_origin(method: &str, path: &str, origin: &str) -> Value {
    let mut event = event(method, path);
    event["multiValueHeaders"]["Origin"] = json!([origin]);
    event["headers"]["Origin"] = json!(origin);
    event["requestContext"]["authorizer"] = json!(null);
    event
}

#[tokio::test(flavor = "current_thread")]
async fn preflight_requests_need_no_token_on_any_route() {
    for path in ["/media", "/media/abc", "/elsewhere"] {
        let answer = call(from_origin("OPTIONS", path, "https://www.example.com")).await;
        assert_eq!(answer["statusCode"], 204, "{path}");
        let headers = &answer["multiValueHeaders"];
        assert_eq!(headers["access-control-allow-origin"], json!(["https://www.example.com"]));
        assert_eq!(headers["access-control-allow-headers"], json!(["Authorization, Content-Type"]));
        assert!(headers["access-control-allow-methods"][0].as_str().expect("methods").contains("DELETE"));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn other_origins_get_no_cors_headers() {
    for (method, status) in [("OPTIONS", 204), ("GET", 401)] {
        let answer = call(from_origin(method, "/media/abc", "https://evil.test")).await;
        assert_eq!(answer["statusCode"], status);
        let headers = answer["multiValueHeaders"].as_object().expect("headers");
        assert!(!headers.keys().any(|name| name.starts_with("access-control-")), "{headers:?}");
        assert_eq!(headers["vary"], json!(["Origin"]));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn errors_carry_cors_headers_too() {
    for (method, path, status) in
        [("GET", "/media/abc", 401), ("GET", "/elsewhere", 404), ("DELETE", "/media/abc", 500)]
    {
        let answer = call(from_origin(method, path, "https://www.example.com")).await;
        assert_eq!(answer["statusCode"], status);
        let headers = &answer["multiValueHeaders"];
        assert_eq!(headers["access-control-allow-origin"], json!(["https://www.example.com"]));
        assert_eq!(headers["vary"], json!(["Origin"]));
    }
}
