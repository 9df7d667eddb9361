//! Rows 16 to 19: verification, test messages, and the two limits of a bot.

use std::{collections::BTreeMap, sync::Arc};

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::world::{CREDENTIALS, World, number, text};

pub(super) async fn row_16_a_verified_bot_is_active(world: Arc<World>) {
    let said = world.ana.verify(json!({})).await.ok(200);
    assert_eq!((&said["success"], &said["is_verified"]), (&json!(true), &json!(true)), "{said:#}");
    assert_eq!(said["bot_info"]["username"], "stub_1001_bot");
    assert_eq!((&said["bot_info"]["id"], &said["bot_info"]["is_bot"]), (&json!(1001), &json!(true)));
    let status = world.ana.status().await.ok(200);
    assert_eq!((&status["status"], &status["total_requests"]), (&json!("active"), &json!(1)), "{status:#}");
    assert!(status["last_used_at"].is_string() && status["is_verified"] == true, "{status:#}");
}

pub(super) async fn row_17_a_test_message_needs_a_chat(world: Arc<World>) {
    let message = |chat: Value| json!({ "send_test_message": true, "test_chat_id": chat, "test_message": "Hello" });
    let without = world.ana.verify(json!({ "send_test_message": true })).await;
    assert_eq!(without.error(400), "TEST_CHAT_REQUIRED");
    let sent = world.ana.verify(message(json!(5))).await.ok(200);
    assert_eq!((&sent["success"], &sent["bot_info"]["test_message_sent"]), (&json!(true), &json!(true)), "{sent:#}");
    let refused = world.ana.verify(message(json!(0))).await.ok(200);
    assert_eq!(refused["success"], json!(false), "{refused:#}");
    let text = refused["message"].as_str().expect("a message");
    assert!(text.starts_with("Bot verified but failed to send test message: "), "{text}");
    assert_eq!(world.ana.status().await.ok(200)["status"], "active");
    let long = json!({ "send_test_message": true, "test_chat_id": 5, "test_message": "x".repeat(4_097) });
    assert_eq!(world.ana.verify(long).await.invalid(), ["test_message"]);
}

pub(super) async fn a_rejected_token_and_a_busy_telegram_are_reported(world: Arc<World>) {
    // A bot whose token is revoked after its registration.
    let person = world.user("dora", "user").await;
    person.create(&world.token(1020, "VALID")).await.ok(201);
    person.verify(json!({})).await.ok(200);
    let telegram = super::telegram::Server::start().await;
    telegram.revoke();
    let base = world.point_at(&telegram.url).await;
    let said = person.verify(json!({})).await.ok(200);
    let status = person.status().await.ok(200);
    telegram.serve();
    let repaired = person.verify(json!({})).await.ok(200);
    world.point_at(&base).await;
    assert_eq!((&said["success"], &said["is_verified"]), (&json!(false), &json!(false)), "{said:#}");
    assert!(said["message"].as_str().is_some_and(|text| text.starts_with("Verification failed: ")), "{said:#}");
    assert_eq!((&status["status"], &status["is_verified"]), (&json!("error"), &json!(false)), "{status:#}");
    assert_eq!(repaired["success"], json!(true), "{repaired:#}");
    person.remove().await.ok(200);
}

pub(super) async fn row_18_no_second_has_more_calls_than_the_limit(world: Arc<World>) {
    let said = world.ana.limit(json!({ "max_requests_per_second": 1 })).await.ok(200);
    assert_eq!(said["new_limits"], json!({ "max_requests_per_second": 1, "max_concurrent_requests": 10 }), "{said:#}");
    let total = async || world.ana.status().await.ok(200)["total_requests"].as_u64().expect("a number");
    let known = windows(&world, world.ana.id).await;
    let before = total().await;
    let said = join_all((0..6).map(|_| world.ana.verify(json!({})))).await;
    let served = said.iter().filter(|said| said.status == 200).count();
    for refused in said.iter().filter(|said| said.status != 200) {
        assert_eq!(refused.error(429), "BOT_RATE_LIMITED");
    }
    // The longest wait is three seconds, so at most four windows serve calls.
    assert!((1..6).contains(&served), "{served} of 6 were served");
    let windows = windows(&world, world.ana.id).await;
    let new: Vec<_> = windows.iter().filter(|(second, _)| !known.contains_key(*second)).collect();
    assert!(new.len() == served && new.iter().all(|(_, calls)| **calls == 1), "{served}: {new:?}");
    assert_eq!(total().await, before + u64::try_from(served).expect("a few"));
}

/// Returns the calls of each second of a user's bot.
pub(super) async fn windows(world: &World, user_id: u64) -> BTreeMap<String, u64> {
    let items = world.items_with(CREDENTIALS, &format!("RATE#{user_id}#")).await;
    items.iter().map(|item| (item["pk"].as_s().expect("a text").clone(), number(&item["n"]))).collect()
}

pub(super) async fn row_19_a_lease_admits_one_call_and_an_expired_lease_blocks_none(world: Arc<World>) {
    let person = world.user("ella", "user").await;
    person.create(&world.token(1030, "LAGGY")).await.ok(201);
    let path = "/api/user-bot/rate-limits";
    let limits = json!({ "max_concurrent_requests": 1 });
    let said = person.call(reqwest::Method::PUT, path, Some(limits)).await.ok(200);
    assert_eq!(said["new_limits"], json!({ "max_requests_per_second": 30, "max_concurrent_requests": 1 }), "{said:#}");
    // The message takes longer than the client waits, so the first call holds its lease while the second asks for one.
    let message = || json!({ "send_test_message": true, "test_chat_id": 5 });
    let (one, other) = tokio::join!(person.verify(message()), person.verify(message()));
    let (late, busy) = if one.status == 504 { (one, other) } else { (other, one) };
    assert_eq!((late.error(504), busy.error(429)), ("TELEGRAM_TIMEOUT", "BOT_BUSY"));
    person.verify(json!({})).await.ok(200);

    let lease = AttributeValue::M([("dead".to_owned(), AttributeValue::N("1000".to_owned()))].into());
    let key = format!("CONC#{}", person.id);
    world.put(CREDENTIALS, &[("pk".to_owned(), text(&key)), ("leases".to_owned(), lease)].into()).await;
    person.verify(json!({})).await.ok(200);
    assert_eq!(leases(&world, person.id).await, 0, "a lease is left");
    // One that has not expired is respected.
    let later = (jiff::Timestamp::now().as_millisecond() + 60_000).to_string();
    let lease = AttributeValue::M([("live".to_owned(), AttributeValue::N(later))].into());
    world.put(CREDENTIALS, &[("pk".to_owned(), text(&key)), ("leases".to_owned(), lease)].into()).await;
    assert_eq!(person.verify(json!({})).await.error(429), "BOT_BUSY");
    person.remove().await.ok(200);
}

/// Returns the number of leases of a user's bot.
pub(super) async fn leases(world: &World, user_id: u64) -> usize {
    let item = world.item(CREDENTIALS, &format!("CONC#{user_id}")).await;
    item.and_then(|item| item.get("leases").map(|leases| leases.as_m().expect("a map").len())).unwrap_or_default()
}
