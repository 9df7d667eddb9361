//! Whole runs in memory: every message may arrive again, late, at the same time as others, and in a cloud whose calls fail.

use std::collections::{BTreeMap, BTreeSet};

use common::{bus::Bus, queue::QueueMessage};
use listbackup_contract::tables::{ACCOUNTS, ACTIVITY, FILES, JOBS, RUNS, SOURCES};
use serde_json::{Map, Value, json};
use tables::Database;

use super::{
    store::StoreSettings,
    testing::{Cloud, Random},
    *,
};
use crate::{
    runs::{
        StartOutcome,
        message::{FileMessage, RunMessage},
    },
    shared::rows::{
        job::{Interval, JobStatus, JobType, Schedule},
        run::RunType,
    },
};

const JOB_QUEUE: &str = "http://aws.test/jobs";
const DATA_QUEUE: &str = "http://aws.test/data";
const JOB: &str = "job:1";
const SOURCE: &str = "source:1";
const ACCOUNT: &str = "account:1";

/// A stage with one account, one source and one job.
pub(super) struct Stage {
    pub(super) cloud: Cloud,
    orchestrator: Orchestrator,
    files: FileProcessor,
    scheduler: Scheduler,
}

impl Stage {
    pub(super) fn new(source_type: &str, config: Value) -> Self {
        let cloud = Cloud::default();
        let aws = cloud.aws();
        let tables = Tables {
            runs: RUNS.name.to_owned(),
            jobs: JOBS.name.to_owned(),
            sources: SOURCES.name.to_owned(),
            activity: ACTIVITY.name.to_owned(),
        };
        let database = Database::new(aws_sdk_dynamodb::Client::new(&aws));
        let rows = Rows { database: database.clone(), tables: tables.clone() };
        let runs = Runs::new(database.clone(), tables.clone(), Bus::new(&aws, "events"));
        let connectors = Connectors::new(&aws, "test", Rules::new("true", "*", "data"));
        let settings = StoreSettings { bucket: "data".to_owned(), part_bytes: 10 << 20, level: 6, is_encrypted: true };
        let stage = Self {
            orchestrator: Orchestrator {
                runs: runs.clone(),
                rows: rows.clone(),
                connectors: connectors.clone(),
                queue: Queue::new(&aws, DATA_QUEUE),
                metrics: Metrics::new("test"),
                max_file_size: 1 << 20,
                lease_seconds: 60,
            },
            files: FileProcessor {
                runs: runs.clone(),
                rows,
                files: FILES.name.to_owned(),
                connectors,
                store: Store::new(&aws, settings),
                metrics: Metrics::new("test"),
                max_file_size: 1 << 20,
            },
            scheduler: Scheduler {
                starter: Starter::new(runs.clone(), ACCOUNTS.name, Queue::new(&aws, JOB_QUEUE)),
                runs,
                database,
                tables,
                metrics: Metrics::new("test"),
            },
            cloud,
        };
        stage.put_rows(source_type, config);
        stage
    }

    fn put_rows(&self, source_type: &str, config: Value) {
        let now = crate::shared::time::now();
        let mut state = self.cloud.state();
        state.items.put(ACCOUNTS.name, &json!({ "accountId": ACCOUNT, "usage": { "monthlyBackups": 0 } }));
        state.items.put(
            SOURCES.name,
            &json!({
                "sourceId": SOURCE, "accountId": ACCOUNT, "userId": "user:1", "name": "s", "type": source_type,
                "config": config, "status": "active", "createdAt": now, "updatedAt": now,
            }),
        );
        let job = Job {
            job_id: JOB.to_owned(),
            account_id: ACCOUNT.to_owned(),
            user_id: "user:1".to_owned(),
            source_id: SOURCE.to_owned(),
            name: "j".to_owned(),
            description: None,
            schedule: Schedule { interval: Interval::Manual, hour: None, minute: None, day: None },
            job_type: JobType::Incremental,
            config: Map::new(),
            status: JobStatus::Active,
            last_run: None,
            next_run: None,
            run_count: 0,
            active_run_id: None,
            last_error: None,
            created_at: now.clone(),
            updated_at: now,
        };
        state.items.put(JOBS.name, &job);
    }

