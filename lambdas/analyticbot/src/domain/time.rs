//! Times as texts: RFC 3339 in UTC with milliseconds, so that texts sort by time.

use jiff::Timestamp;

/// Returns a time as text: `2026-01-31T12:00:00.000Z`.
#[must_use]
pub fn text(time: Timestamp) -> String {
    format!("{time:.3}")
}

/// Returns the day of a time: `2026-01-31`.
#[must_use]
pub fn day(time: Timestamp) -> String {
    text(time).chars().take(10).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_milliseconds_and_days_have_none() {
        let time = Timestamp::from_millisecond(1_769_860_800_007).expect("a time");
        assert_eq!([text(time), day(time)], ["2026-01-31T12:00:00.007Z", "2026-01-31"]);
        assert_eq!(text(Timestamp::UNIX_EPOCH), "1970-01-01T00:00:00.000Z");
    }
}
