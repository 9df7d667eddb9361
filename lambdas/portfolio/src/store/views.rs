//! Views of content: each session is counted once per content and 24 hours (access patterns 15 to 18).

use aws_sdk_dynamodb::{error::SdkError, operation::update_item::UpdateItemError};
use jiff::{SignedDuration, Timestamp};
use portfolio_contract::TIME_TO_LIVE;

use super::{
    StoreError, Table,
    counter::Counter,
    item::{Item, count_of, number, strings, text, text_of},
    keys,
    visitors::{Tracked, succeeded},
};
use crate::{
    content::{ContentKind, Status},
    time,
};

/// The attribute with the views of one piece of content.
const VIEWS: &str = "ViewCount";
/// The attribute with all views.
const TOTAL: &str = "TotalViews";
/// A session's view of content is counted once in this time.
const SAME_VIEW: SignedDuration = SignedDuration::from_hours(24);

/// The views of a piece of content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Viewed {
    pub(crate) id: String,
    pub(crate) views: u64,
}

impl Table {
    /// Checks whether the content exists and is published.
    pub(crate) async fn is_published(&self, kind: ContentKind, id: &str) -> Result<bool, StoreError> {
        if !keys::is_id(id) {
            return Ok(false);
        }
        let item = self.item(&keys::content(kind, id)).await?.unwrap_or_default();
        Ok(Status::parse(text_of(&item, "Status")) == Some(Status::Published))
    }

    /// Counts a session's view of published content, unless it was counted in the last 24 hours. Returns none if the content
    /// and its counter were deleted concurrently. Then the total is unchanged too.
    pub(crate) async fn track_view(
        &self,
        session: &str,
        kind: ContentKind,
        id: &str,
        now: Timestamp,
    ) -> Result<Option<Tracked>, StoreError> {
        if !self.record_view(session, kind, id, now).await? {
            return Ok(Some(Tracked { count: self.views(kind, id).await?, tracked: false }));
        }
        let stamp = time::text(now);
        let content = Counter {
            key: keys::views_of(kind, id),
            attribute: VIEWS,
            entity: "ANALYTICS_VIEW",
            partition: Some(keys::views_of_kind(kind)),
            made: true,
        };
        let total =
            Counter { key: keys::views(), attribute: TOTAL, entity: "ANALYTICS_TOTAL", partition: None, made: false };
        let Some(count) = self.add_one(&content, &stamp).await? else { return Ok(None) };
        // Sequential, as for visitors; a failure of one does not stop the other. The next view corrects a missed rank, but not
        // a missed count.
        let added = self.add_one(&total, &stamp).await;
        let ranked = self.rank(kind, id, count).await;
        added.and(ranked)?;
        Ok(Some(Tracked { count, tracked: true }))
    }

    /// Returns the counter of new content: zero, and not in the index before the first view.
    pub(super) fn new_views(kind: ContentKind, id: &str, stamp: &str) -> Item {
        let mut item = keys::views_of(kind, id).item();
        item.extend(
            [
                ("EntityType", text("ANALYTICS_VIEW")),
                ("CreatedAt", text(stamp)),
                ("UpdatedAt", text(stamp)),
                (VIEWS, number(0)),
                ("Data", strings([])),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        item
    }

    /// Records a session's view. Returns whether it is the first in 24 hours. Time to live deletes items late, so the time is
    /// compared.
    async fn record_view(
        &self,
        session: &str,
        kind: ContentKind,
        id: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let stamp = time::text(now);
        let mut item = keys::view_session(session, kind, id).item();
        item.extend(
            [
                ("EntityType", text("ANALYTICS_SESSION")),
                ("CreatedAt", text(&stamp)),
                ("UpdatedAt", text(&stamp)),
                (TIME_TO_LIVE, number((now + SAME_VIEW).as_second())),
                ("Data", strings([])),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        let put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression(format!("attribute_not_exists(PK) OR {TIME_TO_LIVE} <= :now"))
            .expression_attribute_values(":now", number(now.as_second()));
        succeeded(put.send().await, "record a session's view")
    }

    /// Ranks a counter in the index by its new count, unless a concurrent view ranked it higher.
    async fn rank(&self, kind: ContentKind, id: &str, count: u64) -> Result<(), StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(keys::views_of(kind, id).item()))
            .update_expression("SET GSI1SK = :new")
            // A concurrently deleted counter must not be recreated.
            .condition_expression("attribute_exists(PK) AND (attribute_not_exists(GSI1SK) OR GSI1SK < :new)")
            .expression_attribute_values(":new", text(keys::rank(count)));
        match update.send().await {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(error))
                if matches!(error.err(), UpdateItemError::ConditionalCheckFailedException(_)) =>
            {
                Ok(())
            }
            Err(error) => Err(StoreError::aws("rank content by its views")(error)),
        }
    }

    pub(crate) async fn views(&self, kind: ContentKind, id: &str) -> Result<u64, StoreError> {
        Ok(count_of(&self.item(&keys::views_of(kind, id)).await?.unwrap_or_default(), VIEWS))
    }

    /// Returns the views of all content of a kind, highest first.
    pub(crate) async fn views_of_kind(&self, kind: ContentKind) -> Result<Vec<Viewed>, StoreError> {
        let items = self.read_partition(&keys::views_of_kind(kind), "list the views of a kind").await?;
        Ok(viewed(kind, &items))
    }

    /// Returns the most viewed content of a kind.
    pub(crate) async fn most_viewed(&self, kind: ContentKind, limit: usize) -> Result<Vec<Viewed>, StoreError> {
        let query = self.descending(&keys::views_of_kind(kind)).limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let page = query.send().await.map_err(StoreError::aws("list what was viewed most"))?;
        Ok(viewed(kind, &page.items.unwrap_or_default()))
    }

    pub(crate) async fn total_views(&self) -> Result<u64, StoreError> {
        Ok(count_of(&self.item(&keys::views()).await?.unwrap_or_default(), TOTAL))
    }
}

/// Converts counters, highest first: one may have grown since it was ranked.
fn viewed(kind: ContentKind, items: &[Item]) -> Vec<Viewed> {
    let before_id = format!("{}#", keys::views_of_kind(kind));
    let mut viewed: Vec<_> = items
        .iter()
        .filter_map(|item| {
            let id = text_of(item, "PK").strip_prefix(&before_id)?.to_owned();
            Some(Viewed { id, views: count_of(item, VIEWS) })
        })
        .collect();
    viewed.sort_by(|one, other| other.views.cmp(&one.views).then_with(|| one.id.cmp(&other.id)));
    viewed
}
