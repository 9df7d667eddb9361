//! The log lines of requests.

use analyticbot_contract::{AdminBot, routes::AdminBotRoute};
use axum::{Extension, routing::on};
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};

use super::*;
use crate::{
    http::{Json, UserId},
    testing::lines::Lines,
    wire::SuspendBot,
};

const SECRET: &str = "1001:VALID-xxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

/// Returns the log lines of a request whose path, query, headers and body contain a secret.
async fn lines(method: &str, path: &str, body: Value) -> (u64, Vec<Value>) {
    let lines = Lines::default();
    let _listening = lines.listen_to_json();
    let router = router::<AdminBot, AdminBotRoute, ()>((), |route, method| match route {
        AdminBotRoute::Suspend => on(
            method,
            async |Extension(logged): Extension<LoggedUser>, UserId(_): UserId, Json(_): Json<SuspendBot>| {
                logged.set(7);
                "suspended"
            },
        ),
        _ => on(method, async || ApiError::from(std::io::Error::other("the table is gone"))),
    });
    let event = json!({
        "version": "2.0", "rawPath": path, "rawQueryString": format!("token={SECRET}"), "body": body.to_string(),
        "headers": { "content-type": "application/json", "authorization": format!("Bearer {SECRET}"), "x-other": SECRET },
        "requestContext": { "stage": "$default", "http": { "method": method, "path": path, "sourceIp": "192.0.2.1" } },
    });
    let event = LambdaEvent::new(event, Context::default());
    let answer = common::http::answer::<AdminBot>(router, event).await.expect("an answer");
    let written = lines.text();
    assert!(!written.contains("VALID-"), "{written}");
    let lines = written.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    // Other crates write debug lines.
    let lines = lines.filter(|line| line["message"] == "request").collect();
    (answer["statusCode"].as_u64().expect("a status"), lines)
}

fn field(line: &Value, name: &str) -> Value {
    line[name].clone()
}

#[tokio::test(flavor = "current_thread")]
async fn a_request_is_one_line_without_its_content() {
    let body = json!({ "reason": format!("leaked {SECRET}") });
    let (status, lines) = lines("PATCH", "/api/admin/bots/9/suspend", body).await;
    assert_eq!((status, lines.len()), (200, 1));
    let names = ["function", "method", "route", "user_id", "status"];
    let expected = json!(["analyticbot-admin-bot", "PATCH", "/api/admin/bots/{user_id}/suspend", 7, 200]);
    assert_eq!(Value::from(names.map(|name| field(&lines[0], name)).to_vec()), expected);
    assert!(lines[0]["ms"].is_u64() && lines[0]["code"].is_null());
}

#[tokio::test(flavor = "current_thread")]
async fn a_refused_request_has_its_code_and_no_content() {
    let path = format!("/api/admin/bots/{SECRET}/suspend");
    let (status, lines) = lines("PATCH", &path, json!({ "reason": SECRET })).await;
    assert_eq!((status, &lines[0]["code"], &lines[0]["level"]), (422, &json!("VALIDATION_ERROR"), &json!("INFO")));
    let (status, lines) = self::lines("PATCH", "/api/admin/bots/9/suspend", json!({ "reason": [SECRET] })).await;
    assert_eq!((status, lines.len()), (422, 1));
    let (status, lines) = self::lines("GET", &format!("/{SECRET}"), json!(null)).await;
    assert_eq!((status, &lines[0]["code"], &lines[0]["route"]), (404, &json!("NOT_FOUND"), &json!(null)));
}

#[tokio::test(flavor = "current_thread")]
async fn an_internal_error_is_logged_with_its_cause() {
    let (status, lines) = lines("GET", "/api/admin/bots/list", json!(null)).await;
    assert_eq!((status, &lines[0]["level"], &lines[0]["error"]), (500, &json!("ERROR"), &json!("the table is gone")));
}
