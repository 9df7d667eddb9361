//! The buckets of an account's aggregates: `total`, `day#<date>`, `source#<id>` and `type#<category>`.

use listbackup_contract::tables::{AGGREGATES, TTL};
use serde_json::Value;
use tables::{AwsError, Database, Item, Query, from_item, from_items, strings};

use super::range::Range;
use crate::shared::{rows::Aggregate, time};

/// The bucket of everything.
pub(super) const TOTAL: &str = "total";
/// The prefixes of other buckets.
pub(super) const DAY: &str = "day#";
pub(super) const SOURCE: &str = "source#";
pub(super) const TYPE: &str = "type#";
/// The prefix of events that are counted already.
pub(super) const EVENT: &str = "evt#";
/// The prefix of insights.
pub(crate) const INSIGHT: &str = "insight#";

/// Reads the aggregates.
#[derive(Debug, Clone)]
pub(super) struct Buckets {
    pub(super) database: Database,
    pub(super) table: String,
}

impl Buckets {
    /// Reads the bucket of everything.
    pub(super) async fn total(&self, account_id: &str) -> Result<Aggregate, AwsError> {
        let found = self.database.get(&self.table, key(account_id, TOTAL)).await?;
        found.map_or_else(|| Ok(Aggregate::default()), from_item)
    }

    /// Reads the days of a range that have runs.
    pub(super) async fn days(&self, account_id: &str, range: &Range) -> Result<Vec<Aggregate>, AwsError> {
        let days = range.days();
        let (Some(first), Some(last)) = (days.first(), days.last()) else { return Ok(Vec::new()) };
        let query = Query::new(&self.table, AGGREGATES.partition, account_id).between(
            "bucket",
            format!("{DAY}{first}"),
            format!("{DAY}{last}"),
        );
        from_items(self.database.query_all(&query).await?)
    }

    /// Reads all buckets with a prefix, each with the rest of its name.
    pub(super) async fn named(&self, account_id: &str, prefix: &str) -> Result<Vec<(String, Aggregate)>, AwsError> {
        let query = Query::new(&self.table, AGGREGATES.partition, account_id).starting_with("bucket", prefix);
        let found: Vec<Aggregate> = from_items(self.database.query_all(&query).await?)?;
        let named = |aggregate: Aggregate| (aggregate.bucket[prefix.len()..].to_owned(), aggregate);
        Ok(found.into_iter().map(named).collect())
    }

    /// Reads the latest insights.
    pub(super) async fn insights(&self, account_id: &str, most: usize) -> Result<Vec<Value>, AwsError> {
        let query = Query::new(&self.table, AGGREGATES.partition, account_id)
            .starting_with("bucket", INSIGHT)
            .filter(|at| at.compare(TTL, ">", time::ttl(0)));
        let mut found: Vec<Value> = from_items(self.database.query_all(&query).await?)?;
        found.sort_by(|a, b| b["createdAt"].as_str().cmp(&a["createdAt"].as_str()));
        found.truncate(most);
        for insight in found.iter_mut().filter_map(Value::as_object_mut) {
            for internal in ["accountId", "bucket", TTL] {
                insight.remove(internal);
            }
        }
        Ok(found)
    }
}

/// The key of a bucket.
pub(crate) fn key(account_id: &str, bucket: &str) -> Item {
    strings([(AGGREGATES.partition, account_id), ("bucket", bucket)])
}

/// A part of a whole, 0 if there is nothing.
#[expect(clippy::cast_precision_loss, reason = "ratios of counters need no more precision")]
pub(super) fn ratio(part: i64, whole: i64) -> f64 {
    if whole <= 0 { 0.0 } else { part as f64 / whole as f64 }
}
