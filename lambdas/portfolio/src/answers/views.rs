//! Views of content: what counting them takes, and what is told of them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::visitors::thirty;
use crate::{content::Kind, session::PATTERN};

/// A view of some content.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrackView {
    /// Which content.
    pub content_id: String,
    /// Of which kind.
    pub content_type: Kind,
    /// Whose view.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = PATTERN))]
    pub session_id: Option<String>,
}

/// What came of counting a view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrackedView {
    /// How often the content was viewed.
    pub views: u64,
    /// Was this one counted? Not if the session had viewed it in the last 24 hours.
    pub tracked: bool,
    /// Whose it was.
    pub session_id: String,
}

/// How often a piece of content was viewed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContentViews {
    /// Which content.
    pub content_id: String,
    /// Of which kind.
    pub content_type: Kind,
    /// How often.
    pub views: u64,
}

/// How often each piece of content of a kind was viewed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KindViews {
    /// The kind.
    pub content_type: Kind,
    /// How often, by id.
    pub stats: BTreeMap<String, u64>,
}

/// How many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct Top {
    /// How many of each kind.
    #[serde(default = "five")]
    #[schemars(range(min = 1, max = 20))]
    pub limit: usize,
}

fn five() -> usize {
    5
}

/// One of those that were viewed most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContentViewStat {
    /// Which content.
    pub content_id: String,
    /// How often.
    pub views: u64,
}

/// What was viewed most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TopContent {
    /// Posts.
    pub blogs: Vec<ContentViewStat>,
    /// Projects.
    pub projects: Vec<ContentViewStat>,
    /// Certifications and courses.
    pub certifications: Vec<ContentViewStat>,
}

/// All views together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TotalViews {
    /// How many.
    pub total_views: u64,
}

/// A page of the site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PageViews {
    /// Where it is on the site.
    pub page_path: String,
    /// How often its content was viewed.
    pub view_count: u64,
}

/// Which days of an overview.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct OverviewDays {
    /// How many, today included.
    #[serde(default = "thirty")]
    #[schemars(range(min = 1, max = 365))]
    pub days: u16,
}

/// A day's visitors, in an overview.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Activity {
    /// The day.
    #[schemars(extend("format" = "date"))]
    pub iso_date: String,
    /// How many visitors.
    pub visitors: u64,
}

/// Views, visitors and top pages together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Overview {
    /// All views there ever were.
    pub total_views: u64,
    /// Visitors of the days, those of each day counted anew.
    pub unique_visitors: u64,
    /// The ten pages that were viewed most.
    pub top_pages: Vec<PageViews>,
    /// Visitors of each day, the oldest first.
    pub recent_activity: Vec<Activity>,
}

/// Which pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PagesOf {
    /// Those of this kind.
    pub content_type: Kind,
}

/// How often a post was viewed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PostStats {
    /// The post.
    pub post_id: String,
    /// Its title.
    pub title: String,
    /// How often.
    pub view_count: u64,
}
