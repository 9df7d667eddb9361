//! Trying again what others got before: after pauses of random length, since those who met once would meet again.

use std::time::{Duration, Instant};

/// How often a change is tried that others keep changing too. The specification's three more are too few for twenty at
/// once.
pub(crate) const MOST: u32 = 12;
/// No attempt begins later than this: the function has 30 s, and CloudWatch warns of requests that take 10 s.
const PATIENCE: Duration = Duration::from_secs(8);
/// The longest pause before the second attempt; doubled before each further one ...
const PAUSE: Duration = Duration::from_millis(25);
/// ... up to this.
const LONGEST: Duration = Duration::from_millis(500);

/// The attempts at one change.
#[derive(Debug)]
pub(super) struct Attempts {
    began: Instant,
    made: u32,
}

impl Attempts {
    /// None has been made.
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), made: 0 }
    }

    /// Lets others finish, and says whether there is another attempt.
    pub(super) async fn another(&mut self) -> bool {
        let Some(longest) = longest(self.made, self.began.elapsed()) else { return false };
        tokio::time::sleep(longest.mul_f64(fastrand::f64())).await;
        self.made += 1;
        true
    }
}

/// How long to wait at most before an attempt when so many were made in so much time. None: not at all any more.
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
