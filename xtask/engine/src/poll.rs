//! Repeats a check until it is done, with pauses that double and a time limit.
//!
//! The time is tokio's, so a test with a paused clock waits for nothing.

use std::{convert::Infallible, time::Duration};

use backon::{BackoffBuilder, ExponentialBuilder, Retryable};
use tokio::time::Instant;

/// The pauses between checks, and for how long checks are repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    first: Duration,
    longest: Duration,
    limit: Duration,
}

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress<T, P> {
    /// There is nothing more to wait for.
    Done(T),
    /// The check must be repeated; holds what it saw.
    Pending(P),
}

impl Schedule {
    /// Pauses that double from `first` to `longest`, without a limit.
    #[must_use]
    pub const fn doubling(first: Duration, longest: Duration) -> Self {
        Self { first, longest, limit: Duration::MAX }
    }

    /// Equal pauses, without a limit.
    #[must_use]
    pub const fn every(pause: Duration) -> Self {
        Self::doubling(pause, pause)
    }

    /// The same pauses, with a limit. A check always runs once.
    #[must_use]
    pub const fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// The pauses, for a loop that does more than to repeat a check. They never end.
    pub fn pauses(&self) -> impl Iterator<Item = Duration> + use<> {
        self.backoff().build()
    }

    /// Repeats a check until it is done, fails, or is still pending at the limit.
    ///
    /// # Errors
    ///
    /// The first error of the check.
    pub async fn poll<T, P, E>(&self, check: impl AsyncFn() -> Result<Progress<T, P>, E>) -> Result<Progress<T, P>, E> {
        let started = Instant::now();
        // `backon` repeats what is an error.
        let attempt = || async {
            match check().await {
                Ok(Progress::Done(done)) => Ok(done),
                Ok(Progress::Pending(pending)) => Err(Ok(pending)),
                Err(error) => Err(Err(error)),
            }
        };
        let is_repeated = |reason: &Result<P, E>| reason.is_ok() && started.elapsed() < self.limit;
        match attempt.retry(self.backoff()).when(is_repeated).sleep(tokio::time::sleep).await {
            Ok(done) => Ok(Progress::Done(done)),
            Err(Ok(pending)) => Ok(Progress::Pending(pending)),
            Err(Err(error)) => Err(error),
        }
    }

    /// Repeats a check until it holds; returns whether it did before the limit.
    pub async fn until(&self, check: impl AsyncFn() -> bool) -> bool {
        let check =
            async || Ok::<_, Infallible>(if check().await { Progress::Done(()) } else { Progress::Pending(()) });
        let Ok(progress) = self.poll(check).await;
        progress == Progress::Done(())
    }

    const fn backoff(&self) -> ExponentialBuilder {
        ExponentialBuilder::new().with_min_delay(self.first).with_max_delay(self.longest).without_max_times()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let schedule = Schedule::doubling(Duration::from_millis(100), Duration::from_secs(1));
        let pauses: Vec<_> = schedule.pauses().take(6).map(|pause| pause.as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1000, 1000]);
        let equal: Vec<_> = Schedule::every(Duration::from_millis(50)).pauses().take(2).collect();
        assert_eq!(equal, [Duration::from_millis(50); 2]);
    }
}
