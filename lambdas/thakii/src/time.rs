//! Times as texts: RFC 3339 in UTC with milliseconds, so that texts sort by time.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

pub(crate) fn now() -> String {
    text(Timestamp::now())
}

/// `2026-01-31T12:00:00.000Z`.
pub(crate) fn text(time: Timestamp) -> String {
    format!("{time:.3}")
}

/// Checks for a text as [`text`] writes it.
pub(crate) fn is_text(other: &str) -> bool {
    other.parse().is_ok_and(|time| text(time) == other)
}

/// `2026-01-31 12:00:00`: the format of upload dates in the front end.
pub(crate) fn upload_date(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `12:00:00`.
pub(crate) fn time_of_day(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC).strftime("%H:%M:%S").to_string()
}

/// Returns the text of `time` minus some seconds.
pub(crate) fn text_before(time: Timestamp, seconds: i64) -> String {
    text(time.checked_sub(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::UNIX_EPOCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_milliseconds_and_sort_by_time() {
        let whole: Timestamp = "2026-01-31T12:00:00Z".parse().expect("a time");
        let later: Timestamp = "2026-01-31T12:00:00.0429Z".parse().expect("a time");
        assert_eq!(text(whole), "2026-01-31T12:00:00.000Z");
        assert_eq!(text(later), "2026-01-31T12:00:00.042Z");
        assert!(text(whole) < text(later));
        assert_eq!(text_before(whole, 300), "2026-01-31T11:55:00.000Z");
    }

    #[test]
    fn dates_and_times_are_in_utc() {
        let time: Timestamp = "2026-01-31T23:30:05+02:00".parse().expect("a time");
        assert_eq!(upload_date(time), "2026-01-31 21:30:05");
        assert_eq!(time_of_day(time), "21:30:05");
    }
}
