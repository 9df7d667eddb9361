//! Windows and leases in tables in memory.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use analyticbot_contract::tables::PK;
use serde_json::{Value, json};
use tables::{
    Database,
    testing::{Memory, Schema, Script, error_reply},
};
use tokio::task::JoinSet;

use super::*;
use crate::domain::bot::BotStatus;

const TABLE: &str = "credentials";

fn limits() -> (Arc<Limits>, Memory) {
    let memory = Memory::new([Schema { table: TABLE, partition: PK, sort: None, indexes: Vec::new() }]);
    let tables = memory.clone();
    (limits_of(Script::new(move |request| tables.answer(request))), memory)
}

fn limits_of(script: Script) -> Arc<Limits> {
    let database = Database::new(aws_sdk_dynamodb::Client::new(&script.aws()));
    Arc::new(Limits::new(database, TABLE.to_owned()))
}

fn windows(memory: &Memory) -> Vec<u64> {
    let is_window = |item: &Value| item[PK].as_str().is_some_and(|pk| pk.starts_with("RATE#7#"));
    memory.all(TABLE).iter().filter(|item| is_window(item)).map(|item| item["n"].as_u64().expect("a number")).collect()
}

fn leases(memory: &Memory) -> BTreeMap<String, i64> {
    let item = memory.get(TABLE, &["CONC#7"]).unwrap_or_default();
    serde_json::from_value(item["leases"].clone()).unwrap_or_default()
}

#[tokio::test(flavor = "current_thread")]
async fn no_window_exceeds_its_limit() {
    let (limits, memory) = limits();
    let (mut calls, started) = (JoinSet::new(), Instant::now());
    for _ in 0..200 {
        let limits = Arc::clone(&limits);
        calls.spawn(async move { limits.admit(7, 10).await });
    }
    let results = calls.join_all().await;
    let admitted = results.iter().filter(|result| result.is_ok()).count();
    assert!(results.iter().all(|result| matches!(result, Ok(()) | Err(LimitError::RateLimited))));
    let windows = windows(&memory);
    assert!(windows.iter().all(|n| *n <= 10), "{windows:?}");
    assert_eq!(windows.iter().sum::<u64>(), u64::try_from(admitted).expect("few"));
    // The windows of the wait are full, and each second that passed has one window.
    let seconds = usize::try_from(started.elapsed().as_secs()).expect("few") + 2;
    assert!((30..=10 * seconds).contains(&admitted), "{admitted} in {seconds} windows");
}

