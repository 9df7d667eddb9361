//! Retries of contended writes, after random pauses, because concurrent writers would collide again.

use std::time::{Duration, Instant};

/// The most attempts. Four, as specified, are too few for twenty concurrent writers.
pub(crate) const MOST: u32 = 12;
/// No attempt starts later: the function has 30 s, and an alarm reports requests of 10 s.
const PATIENCE: Duration = Duration::from_secs(8);
/// The longest pause before the second attempt. It doubles before each further one, up to [`LONGEST`].
const PAUSE: Duration = Duration::from_millis(25);
const LONGEST: Duration = Duration::from_millis(500);

/// The attempts of one change.
#[derive(Debug)]
pub(super) struct Attempts {
    began: Instant,
    made: u32,
}

impl Attempts {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), made: 0 }
    }

    /// Waits, and returns whether another attempt is allowed.
    pub(super) async fn next(&mut self) -> bool {
        let Some(longest) = longest(self.made, self.began.elapsed()) else { return false };
        tokio::time::sleep(longest.mul_f64(fastrand::f64())).await;
        self.made += 1;
        true
    }
}

/// Returns the longest pause before the next attempt; `None` if there must be no other.
fn longest(made: u32, elapsed: Duration) -> Option<Duration> {
    let Some(doublings) = made.checked_sub(1) else { return Some(Duration::ZERO) };
    (made < MOST && elapsed < PATIENCE).then(|| (PAUSE * (1 << doublings)).min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let pauses: Vec<_> = (0..).map_while(|made| longest(made, Duration::ZERO)).collect();
        let milliseconds: Vec<_> = pauses.iter().map(Duration::as_millis).collect();
        assert_eq!(milliseconds, [0, 25, 50, 100, 200, 400, 500, 500, 500, 500, 500, 500]);
        assert!(pauses.iter().sum::<Duration>() < PATIENCE);
        assert_eq!(longest(1, PATIENCE), None);
    }
}
