//! Who may call at all: rows 1 to 5 and 22.

use std::{sync::Arc, time::SystemTime};

use ::thakii::fixtures::{TestIssuer, unsigned_token};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use reqwest::{Method, header::AUTHORIZATION};
use serde_json::{Value, json};

use super::world::{World, error, said};

pub(super) async fn row_01_health_tells_what_the_service_is(world: Arc<World>) {
    let (status, body) = world.anonymous.get("/health").await;
    assert_eq!(status, 200, "{body}");
    for (name, value) in
        [("service", "Thakii Lecture2PDF Service"), ("status", "healthy"), ("database", "DynamoDB"), ("storage", "S3")]
    {
        assert_eq!(body[name], value, "{body}");
    }
    body["timestamp"].as_str().expect("a time").parse::<jiff::Timestamp>().expect("a time");
}

pub(super) async fn row_02_without_a_token_nothing_is_told(world: Arc<World>) {
    for (method, path) in [
        (Method::GET, "/list"),
        (Method::POST, "/upload"),
        (Method::GET, "/admin/stats"),
        (Method::GET, "/worker-health"),
    ] {
        let answer = world.anonymous.call(method, path, None).await;
        assert_eq!(error(&answer), (401, "Authentication required"), "{path}");
        assert_eq!(answer.1["message"], "No Authorization header provided", "{path}");
    }
}

pub(super) async fn row_03_bad_tokens_are_refused_alike(world: Arc<World>) {
    let basic = world.anonymous.request(Method::GET, "/list").header(AUTHORIZATION, "Basic x").send().await;
    let basic = said(basic.expect("an answer")).await;
    assert_eq!((basic.0, &basic.1["message"]), (401, &json!("Invalid Authorization header format")));

    let good = world.user.token.clone().expect("a token");
    let claims = claims(&good);
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        claims
    };
    let issuer = TestIssuer::default();
    let forged = format!("{}AAAA", &good[..good.len() - 4]);
    for (name, token) in [
        ("forged", forged),
        ("signed by another", issuer.token(&claims)),
        ("alg none", unsigned_token(&claims)),
        ("expired", issuer.token(&with("exp", json!(1)))),
        ("other audience", issuer.token(&with("aud", json!("other")))),
    ] {
        let person = world.anonymous.with_token(token);
        assert_eq!(person.get("/list").await.0, 401, "{name}");
        assert_eq!(person.post("/auth/login", json!({})).await.0, 401, "{name}");
        assert_eq!(person.post("/auth/exchange-token", json!({})).await.0, 401, "{name}");
    }
    assert_eq!(world.user.get("/list").await.0, 200);
}

/// What a token claims.
fn claims(token: &str) -> Value {
    let claims = token.split('.').nth(1).expect("claims");
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).expect("base64")).expect("JSON")
}

pub(super) async fn row_04_a_token_is_exchanged_once(world: Arc<World>) {
    let (status, body) = world.user.post("/auth/exchange-token", json!({})).await;
    assert_eq!(status, 200, "{body}");
    let token = body["custom_token"].as_str().expect("a token");
    let claims = claims(token);
    assert_eq!(claims["exp"].as_i64().zip(claims["iat"].as_i64()).map(|(exp, iat)| exp - iat), Some(259_200));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a time").as_secs();
    assert!(body["expires_at"].as_u64().expect("a time") > now + 259_000);
    let custom = world.anonymous.with_token(token);
    let (status, user) = custom.get("/auth/user").await;
    assert_eq!(
        (status, &user["user"]["token_type"], &user["user"]["role"], &user["user"]["email"]),
        (200, &json!("custom_backend"), &json!("user"), &json!("ana@example.com"))
    );
    let again = custom.post("/auth/exchange-token", json!({})).await;
    assert_eq!(error(&again), (400, "Token already custom"));
}

pub(super) async fn row_05_a_login_lasts_three_days(world: Arc<World>) {
    let (status, body) = world.user.post("/auth/login", json!({})).await;
    assert_eq!((status, &body["success"], &body["expires_in_days"]), (200, &json!(true), &json!(3)), "{body}");
    let token = body["backend_token"].as_str().expect("a token");
    assert_eq!(world.anonymous.with_token(token).get("/list").await.0, 200);
    let without = world.anonymous.post("/auth/login", json!({})).await;
    assert_eq!(error(&without), (400, "No Firebase token provided"));
}

pub(super) async fn row_22_origins_verbs_and_paths_are_the_functions(world: Arc<World>) {
    let preflight = async |origin: &str| {
        let request = world.anonymous.request(Method::OPTIONS, "/upload").header("Origin", origin);
        request.send().await.expect("an answer")
    };
    let listed = preflight("http://localhost:3000").await;
    assert_eq!(listed.status(), 200);
    assert_eq!(listed.headers()["access-control-allow-origin"], "http://localhost:3000");
    let methods = listed.headers()["access-control-allow-methods"].to_str().expect("a text");
    for method in ["GET", "POST", "PUT", "DELETE", "OPTIONS"] {
        assert!(methods.contains(method), "{methods}");
    }
    let foreign = preflight("https://evil.example.com").await;
    assert_eq!(foreign.status(), 200);
    assert!(!foreign.headers().contains_key("access-control-allow-origin"), "{:?}", foreign.headers());
    assert_eq!(error(&world.anonymous.get("/nope").await), (404, "Not Found"));
    let patched = world.anonymous.call(Method::PATCH, "/list", None).await;
    assert_eq!(error(&patched), (405, "Method not allowed"));
}
