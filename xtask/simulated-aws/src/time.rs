//! Virtual time: moments since the start of a simulation, and the clock of AWS.

use std::time::Duration;

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
        let Date { year, month, day, .. } = self.date();
        let (hour, minute, second) = self.clock();
        let millis = self.0.subsec_millis();
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }

    /// The moment as HTTP headers have it: `Mon, 05 Jan 2026 00:00:00 GMT` (RFC 9110, section 5.6.7).
    #[must_use]
    pub fn http_date(self) -> String {
        const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let Date { year, month, day, days } = self.date();
        let (hour, minute, second) = self.clock();
        let (weekday, month) = (DAYS[days % 7], MONTHS[month - 1]);
        format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
    }

    const fn clock(self) -> (u64, u64, u64) {
        let seconds = self.unix_seconds() % 86_400;
        (seconds / 3600, seconds / 60 % 60, seconds % 60)
    }

    /// The date of the proleptic Gregorian calendar, by counting years and months: simulations span few of them.
    fn date(self) -> Date {
        let days = usize::try_from(self.unix_seconds() / 86_400).unwrap_or_default();
        let (mut year, mut remaining) = (1970, days);
        while remaining >= days_of(year) {
            remaining -= days_of(year);
            year += 1;
        }
        let mut month = 1;
        while remaining >= days_of_month(year, month) {
            remaining -= days_of_month(year, month);
            month += 1;
        }
        Date { year, month, day: remaining + 1, days }
    }
}

/// A date; `days` are those since 1970-01-01, a Thursday.
struct Date {
    year: usize,
    month: usize,
    day: usize,
    days: usize,
}

const fn is_leap(year: usize) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn days_of(year: usize) -> usize {
    if is_leap(year) { 366 } else { 365 }
}

const fn days_of_month(year: usize, month: usize) -> usize {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
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
