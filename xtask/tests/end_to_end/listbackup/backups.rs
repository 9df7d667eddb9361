//! Rows 15 to 18: a first backup, two at once, everything delivered again, and later backups.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{
    person::Person,
    stub::Stub,
    world::{Backup, FILE_PROCESSOR, SOURCE_BUCKET, World, a_text},
};

/// The function that lists sources.
const ORCHESTRATOR: &str = "listbackup-backup-processors-local-backupOrchestrator";

pub(super) async fn row_15_a_backup_stores_three_files(world: Arc<World>) {
    let ana = &world.ana;
    let source_id = ana.source("s3", json!({ "bucket": SOURCE_BUCKET })).await;
    let job_id = ana.job(&source_id).await;
    let run_id = ana.start(&job_id).await;
    let run = ana.ended(&run_id).await;
    assert_eq!((&run["status"], &run["type"]), (&json!("completed"), &json!("manual")), "{run:#}");
    assert_eq!((&run["stats"]["filesAdded"], &run["stats"]["filesError"]), (&json!(3), &json!(0)), "{run:#}");
    assert_eq!((&run["progress"]["percentage"], &run["progress"]["totalFiles"]), (&json!(100), &json!(3)), "{run:#}");
    let paths: Vec<_> = ana.files(&source_id).await.iter().map(|file| file["path"].clone()).collect();
    assert_eq!(paths, ["a.txt", "b/c.json", "d.jpg"]);
    let jobs = ana.get("/jobs").await.ok(200);
    let job = &jobs["jobs"][0];
    assert_eq!((&job["lastRun"]["runId"], &job["runCount"]), (&json!(run_id), &json!(1)), "{jobs:#}");
    assert!(job["activeRunId"].is_null(), "{jobs:#}");
    assert_eq!(job["source"]["sourceId"], json!(source_id));
    for refused in [
        json!({ "name": "x", "sourceId": source_id, "schedule": { "type": "manual" }, "type": "differential" }),
        json!({ "name": "x", "sourceId": source_id, "schedule": { "type": "yearly" } }),
        json!({ "name": "x", "schedule": { "type": "manual" } }),
    ] {
        ana.post("/jobs", refused).await.error(400);
    }
    settled(&world, ana, &run_id).await;
    world.remember(Backup { source_id, job_id, run_id });
}

pub(super) async fn row_16_a_job_runs_once_at_a_time(world: Arc<World>) {
    let (user, job) = fresh_job(&world, "lena@example.com").await;
    // The run stays queued until both requests are answered.
    world.deliver(ORCHESTRATOR, false).await;
    let path = format!("/jobs/{job}/run");
    let both = join_all((0..2).map(|_| user.post(&path, json!({})))).await;
    let (started, refused): (Vec<_>, Vec<_>) = both.into_iter().partition(|said| said.status == 202);
    assert_eq!((started.len(), refused.len()), (1, 1), "{started:?} {refused:?}");
    assert_eq!(refused[0].error(400), "JOB_ALREADY_RUNNING");
    let run_id = started[0].body["data"]["runId"].as_str().expect("an ID");
    let third = user.post(&path, json!({})).await;
    assert_eq!((third.error(400), &third.body["existingRun"]), ("JOB_ALREADY_RUNNING", &json!(run_id)));
    assert_eq!(refused[0].body["existingRun"], json!(run_id));
    let runs = world.items("runs").await;
    let of_job = runs.iter().filter(|item| item.get("jobId").and_then(|id| id.as_s().ok()) == Some(&job)).count();
    assert_eq!(of_job, 1);
    world.deliver(ORCHESTRATOR, true).await;
    assert_eq!(user.ended(run_id).await["status"], "completed");
    settled(&world, &user, run_id).await;
}

/// A new account with a job on the source bucket.
async fn fresh_job(world: &World, email: &str) -> (Person, String) {
    let user = world.account(email).await;
    let source = user.source("s3", json!({ "bucket": SOURCE_BUCKET })).await;
    let job = user.job(&source).await;
    (user, job)
}

