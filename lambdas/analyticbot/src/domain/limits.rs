//! The limits of a bot.

use analyticbot_contract::limits::{
    DEFAULT_CONCURRENT_REQUESTS, DEFAULT_REQUESTS_PER_SECOND, MOST_CONCURRENT_REQUESTS, MOST_REQUESTS_PER_SECOND,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The limits of a bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Limits {
    /// The most calls to Telegram in a second.
    pub max_requests_per_second: u32,
    /// The most concurrent calls to Telegram.
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

impl Limits {
    /// Checks both ranges.
    #[must_use]
    pub fn are_valid(self) -> bool {
        (1..=MOST_REQUESTS_PER_SECOND).contains(&self.max_requests_per_second)
            && (1..=MOST_CONCURRENT_REQUESTS).contains(&self.max_concurrent_requests)
    }

    /// Replaces the limits that have a value.
    #[must_use]
    pub fn with(self, requests_per_second: Option<u32>, concurrent_requests: Option<u32>) -> Self {
        Self {
            max_requests_per_second: requests_per_second.unwrap_or(self.max_requests_per_second),
            max_concurrent_requests: concurrent_requests.unwrap_or(self.max_concurrent_requests),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_limits_have_a_range() {
        for (requests, concurrent, expected) in
            [(1, 1, true), (100, 50, true), (0, 1, false), (101, 1, false), (1, 0, false), (1, 51, false)]
        {
            let limits = Limits::default().with(Some(requests), Some(concurrent));
            assert_eq!(limits.are_valid(), expected, "{limits:?}");
        }
        assert_eq!(
            Limits::default().with(None, Some(3)),
            Limits { max_requests_per_second: 30, max_concurrent_requests: 3 }
        );
    }
}
