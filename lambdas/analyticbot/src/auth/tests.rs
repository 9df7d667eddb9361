//! Sign-ins, as API Gateway sends them.

use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};
use tables::testing::{Reply, Request, Script, error_reply, item, json_reply};

use super::*;
use crate::testing::{SECRET, secret_rule, user};

const PASSWORD: &str = "correct horse";

/// An account with user 7, whose row is this one.
fn account(row: Value, is_limited: bool) -> impl FnMut(&Request) -> Option<Reply> + Send + 'static {
    let secret = secret_rule(SECRET);
    move |request| {
        let key = request.body["Key"]["pk"]["S"].as_str().unwrap_or_default();
        match (request.action.as_str(), key) {
            ("DynamoDB.UpdateItem", key) if key.starts_with("LOGIN#") && is_limited => {
                error_reply("ConditionalCheckFailedException")
            }
            ("DynamoDB.GetItem", "EMAIL#ana@example.com" | "USERNAME#ana") => {
                json_reply(json!({ "Item": item(json!({ "pk": key, "id": 7 })) }))
            }
            ("DynamoDB.GetItem", "ID#7") => json_reply(json!({ "Item": item(row.clone()) })),
            ("DynamoDB.UpdateItem", "ID#7") => json_reply(json!({ "Attributes": item(row.clone()) })),
            ("DynamoDB.GetItem" | "DynamoDB.UpdateItem", _) => json_reply(json!({})),
            _ => secret(request),
        }
    }
}

fn row(is_active: bool) -> Value {
    let mut row = serde_json::to_value(user(7)).expect("a row");
    row["password_hash"] = json!(password::hash(PASSWORD).expect("hashed"));
    row["is_active"] = json!(is_active);
    row
}

fn environment() -> Auth {
    Auth {
        stage: "test".to_owned(),
        users_table: "users".to_owned(),
        jwt_secret_arn: "secret".to_owned(),
        access_token_minutes: "30".to_owned(),
        login_per_minute_ip: "30".to_owned(),
    }
}

async fn login(script: &Script, body: Value) -> Value {
    let router = router(environment(), &script.aws()).await.expect("a router");
    let path = "/api/auth/login";
    let event = json!({
        "version": "2.0", "rawPath": path, "rawQueryString": "", "isBase64Encoded": false, "body": body.to_string(),
        // A client can send any address in this header.
        "headers": { "content-type": "application/json", "x-forwarded-for": "198.51.100.9" },
        "requestContext": { "stage": "$default", "http": { "method": "POST", "path": path, "sourceIp": "192.0.2.1" } },
    });
    let event = LambdaEvent::new(event, Context::default());
    let mut answer = common::http::answer::<Auth>(router, event).await.expect("an answer");
    answer["body"] = answer["body"].as_str().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default();
    answer
}

#[tokio::test(flavor = "current_thread")]
async fn a_user_signs_in_with_name_or_address_in_either_field() {
    let script = Script::new(account(row(true), false));
    for names in [
        json!({ "username": "ana@example.com" }),
        json!({ "email": "Ana@Example.com" }),
        json!({ "username": "ana", "remember_me": true }),
        json!({ "email": "ana", "username": null }),
    ] {
        let mut body = names.clone();
        body["password"] = json!(PASSWORD);
        let answer = login(&script, body).await;
        assert_eq!(answer["statusCode"], 200, "{names} {answer}");
        let body = &answer["body"];
        assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("bearer"), &json!(1800)));
        let expected = json!({
            "id": 7, "email": "ana@example.com", "username": "ana", "full_name": null, "role": "admin", "status": "active",
        });
        assert_eq!(body["user"], expected);
        assert_eq!(answer["headers"]["cache-control"], "no-store");
    }
    let recorded = script.bodies("DynamoDB.UpdateItem");
    assert!(recorded.iter().any(|update| update["UpdateExpression"] == "SET #last_login = :v0"));
}

