//! Windows: the items `RATE#<user>#<second>`.

use std::time::{Duration, Instant};

use analyticbot_contract::{limits::RATE_WAIT_SECONDS, tables::TTL};
use jiff::Timestamp;
use tables::Change;

use super::{LimitError, Limits, key};

/// The calls of a window.
const COUNT: &str = "n";
/// The age at which a window's item expires, in seconds.
const KEPT_SECONDS: i64 = 120;
/// The longest time that a call waits for a window.
const LONGEST_WAIT: Duration = Duration::from_secs(RATE_WAIT_SECONDS);

impl Limits {
    /// Counts a call in the window of the present second, or of one of the next three.
    ///
    /// # Errors
    /// When all these windows are full, or when DynamoDB fails.
    pub async fn admit(&self, user_id: u64, per_second: u32) -> Result<(), LimitError> {
        let started = Instant::now();
        loop {
            let now = Timestamp::now();
            if self.count(user_id, now.as_second(), per_second).await? {
                return Ok(());
            }
            let pause = pause(Timestamp::now());
            if started.elapsed() + pause > LONGEST_WAIT {
                return Err(LimitError::RateLimited);
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Counts a call unless the window is full. DynamoDB checks and adds in one step, so windows never exceed their limit.
    async fn count(&self, user_id: u64, second: i64, per_second: u32) -> Result<bool, LimitError> {
        let change = Change::new()
            .set(TTL, second + KEPT_SECONDS)
            .add(COUNT, 1)
            .when(|at| format!("{} OR {}", at.absent(COUNT), at.compare(COUNT, "<", per_second)));
        let window = key(&format!("RATE#{user_id}#{second}"));
        Ok(self.database.update(&self.table, window, change).await?.is_some())
    }
}

/// Returns the time until the next second begins: more than zero, and at most a second.
fn pause(now: Timestamp) -> Duration {
    let into_second = u64::try_from(now.subsec_nanosecond().rem_euclid(1_000_000_000)).unwrap_or(0);
    Duration::from_nanos(1_000_000_000 - into_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_waits_until_the_next_second_begins() {
        let cases = [("12:00:00", 1_000_000_000), ("12:00:00.25", 750_000_000), ("12:00:00.999999999", 1)];
        for (time, nanoseconds) in cases {
            let now: Timestamp = format!("2026-01-31T{time}Z").parse().expect("a time");
            assert_eq!(pause(now), Duration::from_nanos(nanoseconds), "{time}");
        }
    }
}
