//! Lists: queries of the index, newest first, merged from several partitions.

use aws_sdk_dynamodb::{operation::query::builders::QueryFluentBuilder, types::Select};
use portfolio_contract::INDEX;

use super::{
    StoreError, Table,
    filter::DATA,
    item::{Item, text, text_of},
    keys,
};
use crate::content::{Content, Paging, Stored, filter::Filter};

/// The most pages that a query reads of a partition for a client who is not the owner. A page has up to 1 MB, bodies included
/// (Amazon DynamoDB Developer Guide, "Paginating table query results").
const MOST_PAGES: usize = 16;

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed<T> {
    pub(crate) items: Vec<T>,
    /// The number of items in the list, up to its reach.
    pub(crate) total: usize,
}

/// How much of a list is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// All of it.
    Whole,
    /// [`MOST_PAGES`] of each partition, so that no request of a stranger costs more.
    Bounded,
}

impl Reach {
    fn ends_at(self, pages: usize) -> bool {
        self == Self::Bounded && pages >= MOST_PAGES
    }
}

/// The first items of a partition, as keys.
struct Found {
    keys: Vec<Item>,
    /// The number of items that were read.
    total: usize,
    /// Whether the whole partition was read.
    is_whole: bool,
}

impl Table {
    /// Lists content of partitions, newest first (access patterns 1, 8 and 10). Returns none if the part is out of reach.
    ///
    /// Queries return keys only; the content of the part is read afterwards. So bodies of other items take neither time nor
    /// memory.
    pub(crate) async fn list<C: Content>(
        &self,
        partitions: &[String],
        filters: &[Filter],
        paging: Paging,
        reach: Reach,
    ) -> Result<Option<Listed<Stored<C>>>, StoreError> {
        let enough = paging.offset.saturating_add(paging.limit);
        let found = partitions.iter().map(|partition| self.partition(partition, filters, enough, reach));
        let found = futures_util::future::try_join_all(found).await?;
        // An unread item could belong to the part.
        if found.iter().any(|found| !found.is_whole && found.total < enough) {
            return Ok(None);
        }
        let total = found.iter().map(|found| found.total).sum();
        let mut keys: Vec<_> = found.into_iter().flat_map(|found| found.keys).collect();
        // Each partition is already sorted. Items of the same time need any stable order.
        keys.sort_by(|one, other| order(other).cmp(&order(one)));
        let keys: Vec<_> = keys.into_iter().skip(paging.offset).take(paging.limit).collect();
        let items = self.contents(&keys, partitions).await?;
        Ok(Some(Listed { items: items.iter().map(Self::stored).collect::<Result<_, _>>()?, total }))
    }

    /// Reads content in the order of its keys. Content that was deleted or moved to another partition meanwhile is left out.
    async fn contents(&self, keys: &[Item], partitions: &[String]) -> Result<Vec<Item>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let wanted: Vec<_> = keys.iter().map(|key| keys::metadata(text_of(key, "PK"))).collect();
        let mut found = self.batch(&wanted, "read listed content").await?;
        let is_listed = |item: &Item| partitions.iter().any(|partition| partition == text_of(item, "GSI1PK"));
        Ok(keys.iter().filter_map(|key| found.remove(text_of(key, "PK")).filter(is_listed)).collect())
    }

    /// Returns the keys of at least the first `enough` items of a partition, and the number of all. The others are only
    /// counted.
    async fn partition(
        &self,
        partition: &str,
        filters: &[Filter],
        enough: usize,
        reach: Reach,
    ) -> Result<Found, StoreError> {
        let mut found = Found { keys: Vec::new(), total: 0, is_whole: false };
        let mut start = None;
        for pages in 1.. {
            let query = self.filtered(partition, filters)?.set_exclusive_start_key(start);
            // No paginator: the projection changes between pages.
            let query = if found.total < enough {
                query.projection_expression("PK, GSI1SK")
            } else {
                query.select(Select::Count)
            };
            let page = query.send().await.map_err(StoreError::aws("list content"))?;
            found.total += usize::try_from(page.count()).unwrap_or_default();
            found.keys.extend(page.items.unwrap_or_default());
            start = page.last_evaluated_key.filter(|key| !key.is_empty());
            found.is_whole = start.is_none();
            if found.is_whole || reach.ends_at(pages) {
                break;
            }
        }
        Ok(found)
    }

    fn filtered(&self, partition: &str, filters: &[Filter]) -> Result<QueryFluentBuilder, StoreError> {
        let query = self.descending(partition);
        if filters.is_empty() {
            return Ok(query);
        }
        let expression = filters.iter().map(Filter::expression).collect::<Vec<_>>().join(" AND ");
        let query = query.filter_expression(expression).expression_attribute_names(DATA, "Data");
        filters.iter().try_fold(query, |query, filter| {
            let ((name, field), (placeholder, value)) = (filter.name(), filter.value()?);
            Ok(query.expression_attribute_names(name, field).expression_attribute_values(placeholder, value))
        })
    }

    /// Queries a partition of the index in descending order.
    pub(super) fn descending(&self, partition: &str) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.name)
            .index_name(INDEX)
            .key_condition_expression("GSI1PK = :partition")
            .expression_attribute_values(":partition", text(partition))
            .scan_index_forward(false)
    }

    /// Reads a whole partition of the index, in descending order. For counters, of which there are few.
    pub(super) async fn read_partition(&self, partition: &str, what: &'static str) -> Result<Vec<Item>, StoreError> {
        let items = self.descending(partition).into_paginator().items().send();
        items.collect::<Result<_, _>>().await.map_err(StoreError::aws(what))
    }
}

fn order(item: &Item) -> (&str, &str) {
    (text_of(item, "GSI1SK"), text_of(item, "PK"))
}
