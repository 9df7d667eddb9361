//! The limits of a bot: calls per second and concurrent calls. They are counters and leases in DynamoDB, so that they hold across
//! all instances.
//!
//! - A window is one second of one bot. A conditional update counts a call only while the window has room.
//! - A lease is an entry of one map per bot. A conditional update adds it only while the map has room.
//! - A call takes its lease first, so that no call waits for a window without one.

mod calls;
mod lease;
mod window;

use tables::{AwsError, Database, Item};

pub use calls::By;
pub use lease::Lease;

/// The reason why a call is not admitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// All windows within the longest wait are full.
    #[error("the bot's limit of calls per second is reached")]
    RateLimited,
    /// All leases are taken.
    #[error("the bot's limit of concurrent calls is reached")]
    Busy,
    /// DynamoDB failed.
    #[error(transparent)]
    Table(#[from] AwsError),
}

/// The windows and leases of all bots.
#[derive(Debug, Clone)]
pub struct Limits {
    database: Database,
    /// The name of the table of credentials.
    table: String,
}

impl Limits {
    /// Uses the table of credentials.
    #[must_use]
    pub fn new(database: Database, table: String) -> Self {
        Self { database, table }
    }

    /// Runs `work` under one of the bot's leases, of which at most `most` exist at a time. The lease is always released afterwards;
    /// the lease of a crashed function expires.
    ///
    /// # Errors
    /// When no lease is free, or when DynamoDB fails before `work` begins.
    pub async fn with_lease<T>(&self, user_id: u64, most: u32, work: impl AsyncFnOnce() -> T) -> Result<T, LimitError> {
        let lease = self.acquire(user_id, most).await?;
        let result = work().await;
        self.release(lease).await;
        Ok(result)
    }
}

fn key(pk: &str) -> Item {
    tables::strings([(analyticbot_contract::tables::PK, pk)])
}

#[cfg(test)]
mod tests;
