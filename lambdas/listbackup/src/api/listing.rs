//! Pages of lists that DynamoDB filters.
//!
//! A page ends when it is full, when the list ends, or when a request has examined enough items. Then its cursor is the key of the last
//! examined item, so no item is repeated or left out.

use serde::de::DeserializeOwned;
use tables::{AwsError, Database, Item, Query, from_item};

use crate::{
    requests::invalid,
    shared::{cursor::Scope, envelope::Problem},
};

use super::call::Call;

/// The items that one call of DynamoDB examines.
const EXAMINED: usize = 1000;
/// The calls of DynamoDB for one page. With the reads of caller and source, a request stays within twelve.
const CALLS: usize = 10;
/// The default and the largest number of items of a page.
pub(super) const DEFAULT_LIMIT: usize = 50;
const LARGEST_LIMIT: usize = 100;

/// A page of a list.
#[derive(Debug, PartialEq)]
pub(super) struct Page<T> {
    pub(super) rows: Vec<T>,
    /// The cursor of the next page, if there may be more.
    pub(super) last_key: Option<String>,
}

/// Reads the page of `query` after `start`.
pub(super) async fn page<T: DeserializeOwned>(
    database: &Database,
    query: &Query,
    scope: &Scope<'_>,
    limit: usize,
    start: Option<Item>,
) -> Result<Page<T>, AwsError> {
    let mut items = Vec::new();
    let mut from = start;
    for _ in 0..CALLS {
        let (found, next) = database.page(query, EXAMINED, from).await?;
        items.extend(found);
        from = next;
        if items.len() >= limit || from.is_none() {
            break;
        }
    }
    let last_key = if items.len() > limit {
        items.truncate(limit);
        items.last().map(|last| scope.after(last)).transpose()?
    } else {
        from.map(|key| scope.encode(key)).transpose()?
    };
    let rows = items.into_iter().map(from_item).collect::<Result<_, _>>()?;
    Ok(Page { rows, last_key })
}

/// Reads the page of a list without filter: one call, which examines no more than it returns.
pub(super) async fn plain_page<T: DeserializeOwned>(
    database: &Database,
    query: &Query,
    scope: &Scope<'_>,
    limit: usize,
    start: Option<Item>,
) -> Result<Page<T>, AwsError> {
    // One more than the page shows whether another one follows.
    let (mut items, next) = database.page(query, limit + 1, start).await?;
    let has_more = items.len() > limit || next.is_some();
    items.truncate(limit);
    let last_key = items.last().filter(|_| has_more).map(|last| scope.after(last)).transpose()?;
    let rows = items.into_iter().map(from_item).collect::<Result<_, _>>()?;
    Ok(Page { rows, last_key })
}

/// Reads `limit` of the query: 1 to 100, 50 if it is absent.
pub(super) fn limit(call: &Call) -> Result<usize, Problem> {
    let Some(text) = call.query("limit")? else { return Ok(DEFAULT_LIMIT) };
    check_limit(text.parse().ok())
}

/// Checks a limit; `None` is no number.
pub(super) fn check_limit(limit: Option<u64>) -> Result<usize, Problem> {
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| (1..=LARGEST_LIMIT).contains(limit));
    limit.ok_or_else(|| invalid("limit", &format!("must be a number from 1 to {LARGEST_LIMIT}")))
}
