//! Request and response bodies of visitors.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::session::PATTERN;

/// A visit.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TrackVisitor {
    /// The session of the visitor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = PATTERN))]
    pub(crate) session_id: Option<String>,
    /// The path of the visited page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 2048))]
    pub(crate) page_path: Option<String>,
    /// The referrer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 2048))]
    pub(crate) referrer: Option<String>,
}

/// The result of counting a visit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TrackedVisitor {
    /// The number of visitors.
    pub(crate) count: u64,
    /// Whether this visit was counted. It is not if the session was counted today.
    pub(crate) tracked: bool,
    /// The session of the visitor.
    pub(crate) session_id: String,
}

/// The number of visitors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VisitorCount {
    /// The number of visitors.
    pub(crate) count: u64,
    /// When the last visitor was counted.
    #[schemars(extend("format" = "date-time"))]
    pub(crate) last_updated: Option<String>,
}

/// A range of days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) struct Days {
    /// The number of days, including today.
    #[serde(default = "thirty")]
    #[schemars(range(min = 1, max = 90))]
    pub(crate) days: u16,
}

pub(super) fn thirty() -> u16 {
    30
}

/// A range of months.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) struct Months {
    /// The number of months, including this one.
    #[serde(default = "six")]
    #[schemars(range(min = 1, max = 12))]
    pub(crate) months: u16,
}

fn six() -> u16 {
    6
}

/// The visitors of one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DailyVisitors {
    /// The day: `Dec 16`.
    pub(crate) date: String,
    /// The number of visitors.
    pub(crate) visitors: u64,
    /// The day: `2024-12-16`.
    #[schemars(extend("format" = "date"))]
    pub(crate) iso_date: String,
}

/// Visitors per day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct DailyTrends {
    /// The days, oldest first.
    pub(crate) trends: Vec<DailyVisitors>,
}

/// The visitors of one month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MonthlyVisitors {
    /// The month: `Dec`.
    pub(crate) month: String,
    /// The number of visitors.
    pub(crate) visitors: u64,
    /// The month: `2024-12`.
    pub(crate) iso_month: String,
}

/// Visitors per month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct MonthlyTrends {
    /// The months, oldest first.
    pub(crate) trends: Vec<MonthlyVisitors>,
}