    /// A stage whose source is the bucket `src`.
    fn of_bucket() -> Self {
        Self::new("s3", json!({ "bucket": "src" }))
    }

    fn job(&self) -> Job {
        serde_json::from_value(self.row(JOBS.name, JOB)).expect("a job")
    }

    pub(super) fn row(&self, table: &str, key: &str) -> Value {
        self.cloud.state().items.get(table, key).expect("a row")
    }

    fn run_row(&self, run_id: &str) -> Run {
        serde_json::from_value(self.row(RUNS.name, run_id)).expect("a run")
    }

    /// Starts a run and returns its ID. A start whose answer was lost has started a run as well.
    async fn start(&self) -> String {
        let failing = std::mem::take(&mut self.cloud.state().failing);
        let outcome = self.scheduler.starter.start(&self.job(), RunType::Manual, None).await;
        self.cloud.state().failing = failing;
        match outcome.expect("started") {
            StartOutcome::Started(run) => run.run_id,
            other => panic!("{other:?}"),
        }
    }

    fn messages(&self, queue: &str) -> Vec<String> {
        self.cloud.state().queues.get(queue).cloned().unwrap_or_default()
    }

    async fn deliver_run(&self, body: &str, receive_count: u32) -> bool {
        let body: RunMessage = serde_json::from_str(body).expect("a message");
        let message = QueueMessage { id: "m".to_owned(), queue: "jobs".to_owned(), receive_count, body };
        self.orchestrator.handle(message).await.is_ok()
    }

    async fn deliver_file(&self, body: &str, receive_count: u32) -> bool {
        let body: FileMessage = serde_json::from_str(body).expect("a message");
        let message = QueueMessage { id: "m".to_owned(), queue: "data".to_owned(), receive_count, body };
        self.files.handle(message, Instant::now() + Duration::from_secs(60)).await.is_ok()
    }

    async fn deliver(&self, queue: &str, body: &str, receive_count: u32) -> bool {
        if queue == JOB_QUEUE {
            self.deliver_run(body, receive_count).await
        } else {
            self.deliver_file(body, receive_count).await
        }
    }

    /// Delivers every message once, in order.
    pub(super) async fn deliver_all(&self) {
        for queue in [JOB_QUEUE, DATA_QUEUE] {
            for body in self.messages(queue) {
                self.deliver(queue, &body, 1).await;
            }
        }
    }

    /// The distinct events of a type, by ID. Every repetition must be the same.
    fn events(&self, detail_type: &str) -> BTreeMap<String, Value> {
        let mut events = BTreeMap::new();
        for (kind, detail) in &self.cloud.state().events {
            let id = detail["eventId"].as_str().expect("text").to_owned();
            if kind == detail_type {
                let earlier = events.insert(id.clone(), detail.clone());
                assert!(
                    earlier.is_none_or(|earlier| earlier == *detail),
                    "{detail_type} {id} differs from its repetition"
                );
            }
        }
        events
    }

    /// The rows that a repetition must not change.
    fn dump(&self) -> Value {
        let state = self.cloud.state();
        let tables = [RUNS, JOBS, FILES, ACTIVITY, ACCOUNTS].map(|table| (table.name, state.items.all(table.name)));
        json!(tables)
    }
}

/// The sum of a figure in the events that report and amend runs.
fn sum(stage: &Stage, figure: &str) -> i64 {
    let kinds = ["Job Completed", "Job Failed", "Job Amended"];
    let details = kinds.into_iter().flat_map(|kind| stage.events(kind).into_values());
    details.map(|detail| detail.pointer(figure).and_then(Value::as_i64).unwrap_or(0)).sum()
}

