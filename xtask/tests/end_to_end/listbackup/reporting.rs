//! Rows 24 and 25: figures, reports, poison messages, refusals; and API keys, OAuth, activity and health.

use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{
    backups::settled,
    person::Person,
    world::{SOURCE_BUCKET, World},
};

/// Sums a number over the runs of an account, as the table has them.
async fn sum_of_runs(world: &World, person: &Person, name: &str) -> i64 {
    let runs = world.items("runs").await;
    let own =
        runs.iter().filter(|item| item.get("accountId").and_then(|id| id.as_s().ok()) == Some(&person.account_id));
    let stats = own.filter_map(|item| item.get("stats").and_then(|stats| stats.as_m().ok()));
    stats.map(|stats| stats[name].as_n().expect("a number").parse::<i64>().expect("a number")).sum()
}

pub(super) async fn row_24_figures_are_the_sums_of_runs(world: Arc<World>) {
    let ana = &world.ana;
    let overview = ana.get("/analytics/overview").await.ok(200);
    let (bytes, stored) = (sum_of_runs(&world, ana, "deltaBytes").await, sum_of_runs(&world, ana, "deltaStored").await);
    let files = sum_of_runs(&world, ana, "filesAdded").await;
    assert_eq!((&overview["runs"]["total"], &overview["runs"]["completed"]), (&json!(3), &json!(3)), "{overview:#}");
    assert_eq!(
        (&overview["files"]["count"], &overview["files"]["bytes"]),
        (&json!(files), &json!(bytes)),
        "{overview:#}"
    );
    assert_eq!(overview["files"]["storedBytes"], json!(stored), "{overview:#}");
    assert_eq!((&overview["sources"]["total"], &overview["jobs"]["total"]), (&json!(1), &json!(1)), "{overview:#}");
    assert!(overview["recentActivity"].as_array().is_some_and(|list| (1..=10).contains(&list.len())), "{overview:#}");
    assert!(overview["insights"].as_array().is_some_and(|list| (1..=5).contains(&list.len())), "{overview:#}");
    let storage = ana.get("/analytics/storage?timeRange=7d").await.ok(200);
    assert_eq!(
        [&storage["totalBytes"], &storage["storedBytes"], &storage["fileCount"]],
        [&json!(bytes), &json!(stored), &json!(files)],
        "{storage:#}"
    );
    let sum = |list: &str, field: &str| -> i64 {
        storage[list].as_array().expect(list).iter().map(|entry| entry[field].as_i64().unwrap_or(0)).sum()
    };
    assert_eq!(sum("daily", "addedBytes"), bytes, "{storage:#}");
    ana.get("/analytics/overview?timeRange=2y").await.error(400);
    ana.get("/analytics/storage?timeRange=").await.ok(200);
    for kind in ["backup-summary", "storage", "activity"] {
        let report = ana.post("/reports/generate", json!({ "type": kind, "format": "csv" })).await.ok(201);
        assert_eq!((&report["status"], &report["expiresIn"]), (&json!("completed"), &json!(3600)), "{report:#}");
        let csv = fetch(&world, &report).await;
        let rows = csv.lines().filter(|line| !line.is_empty()).count();
        assert_eq!(json!(rows - 1), report["rowCount"], "{kind}: {csv}");
    }
    let report = ana.post("/reports/generate", json!({ "type": "storage", "format": "json" })).await.ok(201);
    serde_json::from_str::<Value>(&fetch(&world, &report).await).expect("JSON");
    ana.post("/reports/generate", json!({ "type": "secrets" })).await.error(400);
}

async fn fetch(world: &World, report: &Value) -> String {
    let url = report["downloadUrl"].as_str().expect("a link");
    let response = world.anonymous.http.get(url).send().await.expect("a response");
    assert_eq!(response.status(), 200);
    response.text().await.expect("a text")
}

pub(super) async fn formulas_in_reports_are_quoted(world: Arc<World>) {
    let user = world.account("tina@example.com").await;
    let body = json!({ "name": "=cmd|' /C calc'!A0", "type": "s3", "config": { "bucket": SOURCE_BUCKET } });
    let created = user.post("/sources", body).await.ok(201);
    let job = user.job(created["source"]["sourceId"].as_str().expect("an ID")).await;
    let run = user.back_up(&job).await;
    settled(&world, &user, run["runId"].as_str().expect("an ID")).await;
    let report = user.post("/reports/generate", json!({ "type": "storage", "format": "csv" })).await.ok(201);
    let csv = fetch(&world, &report).await;
    assert!(csv.contains("'=cmd|"), "the report has the source's name, as a text: {csv}");
    let starts_a_formula = |cell: &str| {
        let cell = cell.trim_start_matches('"');
        cell.starts_with(['=', '+', '@', '\t', '\r']) || cell.strip_prefix('-').is_some_and(|rest| !rest.is_empty())
    };
    let formula = csv.lines().skip(1).flat_map(|line| line.split(',')).find(|cell| starts_a_formula(cell));
    assert_eq!(formula, None, "{csv}");
}

