//! The time ranges of requests.

use jiff::{SignedDuration, Timestamp};

use crate::{
    requests::invalid,
    shared::{envelope::Problem, time},
};

/// A range that ends now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    /// The name in requests.
    pub(super) name: &'static str,
    days: i64,
    now: Timestamp,
}

impl Range {
    /// Parses a range; the default is 30 days.
    pub(super) fn parse(text: Option<&str>, now: Timestamp) -> Result<Self, Problem> {
        let known = [("24h", 1), ("7d", 7), ("30d", 30), ("90d", 90)];
        let text = text.unwrap_or("30d");
        let found = known.into_iter().find(|(name, _)| *name == text);
        let (name, days) = found.ok_or_else(|| invalid("timeRange", "must be 24h, 7d, 30d or 90d"))?;
        Ok(Self { name, days, now })
    }

    /// The beginning.
    pub(super) fn start(&self) -> Timestamp {
        self.now.checked_sub(SignedDuration::from_hours(24 * self.days)).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// The days that the range touches, in UTC: `2026-01-31`.
    pub(super) fn days(&self) -> Vec<String> {
        (0..=self.days)
            .filter_map(|day| self.start().checked_add(SignedDuration::from_hours(24 * day)).ok())
            .map(date)
            .collect()
    }
}

/// The day of a time, in UTC.
pub(super) fn date(time: Timestamp) -> String {
    time::text(time)[..10].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_ends_today() {
        let now = "2026-03-01T10:00:00Z".parse().expect("a time");
        let range = Range::parse(Some("7d"), now).expect("a range");
        let days = range.days();
        assert_eq!((days.len(), days[0].as_str(), days[7].as_str()), (8, "2026-02-22", "2026-03-01"));
        assert_eq!(Range::parse(Some("24h"), now).expect("a range").days(), ["2026-02-28", "2026-03-01"]);
        assert_eq!(Range::parse(None, now).expect("a range").name, "30d");
        for other in ["", "1h", "30D", "365d"] {
            assert_eq!(Range::parse(Some(other), now).expect_err("no range").status.as_u16(), 400, "{other}");
        }
    }
}