/// The messages of a run that the test delivers itself.
struct Captured {
    run_id: String,
    files: Vec<String>,
    run: String,
}

/// Starts a run whose `count` file messages the test receives. Nothing is delivered to the file processor afterwards.
async fn capture(world: &World, user: &Person, job: &str, count: usize) -> Captured {
    world.deliver(ORCHESTRATOR, false).await;
    world.deliver(FILE_PROCESSOR, false).await;
    let run_id = user.start(job).await;
    let runs = world.queue("job-queue").await;
    let run = world.take(&runs, 1).await.remove(0);
    assert!(run.contains(&run_id), "{run}");
    world.send(&runs, &run).await;
    world.deliver(ORCHESTRATOR, true).await;
    let files = world.take(&world.queue("data-queue").await, count).await;
    user.run_when(&run_id, |run| run["progress"]["totalFiles"] == json!(count)).await;
    Captured { run_id, files, run }
}

/// The rows that a message delivered again must not change: without the times of changes.
async fn rows(world: &World) -> BTreeMap<&'static str, Vec<BTreeMap<String, AttributeValue>>> {
    let mut rows = BTreeMap::new();
    for table in ["runs", "files", "jobs", "sources", "accounts", "activity", "analytics-aggregates"] {
        let mut items = world.items(table).await;
        for item in &mut items {
            item.retain(|name, _| !["updatedAt", "ttl"].contains(&name.as_str()));
        }
        items.sort_by_key(|item| format!("{item:?}"));
        rows.insert(table, items);
    }
    rows
}

/// Waits until the events of a run's end have had their effects.
pub(super) async fn settled(world: &World, user: &Person, run_id: &str) {
    for bucket in [format!("evt#{run_id}:finished"), format!("insight#{run_id}")] {
        let key = [("accountId", user.account_id.as_str()), ("bucket", bucket.as_str())];
        world.until(&bucket, || world.item_of("analytics-aggregates", &key)).await;
    }
}

/// Waits until both queues are empty.
async fn quiet(world: &World) {
    for queue in ["data-queue", "job-queue"] {
        world.drained(&world.queue(queue).await).await;
    }
}

pub(super) async fn row_17_messages_of_an_ended_run_change_nothing(world: Arc<World>) {
    let (user, job) = fresh_job(&world, "mila@example.com").await;
    let captured = capture(&world, &user, &job, 3).await;
    let (files, runs) = (world.queue("data-queue").await, world.queue("job-queue").await);
    for message in &captured.files {
        world.send(&files, message).await;
    }
    world.deliver(FILE_PROCESSOR, true).await;
    let run = user.ended(&captured.run_id).await;
    assert_eq!((&run["status"], &run["stats"]["filesAdded"]), (&json!("completed"), &json!(3)), "{run:#}");
    settled(&world, &user, &captured.run_id).await;
    let (before, versions) = (rows(&world).await, world.versions("data/").await);

    for _ in 0..2 {
        for message in &captured.files {
            world.send(&files, message).await;
        }
        world.send(&runs, &captured.run).await;
    }
    quiet(&world).await;
    let after = rows(&world).await;
    for (table, items) in &before {
        assert_eq!(&after[table], items, "{table} changed");
    }
    assert_eq!(world.versions("data/").await, versions, "an object was stored again");
    assert_eq!(user.run(&captured.run_id).await, run);
}

/// The runs and the duplicates of each: two hundred duplicates in all.
const ROUNDS: u64 = 8;
const DUPLICATES: usize = 25;
const FILES: usize = 6;

/// A generator of the same numbers in every run (SplitMix64).
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).expect("a small number")
    }
}

