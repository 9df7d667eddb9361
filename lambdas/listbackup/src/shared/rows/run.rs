//! Runs of jobs, and the markers of their files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::shared::events::Detail;

/// The status of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// Waits for an orchestrator.
    Queued,
    /// Files are listed and processed.
    Running,
    /// Ended; some files may have failed.
    Completed,
    /// Ended: the listing or every file failed.
    Failed,
    /// Reserved.
    Cancelled,
}

/// What started a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunType {
    /// A user.
    Manual,
    /// The scheduler.
    Scheduled,
}

/// A run. Derived figures are computed when it is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// `run:<uuid>`.
    pub run_id: String,
    /// The job.
    pub job_id: String,
    /// The account.
    pub account_id: String,
    /// The source.
    pub source_id: String,
    /// The user that started it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// What started it.
    #[serde(rename = "type")]
    pub run_type: RunType,
    /// The status.
    pub status: RunStatus,
    /// Until when an orchestrator lists the source, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_until: Option<i64>,
    /// Whether every file has its message.
    #[serde(default)]
    pub listing_done: bool,
    /// The number of files, once the listing is done.
    #[serde(default)]
    pub files_total: i64,
    /// The number of files that were processed.
    #[serde(default)]
    pub files_processed: i64,
    /// The bytes that were processed.
    #[serde(default)]
    pub bytes_processed: i64,
    /// The step of eight that the run is at.
    #[serde(default)]
    pub current_step: i64,
    /// Counters.
    #[serde(default)]
    pub stats: RunStats,
    /// Processed bytes by category. Every category exists from the start, so that updates can add to it.
    #[serde(default)]
    pub by_type: BTreeMap<String, i64>,
    /// What the run changed, by category. Every category exists from the start.
    #[serde(default)]
    pub type_deltas: BTreeMap<String, TypeDelta>,
    /// At most fifty lines.
    #[serde(default)]
    pub logs: Vec<String>,
    /// Why the run failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The detail of the event that reports the run's end. It is stored before the event is sent, so that every repetition of the
    /// event is the same; a file that is counted afterwards amends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Detail>,
    /// When the run was queued.
    pub created_at: String,
    /// When an orchestrator took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<String>,
    /// The last progress.
    pub updated_at: String,
}

/// The counters of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RunStats {
    /// Files that are new.
    pub files_added: i64,
    /// Files that changed.
    pub files_updated: i64,
    /// Files that did not change.
    pub files_skipped: i64,
    /// Files that failed.
    pub files_error: i64,
    /// Bytes read from the source.
    pub bytes_transferred: i64,
    /// Bytes stored by this run.
    pub bytes_stored: i64,
    /// The difference of the files' sizes to those of their previous versions.
    pub delta_bytes: i64,
    /// The same of the stored sizes.
    pub delta_stored: i64,
}

/// What a run changed in one category.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TypeDelta {
    /// New files.
    pub files: i64,
    /// The difference of the files' sizes.
    pub bytes: i64,
    /// The difference of the stored sizes.
    pub stored_bytes: i64,
}

/// The outcome of a file within a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// Counted as processed.
    Ok,
    /// Counted as an error.
    Failed,
}

/// The marker of a file within a run: the row `<runId>#<fileKey>`, which guards the counters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Marker {
    /// `<runId>#<fileKey>`.
    pub run_id: String,
    /// The outcome.
    pub mark: Mark,
    /// When the row expires, in seconds since 1970.
    pub ttl: i64,
    /// The detail of the event that amends an ended run by this file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amend: Option<Detail>,
}
