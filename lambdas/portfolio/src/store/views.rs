//! Views of content: each session counts once per content and 24 hours (access patterns 15 to 18).

use aws_sdk_dynamodb::{error::SdkError, operation::update_item::UpdateItemError};
use jiff::{SignedDuration, Timestamp};
use portfolio_contract::TIME_TO_LIVE;

use super::{
    StoreError, Table,
    counter::Counter,
    item::{Item, count_of, number, strings, text, text_of},
    keys,
    visitors::{Tracked, passed},
};
use crate::{
    content::{Kind, Status},
    time,
};

/// The attribute that counts views of one piece of content.
const VIEWS: &str = "ViewCount";
/// The attribute that counts all views.
const TOTAL: &str = "TotalViews";
/// How long a session's view of some content counts as the same.
const SAME_VIEW: SignedDuration = SignedDuration::from_hours(24);

/// How often a piece of content was viewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewed {
    /// The content's id.
    pub id: String,
    /// How often.
    pub views: u64,
}

impl Table {
    /// Is this content that everybody sees?
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn is_published(&self, kind: Kind, id: &str) -> Result<bool, StoreError> {
        if !keys::is_id(id) {
            return Ok(false);
        }
        let item = self.item(&keys::content(kind, id)).await?.unwrap_or_default();
        Ok(Status::parse(text_of(&item, "Status")) == Some(Status::Published))
    }

    /// Counts a session's view of published content, unless it has been counted in the last 24 hours. None where the
    /// content has been deleted meanwhile: its counter went with it, which counting does not bring back, and without it
    /// nothing is added to the total.
    ///
    /// # Errors
    /// When the session or a counter cannot be written.
    pub async fn track_view(
        &self,
        session: &str,
        kind: Kind,
        id: &str,
        now: Timestamp,
    ) -> Result<Option<Tracked>, StoreError> {
        if !self.enter_view(session, kind, id, now).await? {
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
        // One after the other, as for visitors: what fails for one does not stop the other. A rank that is missed comes with the
        // next view; a count would not.
        let added = self.add_one(&total, &stamp).await;
        let ranked = self.rank(kind, id, count).await;
        added.and(ranked)?;
        Ok(Some(Tracked { count, tracked: true }))
    }

    /// The counter of content that is new: at zero, and not in the index until it counts something.
    pub(super) fn new_views(kind: Kind, id: &str, stamp: &str) -> Item {
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

    /// The gate: lets a session through once in 24 hours. Time to live deletes late, so the time is compared.
    async fn enter_view(&self, session: &str, kind: Kind, id: &str, now: Timestamp) -> Result<bool, StoreError> {
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
        passed(put.send().await, "enter a session's view")
    }

    /// Lets the index rank a counter by its new count, unless another has ranked it higher meanwhile.
    async fn rank(&self, kind: Kind, id: &str, count: u64) -> Result<(), StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(keys::views_of(kind, id).item()))
            .update_expression("SET GSI1SK = :new")
            // A counter that was deleted meanwhile must not come back.
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

    /// How often a piece of content was viewed.
    ///
    /// # Errors
    /// When the counter cannot be read.
    pub async fn views(&self, kind: Kind, id: &str) -> Result<u64, StoreError> {
        Ok(count_of(&self.item(&keys::views_of(kind, id)).await?.unwrap_or_default(), VIEWS))
    }

    /// How often each piece of content of a kind was viewed, most first.
    ///
    /// # Errors
    /// When the counters cannot be read.
    pub async fn views_of_kind(&self, kind: Kind) -> Result<Vec<Viewed>, StoreError> {
        let items = self.whole(&keys::views_of_kind(kind), "list the views of a kind").await?;
        Ok(viewed(kind, &items))
    }

    /// What of a kind was viewed most.
    ///
    /// # Errors
    /// When the counters cannot be read.
    pub async fn most_viewed(&self, kind: Kind, limit: usize) -> Result<Vec<Viewed>, StoreError> {
        let query = self.descending(&keys::views_of_kind(kind)).limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let page = query.send().await.map_err(StoreError::aws("list what was viewed most"))?;
        Ok(viewed(kind, &page.items.unwrap_or_default()))
    }

    /// How often anything was viewed.
    ///
    /// # Errors
    /// When the counter cannot be read.
    pub async fn total_views(&self) -> Result<u64, StoreError> {
        Ok(count_of(&self.item(&keys::views()).await?.unwrap_or_default(), TOTAL))
    }
}

/// Counters as what they count, most first: one may have grown since it was ranked.
fn viewed(kind: Kind, items: &[Item]) -> Vec<Viewed> {
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
