//! Aggregates of an account's events: the buckets `total`, `day#YYYY-MM-DD`, `source#<id>`, `type#<category>`, `insight#<runId>`
//! and `evt#<eventId>`.

use serde::{Deserialize, Serialize};

/// An aggregate of runs. Absent counters are 0.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Aggregate {
    /// The account.
    pub account_id: String,
    /// The bucket.
    pub bucket: String,
    /// Ended runs.
    pub runs: i64,
    /// Completed runs.
    pub runs_completed: i64,
    /// Failed runs.
    pub runs_failed: i64,
    /// The number of files.
    pub files: i64,
    /// The bytes of the files.
    pub bytes: i64,
    /// The stored bytes of the files.
    pub stored_bytes: i64,
    /// Bytes that were added.
    pub added_bytes: i64,
    /// Files that were added or updated.
    pub changed_files: i64,
    /// When the last run ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_run_at: Option<String>,
}
