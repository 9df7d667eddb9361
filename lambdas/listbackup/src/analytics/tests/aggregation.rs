//! Events of ended runs: each counts once, in any order.

use serde_json::json;

use super::{
    super::aggregation::AggregationError,
    world::{ACCOUNTS, AGGREGATES, ANA, BEN, World, amended, ended},
};

const AT: &str = "2026-01-31T23:59:59.000Z";

#[tokio::test(flavor = "current_thread")]
async fn an_ended_run_is_added_to_every_bucket() {
    let world = World::new();
    world.deliver(&ended(ANA, "a", AT, "Job Completed")).await.expect("counted");
    for bucket in ["total", "day#2026-01-31", "source#source:1"] {
        let found = world.bucket(ANA, bucket);
        let figures = ["runs", "runsCompleted", "files", "bytes", "storedBytes", "addedBytes", "changedFiles"];
        assert_eq!(figures.map(|name| found[name].as_i64()), [1, 1, 1, 1500, 700, 1500, 2].map(Some), "{bucket}");
        assert!(found["runsFailed"].is_null());
    }
    let document = world.bucket(ANA, "type#document");
    assert_eq!(
        (&document["files"], &document["bytes"], &document["storedBytes"]),
        (&json!(1), &json!(1000), &json!(400))
    );
    assert_eq!(world.bucket(ANA, "type#image")["bytes"], 500);
    assert_eq!(world.bucket(ANA, "total")["lastRunAt"], AT);
    let account = world.memory.get(ACCOUNTS, &[ANA]).expect("an account");
    assert_eq!(account["usage"]["storageUsedGB"].as_f64(), Some(700.0 / 1e9));
    assert!(world.bucket(BEN, "total").is_null());
}

#[tokio::test(flavor = "current_thread")]
async fn a_repeated_event_counts_once() {
    let world = World::new();
    for _ in 0..3 {
        world.deliver(&ended(ANA, "a", AT, "Job Completed")).await.expect("accepted");
        world.deliver(&amended(ANA, "a", AT)).await.expect("accepted");
    }
    let total = world.bucket(ANA, "total");
    assert_eq!((&total["runs"], &total["files"], &total["bytes"]), (&json!(1), &json!(2), &json!(1510)));
    assert_eq!(world.bucket(ANA, "type#code")["files"], 1);
}

#[tokio::test(flavor = "current_thread")]
async fn events_in_any_order_have_the_same_sums() {
    let events = [
        ended(ANA, "a", "2026-01-01T00:00:00.000Z", "Job Completed"),
        ended(ANA, "b", "2026-01-02T00:00:00.000Z", "Job Failed"),
        amended(ANA, "a", "2026-01-03T00:00:00.000Z"),
    ];
    let mut sums = Vec::new();
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let world = World::new();
        for at in order {
            world.deliver(&events[at]).await.expect("counted");
        }
        sums.push(world.bucket(ANA, "total"));
    }
    assert_eq!(sums[0]["lastRunAt"], "2026-01-02T00:00:00.000Z");
    assert_eq!((&sums[0]["runs"], &sums[0]["runsFailed"]), (&json!(2), &json!(1)));
    assert!(sums.iter().all(|sum| *sum == sums[0]), "{sums:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_failed_run_sends_one_mail_to_the_owner() {
    let world = World::new();
    let mut event = ended(ANA, "a", AT, "Job Failed");
    event["detail"]["error"] = json!("every file failed");
    for _ in 0..2 {
        world.deliver(&event).await.expect("accepted");
    }
    let mails = world.script.bodies("SNS.SendEmail");
    let [mail] = &mails[..] else { panic!("one mail: {mails:?}") };
    let mail = mail.as_str().expect("a form");
    assert!(mail.contains("owner%40example.com") && mail.contains("every+file+failed"), "{mail}");
    world.deliver(&ended(ANA, "b", AT, "Job Completed")).await.expect("counted");
    assert_eq!(world.script.bodies("SNS.SendEmail").len(), 1, "none about a completed run");
}

#[tokio::test(flavor = "current_thread")]
async fn an_account_that_is_gone_does_not_stop_the_count() {
    let world = World::new();
    world.deliver(&ended("account:gone", "a", AT, "Job Completed")).await.expect("counted");
    assert_eq!(world.bucket("account:gone", "total")["runs"], 1);
    assert!(world.memory.get(ACCOUNTS, &["account:gone"]).is_none());
}

#[tokio::test(flavor = "current_thread")]
async fn an_expired_event_id_counts_as_absent() {
    let world = World::new();
    let id = "evt#run:a:finished";
    world.memory.insert(AGGREGATES, json!({ "accountId": ANA, "bucket": id, "ttl": 1 }));
    world.deliver(&ended(ANA, "a", AT, "Job Completed")).await.expect("counted");
    assert_eq!(world.bucket(ANA, "total")["runs"], 1);
    assert!(world.bucket(ANA, id)["ttl"].as_i64().is_some_and(|ttl| ttl > 1));
}

#[tokio::test(flavor = "current_thread")]
async fn other_events_are_reported_and_count_nothing() {
    let world = World::new();
    let other = ended(ANA, "a", AT, "Job Started");
    assert!(matches!(world.deliver(&other).await, Err(AggregationError::Kind(kind)) if kind == "Job Started"));
    let mut malformed = ended(ANA, "a", AT, "Job Completed");
    malformed["detail"].as_object_mut().expect("an object").remove("stats");
    assert!(matches!(world.deliver(&malformed).await, Err(AggregationError::Detail(_))));
    assert!(world.script.requests().is_empty());
}
