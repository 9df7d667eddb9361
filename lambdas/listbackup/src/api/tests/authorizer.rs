//! The authorizer: what it admits, and what it refuses.

use common::{authorizer::Decision, token::sign_hs256};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tables::testing::{error_reply, json_reply};

use super::world::{ANA, BEN, USER, World, environment};
use crate::api::authorizer::Authorizer;

const CURRENT: &[u8] = b"the current secret of the tests, long enough";
const PREVIOUS: &[u8] = b"the previous secret of the tests, long enough";
const KEY: &str = "key:aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa";

/// A stage whose secret was rotated a minute ago.
fn world() -> World {
    let world = World::new();
    let rotated = Timestamp::now().as_second() - 60;
    world.answer(move |request| match request.action.as_str() {
        "secretsmanager.GetSecretValue" => {
            let secret = if request.body["VersionStage"] == "AWSPREVIOUS" { PREVIOUS } else { CURRENT };
            json_reply(json!({ "SecretString": String::from_utf8_lossy(secret), "CreatedDate": rotated }))
        }
        _ => None,
    });
    world.memory.insert("users", user());
    world
}

fn user() -> Value {
    json!({
        "userId": USER, "email": "ana@example.com", "name": "Ana", "accountId": ANA, "role": "owner", "status": "active",
        "cognitoUserId": "c", "families": { "f": { "jti": "j", "exp": Timestamp::now().as_second() + 3600 } },
        "createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z",
    })
}

fn claims() -> Value {
    let now = Timestamp::now().as_second();
    json!({
        "sub": USER, "accountId": ANA, "role": "owner", "email": "ana@example.com", "fid": "f", "typ": "access",
        "aud": "test", "jti": "t", "iat": now, "exp": now + 3600,
    })
}

async fn decided(world: &World, header: &str) -> Option<Map<String, Value>> {
    let authorizer = Authorizer::new(environment(), &world.script.aws());
    let event = json!({
        "version": "2.0", "type": "REQUEST", "routeArn": "arn:x", "routeKey": "GET /sources", "rawPath": "/sources",
        "headers": { "authorization": header }, "identitySource": [header],
        "requestContext": { "http": { "method": "GET", "sourceIp": "192.0.2.7" } },
    });
    match authorizer.decide(&serde_json::from_value(event).expect("a request")).await.expect("a decision") {
        Decision::Allow(context) => Some(context),
        Decision::Deny => None,
    }
}

