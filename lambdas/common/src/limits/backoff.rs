//! The pauses after failed attempts to sign in to an account from one address.
//!
//! They are longer than a Cognito user pool's own lockout, which starts at the fifth failure with one second, doubles, and ends
//! after 15 minutes without attempts (Cognito developer guide, "Lockout behavior for failed sign-in attempts"). Therefore one
//! client can cause that lockout, which holds for everyone, for half a minute in all.

use super::Refused;

/// The attempts without a pause.
const FREE: u32 = 4;
/// The pause after the last of them, in seconds. It doubles with each further failure, up to [`LONGEST`].
const FIRST_PAUSE: i64 = 30;
/// An hour.
const LONGEST: i64 = 3600;
/// The time after a pause during which its failures count, in seconds.
const MEMORY: i64 = 3600;

/// The failed attempts of an account from one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failures {
    pub(super) count: u32,
    /// The time of the next allowed attempt, in seconds since 1970.
    pub(super) retry_at: i64,
}

impl Failures {
    /// Adds an attempt that is made now.
    pub(super) fn add(before: Option<Self>, now: i64) -> Result<Self, Refused> {
        let earlier = match before {
            Some(failures) if now < failures.retry_at => return Err(Refused::until(failures.retry_at, now)),
            Some(failures) if now < failures.expires() => failures.count,
            // Time to live deletes items late.
            _ => 0,
        };
        let count = earlier.saturating_add(1);
        Ok(Self { count, retry_at: now.saturating_add(pause(count)) })
    }

    /// What remains of a first attempt that was no failure.
    pub(super) const fn forgiven(self) -> Self {
        Self { count: 0, ..self }
    }

    /// When the failures no longer count.
    pub(super) const fn expires(self) -> i64 {
        self.retry_at.saturating_add(MEMORY)
    }
}

/// Returns the pause after this many failures, in seconds.
fn pause(count: u32) -> i64 {
    let Some(doublings) = count.checked_sub(FREE) else { return 0 };
    FIRST_PAUSE.checked_shl(doublings).filter(|pause| (1..LONGEST).contains(pause)).unwrap_or(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_after_four_attempts() {
        let pauses: Vec<_> = (1..=13).map(pause).collect();
        assert_eq!(pauses, [0, 0, 0, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
        assert_eq!([60, 63, 64, 68, 200, u32::MAX].map(pause), [LONGEST; 6]);
    }

    #[test]
    fn attempts_within_a_pause_are_refused_and_do_not_extend_it() {
        let mut failures = None;
        for _ in 0..FREE {
            failures = Some(Failures::add(failures, 1000).expect("free"));
        }
        assert_eq!(failures, Some(Failures { count: 4, retry_at: 1030 }));
        assert_eq!(Failures::add(failures, 1000), Err(Refused { seconds: 30 }));
        assert_eq!(Failures::add(failures, 1029), Err(Refused { seconds: 1 }));
        assert_eq!(Failures::add(failures, 1030), Ok(Failures { count: 5, retry_at: 1090 }));
    }

    #[test]
    fn failures_are_forgotten_an_hour_after_their_pause() {
        let failures = Some(Failures { count: 9, retry_at: 1000 });
        assert_eq!(Failures::add(failures, 4599).map(|failures| failures.count), Ok(10));
        assert_eq!(Failures::add(failures, 4600), Ok(Failures { count: 1, retry_at: 4600 }));
    }

    #[test]
    fn a_forgiven_attempt_neither_counts_nor_pauses() {
        let first = Failures::add(None, 1000).expect("free");
        assert_eq!(Failures::add(Some(first.forgiven()), 1000), Ok(first));
    }

    #[test]
    fn one_client_causes_less_than_a_minute_of_the_pools_lockout_in_an_hour() {
        let (mut now, mut failures, mut locked, mut of_pool) = (0, None, 0, 0u32);
        let mut last = 0;
        while now < 3600 {
            failures = Some(Failures::add(failures, now).expect("after the pause"));
            // The pool forgets after 15 minutes without attempts.
            of_pool = if now - last >= 900 { 1 } else { of_pool + 1 };
            locked += of_pool.checked_sub(5).map_or(0, |doublings| 1_i64 << doublings);
            (last, now) = (now, failures.map_or(0, |failures| failures.retry_at));
        }
        assert!(locked < 60, "{locked}");
    }
}