pub(super) async fn row_25_poison_messages_busy_sources_and_scopes_are_refused(world: Arc<World>) {
    let (queue, dead) = (world.queue("data-queue").await, world.queue("data-dlq").await);
    world.visibility("data-queue", 1).await;
    world.send(&queue, "not JSON").await;
    world.send(&queue, r#"{"v":1,"type":"unknown"}"#).await;
    let mut poison = world.take(&dead, 2).await;
    poison.sort();
    assert_eq!(poison, ["not JSON", r#"{"v":1,"type":"unknown"}"#]);
    world.visibility("data-queue", 30).await;

    let (ana, backup) = (&world.ana, world.backup());
    let refused = ana.delete(&format!("/sources/{}", backup.source_id)).await;
    assert_eq!((refused.error(400), &refused.body["jobCount"]), ("SOURCE_HAS_JOBS", &json!(1)));

    let key = ana.post("/api-keys", json!({ "name": "Reader", "scopes": ["read"] })).await.ok(201);
    let text = key["key"].as_str().expect("a key");
    assert!(text.starts_with("lbk_"), "{text}");
    let reader = world.anonymous.with_authorization(format!("ApiKey {text}"));
    reader.get("/sources").await.ok(200);
    let job = json!({ "name": "x", "sourceId": backup.source_id, "schedule": { "type": "manual" } });
    assert_eq!(reader.post("/jobs", job).await.error(403), "INSUFFICIENT_ROLE");
    assert_eq!(
        reader.post("/api-keys", json!({ "name": "More", "scopes": ["write"] })).await.error(403),
        "INSUFFICIENT_ROLE"
    );
    let listed = ana.get("/api-keys").await.ok(200);
    assert!(!listed.to_string().contains(text), "a list has no secrets: {listed:#}");
    let id = key["keyId"].as_str().expect("an ID");
    assert_eq!(world.bob.delete(&format!("/api-keys/{id}")).await.error(403), "ACCESS_DENIED");
    assert_eq!(ana.delete(&format!("/api-keys/{id}")).await.status, 204);
    reader.get("/sources").await.refused_by_gateway(403);
    let large = ana.post_raw("/data/search", format!(r#"{{"query":"{}"}}"#, "x".repeat(300 * 1024))).await;
    assert_eq!(large.status, 413, "{:#}", large.body);
}

pub(super) async fn a_deleted_key_is_not_revived_by_its_use(world: Arc<World>) {
    for _ in 0..10 {
        let key = world.bob.post("/api-keys", json!({ "name": "Racing", "scopes": ["read", "write"] })).await.ok(201);
        let (id, text) = (key["keyId"].as_str().expect("an ID"), key["key"].as_str().expect("a key"));
        let user = world.anonymous.with_authorization(format!("ApiKey {text}"));
        let uses = join_all((0..4).map(|_| user.get("/sources")));
        let path = format!("/api-keys/{id}");
        let (uses, deleted) = tokio::join!(uses, world.bob.delete(&path));
        assert_eq!(deleted.status, 204);
        assert!(uses.iter().all(|said| [200, 403].contains(&said.status)), "{uses:?}");
        assert!(world.item("api-keys", "keyId", id).await.is_none(), "the key was revived");
        user.get("/sources").await.refused_by_gateway(403);
    }
}

pub(super) async fn oauth_states_work_once_and_return_to_the_application(world: Arc<World>) {
    world.cloud.put_parameter("/listbackup/local/oauth/github-client-id", "an-id").await;
    let initiate =
        async |kind: &str, body: Value| world.ana.post(&format!("/integrations/{kind}/oauth/initiate"), body).await;
    let started = initiate("github", json!({ "returnUrl": "http://localhost:3002/sources" })).await.ok(200);
    assert_eq!(started["expiresIn"], 600);
    assert!(started["authUrl"].as_str().is_some_and(|url| url.contains("an-id")), "{started:#}");
    let state = started["state"].as_str().expect("a state");
    for url in [
        "https://evil.example.com/",
        "http://localhost:3002.evil.example.com/",
        "//evil.example.com",
        "javascript:alert(1)",
    ] {
        initiate("github", json!({ "returnUrl": url })).await.error(400);
    }
    initiate("myspace", json!({})).await.error(400);
    assert_eq!(initiate("slack", json!({})).await.error(422), "INTEGRATION_NOT_CONFIGURED");
    let callback = async |kind: &str, state: &str| {
        world.anonymous.get(&format!("/integrations/{kind}/oauth/callback?code=c&state={state}")).await
    };
    assert_eq!(callback("github", state).await.error(422), "INTEGRATION_NOT_CONFIGURED");
    assert_eq!(callback("github", state).await.error(400), "INVALID_STATE", "a state works once");
    assert_eq!(callback("github", "unknown").await.error(400), "INVALID_STATE");
}

pub(super) async fn health_and_activity_are_served(world: Arc<World>) {
    let health = world.anonymous.get("/system/health").await.ok(200);
    assert_eq!((&health["status"], &health["stage"]), (&json!("healthy"), &json!("local")), "{health:#}");
    for check in ["tables", "bucket", "queue"] {
        assert!(!health["checks"][check].is_null(), "{health:#}");
    }
    let first = world.ana.get("/activity?limit=3").await.ok(200);
    assert_eq!((&first["count"], &first["hasMore"]), (&json!(3), &json!(true)), "{first:#}");
    let times: Vec<_> =
        first["activities"].as_array().expect("activities").iter().map(|it| it["timestamp"].as_i64()).collect();
    assert!(times.windows(2).all(|pair| pair[0] >= pair[1]), "the newest first: {times:?}");
    let completed = world.ana.get("/activity?type=job.run.completed&limit=100").await.ok(200);
    assert_eq!(completed["count"], 3, "{completed:#}");
}
