//! Repeats a check until it is done, with pauses that double and a time limit.

use std::{convert::Infallible, time::Duration};

use backon::{BackoffBuilder, ExponentialBuilder, Retryable, Sleeper};
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
        self.poll_by(tokio::time::sleep, || started.elapsed(), check).await
    }

    async fn poll_by<T, P, E>(
        &self,
        sleep: impl Sleeper,
        elapsed: impl Fn() -> Duration,
        check: impl AsyncFn() -> Result<Progress<T, P>, E>,
    ) -> Result<Progress<T, P>, E> {
        // `backon` repeats what is an error.
        let attempt = || async {
            match check().await {
                Ok(Progress::Done(done)) => Ok(done),
                Ok(Progress::Pending(pending)) => Err(Ok(pending)),
                Err(error) => Err(Err(error)),
            }
        };
        let is_repeated = |reason: &Result<P, E>| reason.is_ok() && elapsed() < self.limit;
        match attempt.retry(self.backoff()).when(is_repeated).sleep(sleep).await {
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
    use std::{cell::Cell, rc::Rc};

    use futures_util::FutureExt;

    use super::*;

    const SCHEDULE: Schedule =
        Schedule::doubling(Duration::from_secs(1), Duration::from_secs(4)).within(Duration::from_secs(10));

    /// Polls in virtual time; returns the result and the seconds that passed.
    fn polled<T, E>(check: impl AsyncFn(u32) -> Result<Progress<T, u32>, E>) -> (Result<Progress<T, u32>, E>, u64) {
        let (clock, count) = (Rc::new(Cell::new(Duration::ZERO)), Cell::new(0));
        let sleep = {
            let clock = Rc::clone(&clock);
            move |pause| {
                clock.set(clock.get() + pause);
                std::future::ready(())
            }
        };
        let counted = async || {
            count.set(count.get() + 1);
            check(count.get()).await
        };
        let polling = SCHEDULE.poll_by(sleep, || clock.get(), counted);
        let result = polling.now_or_never().expect("no real time passes");
        (result, clock.get().as_secs())
    }

    #[test]
    fn a_check_is_repeated_until_it_is_done_or_fails() {
        let third =
            async |check| Ok::<_, ()>(if check == 3 { Progress::Done("ready") } else { Progress::Pending(check) });
        assert_eq!(polled(third), (Ok(Progress::Done("ready")), 1 + 2));
        let failing = async |check| if check == 2 { Err("refused") } else { Ok(Progress::<(), _>::Pending(check)) };
        assert_eq!(polled(failing), (Err("refused"), 1));
    }

    #[test]
    fn the_last_check_is_the_first_at_the_limit() {
        let pending = async |check| Ok::<_, ()>(Progress::<(), _>::Pending(check));
        // At 0, 1, 3, 7 and 11 seconds.
        assert_eq!(polled(pending), (Ok(Progress::Pending(5)), 11));
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let schedule = Schedule::doubling(Duration::from_millis(100), Duration::from_secs(1));
        let pauses: Vec<_> = schedule.pauses().take(6).map(|pause| pause.as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1000, 1000]);
        let equal: Vec<_> = Schedule::every(Duration::from_millis(50)).pauses().take(2).collect();
        assert_eq!(equal, [Duration::from_millis(50); 2]);
    }
}
