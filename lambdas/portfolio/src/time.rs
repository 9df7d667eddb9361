//! Times and dates as they are stored and sent.

use jiff::{Timestamp, civil::Date, tz::TimeZone};

/// Where the time comes from; tests bring their own.
pub type Clock = fn() -> Timestamp;

/// RFC 3339 in UTC, always with milliseconds, so that texts sort like times.
#[must_use]
pub fn text(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// The day in UTC.
#[must_use]
pub fn day(time: Timestamp) -> Date {
    time.to_zoned(TimeZone::UTC).date()
}

/// The first moment of a day in UTC, in seconds since 1970.
#[must_use]
pub fn midnight(day: Date) -> i64 {
    // Only dates some eight thousand years away have no such moment.
    day.to_zoned(TimeZone::UTC).map_or(i64::MAX, |midnight| midnight.timestamp().as_second())
}

/// Is this a day of the calendar, spelled `YYYY-MM-DD`?
#[must_use]
pub fn is_date(text: &str) -> bool {
    let digits = |range: std::ops::Range<usize>| text.as_bytes()[range].iter().all(u8::is_ascii_digit);
    text.len() == 10 && text.is_ascii() && digits(0..4) && digits(5..7) && digits(8..10) && text.parse::<Date>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_sort_like_times() {
        let texts = [0, 1, 999, 1000].map(|ms| text(Timestamp::from_millisecond(ms).expect("in range")));
        assert_eq!(
            texts,
            [
                "1970-01-01T00:00:00.000Z",
                "1970-01-01T00:00:00.001Z",
                "1970-01-01T00:00:00.999Z",
                "1970-01-01T00:00:01.000Z"
            ]
        );
    }

    #[test]
    fn dates_are_of_the_calendar_and_fully_spelled() {
        for good in ["2024-02-29", "1999-12-31"] {
            assert!(is_date(good), "{good}");
        }
        for bad in ["2023-02-29", "2024-13-01", "20240101", "2024-1-1", "2024-01-01T00:00", "", "2024/01/01", "äöüßä"]
        {
            assert!(!is_date(bad), "{bad}");
        }
    }

    #[test]
    fn midnight_is_in_utc() {
        let day = day("2024-03-15T23:59:59Z".parse().expect("a time"));
        assert_eq!(day.to_string(), "2024-03-15");
        assert_eq!(midnight(day), 1_710_460_800);
    }
}
