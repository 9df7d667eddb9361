//! Visitors: what counting them takes, and what is told of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::session::PATTERN;

/// A visit.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrackVisitor {
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = PATTERN))]
    pub session_id: Option<String>,
    /// Where on the site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 2048))]
    pub page_path: Option<String>,
    /// Where from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 2048))]
    pub referrer: Option<String>,
}

/// What came of counting a visit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrackedVisitor {
    /// How many visitors there were.
    pub count: u64,
    /// Was this one counted? Not if it had been today.
    pub tracked: bool,
    /// Whose it was.
    pub session_id: String,
}

/// How many visitors there were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VisitorCount {
    /// How many.
    pub count: u64,
    /// When the last one came.
    #[schemars(extend("format" = "date-time"))]
    pub last_updated: Option<String>,
}

/// Which days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct Days {
    /// How many, today included.
    #[serde(default = "thirty")]
    #[schemars(range(min = 1, max = 90))]
    pub days: u16,
}

pub(super) fn thirty() -> u16 {
    30
}

/// Which months.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct Months {
    /// How many, this one included.
    #[serde(default = "six")]
    #[schemars(range(min = 1, max = 12))]
    pub months: u16,
}

fn six() -> u16 {
    6
}

/// A day's visitors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DailyVisitors {
    /// The day: `Dec 16`.
    pub date: String,
    /// How many.
    pub visitors: u64,
    /// The day: `2024-12-16`.
    #[schemars(extend("format" = "date"))]
    pub iso_date: String,
}

/// Visitors per day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DailyTrends {
    /// Every day, the oldest first.
    pub trends: Vec<DailyVisitors>,
}

/// A month's visitors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MonthlyVisitors {
    /// The month: `Dec`.
    pub month: String,
    /// How many.
    pub visitors: u64,
    /// The month: `2024-12`.
    pub iso_month: String,
}

/// Visitors per month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MonthlyTrends {
    /// Every month, the oldest first.
    pub trends: Vec<MonthlyVisitors>,
}
