//! Visitors.

use axum::{Json, extract::State, http::HeaderMap, response::Response};
use common::{ApiError, SourceAddress};
use jiff::{Span, ToSpan, civil::Date};

use super::with_session_cookie;
use crate::{
    answers::{
        DailyTrends, DailyVisitors, Days, MonthlyTrends, MonthlyVisitors, Months, TrackVisitor, TrackedVisitor,
        VisitorCount,
    },
    app::Shared,
    input::{OptionalBody, Query},
    session::Session,
    store::visitors::{Visit, month},
    time,
};

/// Counts a visitor, once per session and day.
pub(crate) async fn track(
    State(app): Shared,
    SourceAddress(address): SourceAddress,
    headers: HeaderMap,
    OptionalBody(body): OptionalBody<TrackVisitor>,
) -> Result<Response, ApiError> {
    let now = app.now();
    let session = Session::of(&app, body.session_id, &headers, &address, now).await?;
    let visit = Visit { session: &session.id, page: body.page_path.as_deref(), referrer: body.referrer.as_deref() };
    let tracked = app.table().track_visitor(visit, now).await?;
    let session_id = session.id.clone();
    let answer = TrackedVisitor { count: tracked.count, tracked: tracked.tracked, session_id };
    Ok(with_session_cookie(&session, Json(answer)))
}

/// The number of visitors.
pub(crate) async fn count(State(app): Shared) -> Result<Json<VisitorCount>, ApiError> {
    let (count, last_updated) = app.table().visitor_count().await?;
    Ok(Json(VisitorCount { count, last_updated }))
}

/// Visitors per day.
pub(crate) async fn daily(
    State(app): Shared,
    Query(Days { days }): Query<Days>,
) -> Result<Json<DailyTrends>, ApiError> {
    let days = last_days(time::day(app.now()), days);
    let counts = app.table().visitors_by_day(&days).await?;
    let trends = days.iter().zip(counts).map(|(day, visitors)| DailyVisitors {
        date: day.strftime("%b %d").to_string(),
        visitors,
        iso_date: day.to_string(),
    });
    Ok(Json(DailyTrends { trends: trends.collect() }))
}

/// Visitors per month.
pub(crate) async fn monthly(
    State(app): Shared,
    Query(Months { months }): Query<Months>,
) -> Result<Json<MonthlyTrends>, ApiError> {
    let days = last_months(time::day(app.now()), months);
    let names: Vec<_> = days.iter().map(|day| month(*day)).collect();
    let counts = app.table().visitors_by_month(&names).await?;
    let trends = days.iter().zip(names).zip(counts).map(|((day, iso_month), visitors)| MonthlyVisitors {
        month: day.strftime("%b").to_string(),
        visitors,
        iso_month,
    });
    Ok(Json(MonthlyTrends { trends: trends.collect() }))
}

/// Returns the last days, including `today`, oldest first.
pub(super) fn last_days(today: Date, days: u16) -> Vec<Date> {
    last(today, days, |ago| ago.days())
}

/// Returns a day in each of the last months, including that of `today`, oldest first.
fn last_months(today: Date, months: u16) -> Vec<Date> {
    // Every month has a first day.
    last(today.first_of_month(), months, |ago| ago.months())
}

fn last(end: Date, count: u16, ago: impl Fn(i64) -> Span) -> Vec<Date> {
    (0..i64::from(count)).rev().map(|steps| end.saturating_sub(ago(steps))).collect()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn days_end_today_and_cross_months() {
        let days: Vec<_> = last_days(date(2024, 3, 1), 3).iter().map(ToString::to_string).collect();
        assert_eq!(days, ["2024-02-28", "2024-02-29", "2024-03-01"]);
        assert_eq!(last_days(date(2024, 3, 1), 1), [date(2024, 3, 1)]);
    }

    #[test]
    fn no_month_is_skipped_on_the_thirty_first() {
        let months: Vec<_> = last_months(date(2024, 3, 31), 4).into_iter().map(month).collect();
        assert_eq!(months, ["2023-12", "2024-01", "2024-02", "2024-03"]);
    }
}
