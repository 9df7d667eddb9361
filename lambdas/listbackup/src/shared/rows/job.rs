//! Jobs: what is backed up when.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How often a job runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interval {
    /// Only when a user starts it.
    Manual,
    /// Every hour.
    Hourly,
    /// Every day.
    Daily,
    /// Every week.
    Weekly,
    /// Every month.
    Monthly,
}

/// When a job runs, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Schedule {
    /// How often.
    #[serde(rename = "type")]
    pub interval: Interval,
    /// 0 to 23.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hour: Option<u8>,
    /// 0 to 59.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minute: Option<u8>,
    /// The day of the week, 0 (Sunday) to 6, or of the month, 1 to 31.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<u8>,
}

/// Which files a run stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobType {
    /// All files.
    Full,
    /// Files that changed.
    Incremental,
}

/// The status of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobStatus {
    /// May run.
    Active,
    /// Does not run.
    Paused,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// `job:<uuid>`.
    pub job_id: String,
    /// The account.
    pub account_id: String,
    /// The user that created it.
    pub user_id: String,
    /// The source.
    pub source_id: String,
    /// The name.
    pub name: String,
    /// A description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it runs.
    pub schedule: Schedule,
    /// Which files it stores.
    #[serde(rename = "type")]
    pub job_type: JobType,
    /// Settings of the user interface.
    #[serde(default)]
    pub config: Map<String, Value>,
    /// The status.
    pub status: JobStatus,
    /// The last ended run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run: Option<LastRun>,
    /// When the next scheduled run is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_run: Option<String>,
    /// The number of ended runs.
    #[serde(default)]
    pub run_count: i64,
    /// The run that has not ended, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_run_id: Option<String>,
    /// Why the last run failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// When the job was created.
    pub created_at: String,
    /// The last change.
    pub updated_at: String,
}

/// The last ended run of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastRun {
    /// The run.
    pub run_id: String,
    /// When it started.
    pub started_at: String,
    /// Its status.
    pub status: String,
}
