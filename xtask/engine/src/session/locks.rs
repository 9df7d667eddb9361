//! The locks that a command holds while it changes a stage.

use std::sync::Arc;

use model::rendered::RenderedSystem;

use super::Session;
use crate::{
    aws::documents::Documents,
    error::Interrupted,
    lock::{self, Held},
};

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
        work: impl Future<Output = miette::Result<T>>,
    ) -> miette::Result<T> {
        let Some(bucket) = bucket else { return work.await };
        let ui = &self.context.ui;
        let mut interruption = self.context.interruption.subscribe();
        let locks = self.acquire(systems, command, bucket).await?;
        let result = tokio::select! {
            // An interruption and a lost lock come before the next step of the work.
            biased;
            () = interruption.interrupted() => Err(Interrupted { continuing: None }.into()),
            lost = any_lost(&locks) => Err(lost.into()),
            result = lock::holding(&locks, work) => result,
        };
        lock::release_all(locks, ui).await;
        result
    }

    async fn acquire(
        &self,
        systems: &[RenderedSystem],
        command: &str,
        bucket: String,
    ) -> miette::Result<Vec<Held<Documents>>> {
        let ui = &self.context.ui;
        let store = Arc::new(self.clients.documents(bucket));
        // Every command acquires locks in the same order, so that two commands never wait for each other.
        let mut names: Vec<_> = systems.iter().map(|system| system.name.as_str()).collect();
        names.sort_unstable();
        let mut locks = Vec::new();
        for name in names {
            let owner = (self.caller.arn.as_str(), command);
            match lock::acquire(&store, &self.stage.name, name, owner, ui).await {
                Ok(held) => locks.push(held),
                Err(error) => {
                    lock::release_all(locks, ui).await;
                    return Err(error.into());
                }
            }
        }
        Ok(locks)
    }
}

async fn any_lost(locks: &[Held<Documents>]) -> lock::LockError {
    if locks.is_empty() {
        return std::future::pending().await;
    }
    let waiting = locks.iter().map(|held| Box::pin(held.lost()));
    futures_util::future::select_all(waiting).await.0
}
