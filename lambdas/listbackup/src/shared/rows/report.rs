//! Reports.

use serde::{Deserialize, Serialize};

/// How long a report is kept, in seconds.
pub const KEPT_SECONDS: i64 = 90 * 24 * 3600;

/// A report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// `report:<uuid>`.
    pub report_id: String,
    /// The account.
    pub account_id: String,
    /// `backup-summary`, `storage` or `activity`.
    #[serde(rename = "type")]
    pub report_type: String,
    /// `24h`, `7d`, `30d` or `90d`.
    pub time_range: String,
    /// `json` or `csv`.
    pub format: String,
    /// The object's key.
    pub s3_key: String,
    /// The number of rows.
    pub row_count: u64,
    /// The user that generated it.
    pub user_id: String,
    /// When it was generated.
    pub created_at: String,
    /// When the row expires, in seconds since 1970.
    pub ttl: i64,
}