pub(super) async fn row_17_two_hundred_duplicates_at_random_positions_count_once(world: Arc<World>) {
    let user = world.account("nora@example.com").await;
    let stub = Stub::start().await;
    let urls: Vec<_> = (0..FILES).map(|at| stub.text(&format!("/file-{at}.txt"), &"x".repeat(100 + at))).collect();
    let bytes: usize = (0..FILES).map(|at| 100 + at).sum();
    let source = user.source("http", json!({ "urls": urls })).await;
    let job = user.job(&source).await;
    let (files, runs) = (world.queue("data-queue").await, world.queue("job-queue").await);
    for seed in 1..=ROUNDS {
        let mut seeded = Seeded(seed);
        let captured = capture(&world, &user, &job, FILES).await;
        let mut deliveries: Vec<(&str, &str)> =
            captured.files.iter().map(|message| (files.as_str(), message.as_str())).collect();
        for _ in 0..DUPLICATES {
            let original = match seeded.below(FILES + 1) {
                FILES => (runs.as_str(), captured.run.as_str()),
                at => (files.as_str(), captured.files[at].as_str()),
            };
            let position = seeded.below(deliveries.len() + 1);
            deliveries.insert(position, original);
        }
        world.deliver(FILE_PROCESSOR, true).await;
        for (queue, message) in deliveries {
            world.send(queue, message).await;
        }
        let run = user.ended(&captured.run_id).await;
        quiet(&world).await;
        settled(&world, &user, &captured.run_id).await;
        assert_eq!(run["status"], "completed", "seed {seed}: {run:#}");
        let stats = &user.run(&captured.run_id).await["stats"];
        let (added, skipped) = if seed == 1 { (FILES, 0) } else { (0, FILES) };
        let found = ["filesAdded", "filesSkipped", "filesUpdated", "filesError"].map(|name| stats[name].as_u64());
        assert_eq!(found, [Some(added as u64), Some(skipped as u64), Some(0), Some(0)], "seed {seed}: {stats:#}");
        let delta = if seed == 1 { bytes } else { 0 };
        assert_eq!(stats["deltaBytes"], json!(delta), "seed {seed}: {stats:#}");
    }
    let overview = user.get("/analytics/overview").await.ok(200);
    assert_eq!((&overview["runs"]["total"], &overview["runs"]["completed"]), (&json!(ROUNDS), &json!(ROUNDS)));
    assert_eq!((&overview["files"]["count"], &overview["files"]["bytes"]), (&json!(FILES), &json!(bytes)));
    let finished = user.get("/activity?limit=100").await.ok(200);
    let activities = finished["activities"].as_array().expect("activities");
    let completed = activities.iter().filter(|activity| activity["type"] == "job.run.completed").count();
    assert_eq!(completed as u64, ROUNDS, "{finished:#}");
}

pub(super) async fn row_18_later_backups_store_only_what_changed(world: Arc<World>) {
    let (ana, backup) = (&world.ana, world.backup());
    let counts = |run: &Value| {
        ["filesAdded", "filesUpdated", "filesSkipped", "filesError"].map(|name| run["stats"][name].as_u64())
    };
    let second = ana.back_up(&backup.job_id).await;
    assert_eq!(
        (&second["status"], counts(&second)),
        (&json!("completed"), [Some(0), Some(0), Some(3), Some(0)]),
        "{second:#}"
    );
    world.put_source("a.txt", a_text(100).as_bytes()).await;
    let third = ana.back_up(&backup.job_id).await;
    assert_eq!(
        (&third["status"], counts(&third)),
        (&json!("completed"), [Some(0), Some(1), Some(2), Some(0)]),
        "{third:#}"
    );
    assert_eq!(third["stats"]["deltaBytes"], 100, "{third:#}");
    let file = ana.files(&backup.source_id).await.remove(0);
    assert_eq!(
        (&file["path"], &file["sizeBytes"], &file["version"]),
        (&json!("a.txt"), &json!(10_340), &json!(2)),
        "{file:#}"
    );
    let bare = |id: &str| id.split_once(':').expect("a kind").1.to_owned();
    let key = format!("data/{}/{}/a.txt", bare(&ana.account_id), bare(&backup.source_id));
    let versions = world.versions(&key).await;
    assert_eq!(versions.len(), 2, "{versions:?}");
    let distinct: BTreeSet<_> = versions.iter().map(|(_, version)| version).collect();
    assert_eq!(distinct.len(), 2);
    let head = world.cloud.s3().head_object().bucket(world.data_bucket()).key(&key).send().await.expect("an object");
    assert_eq!(head.server_side_encryption().map(|kind| kind.as_str()), Some("AES256"));
    assert_eq!(head.content_encoding(), Some("gzip"));
    settled(&world, ana, third["runId"].as_str().expect("an ID")).await;
}

