//! Rows 9 to 14: registration of bots, what is refused, and what is stored.

use std::{collections::BTreeSet, sync::Arc};

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{
    person::Person,
    world::{CREDENTIALS, World, text},
};

/// The bots of the first users, by the IDs at Telegram.
pub(super) const ANAS: u64 = 1001;
pub(super) const BOBS: u64 = 1002;

pub(super) async fn row_09_a_bot_is_registered(world: Arc<World>) {
    assert_eq!(world.ana.status().await.error(404), "BOT_NOT_FOUND");
    let token = format!("  {}\n", world.token(ANAS, "VALID"));
    let body =
        json!({ "bot_token": token, "bot_username": "@given_name", "api_id": 7, "api_hash": "0123456789abcdef" });
    let created = world.ana.post("/api/user-bot/create", body).await.ok(201);
    assert_eq!((&created["id"], &created["status"]), (&json!(1), &json!("pending")), "{created:#}");
    assert_eq!(
        (&created["message"], &created["requires_verification"]),
        (&json!("Bot created successfully"), &json!(true))
    );
    assert_eq!(created["bot_username"], "stub_1001_bot", "Telegram knows the real name");

    let status = world.ana.status().await.ok(200);
    assert_eq!((&status["user_id"], &status["bot_id"]), (&json!(world.ana.id), &json!(ANAS)), "{status:#}");
    assert_eq!((&status["max_requests_per_second"], &status["max_concurrent_requests"]), (&json!(30), &json!(10)));
    assert_eq!((&status["is_verified"], &status["total_requests"]), (&json!(false), &json!(0)));
    assert_eq!((&status["last_used_at"], &status["suspension_reason"]), (&Value::Null, &Value::Null));
    let fields: BTreeSet<_> = status.as_object().expect("an object").keys().map(String::as_str).collect();
    for secret in ["bot_token", "api_hash", "phone", "session_string", "dek", "fingerprint"] {
        assert!(!fields.contains(secret), "{fields:?}");
    }
}

pub(super) async fn row_10_a_user_has_one_bot_and_a_token_one_user(world: Arc<World>) {
    let anas = world.token_of(ANAS);
    assert_eq!(world.ana.create(&world.token(1003, "VALID")).await.error(400), "BOT_ALREADY_EXISTS");
    assert_eq!(world.bob.create(&anas).await.error(409), "TOKEN_IN_USE");
    assert_eq!(world.bob.status().await.error(404), "BOT_NOT_FOUND");
}

/// The bot of row 11 and its guards.
const GUARDS: [&str; 4] = ["BOTID#1010", "NAME#stub_1010_bot", "TOKEN#", "USER#"];

pub(super) async fn row_11_one_of_ten_parallel_registrations_wins(world: Arc<World>) {
    let person = world.user("cleo", "user").await;
    let token = world.token(1010, "VALID");
    let said = join_all((0..10).map(|_| person.create(&token))).await;
    let (won, lost): (Vec<_>, Vec<_>) = said.into_iter().partition(|said| said.status == 201);
    assert_eq!((won.len(), lost.len()), (1, 9), "{lost:#?}");
    for said in lost {
        assert_eq!(said.error(400), "BOT_ALREADY_EXISTS");
    }
    assert_eq!(guards(&world, &person).await, GUARDS);

    // The same with removals in between: a bot exists with its guards, or none of the four items does.
    let rounds = (0..6).map(|round| {
        let (person, token) = (&person, &token);
        async move { if round % 2 == 0 { person.remove().await } else { person.create(token).await } }
    });
    for said in join_all(rounds).await {
        assert!([200, 201, 400, 404, 409].contains(&said.status), "{said:?}");
    }
    let left = guards(&world, &person).await;
    assert!(left.is_empty() || left == GUARDS, "{left:?}");
    person.remove().await;
    assert_eq!(guards(&world, &person).await, [""; 0]);
}

/// Returns the keys of a person's bot and its guards, those with a hash or an ID by their beginning.
async fn guards(world: &World, person: &Person) -> Vec<String> {
    let items = world.items(CREDENTIALS).await;
    let is_own =
        |item: &&super::world::Item| item.get("user_id").is_some_and(|id| super::world::number(id) == person.id);
    let key = |item: &super::world::Item| item["pk"].as_s().expect("a text").clone();
    let short = |key: String| match key.split_once('#') {
        Some((kind @ ("TOKEN" | "USER"), _)) => format!("{kind}#"),
        _ => key,
    };
    let mut keys: Vec<_> = items.iter().filter(is_own).map(key).map(short).collect();
    keys.sort();
    keys
}

