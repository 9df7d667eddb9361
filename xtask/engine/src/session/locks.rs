//! The locks that a command holds while it changes a stage.

use std::sync::Arc;

use model::rendered::RenderedSystem;

use super::Session;
use crate::{
    aws::documents::Documents,
    error::{Interrupted, Signal},
    interruption::{Interruption, Subscription},
    lock::{HeldLocks, Requester},
    store::Store,
};

/// The locks that work needs.
#[derive(Debug)]
pub(crate) struct Locking<'a> {
    /// The systems, one lock each.
    pub(crate) systems: &'a [RenderedSystem],
    /// The command that the run executes.
    pub(crate) command: &'a str,
    /// The artifact bucket.
    pub(crate) bucket: Option<String>,
}

impl Session {
    /// Runs `work` while the lock of each system is held. Stops when a lock is lost or the user interrupts.
    ///
    /// Without an artifact bucket there are no locks. Only a first deploy works without one, and of two first deploys,
    /// CloudFormation lets only one create each stack.
    pub(crate) async fn locked<T>(
        &self,
        systems: &[RenderedSystem],
        command: &str,
        bucket: Option<String>,
        work: impl AsyncFnOnce(&HeldLocks<Documents>) -> miette::Result<T>,
    ) -> miette::Result<T> {
        let locking = Locking { systems, command, bucket };
        self.locked_and_restored(locking, work, std::future::ready(())).await
    }

    /// Does the same as [`Self::locked`], and awaits `restore` before the locks are released: also after an interruption or a lost lock, which
    /// drop the work.
    pub(crate) async fn locked_and_restored<T>(
        &self,
        locking: Locking<'_>,
        work: impl AsyncFnOnce(&HeldLocks<Documents>) -> miette::Result<T>,
        restore: impl Future<Output = ()>,
    ) -> miette::Result<T> {
        let Locking { systems, command, bucket } = locking;
        let Some(bucket) = bucket else {
            let result = work(&HeldLocks::none()).await;
            restore.await;
            return result;
        };
        let ui = &self.context.ui;
        let store = Arc::new(self.clients.documents(bucket));
        let names: Vec<_> = systems.iter().map(|system| system.name.as_str()).collect();
        let requester = Requester { stage: &self.stage.name, identity: &self.caller.arn, command };
        let mut interruption = self.context.interruption.subscribe();
        let locks = HeldLocks::acquire(&store, &names, requester, ui).await?;
        let result = while_held(&locks, &self.context.interruption, &mut interruption, work(&locks)).await;
        restore.await;
        locks.release(ui).await;
        result
    }
}

/// Runs `work` until it ends, a lock is lost or the user interrupts.
async fn while_held<S: Store + 'static, T>(
    locks: &HeldLocks<S>,
    interruption: &Interruption,
    subscription: &mut Subscription,
    work: impl Future<Output = miette::Result<T>>,
) -> miette::Result<T> {
    // Pinned here, because the registered work must be read before the work is dropped.
    let mut work = std::pin::pin!(work);
    tokio::select! {
        // An interruption and a lost lock come before the next step of the work.
        biased;
        // The run reports the signal itself.
        () = subscription.interrupted() => Err(Interrupted { signal: Signal::Interrupt, continuing: None }.into()),
        lost = locks.lost() => Err(lost.with_continuing(interruption.registered()).into()),
        result = &mut work => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{lock::break_lock, store::memory::Memory, ui::Ui};

    #[tokio::test]
    async fn a_run_that_lost_its_lock_names_the_operations_that_continue() {
        let store = Arc::new(Memory::default());
        let requester = Requester { stage: "dev", identity: "somebody", command: "deploy" };
        let locks = HeldLocks::acquire(&store, &["notes"], requester, &Ui::new()).await.expect("free");
        let interruption = Interruption::default();
        let mut subscription = interruption.subscribe();
        let work = async {
            let _continuing = interruption.continuing("CloudFormation continues to deploy notes-api-dev".to_owned());
            break_lock(&*store, "notes").await.expect("broken");
            locks.ensure_held("notes").await.expect_err("lost");
            std::future::pending::<miette::Result<()>>().await
        };
        let error = while_held(&locks, &interruption, &mut subscription, work).await.expect_err("lost").to_string();
        let expected = "this run lost the lock of notes: it was broken; completed changes remain, and no further change was \
                        started; CloudFormation continues to deploy notes-api-dev";
        assert_eq!(error, expected);
        assert_eq!(interruption.registered(), None);
    }
}
