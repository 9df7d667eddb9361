//! Tokens with a wrong form, algorithm, signature, age, kind or subject.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::SignedDuration;
use serde_json::Value;
use tables::testing::{Script, error_reply, json_reply};

use super::*;
use crate::testing::{SECRET, secret, user};

const NOW: i64 = 1_800_000_000;

fn now() -> Timestamp {
    Timestamp::from_second(NOW).expect("a time")
}

async fn tokens() -> AccessTokens {
    AccessTokens::start(secret(SECRET), 30).await.expect("a long secret")
}

/// Claims that are accepted.
fn claims() -> Value {
    json!({ "sub": "7", "typ": "access", "iat": NOW, "exp": NOW + 60 })
}

async fn verified(token: &str) -> Result<u64, String> {
    tokens().await.verify(token, now()).await.map_err(|error| error.to_string())
}

async fn with(name: &str, value: Value) -> Result<u64, String> {
    let mut claims = claims();
    claims[name] = value;
    verified(&sign_hs256(SECRET.as_bytes(), &claims)).await
}

fn wrong(part: &str) -> Result<u64, String> {
    Err(format!("the token's {part} is wrong"))
}

#[tokio::test(flavor = "current_thread")]
async fn an_issued_token_is_accepted_until_it_expires() {
    let tokens = tokens().await;
    let token = tokens.issue(&user(7), now()).await.expect("issued");
    assert_eq!(tokens.verify(&token, now()).await.expect("fresh"), 7);
    let at = |seconds| now() + SignedDuration::from_secs(seconds);
    assert_eq!(tokens.verify(&token, at(1799)).await.expect("not expired"), 7);
    assert!(tokens.verify(&token, at(1800)).await.expect_err("no leeway").is_refusal());
    let parts: Vec<_> = token.split('.').map(|part| BASE64_URL_SAFE_NO_PAD.decode(part).expect("base64")).collect();
    let header: Value = serde_json::from_slice(&parts[0]).expect("JSON");
    let claims: Value = serde_json::from_slice(&parts[1]).expect("JSON");
    assert_eq!(header, json!({ "alg": "HS256", "typ": "JWT" }));
    assert_eq!(claims["exp"].as_i64().expect("an integer") - claims["iat"].as_i64().expect("an integer"), 1800);
    let others = ["sub", "email", "username", "role", "typ"].map(|name| claims[name].clone());
    assert_eq!(others, ["7", "ana@example.com", "ana", "admin", "access"]);
    assert_eq!(claims["jti"].as_str().map(str::len), Some(26));
}

#[tokio::test(flavor = "current_thread")]
async fn another_algorithm_is_refused() {
    let encode = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = sign_hs256(SECRET.as_bytes(), &claims());
    let (_, rest) = signed.split_once('.').expect("parts");
    for algorithm in ["none", "None", "RS256", "HS384", "hs256", ""] {
        let token = format!("{}.{rest}", encode(json!({ "alg": algorithm, "typ": "JWT" })));
        assert_eq!(verified(&token).await, wrong("algorithm"), "{algorithm}");
    }
    for algorithm in ["none", "None", "NONE"] {
        let unsigned = format!("{}.{}.", encode(json!({ "alg": algorithm, "typ": "JWT" })), encode(claims()));
        assert_eq!(verified(&unsigned).await, wrong("algorithm"), "{algorithm} without a signature");
    }
    let unsigned = format!("{}.{}.", encode(json!({ "alg": "HS256" })), encode(claims()));
    assert_eq!(verified(&unsigned).await, wrong("signature"));
    for malformed in ["", "a", "a.b.c", "..", &"x".repeat(5000)] {
        assert_eq!(verified(malformed).await, wrong("form"), "{malformed:.10}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn an_expiry_is_an_integer_in_the_future() {
    assert_eq!(with("exp", json!(NOW + 1)).await, Ok(7));
    let seconds = (NOW + 60).to_string();
    let floats = [json!(1_800_000_060.0), json!(1_800_000_060.5), json!(1e300)];
    let others = [json!(seconds), json!(null), json!(true), json!([NOW + 60]), json!(u64::MAX), json!(NOW), json!(-1)];
    for value in floats.into_iter().chain(others) {
        assert_eq!(with("exp", value.clone()).await, wrong("age"), "{value}");
    }
    let missing = sign_hs256(SECRET.as_bytes(), &json!({ "sub": "7", "typ": "access" }));
    assert_eq!(verified(&missing).await, wrong("age"));
}

#[tokio::test(flavor = "current_thread")]
async fn a_subject_is_an_id_in_its_only_form() {
    for value in ["01", "+1", "-1", " 1", "1 ", "1.0", "0", "", "١", "ana", "18446744073709551616"] {
        assert_eq!(with("sub", json!(value)).await, wrong("subject"), "{value}");
    }
    for value in [json!(7), json!(null), json!(["7"])] {
        assert_eq!(with("sub", value.clone()).await, wrong("subject"), "{value}");
    }
    assert_eq!(with("typ", json!("refresh")).await, wrong("kind"));
    assert_eq!(with("typ", json!(null)).await, wrong("subject"));
}

#[tokio::test(flavor = "current_thread")]
async fn another_secret_is_refused_before_the_age_is_checked() {
    let mut expired = claims();
    expired["exp"] = json!(0);
    let forged = sign_hs256(b"another secret that is long enough to sign with it", &expired);
    assert_eq!(verified(&forged).await, wrong("signature"));
    let short = AccessTokens::start(secret("thirty-one bytes are too short!"), 30).await.expect_err("31 bytes");
    assert_eq!(short.to_string(), "the secret of access tokens has fewer than 32 bytes");
}

#[tokio::test(flavor = "current_thread")]
async fn a_previous_secret_verifies_and_signs_nothing() {
    let script = Script::new(|request| match request.body["VersionStage"].as_str() {
        Some("AWSCURRENT") => json_reply(json!({ "SecretString": "n".repeat(64), "CreatedDate": NOW - 5 })),
        Some("AWSPREVIOUS") => json_reply(json!({ "SecretString": SECRET })),
        _ => error_reply("InvalidRequestException"),
    });
    let source = SecretSource::new(script.aws(), "secret".to_owned());
    let tokens = AccessTokens::start(source, 30).await.expect("a long secret");
    let mut claims = claims();
    claims["iat"] = json!(NOW - 10);
    let old = sign_hs256(SECRET.as_bytes(), &claims);
    assert_eq!(tokens.verify(&old, now()).await.expect("issued before the rotation"), 7);
    let new = tokens.issue(&user(7), now()).await.expect("issued");
    assert_eq!(verified(&new).await, wrong("signature"), "the previous secret did not sign it");
}
