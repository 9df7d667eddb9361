//! Attacks on stored credentials, bots and requests, and what cleanup may delete.

use std::sync::Arc;

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::json;

use super::{
    bots::{ANAS, BOBS},
    world::{CLEANUP, CREDENTIALS, USERS, World, number, text},
};

pub(super) async fn row_15_credentials_of_another_row_are_not_decrypted(world: Arc<World>) {
    world.bob.create(&world.token(BOBS, "VALID")).await.ok(201);
    let (anas, bobs) = (world.bot(&world.ana).await, world.bot(&world.bob).await);
    for names in [&["bot_token", "dek"][..], &["bot_token"], &["dek"]] {
        let mut mixed = bobs.clone();
        for name in names {
            mixed.insert((*name).to_owned(), anas[*name].clone());
        }
        world.put(CREDENTIALS, &mixed).await;
        let said = world.bob.verify(json!({})).await;
        assert_eq!(said.error(500), "INTERNAL", "{names:?}");
        let stored = world.bot(&world.bob).await;
        assert_eq!(number(&stored["total_requests"]), 0, "{names:?}: Telegram was called");
        assert_eq!(stored["status"], bobs["status"], "{names:?}");
    }
    // Another field of the same row is not the token either.
    let mut swapped = anas.clone();
    swapped.insert("bot_token".to_owned(), anas["telegram_api_hash"].clone());
    world.put(CREDENTIALS, &swapped).await;
    assert_eq!(world.ana.verify(json!({})).await.error(500), "INTERNAL");
    world.put(CREDENTIALS, &anas).await;
    world.put(CREDENTIALS, &bobs).await;
    assert_eq!(world.bob.verify(json!({})).await.ok(200)["success"], true, "the own credentials work");
}

pub(super) async fn a_data_key_of_another_stage_is_not_unwrapped(world: Arc<World>) {
    let bobs = world.bot(&world.bob).await;
    let described = world.cloud.kms("DescribeKey", &json!({ "KeyId": "alias/analyticbot-local-credentials" })).await;
    let metadata = &described["KeyMetadata"];
    assert_eq!(
        (&metadata["KeyState"], &metadata["KeyManager"]),
        (&json!("Enabled"), &json!("CUSTOMER")),
        "{metadata:#}"
    );
    let own = world.bob.id.to_string();
    for context in [
        json!({ "app": "analyticbot", "stage": "prod", "user_id": own }),
        json!({ "app": "analyticbot", "stage": "local", "user_id": world.ana.id.to_string() }),
        json!({ "app": "analyticbot", "stage": "local" }),
    ] {
        let input = json!({ "KeyId": metadata["KeyId"], "KeySpec": "AES_256", "EncryptionContext": context });
        let generated = world.cloud.kms("GenerateDataKey", &input).await;
        let wrapped = BASE64_STANDARD.decode(generated["CiphertextBlob"].as_str().expect("Base64")).expect("Base64");
        let mut foreign = bobs.clone();
        foreign.insert("dek".to_owned(), AttributeValue::B(Blob::new(wrapped)));
        world.put(CREDENTIALS, &foreign).await;
        assert_eq!(world.bob.verify(json!({})).await.error(500), "INTERNAL", "{context}");
    }
    world.put(CREDENTIALS, &bobs).await;
    world.bob.verify(json!({})).await.ok(200);
}

pub(super) async fn a_reissued_token_belongs_to_the_same_bot(world: Arc<World>) {
    let person = world.user("hana", "user").await;
    // BotFather issues another token for the bot: its fingerprint differs, its ID and name at Telegram do not.
    let again = format!("{ANAS}:VALID{}", "r".repeat(40));
    world.remember(&again);
    // Not the name: bots can be renamed, so the guard of the ID must refuse it.
    assert_eq!(person.create(&again).await.error(409), "TOKEN_IN_USE");
    assert_eq!(person.status().await.error(404), "BOT_NOT_FOUND");
}

pub(super) async fn large_mistyped_and_ambiguous_bodies_are_refused(world: Arc<World>) {
    let path = "/api/user-bot/verify";
    let large = format!("{{\"test_message\":\"{}\"}}", "x".repeat(64 * 1024));
    assert_eq!(world.ana.post_raw(path, "application/json", large).await.error(413), "PAYLOAD_TOO_LARGE");
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        assert_eq!(world.ana.post_raw(path, kind, "{}").await.error(415), "UNSUPPORTED_MEDIA_TYPE", "{kind}");
    }
    let before = world.bot(&world.ana).await;
    for body in [
        r#"{"send_test_message":false,"send_test_message":true}"#,
        r#"{"test_chat_id":1,"test_chat_id":2}"#,
        r#"{"send_test_message":"yes"}"#,
        r#"{"test_chat_id":1.5}"#,
        "[]",
        "{",
        "",
    ] {
        let said = world.ana.post_raw(path, "application/json", body).await;
        assert_eq!(said.error(422), "VALIDATION_ERROR", "{body}");
    }
    assert_eq!(world.bot(&world.ana).await, before, "a refused request called Telegram");
}

pub(super) async fn cleanup_deletes_only_expired_items(world: Arc<World>) {
    let now = jiff::Timestamp::now().as_second();
    let of = |key: &str, expires: i64| {
        let n = |number: i64| AttributeValue::N(number.to_string());
        [("pk".to_owned(), text(key)), ("n".to_owned(), n(1)), ("ttl".to_owned(), n(expires))].into()
    };
    for (table, prefix) in [(CREDENTIALS, "RATE#77#"), (USERS, "LOGIN#192.0.2.1#")] {
        world.put(table, &of(&format!("{prefix}1"), now - 10)).await;
        world.put(table, &of(&format!("{prefix}2"), now + 600)).await;
    }
    let leases = AttributeValue::M(
        [("dead", now - 10), ("live", now + 600)]
            .map(|(id, expires)| (id.to_owned(), AttributeValue::N((expires * 1000).to_string())))
            .into(),
    );
    world.put(CREDENTIALS, &[("pk".to_owned(), text("CONC#77")), ("leases".to_owned(), leases)].into()).await;
    let durable = async || {
        let mut items = world.items(CREDENTIALS).await;
        items.extend(world.items(USERS).await);
        let counters = ["RATE#", "CONC#", "LOGIN#"];
        items.retain(|item| item["pk"].as_s().is_ok_and(|key| !counters.iter().any(|prefix| key.starts_with(prefix))));
        items.sort_by_key(|item| item["pk"].as_s().expect("a text").clone());
        items
    };
    let before = durable().await;
    // Twice, because a run may be repeated.
    for _ in 0..2 {
        world.invoke(CLEANUP, &json!({})).await;
        for (table, prefix) in [(CREDENTIALS, "RATE#77#"), (USERS, "LOGIN#192.0.2.1#")] {
            assert!(world.item(table, &format!("{prefix}1")).await.is_none(), "{prefix}");
            assert!(world.item(table, &format!("{prefix}2")).await.is_some(), "{prefix}");
        }
        let left = world.item(CREDENTIALS, "CONC#77").await.expect("a live lease");
        let left: Vec<_> = left["leases"].as_m().expect("a map").keys().collect();
        assert_eq!(left, ["live"]);
    }
    assert_eq!(durable().await, before, "users, bots, guards and sequences stay");
}
