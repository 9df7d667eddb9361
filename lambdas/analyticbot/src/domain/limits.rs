//! The limits of a bot.

use analyticbot_contract::limits::{DEFAULT_CONCURRENT_REQUESTS, DEFAULT_REQUESTS_PER_SECOND};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The limits of a bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Limits {
    /// The maximum number of calls to Telegram per second.
    pub max_requests_per_second: u32,
    /// The maximum number of concurrent calls to Telegram.
    pub max_concurrent_requests: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_requests_per_second: DEFAULT_REQUESTS_PER_SECOND,
            max_concurrent_requests: DEFAULT_CONCURRENT_REQUESTS,
        }
    }
}
