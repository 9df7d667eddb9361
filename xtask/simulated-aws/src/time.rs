//! Virtual time: moments since the start of a simulation, and the clock of AWS.

use std::time::Duration;

use aws_smithy_types::{DateTime, date_time::Format};

/// The wall clock of AWS when a simulation starts: 2026-01-05, 00:00:00 UTC, a Monday.
pub const START: u64 = 1_767_571_200;

/// A moment of a simulation: the virtual time since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(Duration);

impl Moment {
    /// The moment so long after the start.
    #[must_use]
    pub const fn after_start(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// The time since the start.
    #[must_use]
    pub const fn elapsed(self) -> Duration {
        self.0
    }

    /// The moment so much later.
    #[must_use]
    pub const fn plus(self, time: Duration) -> Self {
        Self(self.0.saturating_add(time))
    }

    /// The moment so much earlier; at the earliest, the start.
    #[must_use]
    pub const fn minus(self, time: Duration) -> Self {
        Self(self.0.saturating_sub(time))
    }

    /// The time since an earlier moment; zero if that is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// Seconds since 1970 by AWS's clock.
    #[must_use]
    pub const fn unix_seconds(self) -> u64 {
        START + self.0.as_secs()
    }

    /// The moment at these seconds since 1970; the start if they are earlier.
    #[must_use]
    pub const fn at_unix_seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds.saturating_sub(START)))
    }

    /// The moment as the APIs print it in XML and JSON: `2026-01-05T00:00:00.000Z`.
    #[must_use]
    pub fn iso8601(self) -> String {
        let seconds = self.printed(Format::DateTime);
        format!("{}.{:03}Z", seconds.trim_end_matches('Z'), self.0.subsec_millis())
    }

    /// The moment as HTTP headers have it: `Mon, 05 Jan 2026 00:00:00 GMT` (RFC 9110, section 5.6.7).
    #[must_use]
    pub fn http_date(self) -> String {
        self.printed(Format::HttpDate)
    }

    /// Prints whole seconds. Every moment of a simulation is in the range of the formats, which ends with the year 9999.
    fn printed(self, format: Format) -> String {
        let seconds = i64::try_from(self.unix_seconds()).unwrap_or(i64::MAX);
        DateTime::from_secs(seconds).fmt(format).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_printed_in_both_forms() {
        let start = Moment::default();
        assert_eq!(start.iso8601(), "2026-01-05T00:00:00.000Z");
        assert_eq!(start.http_date(), "Mon, 05 Jan 2026 00:00:00 GMT");
        let later = start.plus(Duration::from_millis(((31 + 28 + 31) * 86_400 + 3_661) * 1000 + 7));
        assert_eq!(later.iso8601(), "2026-04-05T01:01:01.007Z");
        assert_eq!(later.http_date(), "Sun, 05 Apr 2026 01:01:01 GMT");
        assert_eq!(Moment::at_unix_seconds(later.unix_seconds()).unix_seconds(), later.unix_seconds());
    }
}
