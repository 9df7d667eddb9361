//! Visitors: each session counts once a day (access patterns 12, 13 and 14).

use aws_sdk_dynamodb::{error::SdkError, operation::put_item::PutItemError};
use jiff::{Timestamp, ToSpan, civil::Date};
use portfolio_contract::TIME_TO_LIVE;
use serde_json::json;

use super::{
    StoreError, Table,
    counter::Counter,
    item::{attribute, count_of, number, text, text_of},
    keys::{self, Key},
};
use crate::time;

/// The attribute that counts visitors.
const COUNT: &str = "VisitorCount";

/// A visit as the site tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visit<'a> {
    /// Whose it is.
    pub session: &'a str,
    /// Where on the site.
    pub page: Option<&'a str>,
    /// Where from.
    pub referrer: Option<&'a str>,
}

/// A count, and whether it has just grown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tracked {
    /// The count.
    pub count: u64,
    /// Has this request been counted?
    pub tracked: bool,
}

impl Table {
    /// Counts a visit, unless its session has been counted today (UTC).
    ///
    /// # Errors
    /// When the session or a counter cannot be written.
    pub async fn track_visitor(&self, visit: Visit<'_>, now: Timestamp) -> Result<Tracked, StoreError> {
        if !self.enter_visitor(visit, now).await? {
            let (count, _) = self.visitor_count().await?;
            return Ok(Tracked { count, tracked: false });
        }
        let today = time::day(now);
        let now = time::text(now);
        let counter = |key, entity| Counter { key, attribute: COUNT, entity, partition: None, made: false };
        let day = counter(keys::visitors_of_day(today), "VISITOR_DAILY");
        let month = counter(keys::visitors_of_month(&month(today)), "VISITOR_MONTHLY");
        let total = counter(keys::visitors(), "VISITOR_TOTAL");
        // One after the other, on the connection that has just carried the session: a count is sent once only, and a connection
        // that lay idle may be closed. What fails for one does not stop the others.
        let count = self.add_one(&total, &now).await;
        let others = [self.add_one(&day, &now).await, self.add_one(&month, &now).await];
        others.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(Tracked { count: count?.unwrap_or_default(), tracked: true })
    }

    /// The gate: lets a session through once a day, however many requests of it come at once.
    async fn enter_visitor(&self, visit: Visit<'_>, now: Timestamp) -> Result<bool, StoreError> {
        let today = time::day(now);
        let expires = time::midnight(today.saturating_add(2.days()));
        let stamp = time::text(now);
        let mut item = keys::visitor_session(visit.session).item();
        let fields = json!({
            "lastTrackedDate": today.to_string(),
            "pagePath": visit.page,
            "referrer": visit.referrer,
        });
        item.extend(
            [
                ("EntityType", text("VISITOR_SESSION")),
                ("CreatedAt", text(&stamp)),
                ("UpdatedAt", text(&stamp)),
                (TIME_TO_LIVE, number(expires)),
                ("Data", attribute(fields)?),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        let put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item))
            // Not merely another day: around midnight a request of yesterday may come after one of today.
            .condition_expression("attribute_not_exists(PK) OR #data.lastTrackedDate < :today")
            .expression_attribute_names("#data", "Data")
            .expression_attribute_values(":today", text(today.to_string()));
        passed(put.send().await, "enter a visitor's session")
    }

    /// How many visitors there were, and when the last one came.
    ///
    /// # Errors
    /// When the counter cannot be read.
    pub async fn visitor_count(&self) -> Result<(u64, Option<String>), StoreError> {
        let item = self.item(&keys::visitors()).await?.unwrap_or_default();
        let updated = Some(text_of(&item, "UpdatedAt").to_owned()).filter(|time| !time.is_empty());
        Ok((count_of(&item, COUNT), updated))
    }

    /// Visitors of each of the days.
    ///
    /// # Errors
    /// When the counters cannot be read.
    pub async fn visitors_by_day(&self, days: &[Date]) -> Result<Vec<u64>, StoreError> {
        self.visitors_by(days.iter().map(|day| keys::visitors_of_day(*day)).collect()).await
    }

    /// Visitors of each of the months: `YYYY-MM`.
    ///
    /// # Errors
    /// When the counters cannot be read.
    pub async fn visitors_by_month(&self, months: &[String]) -> Result<Vec<u64>, StoreError> {
        self.visitors_by(months.iter().map(|month| keys::visitors_of_month(month)).collect()).await
    }

    async fn visitors_by(&self, keys: Vec<Key>) -> Result<Vec<u64>, StoreError> {
        let found = self.batch(&keys, "read the visitors' counters").await?;
        Ok(keys.iter().map(|key| found.get(&key.partition).map_or(0, |item| count_of(item, COUNT))).collect())
    }
}

/// A day's month: `YYYY-MM`.
#[must_use]
pub fn month(day: Date) -> String {
    day.strftime("%Y-%m").to_string()
}

/// Did a conditional write go through?
pub(super) fn passed<T, R>(result: Result<T, SdkError<PutItemError, R>>, what: &'static str) -> Result<bool, StoreError>
where
    R: std::fmt::Debug + Send + Sync + 'static,
{
    match result {
        Ok(_) => Ok(true),
        Err(SdkError::ServiceError(error))
            if matches!(error.err(), PutItemError::ConditionalCheckFailedException(_)) =>
        {
            Ok(false)
        }
        Err(error) => Err(StoreError::aws(what)(error)),
    }
}
