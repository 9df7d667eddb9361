//! Visitors: each session is counted once a day (access patterns 12, 13 and 14).

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

/// The attribute with the number of visitors.
const COUNT: &str = "VisitorCount";

/// A visit, as reported by the site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Visit<'a> {
    pub(crate) session: &'a str,
    pub(crate) page: Option<&'a str>,
    pub(crate) referrer: Option<&'a str>,
}

/// The result of counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tracked {
    pub(crate) count: u64,
    /// Whether this request was counted.
    pub(crate) tracked: bool,
}

impl Table {
    /// Counts a visit, unless its session was counted today (UTC).
    pub(crate) async fn track_visitor(&self, visit: Visit<'_>, now: Timestamp) -> Result<Tracked, StoreError> {
        if !self.record_visitor(visit, now).await? {
            let (count, _) = self.visitor_count().await?;
            return Ok(Tracked { count, tracked: false });
        }
        let today = time::day(now);
        let now = time::text(now);
        let counter = |key, entity| Counter { key, attribute: COUNT, entity, partition: None, made: false };
        let day = counter(keys::visitors_of_day(today), "VISITOR_DAILY");
        let month = counter(keys::visitors_of_month(&month(today)), "VISITOR_MONTHLY");
        let total = counter(keys::visitors(), "VISITOR_TOTAL");
        // Sequential, on the connection that was just used for the session: a count is sent only once, and an idle connection
        // may be closed. A failure of one does not stop the others.
        let count = self.add_one(&total, &now).await;
        let others = [self.add_one(&day, &now).await, self.add_one(&month, &now).await];
        others.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(Tracked { count: count?.unwrap_or_default(), tracked: true })
    }

    /// Records a session's visit. Returns whether it is the first today, even with concurrent requests.
    async fn record_visitor(&self, visit: Visit<'_>, now: Timestamp) -> Result<bool, StoreError> {
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
            // An earlier day, not just another one: around midnight, a request of yesterday may arrive after one of today.
            .condition_expression("attribute_not_exists(PK) OR #data.lastTrackedDate < :today")
            .expression_attribute_names("#data", "Data")
            .expression_attribute_values(":today", text(today.to_string()));
        succeeded(put.send().await, "record a visitor's session")
    }

    /// Returns the number of visitors, and the time of the last one.
    pub(crate) async fn visitor_count(&self) -> Result<(u64, Option<String>), StoreError> {
        let item = self.item(&keys::visitors()).await?.unwrap_or_default();
        let updated = Some(text_of(&item, "UpdatedAt").to_owned()).filter(|time| !time.is_empty());
        Ok((count_of(&item, COUNT), updated))
    }

    /// Returns the visitors of each day.
    pub(crate) async fn visitors_by_day(&self, days: &[Date]) -> Result<Vec<u64>, StoreError> {
        self.visitors_by(days.iter().map(|day| keys::visitors_of_day(*day)).collect()).await
    }

    /// Returns the visitors of each month: `YYYY-MM`.
    pub(crate) async fn visitors_by_month(&self, months: &[String]) -> Result<Vec<u64>, StoreError> {
        self.visitors_by(months.iter().map(|month| keys::visitors_of_month(month)).collect()).await
    }

    async fn visitors_by(&self, keys: Vec<Key>) -> Result<Vec<u64>, StoreError> {
        let found = self.batch(&keys, "read the visitors' counters").await?;
        Ok(keys.iter().map(|key| found.get(&key.partition).map_or(0, |item| count_of(item, COUNT))).collect())
    }
}

/// Returns a day's month: `YYYY-MM`.
pub(crate) fn month(day: Date) -> String {
    day.strftime("%Y-%m").to_string()
}

/// Returns whether a conditional write succeeded.
pub(super) fn succeeded<T, R>(
    result: Result<T, SdkError<PutItemError, R>>,
    what: &'static str,
) -> Result<bool, StoreError>
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