#[tokio::test(flavor = "current_thread")]
async fn a_full_window_is_waited_for_and_expires() {
    let (limits, memory) = limits();
    for _ in 0..2 {
        assert_eq!(limits.admit(7, 1).await, Ok(()));
    }
    assert_eq!(windows(&memory), [1, 1]);
    for item in memory.all(TABLE) {
        let second: i64 = item[PK].as_str().and_then(|pk| pk.rsplit('#').next()?.parse().ok()).expect("a second");
        assert_eq!(item["ttl"], second + 120);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn the_wait_for_a_window_ends_after_three_seconds() {
    let limits = limits_of(Script::new(|_| error_reply("ConditionalCheckFailedException")));
    let started = std::time::Instant::now();
    assert_eq!(limits.admit(7, 1).await, Err(LimitError::RateLimited));
    let waited = started.elapsed();
    assert!(waited >= Duration::from_secs(2) && waited < Duration::from_millis(3500), "{waited:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn the_first_lease_creates_the_map() {
    let (limits, memory) = limits();
    let lease = limits.acquire(7, 1).await.expect("a lease");
    assert_eq!(leases(&memory).len(), 1);
    assert_eq!(limits.acquire(7, 1).await, Err(LimitError::Busy));
    limits.release(lease).await;
    assert_eq!(leases(&memory), BTreeMap::new());
    let lease = limits.acquire(7, 1).await.expect("a lease of an empty map");
    limits.release(lease).await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_repeated_request_finds_its_own_lease() {
    let (limits, memory) = limits();
    let lease = Lease::new(7).expect("a lease");
    for attempt in ["creates the map", "is repeated"] {
        assert_eq!(limits.take(&lease, 1).await, Ok(true), "{attempt}");
    }
    assert_eq!(leases(&memory).len(), 1);
    let other = Lease::new(7).expect("a lease");
    assert_eq!(limits.take(&other, 1).await, Ok(false), "the map is full for another call");
    limits.release(lease).await;
    assert!(leases(&memory).is_empty(), "no lease is lost");
}

#[tokio::test(flavor = "current_thread")]
async fn leases_of_crashed_calls_are_removed() {
    let (limits, memory) = limits();
    let later = jiff::Timestamp::now().as_millisecond() + 30_000;
    memory.insert(TABLE, json!({ PK: "CONC#7", "leases": { "aa": 1, "bb": later, "cc": 2 } }));
    let first = limits.acquire(7, 2).await.expect("the room of expired leases");
    assert_eq!(leases(&memory).len(), 2);
    assert!(leases(&memory).contains_key("bb"));
    assert_eq!(limits.acquire(7, 2).await, Err(LimitError::Busy));
    limits.release(first).await;
    assert_eq!(leases(&memory), BTreeMap::from([("bb".to_owned(), later)]));
}

#[tokio::test(flavor = "current_thread")]
async fn there_are_never_more_leases_than_allowed() {
    let (limits, memory) = limits();
    let mut calls = JoinSet::new();
    for _ in 0..50 {
        let limits = Arc::clone(&limits);
        calls.spawn(async move { limits.acquire(7, 3).await });
    }
    let taken: Vec<_> = calls.join_all().await.into_iter().flatten().collect();
    assert_eq!((taken.len(), leases(&memory).len()), (3, 3));
    for lease in taken {
        limits.release(lease).await;
    }
    assert!(leases(&memory).is_empty());
}

#[tokio::test(flavor = "current_thread")]
async fn a_lease_is_released_after_a_failure_too() {
    let (limits, memory) = limits();
    let result = limits.with_lease(7, 1, async || Err::<(), _>("timeout")).await;
    assert_eq!(result, Ok(Err("timeout")));
    assert!(leases(&memory).is_empty());
    assert_eq!(limits.with_lease(7, 1, async || leases(&memory).len()).await, Ok(1));
}

#[tokio::test(flavor = "current_thread")]
async fn a_release_without_a_map_changes_nothing() {
    let (limits, memory) = limits();
    let lease = limits.acquire(7, 1).await.expect("a lease");
    memory.insert(TABLE, json!({ PK: "CONC#7" }));
    limits.release(lease).await;
    assert_eq!(memory.get(TABLE, &["CONC#7"]), Some(json!({ PK: "CONC#7" })));
}

#[tokio::test(flavor = "current_thread")]
async fn a_call_of_a_suspended_or_replaced_bot_is_not_counted() {
    let (limits, memory) = limits();
    let bot = |status: &str| json!({ PK: "USER#7", "id": 1, "status": status });
    let counted: BotStatus = serde_json::from_value(json!({
        "id": 1, "user_id": 7, "status": "active", "is_verified": true, "max_requests_per_second": 1,
        "max_concurrent_requests": 1, "total_requests": 0, "created_at": "", "updated_at": "",
    }))
    .expect("a bot");
    memory.insert(TABLE, bot("active"));
    assert_eq!(limits.record(&counted, By::User).await, Ok(true));
    memory.insert(TABLE, bot("suspended"));
    assert_eq!(limits.record(&counted, By::User).await, Ok(false), "suspended since it was read");
    assert_eq!(limits.record(&counted, By::Admin).await, Ok(true));
    let other = BotStatus { id: 2, ..counted };
    for by in [By::User, By::Admin] {
        assert_eq!(limits.record(&other, by).await, Ok(false), "another bot of the user");
    }
    assert_eq!(memory.get(TABLE, &["USER#7"]).expect("an item")["total_requests"], 1);
}
