//! The contract of AnalyticBot: six functions in one binary, a fake Telegram server for development, one API, three tables, a key,
//! and the constants of both sides.

pub mod context;
pub mod limits;
pub mod metrics;
pub mod routes;
pub mod tables;

use contract::{Function, FunctionName};
use serde::{Deserialize, Serialize};

/// The system's name.
pub const SYSTEM: &str = "analyticbot";

/// The binary of all functions but the fake Telegram server, which production does not run.
const BINARY: &str = "app";

/// Signs users in: routes [`routes::AuthRoute`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct Auth<V = String> {
    /// The stage's name, a dimension of metrics.
    pub stage: V,
    /// The name of [`tables::USERS`].
    pub users_table: V,
    /// The secret that signs access tokens.
    pub jwt_secret_arn: V,
    /// The lifetime of an access token, in minutes.
    pub access_token_minutes: V,
    /// The maximum number of sign-ins per minute from one address, and for one account.
    pub login_per_minute_ip: V,
}

impl<V> Function for Auth<V> {
    const NAME: FunctionName = FunctionName::new(SYSTEM, "auth", "AuthFunction").in_binary(BINARY);
}

/// Manages the caller's bot: routes [`routes::UserBotRoute`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct UserBot<V = String> {
    /// The stage's name: part of the encryption context, and a dimension of metrics.
    pub stage: V,
    /// The name of [`tables::USERS`].
    pub users_table: V,
    /// The name of [`tables::CREDENTIALS`].
    pub user_bot_credentials_table: V,
    /// The secret that signs access tokens.
    pub jwt_secret_arn: V,
    /// The lifetime of an access token, in minutes: for so long, tokens of a rotated secret remain valid.
    pub access_token_minutes: V,
    /// The secret whose HMAC of a token makes the token unique.
    pub fingerprint_secret_arn: V,
    /// The key that wraps data keys.
    pub kms_key_id: V,
    /// The address of Telegram's Bot API.
    pub telegram_api_base: V,
    /// The longest time of a call to Telegram, in seconds.
    pub telegram_timeout_s: V,
}

impl<V> Function for UserBot<V> {
    const NAME: FunctionName = FunctionName::new(SYSTEM, "user-bot", "UserBotFunction").in_binary(BINARY);
}

/// Manages every user's bot: routes [`routes::AdminBotRoute`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct AdminBot<V = String> {
    /// The stage's name: part of the encryption context, and a dimension of metrics.
    pub stage: V,
    /// The name of [`tables::USERS`].
    pub users_table: V,
    /// The name of [`tables::CREDENTIALS`].
    pub user_bot_credentials_table: V,
    /// The name of [`tables::ACTIONS`].
    pub admin_bot_actions_table: V,
    /// The secret that signs access tokens.
    pub jwt_secret_arn: V,
    /// The lifetime of an access token, in minutes: for so long, tokens of a rotated secret remain valid.
    pub access_token_minutes: V,
    /// The key that wraps data keys.
    pub kms_key_id: V,
    /// The address of Telegram's Bot API.
    pub telegram_api_base: V,
    /// The longest time of a call to Telegram, in seconds.
    pub telegram_timeout_s: V,
}

impl<V> Function for AdminBot<V> {
    const NAME: FunctionName = FunctionName::new(SYSTEM, "admin-bot", "AdminBotFunction").in_binary(BINARY);
}

/// Reports the system's health and describes the API: routes [`routes::MetaRoute`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct Meta<V = String> {
    /// The stage's name.
    pub stage: V,
    /// The name of [`tables::USERS`].
    pub users_table: V,
    /// The name of [`tables::CREDENTIALS`].
    pub user_bot_credentials_table: V,
    /// The name of [`tables::ACTIONS`].
    pub admin_bot_actions_table: V,
    /// The key that wraps data keys.
    pub kms_key_id: V,
}

impl<V> Function for Meta<V> {
    const NAME: FunctionName = FunctionName::new(SYSTEM, "meta", "MetaFunction").in_binary(BINARY);
}

/// Deletes expired counters and leases, every [`limits::CLEANUP_MINUTES`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct Cleanup<V = String> {
    /// The name of [`tables::USERS`].
    pub users_table: V,
    /// The name of [`tables::CREDENTIALS`].
    pub user_bot_credentials_table: V,
}

impl<V> Function for Cleanup<V> {
    const NAME: FunctionName = FunctionName::new(SYSTEM, "cleanup", "CleanupFunction").in_binary(BINARY);
}

/// Administers users. Operators invoke it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct UserAdmin<V = String> {
    /// The stage's name.
    pub stage: V,
    /// The name of [`tables::USERS`].
    pub users_table: V,
    /// The name of [`tables::ACTIONS`].
    pub admin_bot_actions_table: V,
    /// The only SSM parameter that `password_param` may name; the function deletes it after reading it.
    pub bootstrap_password_param: V,
}

impl<V> Function for UserAdmin<V> {
    const NAME: FunctionName = FunctionName::new(SYSTEM, "user-admin", "UserAdminFunction").in_binary(BINARY);
}

/// A fake Telegram server for local and development stages: routes [`routes::TelegramStubRoute`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct TelegramStub<V = String> {
    /// The stage's name. The function starts only in `local` and `dev`.
    pub stage: V,
}

impl<V> Function for TelegramStub<V> {
    const NAME: FunctionName = FunctionName::new(SYSTEM, "telegram-stub", "TelegramStubFunction");
}
