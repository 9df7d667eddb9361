//! Requests and responses of all routes. Handlers, validation and the description of the API use these types.

use analyticbot_contract::limits::{
    DEFAULT_CONCURRENT_REQUESTS, DEFAULT_REQUESTS_PER_SECOND, MOST_CONCURRENT_REQUESTS, MOST_REQUESTS_PER_SECOND,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    crypto::secrets,
    domain::{
        bot::{BotStatus, Status},
        limits::Limits,
        user::Role,
    },
    store::actions::Action,
};

/// A sign-in, with a name or an e-mail address.
#[derive(Deserialize, JsonSchema)]
pub struct Login {
    /// The username or the e-mail address.
    #[schemars(length(max = 254))]
    pub username: Option<String>,
    /// The e-mail address or the username, if `username` is absent.
    #[schemars(length(max = 254))]
    pub email: Option<String>,
    /// The password.
    #[serde(deserialize_with = "secrets::text")]
    #[schemars(with = "String", length(min = 8, max = 1024))]
    pub password: Zeroizing<String>,
    /// Accepted and ignored.
    pub remember_me: Option<bool>,
}

/// The signed-in user and its token.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LoggedIn {
    /// The token.
    pub access_token: String,
    /// Always `bearer`.
    pub token_type: String,
    /// The lifetime of the token, in seconds.
    pub expires_in: i64,
    /// The user.
    pub user: UserView,
}

/// A user without its secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UserView {
    /// The ID.
    pub id: u64,
    /// The e-mail address.
    pub email: String,
    /// The name.
    pub username: String,
    /// The full name.
    pub full_name: Option<String>,
    /// The role.
    pub role: Role,
    /// The status for display.
    pub status: String,
}

/// A bot to register.
#[derive(Deserialize, JsonSchema)]
pub struct CreateBot {
    /// The token that BotFather issued, in the form `<digits>:<secret>`.
    #[serde(deserialize_with = "secrets::text")]
    #[schemars(with = "String", length(min = 1))]
    pub bot_token: Zeroizing<String>,
    /// The bot's username, with or without `@`. The username that Telegram reports replaces it.
    #[schemars(length(max = 64))]
    pub bot_username: Option<String>,
    /// The API ID of the application at Telegram.
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub api_id: Option<i64>,
    /// The API hash of the application at Telegram.
    #[serde(default, deserialize_with = "secrets::optional_text")]
    #[schemars(with = "Option<String>", length(max = 256))]
    pub api_hash: Option<Zeroizing<String>>,
    /// The maximum number of calls to Telegram per second.
    #[serde(default = "requests_per_second")]
    #[schemars(range(min = 1, max = MOST_REQUESTS_PER_SECOND))]
    pub max_requests_per_second: u32,
    /// The maximum number of concurrent calls to Telegram.
    #[serde(default = "concurrent_requests")]
    #[schemars(range(min = 1, max = MOST_CONCURRENT_REQUESTS))]
    pub max_concurrent_requests: u32,
}

const fn requests_per_second() -> u32 {
    DEFAULT_REQUESTS_PER_SECOND
}

const fn concurrent_requests() -> u32 {
    DEFAULT_CONCURRENT_REQUESTS
}

/// A registered bot.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CreatedBot {
    /// The ID of the bot in this system.
    pub id: u64,
    /// Always `Bot created successfully`.
    pub message: String,
    /// Always `pending`.
    pub status: Status,
    /// The username at Telegram.
    pub bot_username: Option<String>,
    /// Always true.
    pub requires_verification: bool,
}

/// A verification, with or without a test message.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct VerifyBot {
    /// Whether to send a test message.
    #[serde(default)]
    pub send_test_message: bool,
    /// The ID of the chat for the test message; by default the user's own chat. Telegram's IDs have at most 52 significant bits.
    #[schemars(range(min = -9_007_199_254_740_991_i64, max = 9_007_199_254_740_991_i64))]
    pub test_chat_id: Option<i64>,
    /// The text of the test message; by default a fixed one.
    #[schemars(length(max = 4096))]
    pub test_message: Option<String>,
}

/// The result of a verification.
#[derive(Debug, Serialize, JsonSchema)]
pub struct VerifiedBot {
    /// Whether Telegram accepted the token and, if one was requested, the test message.
    pub success: bool,
    /// A message for display.
    pub message: String,
    /// The bot according to Telegram; null if Telegram rejected the token.
    pub bot_info: Option<BotInfo>,
    /// Whether the bot is verified now.
    pub is_verified: bool,
}

