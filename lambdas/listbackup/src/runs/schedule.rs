//! When scheduled jobs run, in UTC.

use jiff::{Span, Timestamp, civil::DateTime, tz::TimeZone};

use crate::shared::{
    rows::job::{Interval, Schedule},
    time,
};

/// Returns the first time after `after` at which a job is due, as text; `None` for manual jobs.
///
/// Omitted parts count as midnight, as Sunday, and as the first of the month. A day that a month lacks is its last day.
#[must_use]
pub fn next(schedule: &Schedule, after: Timestamp) -> Option<String> {
    let now = after.to_zoned(TimeZone::UTC).datetime();
    let minute = i8::try_from(schedule.minute.unwrap_or(0)).ok()?;
    let hour = i8::try_from(schedule.hour.unwrap_or(0)).ok()?;
    let candidates: [Option<DateTime>; 2] = match schedule.interval {
        Interval::Manual => return None,
        Interval::Hourly => {
            let this = now.date().at(now.hour(), minute, 0, 0);
            [Some(this), this.checked_add(Span::new().hours(1)).ok()]
        }
        Interval::Daily => {
            let this = now.date().at(hour, minute, 0, 0);
            [Some(this), this.checked_add(Span::new().days(1)).ok()]
        }
        Interval::Weekly => {
            let wanted = i32::from(schedule.day.unwrap_or(0) % 7);
            let today = i32::from(now.date().weekday().to_sunday_zero_offset());
            let ahead = (wanted - today).rem_euclid(7);
            let this = now.date().at(hour, minute, 0, 0).checked_add(Span::new().days(ahead)).ok()?;
            [Some(this), this.checked_add(Span::new().days(7)).ok()]
        }
        Interval::Monthly => {
            let day = i8::try_from(schedule.day.unwrap_or(1).clamp(1, 31)).ok()?;
            let on_day = |months: i64| {
                let month = now.date().first_of_month().checked_add(Span::new().months(months)).ok()?;
                let date = month.with().day(day.min(month.days_in_month())).build().ok()?;
                Some(date.at(hour, minute, 0, 0))
            };
            [on_day(0), on_day(1)]
        }
    };
    let due = candidates.into_iter().flatten().find(|candidate| *candidate > now)?;
    Some(time::text(due.to_zoned(TimeZone::UTC).ok()?.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(interval: Interval, hour: Option<u8>, minute: Option<u8>, day: Option<u8>) -> Schedule {
        Schedule { interval, hour, minute, day }
    }

    #[test]
    fn the_next_time_is_after_the_present() {
        // A Saturday.
        let now: Timestamp = "2026-01-31T12:30:00Z".parse().expect("a time");
        for (schedule, expected) in [
            (schedule(Interval::Manual, Some(1), None, None), None),
            (schedule(Interval::Hourly, None, Some(45), None), Some("2026-01-31T12:45:00.000Z")),
            (schedule(Interval::Hourly, None, Some(30), None), Some("2026-01-31T13:30:00.000Z")),
            (schedule(Interval::Daily, Some(13), Some(5), None), Some("2026-01-31T13:05:00.000Z")),
            (schedule(Interval::Daily, None, None, None), Some("2026-02-01T00:00:00.000Z")),
            (schedule(Interval::Weekly, Some(12), Some(0), Some(6)), Some("2026-02-07T12:00:00.000Z")),
            (schedule(Interval::Weekly, Some(3), None, Some(1)), Some("2026-02-02T03:00:00.000Z")),
            (schedule(Interval::Monthly, Some(1), None, Some(31)), Some("2026-02-28T01:00:00.000Z")),
            (schedule(Interval::Monthly, Some(23), None, Some(31)), Some("2026-01-31T23:00:00.000Z")),
            (schedule(Interval::Monthly, None, None, None), Some("2026-02-01T00:00:00.000Z")),
        ] {
            assert_eq!(next(&schedule, now).as_deref(), expected, "{schedule:?}");
        }
    }
}
