//! Lists: queries of the index, newest first, several partitions merged.

use aws_sdk_dynamodb::{operation::query::builders::QueryFluentBuilder, types::Select};
use portfolio_contract::INDEX;

use super::{
    StoreError, Table,
    filter::DATA,
    item::{Item, text, text_of},
};
use crate::content::{Content, Paging, Stored, filter::Filter};

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// The part.
    pub items: Vec<T>,
    /// How many the whole list has.
    pub total: usize,
}

impl Table {
    /// Content of these partitions, newest first (access patterns 1, 8 and 10).
    ///
    /// # Errors
    /// When a query fails or an item cannot be read.
    pub async fn list<C: Content>(
        &self,
        partitions: &[String],
        filters: &[Filter],
        paging: Paging,
    ) -> Result<Listed<Stored<C>>, StoreError> {
        let enough = paging.offset.saturating_add(paging.limit);
        let found = partitions.iter().map(|partition| self.partition(partition, filters, enough));
        let found = futures_util::future::try_join_all(found).await?;
        let total = found.iter().map(|found| found.total).sum();
        let mut items: Vec<_> = found.into_iter().flat_map(|found| found.items).collect();
        // Each partition's items are in order already; of the same time, any order will do if it is always the same.
        items.sort_by(|one, other| order(other).cmp(&order(one)));
        let items = items.iter().skip(paging.offset).take(paging.limit).map(Self::stored).collect::<Result<_, _>>()?;
        Ok(Listed { items, total })
    }

    /// The first `enough` items of a partition, and how many it has. What comes after these is only counted.
    async fn partition(&self, partition: &str, filters: &[Filter], enough: usize) -> Result<Listed<Item>, StoreError> {
        let mut found = Listed { items: Vec::new(), total: 0 };
        let mut start = None;
        loop {
            let select = if found.total < enough { Select::AllAttributes } else { Select::Count };
            // No paginator: `Select` changes between pages.
            let query = self.filtered(partition, filters)?.select(select).set_exclusive_start_key(start);
            let page = query.send().await.map_err(StoreError::aws("list content"))?;
            found.total += usize::try_from(page.count()).unwrap_or_default();
            found.items.extend(page.items.unwrap_or_default());
            start = page.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() {
                return Ok(found);
            }
        }
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

    /// A partition of the index, last first.
    pub(super) fn descending(&self, partition: &str) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.name)
            .index_name(INDEX)
            .key_condition_expression("GSI1PK = :partition")
            .expression_attribute_values(":partition", text(partition))
            .scan_index_forward(false)
    }

    /// Every item of a partition of the index, last first. For counters, of which there are few.
    pub(super) async fn whole(&self, partition: &str, what: &'static str) -> Result<Vec<Item>, StoreError> {
        let items = self.descending(partition).into_paginator().items().send();
        items.collect::<Result<_, _>>().await.map_err(StoreError::aws(what))
    }
}

fn order(item: &Item) -> (&str, &str) {
    (text_of(item, "GSI1SK"), text_of(item, "PK"))
}