async fn bearer(world: &World, secret: &[u8], claims: &Value) -> Option<Map<String, Value>> {
    decided(world, &format!("Bearer {}", sign_hs256(secret, claims))).await
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

#[tokio::test(flavor = "current_thread")]
async fn an_access_token_carries_its_user() {
    let context = bearer(&world(), CURRENT, &claims()).await.expect("admitted");
    let expected = json!({
        "userId": USER, "accountId": ANA, "role": "owner", "email": "ana@example.com", "family": "f", "canWrite": "true",
    });
    assert_eq!(Value::Object(context), expected);
}

#[tokio::test(flavor = "current_thread")]
async fn tokens_of_another_type_stage_key_or_age_are_refused() {
    let world = world();
    let now = Timestamp::now().as_second();
    for claims in [
        with("typ", json!("refresh")),
        with("typ", json!("id")),
        with("typ", Value::Null),
        with("aud", json!("prod")),
        with("aud", json!(["test", "prod"])),
        with("aud", Value::Null),
        with("exp", json!(now - 1)),
        with("exp", json!(now + 7200)),
        with("exp", Value::Null),
        with("iat", json!(now + 600)),
        with("sub", json!("user:unknown")),
        with("accountId", json!(BEN)),
        with("role", json!("admin")),
        with("fid", json!("other")),
        with("fid", Value::Null),
    ] {
        assert_eq!(bearer(&world, CURRENT, &claims).await, None, "{claims}");
    }
    assert_eq!(bearer(&world, b"another secret, which is long enough too", &claims()).await, None);
}

#[tokio::test(flavor = "current_thread")]
async fn the_previous_key_signs_no_new_tokens() {
    let world = world();
    let now = Timestamp::now().as_second();
    let mut old = claims();
    old["iat"] = json!(now - 600);
    old["exp"] = json!(now + 600);
    assert!(bearer(&world, PREVIOUS, &old).await.is_some());
    assert_eq!(bearer(&world, PREVIOUS, &with("typ", json!("refresh"))).await, None);
    // A token that is issued after every instance knows the new key.
    let mut new = claims();
    new["iat"] = json!(now + 59);
    let later = World::new();
    later.memory.insert("users", user());
    later.answer(move |request| {
        let secret = if request.body["VersionStage"] == "AWSPREVIOUS" { PREVIOUS } else { CURRENT };
        let is_read = request.action == "secretsmanager.GetSecretValue";
        let answer = json!({ "SecretString": String::from_utf8_lossy(secret), "CreatedDate": now - 3600 });
        is_read.then(|| json_reply(answer)).flatten()
    });
    assert_eq!(bearer(&later, PREVIOUS, &new).await, None);
}

#[tokio::test(flavor = "current_thread")]
async fn other_algorithms_and_forms_are_refused_without_a_read() {
    let world = world();
    let token = sign_hs256(CURRENT, &claims());
    let (_, rest) = token.split_once('.').expect("a header");
    let (payload, signature) = rest.split_once('.').expect("claims");
    let none = "eyJhbGciOiJub25lIn0";
    let hs512 = "eyJhbGciOiJIUzUxMiJ9";
    for header in [
        String::new(),
        "Bearer".to_owned(),
        "Bearer x".to_owned(),
        format!("Basic {token}"),
        token.clone(),
        format!("Bearer {none}.{payload}."),
        format!("Bearer {none}.{payload}.{signature}"),
        format!("Bearer {hs512}.{payload}.{signature}"),
        "ApiKey".to_owned(),
        "ApiKey lbk_x_y".to_owned(),
        "ApiKey lbk_aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa".to_owned(),
        "ApiKey lbk_aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa_".to_owned(),
    ] {
        assert_eq!(decided(&world, &header).await, None, "{header}");
    }
    assert_eq!((world.table_calls(), world.count("secretsmanager.GetSecretValue")), (0, 0));
}

#[tokio::test(flavor = "current_thread")]
async fn what_the_user_lost_ends_its_tokens_at_once() {
    let lost = [
        ("status", json!("suspended")),
        ("role", json!("user")),
        ("accountId", json!(BEN)),
        ("families", json!({})),
        ("families", json!({ "f": { "jti": "j", "exp": 1 } })),
    ];
    for (name, value) in lost {
        let world = world();
        assert!(bearer(&world, CURRENT, &claims()).await.is_some());
        let mut user = user();
        user[name] = value.clone();
        world.memory.insert("users", user);
        assert_eq!(bearer(&world, CURRENT, &claims()).await, None, "{name} {value}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_failed_read_admits_no_request() {
    let world = World::new();
    world.answer(|_| error_reply("InternalServerError"));
    let authorizer = Authorizer::new(environment(), &world.script.aws());
    let event = json!({
        "routeArn": "arn:x", "routeKey": "GET /sources", "rawPath": "/sources",
        "headers": { "authorization": format!("Bearer {}", sign_hs256(CURRENT, &claims())) },
        "requestContext": { "http": { "method": "GET" } },
    });
    assert!(authorizer.decide(&serde_json::from_value(event).expect("a request")).await.is_err());
}

fn api_key(scopes: &[&str], expires_at: Option<&str>) -> Value {
    let mut row = json!({
        "keyId": KEY, "accountId": ANA, "secretHash": hex::encode(Sha256::digest("s3cret")), "scopes": scopes,
        "name": "CI", "createdBy": USER, "createdAt": "2026-01-01T00:00:00.000Z",
    });
    if let Some(time) = expires_at {
        row["expiresAt"] = json!(time);
    }
    row
}

fn key_header(secret: &str) -> String {
    format!("ApiKey {}_{secret}", KEY.replace("key:", "lbk_"))
}

#[tokio::test(flavor = "current_thread")]
async fn a_key_acts_with_its_scopes() {
    for (scopes, can_write) in [(&["read"][..], "false"), (&["read", "write"], "true"), (&["write"], "true")] {
        let world = world();
        world.memory.insert("api-keys", api_key(scopes, Some("2099-01-01T00:00:00.000Z")));
        let context = decided(&world, &key_header("s3cret")).await.expect("admitted");
        assert_eq!((&context["canWrite"], &context["accountId"]), (&json!(can_write), &json!(ANA)));
        assert!(world.memory.get("api-keys", &[KEY]).expect("the key")["lastUsedAt"].is_string());
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_wrong_or_expired_key_is_refused_and_its_use_not_recorded() {
    let world = world();
    for (row, secret) in [
        (api_key(&["read"], None), "other"),
        (api_key(&["read"], None), "s3cre"),
        (api_key(&["read"], None), "s3cret1"),
        (api_key(&["read"], Some("2020-01-01T00:00:00.000Z")), "s3cret"),
        (api_key(&["read"], Some("unreadable")), "s3cret"),
    ] {
        world.memory.insert("api-keys", row.clone());
        assert_eq!(decided(&world, &key_header(secret)).await, None, "{row}");
    }
    assert_eq!(world.count("DynamoDB.UpdateItem"), 0);
}

#[tokio::test(flavor = "current_thread")]
async fn a_key_that_is_deleted_between_read_and_update_stays_deleted() {
    let world = world();
    // The row exists when it is read, and no more when its use is recorded.
    let row = tables::testing::item(api_key(&["write"], None));
    world.answer(move |request| {
        (request.action == "DynamoDB.GetItem").then(|| json_reply(json!({ "Item": row }))).flatten()
    });
    assert_eq!(decided(&world, &key_header("s3cret")).await, None);
    assert_eq!((world.count("DynamoDB.UpdateItem"), world.memory.all("api-keys").len()), (1, 0));
}
