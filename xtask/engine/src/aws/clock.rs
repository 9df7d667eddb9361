//! The clock of AWS, for times that are compared with AWS's own: a machine's clock may be minutes off.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime},
};

use aws_smithy_types::{DateTime, date_time::Format};

use crate::surroundings;

/// A difference of the clocks that may come from the time of a call, and from dates that have whole seconds.
const TOLERANCE: i64 = 5;

/// How many seconds AWS's clock is ahead of the machine's, by the date of the last response. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct AwsClock(Arc<AtomicI64>);

impl AwsClock {
    /// Compares the clocks by a response's `Date`, whose format is that of HTTP (RFC 9110, section 5.6.7).
    pub(super) fn note(&self, date: &str) {
        let Ok(date) = DateTime::from_str(date, Format::HttpDate) else { return };
        let ahead = date.secs() - DateTime::from(surroundings::now()).secs();
        self.0.store(if ahead.abs() <= TOLERANCE { 0 } else { ahead }, Ordering::Relaxed);
    }

    /// Returns the time that AWS has now.
    pub(super) fn now(&self) -> SystemTime {
        let ahead = self.0.load(Ordering::Relaxed);
        let by = Duration::from_secs(ahead.unsigned_abs());
        if ahead < 0 { surroundings::now() - by } else { surroundings::now() + by }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_aws_is_that_of_its_responses() {
        let clock = AwsClock::default();
        let difference = |clock: &AwsClock| {
            let (own, aws) = (DateTime::from(surroundings::now()), DateTime::from(clock.now()));
            aws.secs() - own.secs()
        };
        let date_in = |seconds: i64| {
            let now = DateTime::from(surroundings::now());
            DateTime::from_secs(now.secs() + seconds).fmt(Format::HttpDate).expect("a date")
        };
        for (ahead, expected) in [(200, 200), (-200, -200), (2, 0), (-3, 0)] {
            clock.note(&date_in(ahead));
            assert!((difference(&clock) - expected).abs() <= 1, "{ahead}: {}", difference(&clock));
        }
        clock.note(&date_in(100));
        clock.note("yesterday");
        assert!((difference(&clock) - 100).abs() <= 1);
    }
}
