//! Request and response bodies, except those of content.

mod sessions;
mod views;
mod visitors;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

pub(crate) use self::{
    sessions::{Login, Refresh, SignedIn, Tokens, User},
    views::{
        Activity, ContentViewStat, ContentViews, KindViews, Overview, OverviewDays, PageViews, PagesOf, PostStats, Top,
        TopContent, TotalViews, TrackView, TrackedView,
    },
    visitors::{
        DailyTrends, DailyVisitors, Days, MonthlyTrends, MonthlyVisitors, Months, TrackVisitor, TrackedVisitor,
        VisitorCount,
    },
};

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Message {
    /// One sentence.
    pub(crate) message: &'static str,
}

/// The categories of posts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Categories {
    /// The names, sorted.
    pub(crate) categories: Vec<String>,
    /// The number of posts by category.
    pub(crate) counts: BTreeMap<String, u64>,
}

/// The name and version of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct About {
    /// The name.
    pub(crate) message: &'static str,
    /// The version.
    pub(crate) version: &'static str,
}

/// The status of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Health {
    /// `healthy`.
    pub(crate) status: &'static str,
    /// The stage.
    pub(crate) environment: String,
    /// The version of the API.
    pub(crate) version: &'static str,
}

/// An error.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Error")]
pub(crate) struct Problem {
    /// The name of the status.
    pub(crate) error: String,
    /// A sentence about the error.
    pub(crate) message: String,
    /// The HTTP status.
    pub(crate) status_code: u16,
    /// Machine-readable: a `code`, and the `field` and its `issue` if the error concerns one field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) details: Option<serde_json::Map<String, serde_json::Value>>,
}
