//! Who may call at all: rows 1 to 5 and 22.

use std::{sync::Arc, time::SystemTime};

use ::thakii::fixtures::{Stub, TestIssuer, unsigned_token};
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

    // What the pool itself signs is not always for this API.
    let good = world.user.token.clone().expect("a token");
    let forged = format!("{}AAAA", &good[..good.len() - 4]);
    refused(&world, "forged", &forged).await;
    refused(&world, "an access token", &world.access_token("ana@example.com").await).await;
    refused(&world, "for another client", &world.token_for_another_client("ana@example.com").await).await;
    assert_eq!(world.user.get("/list").await.0, 200);
    row_03_each_defect_is_refused_alone(&world).await;
}

/// Tokens of an issuer that is accepted, signed by its key, so that nothing but the named defect can refuse them.
async fn row_03_each_defect_is_refused_alone(world: &World) {
    let issuer = TestIssuer::default();
    let keys = Stub::start(200, issuer.jwks().to_string()).await;
    let pool = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_tests";
    world
        .accept(json!({"kind": "cognito", "primary": false, "issuer": pool, "jwks_url": keys.url, "audience": "web"}))
        .await;
    let now = jiff::Timestamp::now().as_second();
    let good = json!({
        "iss": pool, "aud": "web", "token_use": "id", "sub": "zoe", "email": "zoe@example.com", "email_verified": true,
        "iat": now - 7200, "exp": now + 3600,
    });
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    assert_eq!(world.anonymous.with_token(issuer.token(&good)).get("/list").await.0, 200, "the control");
    for (name, token) in [
        ("alg none", unsigned_token(&good)),
        ("HS256 with the public key", issuer.confused_token(&good)),
        ("no kid", issuer.token_with(&json!({"alg": "RS256", "typ": "JWT"}), &good)),
        ("another kid", issuer.token_with(&json!({"alg": "RS256", "kid": "another"}), &good)),
        ("access token", issuer.token(&with("token_use", json!("access")))),
        (
            "other pool",
            issuer.token(&with("iss", json!("https://cognito-idp.us-east-1.amazonaws.com/us-east-1_other"))),
        ),
        ("other audience", issuer.token(&with("aud", json!("other")))),
    ] {
        refused(world, name, &token).await;
    }
    let expired = world.anonymous.with_token(issuer.token(&with("exp", json!(now - 61))));
    let list = expired.get("/list").await;
    assert_eq!((error(&list), &list.1["message"]), ((401, "Authentication required"), &json!("Token has expired")));
    assert_eq!(error(&expired.post("/auth/login", json!({})).await), (401, "Firebase token expired"));
    let exchange = expired.post("/auth/exchange-token", json!({})).await;
    assert_eq!(
        (error(&exchange), &exchange.1["message"]),
        ((401, "Invalid Firebase token"), &json!("Token has expired"))
    );
}

/// A token is refused wherever one counts.
async fn refused(world: &World, name: &str, token: &str) {
    let person = world.anonymous.with_token(token);
    let list = person.get("/list").await;
    assert_eq!(error(&list), (401, "Authentication required"), "{name}");
    assert_eq!(list.1["message"], "Token verification failed", "{name}");
    for path in ["/auth/login", "/auth/exchange-token"] {
        assert_eq!(error(&person.post(path, json!({})).await), (401, "Invalid Firebase token"), "{name}: {path}");
    }
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

/// Restarts the API's instances, so that they read the secret again.
async fn restart(world: &World, per_minute: u32) {
    let changes = [("SIGN_IN_PER_MINUTE", per_minute.to_string())];
    world.cloud.reconfigure("thakii-backend-api-local", &changes).await;
}

async fn exchanged(world: &World) -> String {
    let (status, body) = world.user.post("/auth/exchange-token", json!({})).await;
    assert_eq!(status, 200, "{body}");
    body["custom_token"].as_str().expect("a token").to_owned()
}

pub(super) async fn a_rotated_secret_verifies_old_tokens_until_it_is_revoked(world: Arc<World>) {
    let secret = |verb: &str| {
        let arguments = ["secret", verb, "--stage", "local", "--secret", "thakii/local/backend-token"];
        let output = world.cloud.xtask(&arguments);
        assert!(output.status.success(), "{verb}: {output:?}");
    };
    let status = async |token: &str| world.anonymous.with_token(token).get("/auth/user").await.0;
    let old = exchanged(&world).await;
    secret("rotate");
    restart(&world, 999).await;
    let new = exchanged(&world).await;
    assert_eq!((status(&old).await, status(&new).await), (200, 200));
    secret("revoke");
    restart(&world, 998).await;
    assert_eq!((status(&old).await, status(&new).await), (401, 200));
    // A rotation that revokes at once, and a revocation without a previous value.
    let both = ["secret", "rotate", "--stage", "local", "--secret", "BackendTokenSecret", "--revoke-previous"];
    let output = world.cloud.xtask(&both);
    assert!(output.status.success(), "{output:?}");
    secret("revoke");
    restart(&world, 997).await;
    assert_eq!(status(&new).await, 401);
    assert_eq!(status(&exchanged(&world).await).await, 200);
}

pub(super) async fn an_address_signs_in_so_often_a_minute(world: Arc<World>) {
    restart(&world, 5).await;
    let mut refused = Vec::new();
    // More than two minutes admit, should one end meanwhile.
    for _ in 0..11 {
        let answer = world.user.post("/auth/login", json!({})).await;
        if answer.0 != 200 {
            refused.push(answer);
        }
    }
    assert!((1..11).contains(&refused.len()), "{refused:?}");
    assert!(refused.iter().all(|answer| error(answer) == (429, "Too many requests")), "{refused:?}");
    // Other routes are not limited.
    assert_eq!(world.user.get("/list").await.0, 200);
    restart(&world, 1000).await;
}