/// A bot according to Telegram.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BotInfo {
    /// The ID.
    pub id: i64,
    /// The username.
    pub username: Option<String>,
    /// The first name.
    pub first_name: String,
    /// Whether Telegram says that it is a bot.
    pub is_bot: bool,
    /// Whether the test message was sent; absent if none was requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_message_sent: Option<bool>,
}

/// A successful change.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Success {
    /// Always true.
    pub success: bool,
    /// A message for display.
    pub message: String,
}

/// New limits. A limit without a value is unchanged.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub struct ChangeLimits {
    /// The maximum number of calls to Telegram per second.
    #[schemars(range(min = 1, max = MOST_REQUESTS_PER_SECOND))]
    pub max_requests_per_second: Option<u32>,
    /// The maximum number of concurrent calls to Telegram.
    #[schemars(range(min = 1, max = MOST_CONCURRENT_REQUESTS))]
    pub max_concurrent_requests: Option<u32>,
}

/// Changed limits.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ChangedLimits {
    /// Always true.
    pub success: bool,
    /// A message for display.
    pub message: String,
    /// The limits as they are now.
    pub new_limits: Limits,
}

/// The query of a list of bots.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub struct ListBots {
    /// The number of the page, from 1.
    #[serde(default = "first_page")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub page: u64,
    /// The maximum number of bots on a page.
    #[serde(default = "page_size")]
    #[schemars(range(min = 1, max = 100))]
    pub page_size: u64,
    /// The status of the listed bots; by default all.
    pub status_filter: Option<Status>,
}

const fn first_page() -> u64 {
    1
}

const fn page_size() -> u64 {
    50
}

/// A page of bots, newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct BotList {
    /// The number of all bots that match the filter.
    pub total: u64,
    /// The number of the page.
    pub page: u64,
    /// The maximum number of bots on a page.
    pub page_size: u64,
    /// The bots.
    pub bots: Vec<BotStatus>,
}

/// A call of Telegram with a user's bot.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AccessedBot {
    /// Always true.
    pub success: bool,
    /// A message for display.
    pub message: String,
    /// The bot according to Telegram.
    pub bot_info: BotInfo,
    /// Always true: the access is recorded.
    pub access_logged: bool,
}

/// A suspension.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct SuspendBot {
    /// The reason: at least five characters, not counting spaces at its start and end.
    #[schemars(length(min = 5, max = 1000))]
    pub reason: String,
}

/// The query of a list of actions.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct ListActions {
    /// The maximum number of actions on a page.
    #[serde(default = "page_size")]
    #[schemars(range(min = 1, max = 100))]
    pub page_size: u64,
    /// The `next_cursor` of the previous page; absent for the first page.
    #[schemars(length(max = 1024))]
    pub cursor: Option<String>,
}

/// A page of actions, newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ActionList {
    /// The actions.
    pub actions: Vec<Action>,
    /// The `cursor` of the next page; null on the last page.
    pub next_cursor: Option<String>,
}

/// The system's health.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Health {
    /// `healthy`, or `degraded` with status 503.
    pub status: HealthStatus,
    /// The version of the API.
    pub version: String,
    /// The stage.
    pub stage: String,
    /// The parts.
    pub checks: Checks,
}

/// The state of the system or of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// All parts are available.
    Healthy,
    /// A part is not available.
    Degraded,
}

/// The parts of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Checks {
    /// The table of users.
    pub users: HealthStatus,
    /// The tables of bots and of actions.
    pub bots: HealthStatus,
    /// The key.
    pub kms: HealthStatus,
}

/// An error.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Problem {
    /// The code in lower case.
    pub error: String,
    /// A message for display, or a list of faults of the request.
    pub detail: ProblemDetail,
    /// The code.
    pub code: String,
}

/// The detail of an error.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum ProblemDetail {
    /// A message for display.
    Text(String),
    /// The faults of the request.
    Faults(Vec<ProblemFault>),
}

/// A fault of a request.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProblemFault {
    /// The place: `body`, `query` or `path`, and the name of the field or parameter.
    pub loc: Vec<String>,
    /// The reason, as the rest of a sentence about the field.
    pub msg: String,
    /// The kind, for example `missing`.
    #[serde(rename = "type")]
    pub kind: String,
}