pub(super) async fn row_12_a_refused_token_stores_nothing(world: Arc<World>) {
    let stored = |items: &[super::world::Item]| -> BTreeSet<String> {
        let key = |item: &super::world::Item| item["pk"].as_s().expect("a text").clone();
        items.iter().map(key).filter(|key| !key.starts_with("SEQ#")).collect()
    };
    let before = stored(&world.items(CREDENTIALS).await);
    let long = format!("7:{}", "VALID".repeat(2_000));
    for token in ["", "abc", "1:2:3"] {
        assert_eq!(world.bob.create(token).await.invalid(), ["bot_token"], "{token}");
    }
    for token in ["12:short", "\u{661}\u{662}:VALIDxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", long.as_str()] {
        let said = world.bob.create(token).await;
        assert_eq!(said.error(400), "INVALID_BOT_TOKEN");
        assert!(!said.body.to_string().contains("VALIDxxxx") && !said.body.to_string().contains("VALIDVALID"));
    }
    for (behavior, status, code) in [
        ("REVOKED", 400, "INVALID_BOT_TOKEN"),
        ("DOWN", 503, "TELEGRAM_UNAVAILABLE"),
        ("MOVED", 503, "TELEGRAM_UNAVAILABLE"),
        ("FLOOD", 429, "TELEGRAM_RATE_LIMITED"),
        ("SLOW", 504, "TELEGRAM_TIMEOUT"),
    ] {
        let token = world.token(1011, behavior);
        let said = world.bob.create(&token).await;
        assert_eq!(said.error(status), code, "{behavior}");
        if behavior == "FLOOD" {
            assert_eq!(said.headers["retry-after"], "7");
        }
    }
    let body = json!({ "bot_token": world.token(1012, "VALID"), "bot_username": "not a name" });
    let said = world.bob.post("/api/user-bot/create", body.clone()).await;
    assert_eq!(said.invalid(), ["bot_username"]);
    let secret = body["bot_token"].as_str().expect("a token");
    assert!(!said.body.to_string().contains(secret), "a refusal repeats the token");
    assert_eq!(stored(&world.items(CREDENTIALS).await), before, "a refused registration left something");
}

pub(super) async fn row_13_limits_have_bounds(world: Arc<World>) {
    for (field, value) in [
        ("max_requests_per_second", 0),
        ("max_requests_per_second", 101),
        ("max_concurrent_requests", 0),
        ("max_concurrent_requests", 51),
    ] {
        let body = json!({ "bot_token": world.token(1013, "VALID"), field: value });
        assert_eq!(world.bob.post("/api/user-bot/create", body).await.invalid(), [field], "{value}");
        assert_eq!(world.ana.limit(json!({ field: value })).await.invalid(), [field], "{value}");
    }
    assert_eq!(world.ana.limit(json!({ "max_requests_per_second": 1.5 })).await.invalid(), ["max_requests_per_second"]);
    let before = world.bot(&world.ana).await;
    let said = world.ana.limit(json!({})).await.ok(200);
    assert_eq!(said["new_limits"], json!({ "max_requests_per_second": 30, "max_concurrent_requests": 10 }), "{said:#}");
    assert_eq!(world.bot(&world.ana).await, before, "nothing was changed");
}

pub(super) async fn row_14_the_table_has_no_readable_token(world: Arc<World>) {
    let bot = world.bot(&world.ana).await;
    for name in ["bot_token", "dek", "telegram_api_hash"] {
        assert!(matches!(bot[name], AttributeValue::B(_)), "{name} is readable: {:?}", bot[name]);
    }
    let secrets = world.secrets();
    for item in world.items(CREDENTIALS).await {
        for secret in secrets.iter().map(String::as_str).chain(["0123456789abcdef"]) {
            assert!(!holds(&item, secret), "{:?} has a secret", item["pk"]);
        }
    }
    for index in ["ListIndex", "StatusIndex"] {
        let scan = world.dynamodb().scan().table_name(CREDENTIALS).index_name(index).send().await.expect("items");
        for item in scan.items() {
            let names: Vec<_> =
                ["bot_token", "dek", "telegram_api_hash", "session_string", "telegram_phone", "fingerprint"]
                    .into_iter()
                    .filter(|name| item.contains_key(*name))
                    .collect();
            assert_eq!(names, [""; 0], "{index}");
        }
    }
    let status = world.dynamodb().query().table_name(CREDENTIALS).index_name("StatusIndex");
    let status = status.key_condition_expression("#s = :s").expression_attribute_names("#s", "status");
    let found = status.expression_attribute_values(":s", text("pending")).send().await.expect("items");
    assert!(found.count() >= 1, "a registered bot is pending");
}

/// Returns whether an attribute of an item contains a text, as text or as bytes.
fn holds(item: &super::world::Item, secret: &str) -> bool {
    item.values().any(|value| match value {
        AttributeValue::B(blob) => blob.as_ref().windows(secret.len()).any(|bytes| bytes == secret.as_bytes()),
        other => format!("{other:?}").contains(secret),
    })
}
