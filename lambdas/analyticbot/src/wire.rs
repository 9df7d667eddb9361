//! Requests and responses of all routes. Handlers, validation and the description of the API use these types.

use analyticbot_contract::limits::{DEFAULT_CONCURRENT_REQUESTS, DEFAULT_REQUESTS_PER_SECOND};
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
    /// The name of the user, or the e-mail address.
    #[schemars(length(max = 254))]
    pub username: Option<String>,
    /// The e-mail address of the user, or the name.
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
    /// The status for people.
    pub status: String,
}

/// A bot to register.
#[derive(Deserialize, JsonSchema)]
pub struct CreateBot {
    /// The token that Telegram issued. Another form than `<digits>:<secret>` is refused.
    #[serde(deserialize_with = "secrets::text")]
    #[schemars(with = "String", length(min = 1))]
    pub bot_token: Zeroizing<String>,
    /// The name of the bot, with or without `@`. Telegram's name replaces it.
    #[schemars(length(max = 64))]
    pub bot_username: Option<String>,
    /// The application's ID at Telegram.
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub api_id: Option<i64>,
    /// The application's hash at Telegram.
    #[serde(default, deserialize_with = "secrets::optional_text")]
    #[schemars(with = "Option<String>", length(max = 256))]
    pub api_hash: Option<Zeroizing<String>>,
    /// The most calls to Telegram in a second.
    #[serde(default = "requests_per_second")]
    #[schemars(range(min = 1, max = 100))]
    pub max_requests_per_second: u32,
    /// The most concurrent calls to Telegram.
    #[serde(default = "concurrent_requests")]
    #[schemars(range(min = 1, max = 50))]
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
    /// `Bot created successfully`.
    pub message: String,
    /// `pending`.
    pub status: Status,
    /// The name at Telegram.
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
    /// The chat of the test message; by default that of the user. Telegram's IDs have at most 52 significant bits.
    #[schemars(range(min = -9_007_199_254_740_991_i64, max = 9_007_199_254_740_991_i64))]
    pub test_chat_id: Option<i64>,
    /// The text of the test message.
    #[schemars(length(max = 4096))]
    pub test_message: Option<String>,
}

/// The result of a verification.
#[derive(Debug, Serialize, JsonSchema)]
pub struct VerifiedBot {
    /// Whether Telegram accepted token and message.
    pub success: bool,
    /// A sentence for people.
    pub message: String,
    /// The bot according to Telegram.
    pub bot_info: Option<BotInfo>,
    /// Whether the bot is verified now.
    pub is_verified: bool,
}

/// A bot according to Telegram.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BotInfo {
    /// The ID.
    pub id: i64,
    /// The name.
    pub username: Option<String>,
    /// The first name.
    pub first_name: String,
    /// Whether Telegram says that it is a bot.
    pub is_bot: bool,
    /// Whether a test message was sent, if one was to be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_message_sent: Option<bool>,
}

/// A successful change.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Success {
    /// Always true.
    pub success: bool,
    /// A sentence for people.
    pub message: String,
}

/// New limits. A limit without a value stays.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub struct ChangeLimits {
    /// The most calls to Telegram in a second.
    #[schemars(range(min = 1, max = 100))]
    pub max_requests_per_second: Option<u32>,
    /// The most concurrent calls to Telegram.
    #[schemars(range(min = 1, max = 50))]
    pub max_concurrent_requests: Option<u32>,
}

/// Changed limits.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ChangedLimits {
    /// Always true.
    pub success: bool,
    /// A sentence for people.
    pub message: String,
    /// The limits as they are now.
    pub new_limits: Limits,
}

/// The query of a list of bots.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub struct ListBots {
    /// The page, of which the first has number 1.
    #[serde(default = "first_page")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub page: u64,
    /// The most bots on a page.
    #[serde(default = "page_size")]
    #[schemars(range(min = 1, max = 100))]
    pub page_size: u64,
    /// The status of the listed bots.
    pub status_filter: Option<Status>,
}

const fn first_page() -> u64 {
    1
}

const fn page_size() -> u64 {
    50
}

/// A page of bots, the newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct BotList {
    /// The number of all bots that match the filter.
    pub total: u64,
    /// The page.
    pub page: u64,
    /// The most bots on a page.
    pub page_size: u64,
    /// The bots.
    pub bots: Vec<BotStatus>,
}

/// A call of Telegram with a user's bot.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AccessedBot {
    /// Always true.
    pub success: bool,
    /// A sentence for people.
    pub message: String,
    /// The bot according to Telegram.
    pub bot_info: BotInfo,
    /// Always true: the access is recorded.
    pub access_logged: bool,
}

/// A suspension.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct SuspendBot {
    /// Why: at least five characters, not counting spaces around them.
    #[schemars(length(min = 5, max = 1000))]
    pub reason: String,
}

/// The query of a list of actions.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct ListActions {
    /// The most actions on a page.
    #[serde(default = "page_size")]
    #[schemars(range(min = 1, max = 100))]
    pub page_size: u64,
    /// Where the page begins: `next_cursor` of the page before.
    #[schemars(length(max = 1024))]
    pub cursor: Option<String>,
}

/// A page of actions, the newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ActionList {
    /// The actions.
    pub actions: Vec<Action>,
    /// Where the next page begins, if there may be one.
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
    /// A sentence for people, or a list of faults of the request.
    pub detail: ProblemDetail,
    /// The code.
    pub code: String,
}

/// The detail of an error.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum ProblemDetail {
    /// A sentence for people.
    Text(String),
    /// The faults of the request.
    Faults(Vec<ProblemFault>),
}

/// A fault of a request.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProblemFault {
    /// Where: `body`, `query` or `path`, and the name of the field or parameter.
    pub loc: Vec<String>,
    /// Why.
    pub msg: String,
    /// The kind, for example `missing`.
    #[serde(rename = "type")]
    pub kind: String,
}
