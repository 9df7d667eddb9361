//! The rows of reports.

use jiff::Timestamp;
use listbackup_contract::tables::{ACTIVITY_BY_ACCOUNT, RUNS_BY_ACCOUNT_TIME, TTL};
use serde_json::{Value, json};
use tables::{AwsError, Query, from_items};

use crate::{
    analytics::{
        buckets::Buckets,
        range::Range,
        storage::{by_source, by_type},
    },
    shared::{
        rows::{Activity, Run},
        store::index,
        time,
    },
};

/// The most rows of a report: the newest ones.
const MOST_ROWS: usize = 10_000;

/// What is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    BackupSummary,
    Storage,
    Activity,
}

impl Kind {
    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::BackupSummary, Self::Storage, Self::Activity].into_iter().find(|kind| kind.name() == text)
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::BackupSummary => "backup-summary",
            Self::Storage => "storage",
            Self::Activity => "activity",
        }
    }

    /// The columns of a table, which are fields of the rows.
    pub(super) const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::BackupSummary => &[
                "runId",
                "jobId",
                "sourceId",
                "type",
                "status",
                "createdAt",
                "startedAt",
                "completedAt",
                "filesTotal",
                "filesAdded",
                "filesUpdated",
                "filesSkipped",
                "filesError",
                "bytesTransferred",
                "bytesStored",
                "deltaBytes",
                "error",
            ],
            Self::Storage => &["group", "id", "name", "files", "bytes", "storedBytes"],
            Self::Activity => &["at", "type", "action", "resourceType", "resourceId", "userId", "status", "message"],
        }
    }
}

/// Reads rows.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) buckets: Buckets,
    pub(super) sources: String,
    pub(super) runs: String,
    pub(super) activity: String,
}

impl Rows {
    /// Reads the rows of a report.
    pub(super) async fn read(&self, kind: Kind, account_id: &str, range: &Range) -> Result<Vec<Value>, AwsError> {
        match kind {
            Kind::BackupSummary => self.backups(account_id, range).await,
            Kind::Storage => self.storage(account_id).await,
            Kind::Activity => self.activity(account_id, range).await,
        }
    }

    async fn backups(&self, account_id: &str, range: &Range) -> Result<Vec<Value>, AwsError> {
        let query = Query::index(&self.runs, index(RUNS_BY_ACCOUNT_TIME), account_id)
            .sorted("createdAt", ">=", Some(time::text(range.start())))
            .descending();
        let runs: Vec<Run> = from_items(self.buckets.database.query(&query, MOST_ROWS).await?)?;
        Ok(runs.iter().map(backup).collect())
    }

    /// The present sums: they have no history.
    async fn storage(&self, account_id: &str) -> Result<Vec<Value>, AwsError> {
        let row = |group: &str, id: &Value, name: &Value, sums: &Value| {
            let (files, bytes, stored) = (&sums["files"], &sums["bytes"], &sums["storedBytes"]);
            json!({ "group": group, "id": id, "name": name, "files": files, "bytes": bytes, "storedBytes": stored })
        };
        let sources = by_source(&self.buckets.database, &self.buckets, &self.sources, account_id).await?;
        let types = by_type(&self.buckets, account_id).await?;
        let sources = sources.iter().map(|sums| row("source", &sums["sourceId"], &sums["name"], sums));
        Ok(sources.chain(types.iter().map(|sums| row("type", &sums["type"], &sums["type"], sums))).collect())
    }

    async fn activity(&self, account_id: &str, range: &Range) -> Result<Vec<Value>, AwsError> {
        let query = Query::index(&self.activity, index(ACTIVITY_BY_ACCOUNT), account_id)
            .sorted("timestamp", ">=", Some(range.start().as_millisecond()))
            .filter(|at| at.compare(TTL, ">", time::ttl(0)))
            .descending();
        let entries: Vec<Activity> = from_items(self.buckets.database.query(&query, MOST_ROWS).await?)?;
        Ok(entries.iter().map(entry).collect())
    }
}

fn backup(run: &Run) -> Value {
    json!({
        "runId": run.run_id,
        "jobId": run.job_id,
        "sourceId": run.source_id,
        "type": run.run_type,
        "status": run.status,
        "createdAt": run.created_at,
        "startedAt": run.started_at,
        "completedAt": run.completed_at,
        "filesTotal": run.files_total,
        "filesAdded": run.stats.files_added,
        "filesUpdated": run.stats.files_updated,
        "filesSkipped": run.stats.files_skipped,
        "filesError": run.stats.files_error,
        "bytesTransferred": run.stats.bytes_transferred,
        "bytesStored": run.stats.bytes_stored,
        "deltaBytes": run.stats.delta_bytes,
        "error": run.error,
    })
}

fn entry(activity: &Activity) -> Value {
    json!({
        "at": Timestamp::from_millisecond(activity.timestamp).map(time::text).unwrap_or_default(),
        "type": activity.activity_type,
        "action": activity.action,
        "resourceType": activity.resource_type,
        "resourceId": activity.resource_id,
        "userId": activity.user_id,
        "status": activity.status,
        "message": activity.message,
    })
}
