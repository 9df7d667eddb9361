//! Requests from all event sources.

use serde_json::json;
use thakii_contract::HEALTH_EVENT;

use super::*;
use crate::testing::{Answer, Api};

async fn health(event: Value) -> Answer {
    Api::empty().await.answer(event).await
}

#[tokio::test(flavor = "current_thread")]
async fn health_is_answered_for_every_event_source() {
    let rest = json!({
        "resource": "/{proxy+}", "path": "/health", "httpMethod": "GET", "headers": {"Host": "x"},
        "multiValueHeaders": {"Host": ["x"]}, "requestContext": {"stage": "prod", "path": "/prod/health", "identity": {}},
    });
    let http = json!({
        "version": "2.0", "routeKey": "$default", "rawPath": "/prod/health", "rawQueryString": "a=1",
        "headers": {"host": "x"}, "cookies": ["a=b"], "isBase64Encoded": false,
        "requestContext": {"stage": "prod", "http": {"method": "GET", "path": "/prod/health"}},
    });
    let balancer = json!({
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:x"}}, "httpMethod": "GET",
        "path": "/health", "queryStringParameters": {}, "headers": {"host": "x"}, "body": "", "isBase64Encoded": false,
    });
    let direct: Value = serde_json::from_str(HEALTH_EVENT).expect("JSON");
    for event in [rest, http, balancer, direct, json!({"path": "/health", "httpMethod": "GET"})] {
        let answer = health(event.clone()).await;
        assert!(answer.0["statusCode"].is_u64() && answer.0["headers"].is_object(), "{event}");
        assert_eq!((answer.status(), &answer.body()["status"]), (200, &json!("healthy")), "{event}");
        let allowed = answer.header("access-control-allow-origin").map(str::to_owned);
        let allowed =
            allowed.or_else(|| answer.0["headers"]["access-control-allow-origin"].as_str().map(str::to_owned));
        assert_eq!(allowed.as_deref(), Some("http://localhost:3000"), "{event}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn an_empty_event_is_not_found() {
    for event in [json!({}), json!(null), json!([]), json!("x")] {
        assert_eq!(health(event.clone()).await.error(), (404, "Not Found".to_owned()), "{event}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_probe_returns_the_function_name() {
    let ready = health(json!({"probe": "ready"})).await;
    assert_eq!(ready.0, json!({"ready": true, "function": "thakii-backend-api"}));
}

#[test]
fn http_api_events_are_converted() {
    let event = json!({
        "version": "2.0", "rawPath": "/list", "rawQueryString": "limit=1&next_token=a%2Bb+c&flag",
        "headers": {"authorization": "Bearer x", "origin": "https://app.example.com"},
        "requestContext": {"stage": "$default", "http": {"method": "PUT"}}, "body": "e30=", "isBase64Encoded": true,
    });
    let rest = to_rest_event(event, EventSource::HttpApi);
    assert_eq!((&rest["path"], &rest["httpMethod"]), (&json!("/list"), &json!("PUT")));
    assert_eq!(rest["multiValueQueryStringParameters"], json!({"limit": ["1"], "next_token": ["a+b c"], "flag": [""]}));
    assert_eq!(rest["multiValueHeaders"]["authorization"], json!(["Bearer x"]));
    assert_eq!((&rest["body"], &rest["isBase64Encoded"]), (&json!("e30="), &json!(true)));
}

#[test]
fn the_stage_is_stripped_only_as_a_whole_segment() {
    let event = |path: &str| json!({"version": "2.0", "rawPath": path, "requestContext": {"stage": "he", "http": {"method": "GET"}}});
    assert_eq!(path(&event("/health"), EventSource::HttpApi), "/health");
    assert_eq!(path(&event("/he/health"), EventSource::HttpApi), "/health");
    assert_eq!(path(&json!({"path": "health"}), EventSource::Direct), "/health");
}

#[test]
fn load_balancer_parameters_are_decoded() {
    let event = json!({
        "requestContext": {"elb": {}}, "httpMethod": "GET", "path": "/list",
        "multiValueQueryStringParameters": {"a%20b": ["c%2Bd", "e+f", "%zz"]},
        "multiValueHeaders": {"x": ["1", "2"]},
    });
    let rest = to_rest_event(event, EventSource::LoadBalancer);
    assert_eq!(rest["multiValueQueryStringParameters"], json!({"a b": ["c+d", "e f", "%zz"]}));
    assert_eq!(rest["multiValueHeaders"], json!({"x": ["1", "2"]}));
}

#[test]
fn responses_have_the_shape_of_their_source() {
    let answer = || json!({"statusCode": 404, "headers": {}, "multiValueHeaders": {"a": ["1", "2"]}, "body": ""});
    assert_eq!(shape_response(answer(), EventSource::RestApi), answer());
    assert_eq!(
        shape_response(answer(), EventSource::HttpApi),
        json!({"statusCode": 404, "headers": {"a": "1, 2"}, "body": ""})
    );
    assert_eq!(shape_response(answer(), EventSource::LoadBalancer)["statusDescription"], "404 Not Found");
    assert_eq!(shape_response(answer(), EventSource::Direct)["headers"], json!({"a": "1, 2"}));
}
