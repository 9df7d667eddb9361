//! Overview and storage: sums of the account's own runs.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    super::{overview, storage},
    world::{ACTIVITY, AGGREGATES, ANA, BEN, JOBS, SOURCES, World, ended},
};
use crate::shared::time;

fn days_ago(days: i64) -> String {
    time::text(Timestamp::now() - SignedDuration::from_hours(24 * days))
}

fn source(id: &str, account_id: &str, status: &str) -> Value {
    json!({
        "sourceId": id, "accountId": account_id, "userId": "user:1", "name": format!("name of {id}"), "type": "http", "config": {},
        "status": status, "createdAt": days_ago(9), "updatedAt": days_ago(9),
    })
}

fn job(id: &str, status: &str) -> Value {
    json!({
        "jobId": id, "accountId": ANA, "userId": "user:1", "sourceId": "source:1", "name": "nightly",
        "schedule": { "type": "manual" }, "type": "full", "status": status, "createdAt": days_ago(9), "updatedAt": days_ago(9),
    })
}

async fn world() -> World {
    let world = World::new();
    for (run, days, kind) in [("a", 60, "Job Completed"), ("b", 3, "Job Completed"), ("c", 1, "Job Failed")] {
        world.deliver(&ended(ANA, run, &days_ago(days), kind)).await.expect("counted");
    }
    world.deliver(&ended(BEN, "d", &days_ago(1), "Job Completed")).await.expect("counted");
    for row in [source("source:1", ANA, "syncing"), source("source:2", ANA, "error"), source("source:3", BEN, "active")]
    {
        world.memory.insert(SOURCES, row);
    }
    world.memory.insert(JOBS, job("job:1", "active"));
    world.memory.insert(JOBS, job("job:2", "paused"));
    world
}

async fn overview_of(world: &World, account_id: &str, query: &str) -> (u64, Value) {
    world.call(overview::router, account_id, ("GET", "/analytics/overview", query, json!(null))).await
}

async fn storage_of(world: &World, query: &str) -> (u64, Value) {
    world.call(storage::router, ANA, ("GET", "/analytics/storage", query, json!(null))).await
}

#[tokio::test(flavor = "current_thread")]
async fn an_overview_sums_the_runs_of_a_range() {
    let world = world().await;
    let (status, body) = overview_of(&world, ANA, "").await;
    assert_eq!((status, &body["success"]), (200, &json!(true)), "{body}");
    let data = &body["data"];
    assert_eq!(data["sources"], json!({ "total": 2, "active": 1, "error": 1 }));
    assert_eq!(data["jobs"], json!({ "total": 2, "active": 1 }));
    let runs = &data["runs"];
    assert_eq!((&runs["total"], &runs["completed"], &runs["failed"]), (&json!(2), &json!(1), &json!(1)));
    assert_eq!(runs["successRate"].as_f64(), Some(50.0));
    assert!(runs["lastRunAt"].as_str().is_some_and(|at| at.starts_with(&days_ago(1)[..10])), "{runs}");
    // Files have no history: these are the sums of all runs.
    assert_eq!(data["files"], json!({ "count": 3, "bytes": 4500, "storedBytes": 2100 }));
    assert_eq!(data["compressionRatio"].as_f64(), Some(2100.0 / 4500.0));
    let (_, longer) = overview_of(&world, ANA, "timeRange=90d").await;
    assert_eq!(longer["data"]["runs"]["total"], 3);
}

#[tokio::test(flavor = "current_thread")]
async fn an_unknown_range_is_refused() {
    let world = world().await;
    for query in ["timeRange=1y", "timeRange=30"] {
        let (status, body) = overview_of(&world, ANA, query).await;
        assert_eq!((status, &body["code"]), (400, &json!("VALIDATION_FAILED")), "{query}");
        assert_eq!((storage_of(&world, query).await).0, 400);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn recent_activity_and_insights_are_few_new_and_of_the_account() {
    let world = world().await;
    let kept = time::ttl(1000);
    for at in 0..12 {
        for account_id in [ANA, BEN] {
            world.memory.insert(ACTIVITY, json!({
                "eventId": format!("{account_id} {at}"), "accountId": account_id, "type": "job.created", "action": "created",
                "resourceType": "job", "resourceId": "job:1", "status": "success", "message": "m", "metadata": {},
                "timestamp": at, "ttl": kept,
            }));
            world.memory.insert(AGGREGATES, json!({
                "accountId": account_id, "bucket": format!("insight#run:{at}"), "runId": format!("run:{at}"), "text": "t",
                "createdAt": format!("2026-01-{:02}T00:00:00.000Z", at + 1), "ttl": if at == 11 { 1 } else { kept },
            }));
        }
    }
    let (_, body) = overview_of(&world, ANA, "").await;
    let recent = body["data"]["recentActivity"].as_array().expect("a list");
    assert_eq!((recent.len(), &recent[0]["eventId"]), (10, &json!(format!("{ANA} 11"))));
    assert!(recent.iter().all(|entry| entry["accountId"] == ANA && entry["ttl"].is_null()));
    let insights = body["data"]["insights"].as_array().expect("a list");
    assert_eq!((insights.len(), &insights[0]["runId"]), (5, &json!("run:10")), "the expired one is left out");
    assert!(insights.iter().all(|insight| insight["bucket"].is_null() && insight["ttl"].is_null()), "{insights:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn an_account_without_runs_has_zeros() {
    let world = World::new();
    let (status, body) = overview_of(&world, ANA, "timeRange=24h").await;
    assert_eq!(status, 200, "{body}");
    let data = &body["data"];
    assert_eq!(
        (&data["runs"]["total"], &data["runs"]["lastRunAt"], &data["files"]["bytes"]),
        (&json!(0), &json!(null), &json!(0))
    );
    assert_eq!((data["compressionRatio"].as_f64(), data["runs"]["successRate"].as_f64()), (Some(0.0), Some(0.0)));
}

#[tokio::test(flavor = "current_thread")]
async fn storage_is_summed_by_source_type_and_day() {
    let world = world().await;
    let (status, body) = storage_of(&world, "timeRange=7d").await;
    assert_eq!(status, 200, "{body}");
    let data = &body["data"];
    assert_eq!(
        (&data["totalBytes"], &data["storedBytes"], &data["fileCount"]),
        (&json!(4500), &json!(2100), &json!(3))
    );
    let source =
        json!({ "sourceId": "source:1", "name": "name of source:1", "bytes": 4500, "storedBytes": 2100, "files": 3 });
    assert_eq!(data["bySource"], json!([source]));
    let types = json!([
        { "type": "document", "bytes": 3000, "storedBytes": 1200, "files": 3 },
        { "type": "image", "bytes": 1500, "storedBytes": 900, "files": 0 },
    ]);
    assert_eq!(data["byFileType"], types);
    let daily = data["daily"].as_array().expect("a list");
    assert_eq!(daily.len(), 8, "every day, from a week ago until today");
    let added: Vec<_> = daily.iter().filter(|day| day["addedBytes"] != 0).collect();
    assert_eq!(added.len(), 2, "{daily:?}");
    assert_eq!(added[0], &json!({ "date": days_ago(3)[..10], "addedBytes": 1500, "files": 2 }));
}
