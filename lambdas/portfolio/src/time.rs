//! Stored and sent forms of times and dates.

use jiff::{Timestamp, civil::Date, tz::TimeZone};

/// The clock, which tests replace.
pub(crate) type Clock = fn() -> Timestamp;

/// Formats as RFC 3339 in UTC, always with milliseconds, so that strings sort like times.
pub(crate) fn text(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// Returns the day in UTC.
pub(crate) fn day(time: Timestamp) -> Date {
    time.to_zoned(TimeZone::UTC).date()
}

/// Returns the start of a day in UTC, in seconds since 1970.
pub(crate) fn midnight(day: Date) -> i64 {
    // Only dates about eight thousand years away are out of range.
    day.to_zoned(TimeZone::UTC).map_or(i64::MAX, |midnight| midnight.timestamp().as_second())
}

/// Checks for a valid date of the form `YYYY-MM-DD`.
pub(crate) fn is_date(text: &str) -> bool {
    let digits = |range: std::ops::Range<usize>| text.as_bytes()[range].iter().all(u8::is_ascii_digit);
    text.len() == 10 && text.is_ascii() && digits(0..4) && digits(5..7) && digits(8..10) && text.parse::<Date>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_sort_like_times() {
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
    fn dates_are_valid_and_complete() {
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
