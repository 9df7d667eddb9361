//! Request and response bodies of content views.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::visitors::thirty;
use crate::{content::ContentKind, session::PATTERN};

/// A view of content.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TrackView {
    /// The ID of the content.
    pub(crate) content_id: String,
    /// The kind of the content.
    pub(crate) content_type: ContentKind,
    /// The session of the viewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = PATTERN))]
    pub(crate) session_id: Option<String>,
}

/// The result of counting a view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TrackedView {
    /// The number of views of the content.
    pub(crate) views: u64,
    /// Whether this view was counted. It is not if the session viewed the content in the last 24 hours.
    pub(crate) tracked: bool,
    /// The session of the viewer.
    pub(crate) session_id: String,
}

/// The views of one piece of content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContentViews {
    /// The ID of the content.
    pub(crate) content_id: String,
    /// The kind of the content.
    pub(crate) content_type: ContentKind,
    /// The number of views.
    pub(crate) views: u64,
}

/// The views of all content of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KindViews {
    /// The kind.
    pub(crate) content_type: ContentKind,
    /// The number of views by ID.
    pub(crate) stats: BTreeMap<String, u64>,
}

/// The size of a ranking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) struct Top {
    /// The number of entries of each kind.
    #[serde(default = "five")]
    #[schemars(range(min = 1, max = 20))]
    pub(crate) limit: usize,
}

fn five() -> usize {
    5
}

/// An entry of a ranking by views.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContentViewStat {
    /// The ID of the content.
    pub(crate) content_id: String,
    /// The number of views.
    pub(crate) views: u64,
}

/// The most viewed content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct TopContent {
    /// Posts.
    pub(crate) blogs: Vec<ContentViewStat>,
    /// Projects.
    pub(crate) projects: Vec<ContentViewStat>,
    /// Certifications and courses.
    pub(crate) certifications: Vec<ContentViewStat>,
}

/// The views of all content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TotalViews {
    /// The number of views.
    pub(crate) total_views: u64,
}

/// A page of the site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PageViews {
    /// The path of the page.
    pub(crate) page_path: String,
    /// The number of views.
    pub(crate) view_count: u64,
}

/// The days of an overview.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) struct OverviewDays {
    /// The number of days, including today.
    #[serde(default = "thirty")]
    #[schemars(range(min = 1, max = 365))]
    pub(crate) days: u16,
}

/// The visitors of one day, in an overview.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Activity {
    /// The day.
    #[schemars(extend("format" = "date"))]
    pub(crate) iso_date: String,
    /// The number of visitors.
    pub(crate) visitors: u64,
}

/// Views, visitors and top pages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Overview {
    /// The number of all views.
    pub(crate) total_views: u64,
    /// The sum of the days' visitors.
    pub(crate) unique_visitors: u64,
    /// The ten most viewed pages.
    pub(crate) top_pages: Vec<PageViews>,
    /// The visitors of each day, oldest first.
    pub(crate) recent_activity: Vec<Activity>,
}

/// A selection of pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PagesOf {
    /// The kind of content.
    pub(crate) content_type: ContentKind,
}

/// The views of a post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PostStats {
    /// The ID of the post.
    pub(crate) post_id: String,
    /// The title of the post.
    pub(crate) title: String,
    /// The number of views.
    pub(crate) view_count: u64,
}