/// Delivers messages at random, some again and some at the same time, until each has succeeded or failed three times.
async fn storm(stage: &Stage, random: &mut Random, run_id: &str) {
    let mut receives: BTreeMap<(&str, usize), u32> = BTreeMap::new();
    let mut done: BTreeSet<(&str, usize)> = BTreeSet::new();
    for _ in 0..2000 {
        let mut open = Vec::new();
        for queue in [JOB_QUEUE, DATA_QUEUE] {
            open.extend((0..stage.messages(queue).len()).map(|index| (queue, index)));
        }
        let waiting: Vec<_> = open.iter().copied().filter(|message| !done.contains(message)).collect();
        if waiting.is_empty() {
            break;
        }
        // One in four is any message again, also of a run that has ended.
        let pool = if random.below(4) == 0 { &open } else { &waiting };
        let chosen = [(); 2].map(|()| pool[usize::try_from(random.below(pool.len() as u64)).expect("small")]);
        let counts = chosen.map(|message| {
            let count = receives.entry(message).or_default();
            *count = if done.contains(&message) { 1 } else { *count + 1 };
            (*count).min(3)
        });
        let bodies = chosen.map(|(queue, index)| stage.messages(queue)[index].clone());
        let first = stage.deliver(chosen[0].0, &bodies[0], counts[0]);
        let second = stage.deliver(chosen[1].0, &bodies[1], counts[1]);
        let outcomes = if random.below(3) == 0 {
            let both = tokio::join!(first, second);
            vec![both.0, both.1]
        } else {
            vec![first.await]
        };
        for (index, is_handled) in outcomes.into_iter().enumerate() {
            if is_handled || counts[index] >= 3 {
                done.insert(chosen[index]);
            }
        }
        // A lease of an orchestrator that failed expires.
        if random.below(5) == 0 {
            expire_lease(stage, run_id);
        }
    }
}

/// Lets the lease of a run end.
fn expire_lease(stage: &Stage, run_id: &str) {
    let mut row = stage.row(RUNS.name, run_id);
    if row["leaseUntil"].is_i64() {
        row["leaseUntil"] = json!(1);
        stage.cloud.state().items.put(RUNS.name, &row);
    }
}