#[tokio::test(flavor = "current_thread")]
async fn an_unknown_user_and_a_wrong_password_have_the_same_response_and_cost() {
    let mut answers = Vec::new();
    for (name, password) in [("ana", "wrong password"), ("bob", PASSWORD), ("bob@example.com", PASSWORD)] {
        let script = Script::new(account(row(true), false));
        let answer = login(&script, json!({ "username": name, "password": password })).await;
        let reads = script.bodies("DynamoDB.GetItem").len();
        answers.push((answer["statusCode"].clone(), answer["body"].clone(), reads));
    }
    let detail = "Incorrect username or password";
    let body = json!({ "error": "invalid_credentials", "detail": detail, "code": "INVALID_CREDENTIALS" });
    assert!(answers.iter().all(|answer| *answer == (json!(401), body.clone(), 2)), "{answers:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_password_of_73_bytes_or_with_nul_signs_in_no_user() {
    let longest = "a".repeat(72);
    let mut stored = row(true);
    stored["password_hash"] = json!(password::hash(&longest).expect("hashed"));
    let script = Script::new(account(stored, false));
    let status = async |password: String| {
        login(&script, json!({ "username": "ana", "password": password })).await["statusCode"].as_u64()
    };
    assert_eq!(status(longest.clone()).await, Some(200));
    assert_eq!(status(format!("{longest}b")).await, Some(401));
    assert_eq!(status(format!("{longest}\0")).await, Some(401));
    assert_eq!(status(format!("{}\0", "a".repeat(71))).await, Some(401));
}

#[tokio::test(flavor = "current_thread")]
async fn an_inactive_account_is_named_only_after_the_right_password() {
    let script = Script::new(account(row(false), false));
    let right = login(&script, json!({ "username": "ana", "password": PASSWORD })).await;
    assert_eq!((&right["statusCode"], &right["body"]["code"]), (&json!(403), &json!("ACCOUNT_INACTIVE")));
    let wrong = login(&script, json!({ "username": "ana", "password": "wrong password" })).await;
    assert_eq!((&wrong["statusCode"], &wrong["body"]["code"]), (&json!(401), &json!("INVALID_CREDENTIALS")));
}

#[tokio::test(flavor = "current_thread")]
async fn a_full_window_refuses_before_any_user_is_read() {
    let script = Script::new(account(row(true), true));
    let answer = login(&script, json!({ "username": "ana", "password": PASSWORD })).await;
    assert_eq!((&answer["statusCode"], &answer["body"]["code"]), (&json!(429), &json!("LOGIN_RATE_LIMITED")));
    let seconds: u32 = answer["headers"]["retry-after"].as_str().and_then(|text| text.parse().ok()).expect("seconds");
    assert!((1..=60).contains(&seconds));
    assert!(script.bodies("DynamoDB.GetItem").is_empty());
    let counted = script.bodies("DynamoDB.UpdateItem");
    let key = counted[0]["Key"]["pk"]["S"].as_str().expect("a key");
    assert!(key.starts_with("LOGIN#192.0.2.1#"), "the gateway's address, not that of a header: {key}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_sign_in_without_name_or_with_a_short_password_is_invalid() {
    let script = Script::new(account(row(true), false));
    for (body, field) in [
        (json!({ "password": PASSWORD }), "username"),
        (json!({ "username": " ", "email": null, "password": PASSWORD }), "username"),
        (json!({ "username": "ana", "password": "1234567" }), "password"),
        (json!({ "username": "ana" }), "password"),
        (json!({ "username": 7, "password": PASSWORD }), "username"),
        (json!({ "username": "ana", "password": PASSWORD, "remember_me": "yes" }), "remember_me"),
    ] {
        let answer = login(&script, body.clone()).await;
        assert_eq!(answer["statusCode"], 422, "{body}");
        assert_eq!(answer["body"]["detail"][0]["loc"], json!(["body", field]), "{body}");
        assert!(!answer["body"].to_string().contains(PASSWORD));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_short_secret_stops_the_start() {
    let script = Script::new(secret_rule("too short"));
    let error = router(environment(), &script.aws()).await.expect_err("nine bytes");
    assert_eq!(error.to_string(), "the secret of access tokens has fewer than 32 bytes");
}
