//! What routes take and answer, beside content itself.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{content::Kind, session::PATTERN, token::Claims};

/// What a user is to the site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Role {
    /// The site is theirs.
    Owner,
    /// Anybody else.
    Public,
}

/// A signed-in user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The user's unchanging id.
    pub id: String,
    /// The user's address.
    pub email: String,
    /// The user's name.
    pub name: String,
    /// What the user is to the site.
    pub role: Role,
    /// Has the address been verified?
    pub email_verified: bool,
}

impl From<&Claims> for User {
    fn from(claims: &Claims) -> Self {
        Self {
            id: claims.sub.clone(),
            email: claims.email.clone(),
            name: claims.name.clone(),
            role: if claims.is_owner() { Role::Owner } else { Role::Public },
            email_verified: claims.email_verified,
        }
    }
}

/// Email and password, and the answer to a challenge if there was one.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Login {
    /// The user's address.
    #[schemars(length(min = 1, max = 128), extend("format" = "email"))]
    pub email: String,
    /// The user's password.
    #[schemars(length(min = 1, max = 256))]
    pub password: String,
    /// The session of the challenge that is answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 4096))]
    pub session: Option<String>,
    /// For `NEW_PASSWORD_REQUIRED`: the user's own password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 256))]
    pub new_password: Option<String>,
    /// For `SOFTWARE_TOKEN_MFA`: the authenticator's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 6, max = 6))]
    pub mfa_code: Option<String>,
}

/// A refresh token.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Refresh {
    /// As signing in gave it.
    #[schemars(length(min = 1, max = 8192))]
    pub refresh_token: String,
}

/// Tokens.
#[derive(Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tokens {
    /// The ID token: what `Authorization` wants.
    pub token: String,
    /// The access token.
    pub access_token: String,
    /// The refresh token.
    pub refresh_token: String,
    /// `Bearer`.
    pub token_type: &'static str,
    /// How long the first two are good, in seconds.
    pub expires_in: i32,
}

/// Tokens, and whose they are.
#[derive(Clone, Serialize, JsonSchema)]
pub struct SignedIn {
    /// The tokens.
    #[serde(flatten)]
    pub tokens: Tokens,
    /// Whose they are.
    pub user: User,
}

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

/// Which days of an overview.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct OverviewDays {
    /// How many, today included.
    #[serde(default = "thirty")]
    #[schemars(range(min = 1, max = 365))]
    pub days: u16,
}

fn thirty() -> u16 {
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
