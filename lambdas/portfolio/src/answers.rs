//! What routes take and answer, beside content itself.

mod sessions;
mod views;
mod visitors;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

pub use self::{
    sessions::{Login, Refresh, Role, SignedIn, Tokens, User},
    views::{
        Activity, ContentViewStat, ContentViews, KindViews, Overview, OverviewDays, PageViews, PagesOf, PostStats, Top,
        TopContent, TotalViews, TrackView, TrackedView,
    },
    visitors::{
        DailyTrends, DailyVisitors, Days, MonthlyTrends, MonthlyVisitors, Months, TrackVisitor, TrackedVisitor,
        VisitorCount,
    },
};

/// A sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Message {
    /// The sentence.
    pub message: &'static str,
}

/// The posts' categories.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Categories {
    /// Their names, in order.
    pub categories: Vec<String>,
    /// How many posts each has.
    pub counts: BTreeMap<String, u64>,
}

/// What this is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct About {
    /// Its name.
    pub message: &'static str,
    /// The version of the API.
    pub version: &'static str,
}

/// It is up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Health {
    /// `healthy`.
    pub status: &'static str,
    /// The stage.
    pub environment: String,
    /// The version of the API.
    pub version: &'static str,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Error")]
pub struct Problem {
    /// The status in words.
    pub error: String,
    /// What went wrong, for people.
    pub message: String,
    /// The status.
    pub status_code: u16,
    /// What went wrong, for programs: a `code`, and the `field` with its `issue` where it is one field's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<serde_json::Map<String, serde_json::Value>>,
}
