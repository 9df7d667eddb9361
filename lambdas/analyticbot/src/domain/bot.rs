//! Bots as responses show them. `state.rs` decides how their status changes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The status of a bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Not verified yet.
    Pending,
    /// Verified.
    Active,
    /// Suspended by an administrator.
    Suspended,
    /// Accepted in filters; no function sets it.
    RateLimited,
    /// Telegram rejected the token.
    Error,
}

impl Status {
    /// All statuses.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Active, Self::Suspended, Self::RateLimited, Self::Error];

    /// The name in responses, items and filters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::RateLimited => "rate_limited",
            Self::Error => "error",
        }
    }
}

/// A bot without its secrets: the part of the item `USER#<user_id>` that responses show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BotStatus {
    /// The ID in this system, from 1.
    pub id: u64,
    /// The user that owns the bot.
    pub user_id: u64,
    /// The username at Telegram.
    pub bot_username: Option<String>,
    /// The ID at Telegram.
    pub bot_id: Option<i64>,
    /// The status.
    pub status: Status,
    /// Whether Telegram accepted the token.
    pub is_verified: bool,
    /// The maximum number of calls to Telegram per second.
    pub max_requests_per_second: u32,
    /// The maximum number of concurrent calls to Telegram.
    pub max_concurrent_requests: u32,
    /// The number of calls to Telegram.
    pub total_requests: u64,
    /// The time of the last call to Telegram.
    pub last_used_at: Option<String>,
    /// The time of the registration.
    pub created_at: String,
    /// The time of the last change.
    pub updated_at: String,
    /// The reason for the suspension, if the bot is suspended.
    pub suspension_reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_serde() {
        for status in Status::ALL {
            assert_eq!(serde_json::to_value(status).expect("a text"), status.as_str());
        }
    }
}
