//! Lists of bots, newest first, from the indexes.

use analyticbot_contract::tables::{LIST_INDEX, LIST_PK, LIST_SK, STATUS, STATUS_INDEX};
use tables::{AwsError, Index, Query};

use super::{
    bot::{self, LIST},
    bots::Bots,
};
use crate::domain::bot::{BotStatus, Status};

/// A page of bots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The number of all bots that match the filter.
    pub total: u64,
    /// The bots of the page, newest first.
    pub bots: Vec<BotStatus>,
}

impl Bots {
    /// Returns a page of bots. Page numbers start at 1. A page beyond the end is empty.
    ///
    /// The indexes are eventually consistent, so a new bot may be missing for a moment.
    ///
    /// # Errors
    /// When a request fails.
    pub async fn list(&self, filter: Option<Status>, page: u64, size: u64) -> Result<Listing, AwsError> {
        let query = match filter {
            Some(status) => Query::index(&self.table, index(STATUS_INDEX, STATUS), status),
            None => Query::index(&self.table, index(LIST_INDEX, LIST_PK), LIST),
        };
        let query = query.descending();
        let total = self.database.count(&query).await?;
        let skipped = page.saturating_sub(1).saturating_mul(size);
        let empty = Listing { total, bots: Vec::new() };
        if skipped >= total {
            return Ok(empty);
        }
        let start = self.database.skip(&query, skipped).await?;
        if skipped > 0 && start.is_none() {
            return Ok(empty);
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let (mut items, mut start) = (Vec::new(), start);
        while items.len() < size {
            let (more, next) = self.database.page(&query, size - items.len(), start).await?;
            items.extend(more);
            start = next;
            if start.is_none() {
                break;
            }
        }
        let bots = items.into_iter().map(bot::read_listed).collect::<Result<_, _>>()?;
        Ok(Listing { total, bots })
    }
}

const fn index(name: &'static str, partition: &'static str) -> Index {
    Index { name, partition, sort: Some(LIST_SK) }
}