pub(super) async fn a_source_deleted_during_its_backup_stays_deleted(world: Arc<World>) {
    let user = world.account("olga@example.com").await;
    let stub = Stub::start().await;
    let source = user.source("http", json!({ "urls": [stub.text("/a.txt", "a"), stub.text("/b.txt", "b")] })).await;
    let job = user.job(&source).await;
    let captured = capture(&world, &user, &job, 2).await;
    // The API refuses to delete a source with a job, so the row is deleted as an operator would.
    let key = AttributeValue::S(source.clone());
    let delete = world.dynamodb().delete_item().table_name("listbackup-local-sources").key("sourceId", key);
    delete.send().await.expect("deleted");
    let files = world.queue("data-queue").await;
    for message in &captured.files {
        world.send(&files, message).await;
    }
    // A message that waits for its next receive does not wait long.
    world.visibility("data-queue", 1).await;
    world.deliver(FILE_PROCESSOR, true).await;
    let run = user.ended(&captured.run_id).await;
    assert!(run["stats"]["filesError"] == 2 || run["status"] == "completed", "{run:#}");
    world.drained(&files).await;
    world.visibility("data-queue", 30).await;
    assert!(world.item("sources", "sourceId", &source).await.is_none(), "the source was revived");
    let job_row = world.item("jobs", "jobId", &job).await.expect("the job");
    assert!(!job_row.contains_key("activeRunId"), "the job could never run again: {job_row:?}");
}

pub(super) async fn the_scheduler_starts_due_jobs_and_sends_lost_runs_again(world: Arc<World>) {
    let user = world.account("petra@example.com").await;
    let source = user.source("s3", json!({ "bucket": SOURCE_BUCKET })).await;
    let body = json!({ "name": "Hourly", "sourceId": source, "schedule": { "type": "hourly", "minute": 0 } });
    let created = user.post("/jobs", body).await.ok(201);
    let job = created["job"]["jobId"].as_str().expect("an ID");
    assert!(created["job"]["nextRun"].is_string(), "{created:#}");
    let due = "2026-01-01T00:00:00Z";
    let update = world.dynamodb().update_item().table_name("listbackup-local-jobs");
    let update = update.key("jobId", AttributeValue::S(job.to_owned())).update_expression("SET nextRun = :due");
    update.expression_attribute_values(":due", AttributeValue::S(due.to_owned())).send().await.expect("changed");
    world.invoke("listbackup-backup-processors-local-jobScheduler", &json!({ "source": "aws.events" })).await;
    let run = world.until("a scheduled run", || async {
        let runs = world.items("runs").await;
        let is_own = |item: &BTreeMap<String, AttributeValue>| {
            item.get("jobId").and_then(|id| id.as_s().ok()).is_some_and(|id| id == job)
        };
        runs.into_iter().find(is_own).and_then(|item| item["runId"].as_s().ok().cloned())
    });
    let run = user.ended(&run.await).await;
    assert_eq!((&run["status"], &run["type"]), (&json!("completed"), &json!("scheduled")), "{run:#}");
    let jobs = user.get("/jobs").await.ok(200);
    assert!(jobs["jobs"][0]["nextRun"].as_str().is_some_and(|next| next > due), "{jobs:#}");
}
