//! The public routes, as API Gateway calls them.

use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};
use tables::testing::{Reply, Request, Script, error_reply, json_reply};

use super::*;

fn script(fails: &'static str) -> Script {
    Script::new(move |request: &Request| -> Option<Reply> {
        let name = request.body["TableName"].as_str().unwrap_or("key");
        match request.action.as_str() {
            _ if name == fails => error_reply("ResourceNotFoundException"),
            "DynamoDB.DescribeTable" => json_reply(json!({ "Table": { "TableStatus": "ACTIVE" } })),
            "TrentService.DescribeKey" => json_reply(json!({ "KeyMetadata": { "KeyState": "Enabled" } })),
            _ => None,
        }
    })
}

async fn get(router: &Router, path: &str) -> Value {
    let event = json!({
        "version": "2.0", "rawPath": path, "rawQueryString": "", "headers": {}, "isBase64Encoded": false,
        "requestContext": { "stage": "$default", "http": { "method": "GET", "path": path, "sourceIp": "192.0.2.1" } },
    });
    common::http::answer::<Meta>(router.clone(), LambdaEvent::new(event, Context::default())).await.expect("an answer")
}

fn router_of(script: &Script) -> Router {
    let environment = Meta {
        stage: "test".to_owned(),
        users_table: "users".to_owned(),
        user_bot_credentials_table: "bots".to_owned(),
        admin_bot_actions_table: "actions".to_owned(),
        kms_key_id: "key-1".to_owned(),
    };
    router(environment, &script.aws())
}

async fn health(fails: &'static str) -> (Value, Value) {
    let answer = get(&router_of(&script(fails)), "/health").await;
    let body = answer["body"].as_str().and_then(|body| serde_json::from_str(body).ok()).expect("JSON");
    (answer["statusCode"].clone(), body)
}

#[tokio::test(flavor = "current_thread")]
async fn each_part_is_checked() {
    let body = |status: &str, [users, bots, kms]: [&str; 3]| {
        json!({
            "status": status, "version": openapi::VERSION, "stage": "test",
            "checks": { "users": users, "bots": bots, "kms": kms },
        })
    };
    let (healthy, degraded) = ("healthy", "degraded");
    for (fails, checks) in [
        ("users", [degraded, healthy, healthy]),
        ("bots", [healthy, degraded, healthy]),
        ("actions", [healthy, degraded, healthy]),
        ("key", [healthy, healthy, degraded]),
    ] {
        assert_eq!(health(fails).await, (json!(503), body(degraded, checks)), "{fails}");
    }
    assert_eq!(health("nothing").await, (json!(200), body(healthy, [healthy; 3])));
}

#[tokio::test(flavor = "current_thread")]
async fn a_result_is_used_again() {
    let script = script("nothing");
    let router = router_of(&script);
    for _ in 0..3 {
        assert_eq!(get(&router, "/health").await["statusCode"], 200);
    }
    assert_eq!(script.requests().len(), 4);
}

#[tokio::test(flavor = "current_thread")]
async fn document_and_page_are_served() {
    let router = router_of(&script("nothing"));
    let document = get(&router, "/openapi.json").await;
    assert_eq!(document["headers"]["content-type"], "application/json");
    let page = get(&router, "/docs").await;
    assert_eq!(
        (&page["statusCode"], &page["headers"]["content-type"]),
        (&json!(200), &json!("text/html; charset=utf-8"))
    );
    assert!(page["headers"]["content-security-policy"].as_str().is_some_and(|policy| policy.contains("'none'")));
}
