//! A stage in memory: its rows, its functions, and the deliveries of its queues.

use std::collections::BTreeMap;

use common::{bus::Bus, queue::QueueMessage};
use listbackup_contract::tables::{ACCOUNTS, ACTIVITY, FILES, JOBS, RUNS, SOURCES};
use serde_json::{Map, Value, json};
use tables::Database;
use tokio::time::Instant;

use super::super::{
    Duration, FileProcessor, Metrics, Orchestrator, Rows, Scheduler,
    store::{Store, StoreSettings},
    testing::Cloud,
};
use crate::{
    connectors::{Connectors, policy::Rules},
    runs::{
        Queue, Runs, StartOutcome, Starter, Tables,
        message::{FileMessage, RunMessage},
    },
    shared::rows::{
        Job, Run,
        job::{Interval, JobStatus, JobType, Schedule},
        run::RunType,
    },
};

pub(super) const JOB_QUEUE: &str = "http://aws.test/jobs";
pub(super) const DATA_QUEUE: &str = "http://aws.test/data";
pub(super) const JOB: &str = "job:1";
pub(super) const SOURCE: &str = "source:1";
pub(super) const ACCOUNT: &str = "account:1";

/// A stage with one account, one source and one job.
pub(super) struct Stage {
    pub(super) cloud: Cloud,
    pub(super) orchestrator: Orchestrator,
    pub(super) files: FileProcessor,
    pub(super) scheduler: Scheduler,
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
                metrics: Metrics::silent(),
                max_file_size: 1 << 20,
                lease_seconds: 60,
            },
            files: FileProcessor {
                runs: runs.clone(),
                rows,
                files: FILES.name.to_owned(),
                connectors,
                store: Store::new(&aws, settings),
                metrics: Metrics::silent(),
                max_file_size: 1 << 20,
            },
            scheduler: Scheduler {
                starter: Starter::new(runs.clone(), ACCOUNTS.name, Queue::new(&aws, JOB_QUEUE)),
                runs,
                database,
                tables,
                metrics: Metrics::silent(),
            },
            cloud,
        };
        stage.put_rows(source_type, config);
        stage
    }

    pub(super) fn put_rows(&self, source_type: &str, config: Value) {
        let now = crate::shared::time::now();
        let state = self.cloud.state();
        state.items.insert(ACCOUNTS.name, json!({ "accountId": ACCOUNT, "usage": { "monthlyBackups": 0 } }));
        state.items.insert(
            SOURCES.name,
            json!({
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
        state.items.insert(JOBS.name, serde_json::to_value(job).expect("plain data"));
    }

    /// A stage whose source is the bucket `src`.
    pub(super) fn of_bucket() -> Self {
        Self::new("s3", json!({ "bucket": "src" }))
    }

    pub(super) fn job(&self) -> Job {
        serde_json::from_value(self.row(JOBS.name, JOB)).expect("a job")
    }

    pub(super) fn row(&self, table: &str, key: &str) -> Value {
        self.cloud.state().items.get(table, &[key]).expect("a row")
    }

    pub(super) fn put(&self, table: &str, row: &impl serde::Serialize) {
        self.cloud.state().items.insert(table, serde_json::to_value(row).expect("plain data"));
    }

    pub(super) fn run_row(&self, run_id: &str) -> Run {
        serde_json::from_value(self.row(RUNS.name, run_id)).expect("a run")
    }

    /// Starts a run and returns its ID. A start whose answer was lost has started a run as well.
    pub(super) async fn start(&self) -> String {
        let failing = std::mem::take(&mut self.cloud.state().failing);
        let outcome = self.scheduler.starter.start(&self.job(), RunType::Manual, None).await;
        self.cloud.state().failing = failing;
        match outcome.expect("started") {
            StartOutcome::Started(run) => run.run_id,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn messages(&self, queue: &str) -> Vec<String> {
        self.cloud.state().queues.get(queue).cloned().unwrap_or_default()
    }

    pub(super) async fn deliver_run(&self, body: &str, receive_count: u32) -> bool {
        let body: RunMessage = serde_json::from_str(body).expect("a message");
        let message = QueueMessage { id: "m".to_owned(), queue: "jobs".to_owned(), receive_count, body };
        self.orchestrator.handle(message).await.is_ok()
    }

    pub(super) async fn deliver_file(&self, body: &str, receive_count: u32) -> bool {
        let body: FileMessage = serde_json::from_str(body).expect("a message");
        let message = QueueMessage { id: "m".to_owned(), queue: "data".to_owned(), receive_count, body };
        self.files.handle(message, Instant::now() + Duration::from_secs(60)).await.is_ok()
    }

    pub(super) async fn deliver(&self, queue: &str, body: &str, receive_count: u32) -> bool {
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
    pub(super) fn events(&self, detail_type: &str) -> BTreeMap<String, Value> {
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
    pub(super) fn dump(&self) -> Value {
        let state = self.cloud.state();
        let tables = [RUNS, JOBS, FILES, ACTIVITY, ACCOUNTS].map(|table| (table.name, state.items.all(table.name)));
        json!(tables)
    }
}

/// The sum of a figure in the events that report and amend runs.
pub(super) fn sum(stage: &Stage, figure: &str) -> i64 {
    let kinds = ["Job Completed", "Job Failed", "Job Amended"];
    let details = kinds.into_iter().flat_map(|kind| stage.events(kind).into_values());
    details.map(|detail| detail.pointer(figure).and_then(Value::as_i64).unwrap_or(0)).sum()
}

/// Asserts that a run's counters are those of its files, and that the events add up to them.
pub(super) fn check_sums(stage: &Stage) {
    let files = stage.cloud.state().items.all(FILES.name);
    let total = |field: &str| files.iter().map(|file| file[field].as_i64().expect("a number")).sum::<i64>();
    assert_eq!(sum(stage, "/stats/deltaBytes"), total("sizeBytes"));
    assert_eq!(sum(stage, "/stats/deltaStored"), total("storedBytes"));
    assert_eq!(sum(stage, "/stats/filesAdded"), i64::try_from(files.len()).expect("small"));
    let runs: Vec<Run> = stage
        .cloud
        .state()
        .items
        .all(RUNS.name)
        .into_iter()
        .filter(|row| !row["runId"].as_str().is_some_and(|id| id.contains('#')))
        .map(|run| serde_json::from_value(run).expect("a run"))
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
