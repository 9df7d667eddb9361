//! Metrics in the functions' logs, in CloudWatch's embedded metric format, for alarms and the dashboard.

/// The namespace of all metrics is `<this>/<stage>`.
pub const NAMESPACE: &str = "ab";

/// Successful sign-ins.
pub const LOGINS_OK: &str = "logins_ok";
/// Failed sign-ins.
pub const LOGINS_FAILED: &str = "logins_failed";
/// Successful verifications of bots.
pub const VERIFY_OK: &str = "verify_ok";
/// Failed verifications of bots.
pub const VERIFY_FAILED: &str = "verify_failed";
/// Requests that a bot's own limits refused.
pub const RATE_LIMITED: &str = "rate_limited";
/// The duration of calls to Telegram, in milliseconds.
pub const TELEGRAM_LATENCY_MS: &str = "telegram_latency_ms";
/// Administrative actions.
pub const ADMIN_ACTIONS: &str = "admin_actions";