/// Asserts that a run's counters are those of its files, and that the events add up to them.
fn check_sums(stage: &Stage) {
    let files = stage.cloud.state().items.all(FILES.name);
    let total = |field: &str| files.values().map(|file| file[field].as_i64().expect("a number")).sum::<i64>();
    assert_eq!(sum(stage, "/stats/deltaBytes"), total("sizeBytes"));
    assert_eq!(sum(stage, "/stats/deltaStored"), total("storedBytes"));
    assert_eq!(sum(stage, "/stats/filesAdded"), i64::try_from(files.len()).expect("small"));
    let runs: Vec<Run> = stage
        .cloud
        .state()
        .items
        .all(RUNS.name)
        .into_iter()
        .filter(|(id, _)| !id.contains('#'))
        .map(|(_, run)| serde_json::from_value(run).expect("a run"))
        .collect();
    for (figure, of) in [
        ("/stats/filesUpdated", (|run| run.stats.files_updated) as fn(&Run) -> i64),
        ("/stats/filesSkipped", |run| run.stats.files_skipped),
        ("/stats/filesError", |run| run.stats.files_error),
        ("/stats/bytesStored", |run| run.stats.bytes_stored),
        ("/filesProcessed", |run| run.files_processed),
    ] {
        assert_eq!(sum(stage, figure), runs.iter().map(of).sum::<i64>(), "{figure}");
    }
    for run in &runs {
        assert_eq!(run.type_deltas.values().map(|delta| delta.bytes).sum::<i64>(), run.stats.delta_bytes);
        assert_eq!(run.type_deltas.values().map(|delta| delta.files).sum::<i64>(), run.stats.files_added);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_run_stores_and_counts_each_file() {
    let stage = Stage::of_bucket();
    let text = "all work and no play ".repeat(500);
    for (key, content) in [("a.txt", text.as_str()), ("b/c.json", "{}"), ("d.jpg", "jpeg"), ("folder/", "")] {
        stage.cloud.state().objects.put(&format!("src/{key}"), content.as_bytes());
    }
    let run_id = stage.start().await;
    stage.deliver_all().await;
    let run = stage.run_row(&run_id);
    assert_eq!((run.files_total, run.files_processed, run.stats.files_added), (3, 3, 3));
    assert_eq!(run.status, crate::shared::rows::run::RunStatus::Completed);
    assert_eq!(run.by_type["document"], i64::try_from(text.len()).expect("small"));
    let a = stage.row(FILES.name, &crate::shared::ids::file_id(SOURCE, "a.txt"));
    assert_eq!(
        (&a["compressed"], &a["s3VersionId"], &a["contentType"]),
        (&json!(true), &json!("v1"), &json!("text/plain"))
    );
    assert!(a["storedBytes"].as_u64() < Some(1000));
    let job = stage.job();
    assert_eq!((job.run_count, job.active_run_id, job.last_run.expect("a run").run_id), (1, None, run_id.clone()));
    assert_eq!(stage.row(SOURCES.name, SOURCE)["status"], "active");
    assert_eq!(stage.events("File Indexed").len(), 3);
    assert_eq!(stage.row(ACTIVITY.name, &format!("{run_id}:finished"))["type"], "job.run.completed");
    check_sums(&stage);
}

#[tokio::test(flavor = "current_thread")]
async fn a_second_run_skips_what_did_not_change() {
    let stage = Stage::of_bucket();
    for key in ["a.txt", "b.txt", "c.txt"] {
        stage.cloud.state().objects.put(&format!("src/{key}"), key.as_bytes());
    }
    stage.start().await;
    stage.deliver_all().await;
    let second = stage.start().await;
    stage.deliver_all().await;
    assert_eq!((stage.run_row(&second).stats.files_skipped, stage.run_row(&second).stats.bytes_transferred), (3, 0));
    stage.cloud.state().objects.put("src/a.txt", b"changed");
    let third = stage.start().await;
    stage.deliver_all().await;
    let run = stage.run_row(&third);
    assert_eq!((run.stats.files_updated, run.stats.files_skipped, run.stats.delta_bytes), (1, 2, 2));
    let key = format!("data/{}", crate::shared::ids::object_key(ACCOUNT, SOURCE, "a.txt"));
    assert_eq!(stage.cloud.state().objects.versions(&key).len(), 2);
    check_sums(&stage);
}

#[tokio::test(flavor = "current_thread")]
async fn a_repetition_of_every_message_changes_nothing() {
    let stage = Stage::of_bucket();
    for number in 0..5 {
        stage.cloud.state().objects.put(&format!("src/{number}"), b"x");
    }
    stage.cloud.state().objects.missing.push("src/3".to_owned());
    stage.start().await;
    stage.deliver_all().await;
    let before = stage.dump();
    for _ in 0..3 {
        for queue in [DATA_QUEUE, JOB_QUEUE] {
            for body in stage.messages(queue).iter().rev() {
                assert!(stage.deliver(queue, body, 1).await);
            }
        }
    }
    assert_eq!(stage.dump(), before);
    assert_eq!(stage.events("Job Completed").len(), 1);
    check_sums(&stage);
}

#[tokio::test(flavor = "current_thread")]
async fn counters_hold_in_any_order_of_deliveries_and_failures() {
    for seed in 0..200 {
        let stage = Stage::of_bucket();
        let mut random = Random::seeded(seed);
        stage.cloud.state().random = Random::seeded(seed + 1000);
        stage.cloud.state().failing = if seed % 2 == 0 { 0 } else { 40 };
        for number in 0..=random.below(3) {
            stage
                .cloud
                .state()
                .objects
                .put(&format!("src/{number}.txt"), &vec![b'x'; 1 + usize::try_from(seed).expect("small")]);
        }
        if random.below(2) == 0 {
            stage.cloud.state().objects.missing.push("src/0.txt".to_owned());
        }
        let rounds = if seed % 8 == 0 { 2 } else { 1 };
        for round in 0_u64..rounds {
            let run_id = stage.start().await;
            storm(&stage, &mut random, &run_id).await;
            // The cloud recovers, and lost messages and dead letters are delivered again.
            let failing = std::mem::take(&mut stage.cloud.state().failing);
            stage.cloud.state().objects.missing.clear();
            expire_lease(&stage, &run_id);
            stage.deliver_all().await;
            stage.deliver_all().await;
            let run = stage.run_row(&run_id);
            assert!(run.completed_at.is_some(), "seed {seed}, round {round}: {run:?}");
            assert_eq!(stage.job().active_run_id, None, "seed {seed}");
            check_sums(&stage);
            let before = stage.dump();
            stage.deliver_all().await;
            assert_eq!(stage.dump(), before, "seed {seed}");
            stage.cloud.state().failing = failing;
            stage.cloud.state().objects.put("src/1.txt", format!("round {round} of {seed}").as_bytes());
        }
        assert_eq!(stage.job().run_count, i64::try_from(rounds).expect("small"), "seed {seed}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_source_that_is_deleted_during_its_backup_fails_the_run() {
    let stage = Stage::of_bucket();
    for number in 0..4 {
        stage.cloud.state().objects.put(&format!("src/{number}"), b"x");
    }
    let run_id = stage.start().await;
    assert!(stage.deliver_run(&stage.messages(JOB_QUEUE)[0], 1).await);
    let files = stage.messages(DATA_QUEUE);
    assert!(stage.deliver_file(&files[0], 1).await);
    stage.cloud.state().items.remove(SOURCES.name, SOURCE);
    for body in &files {
        assert!(stage.deliver_file(body, 1).await, "the rest is acknowledged");
    }
    let run = stage.run_row(&run_id);
    assert_eq!(
        (run.status, run.error.as_deref()),
        (crate::shared::rows::run::RunStatus::Failed, Some("the source was deleted"))
    );
    assert_eq!((run.files_processed, stage.job().active_run_id), (1, None));
    assert_eq!((stage.events("Job Failed").len(), stage.events("Job Completed").len()), (1, 0));
    check_sums(&stage);
}

#[tokio::test(flavor = "current_thread")]
async fn a_file_that_fails_three_times_is_an_error_until_its_redrive() {
    let stage = Stage::new("http", json!({ "urls": ["http://127.0.0.1:1/a.txt", "http://127.0.0.1:1/b.txt"] }));
    let run_id = stage.start().await;
    assert!(stage.deliver_run(&stage.messages(JOB_QUEUE)[0], 1).await);
    for body in stage.messages(DATA_QUEUE) {
        for receive in 1..=3 {
            assert!(!stage.deliver_file(&body, receive).await, "a dead letter");
        }
    }
    let run = stage.run_row(&run_id);
    assert_eq!((run.stats.files_error, run.files_processed, run.logs.len()), (2, 0, 2));
    assert_eq!(run.error.as_deref(), Some("every file failed"));
    // The source moves, and the dead letters are redriven.
    let server = serve("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").await;
    for body in stage.messages(DATA_QUEUE) {
        let mut message: Value = serde_json::from_str(&body).expect("a message");
        message["origin"]["url"] = json!(server);
        assert!(stage.deliver_file(&message.to_string(), 1).await);
    }
    let run = stage.run_row(&run_id);
    assert_eq!((run.stats.files_error, run.files_processed, run.stats.files_added), (0, 2, 2));
    assert_eq!((stage.events("Job Amended").len(), stage.events("Job Failed").len()), (2, 1));
    check_sums(&stage);
}

/// A server that gives every request the same answer.
pub(super) async fn serve(answer: &'static str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/file", listener.local_addr().expect("bound"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    url
}

#[tokio::test(flavor = "current_thread")]
async fn foreign_and_unknown_messages_are_refused() {
    let stage = Stage::of_bucket();
    stage.cloud.state().objects.put("src/a", b"x");
    stage.start().await;
    assert!(stage.deliver_run(&stage.messages(JOB_QUEUE)[0], 1).await);
    let (run, file) = (stage.messages(JOB_QUEUE)[0].clone(), stage.messages(DATA_QUEUE)[0].clone());
    let change = |body: &str, field: &str, value: &str| {
        let mut message: Value = serde_json::from_str(body).expect("a message");
        message[field] = json!(value);
        message.to_string()
    };
    for (field, value) in [("runId", "run:2"), ("accountId", "account:2"), ("sourceId", "source:2"), ("jobId", "job:2")]
    {
        assert!(!stage.deliver_run(&change(&run, field, value), 1).await, "{field}");
        assert!(!stage.deliver_file(&change(&file, field, value), 1).await, "{field}");
    }
    assert!(!stage.deliver_file(&change(&file, "path", "../b"), 1).await);
    assert!(serde_json::from_str::<FileMessage>(&run).is_err() && serde_json::from_str::<RunMessage>(&file).is_err());
    let other_version = file.replace("\"v\":1", "\"v\":2");
    assert!(serde_json::from_str::<FileMessage>(&other_version).is_err());
    assert!(stage.cloud.state().items.all(FILES.name).is_empty());
}

#[tokio::test(flavor = "current_thread")]
async fn the_scheduler_starts_due_jobs_and_repairs_runs() {
    let stage = Stage::of_bucket();
    stage.cloud.state().objects.put("src/a", b"x");
    let due = Job {
        schedule: Schedule { interval: Interval::Hourly, hour: None, minute: Some(5), day: None },
        next_run: Some("2026-01-01T00:00:00.000Z".to_owned()),
        ..stage.job()
    };
    stage.cloud.state().items.put(JOBS.name, &due);
    assert_eq!(stage.scheduler.run().await.expect("a summary").started, 1);
    assert_eq!(stage.scheduler.run().await.expect("a summary").started, 0);
    let run_id = stage.job().active_run_id.expect("a run");
    let aged = |change: fn(&mut Run)| {
        let mut run = stage.run_row(&run_id);
        change(&mut run);
        stage.cloud.state().items.put(RUNS.name, &run);
    };
    // The message was lost.
    aged(|run| run.updated_at = "2026-01-01T00:00:00.000Z".to_owned());
    aged(|run| {
        run.updated_at = crate::shared::time::text(jiff::Timestamp::now() - jiff::SignedDuration::from_mins(6));
    });
    assert_eq!(stage.scheduler.run().await.expect("a summary").resent, 1);
    assert_eq!(stage.messages(JOB_QUEUE).len(), 2);
    assert!(stage.deliver_run(&stage.messages(JOB_QUEUE)[1], 1).await);
    // No file arrives.
    aged(|run| run.updated_at = "2026-01-01T00:00:00.000Z".to_owned());
    assert_eq!(stage.scheduler.run().await.expect("a summary").ended, 1);
    let run = stage.run_row(&run_id);
    assert!(run.error.as_deref().is_some_and(|error| error.starts_with("stalled")));
    let job = stage.job();
    assert!(job.active_run_id.is_none() && job.next_run > due.next_run);
    // The late message of a failed run stores nothing.
    stage.deliver_all().await;
    assert!(stage.cloud.state().items.all(FILES.name).is_empty());
}
