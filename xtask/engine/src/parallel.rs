//! Runs one step for many items at once. The rate limits of AWS's APIs (`aws/limits.rs`) bound the calls of all of them together.

use futures_util::{StreamExt, stream::FuturesUnordered};

/// How many items are worked on at once: enough to use up the rate limits, and few enough for a local cloud, which starts a process for
/// each probed function.
const AT_ONCE: usize = 12;

/// Runs all futures, at most [`AT_ONCE`] at once; returns their values in the given order.
///
/// After a failure no further one is started, and the ones in progress are awaited: none is cut off between two calls.
///
/// # Errors
///
/// The first failure.
pub(crate) async fn each<T, E>(
    work: impl IntoIterator<Item = impl Future<Output = Result<T, E>>>,
) -> Result<Vec<T>, E> {
    let mut waiting = work.into_iter().enumerate();
    let mut running = FuturesUnordered::new();
    let (mut done, mut failure) = (Vec::new(), None);
    loop {
        while failure.is_none() && running.len() < AT_ONCE {
            let Some((index, future)) = waiting.next() else { break };
            running.push(async move { (index, future.await) });
        }
        match running.next().await {
            Some((index, Ok(value))) => done.push((index, value)),
            Some((_, Err(error))) => failure = Some(failure.unwrap_or(error)),
            None => break,
        }
    }
    done.sort_unstable_by_key(|(index, _)| *index);
    failure.map_or_else(|| Ok(done.into_iter().map(|(_, value)| value).collect()), Err)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn thirty_one_items_are_worked_on_twelve_at_once_and_keep_their_order() {
        let (running, most) = (Cell::new(0), Cell::new(0));
        let work = (0..31).map(|number| {
            let (running, most) = (&running, &most);
            async move {
                running.set(running.get() + 1);
                most.set(running.get().max(most.get()));
                tokio::task::yield_now().await;
                running.set(running.get() - 1);
                Ok::<_, ()>(number)
            }
        });
        assert_eq!(each(work).await, Ok((0..31).collect()));
        assert_eq!(most.get(), AT_ONCE);
    }

    #[tokio::test]
    async fn after_a_failure_none_is_started_and_those_in_progress_end() {
        let (started, ended, gate) = (Cell::new(0), Cell::new(0), Semaphore::new(0));
        let work = (0..31).map(|number| {
            let (started, ended, gate) = (&started, &ended, &gate);
            async move {
                started.set(started.get() + 1);
                if number == 3 {
                    gate.add_permits(AT_ONCE);
                    return Err(number);
                }
                let _permit = gate.acquire().await.expect("an open gate");
                ended.set(ended.get() + 1);
                Ok(number)
            }
        });
        assert_eq!(each(work).await, Err(3));
        assert_eq!((started.get(), ended.get()), (AT_ONCE, AT_ONCE - 1));
    }
}
