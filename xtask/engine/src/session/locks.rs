//! The locks that a command holds while it changes a stage.

use std::sync::Arc;

use model::rendered::RenderedSystem;

use super::Session;
use crate::{
    aws::documents::Documents,
    error::Interrupted,
    lock::{HeldLocks, Requester},
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
        work: impl AsyncFnOnce(&HeldLocks<Documents>) -> miette::Result<T>,
    ) -> miette::Result<T> {
        let Some(bucket) = bucket else { return work(&HeldLocks::none()).await };
        let ui = &self.context.ui;
        let store = Arc::new(self.clients.documents(bucket));
        let names: Vec<_> = systems.iter().map(|system| system.name.as_str()).collect();
        let requester = Requester { stage: &self.stage.name, identity: &self.caller.arn, command };
        let mut interruption = self.context.interruption.subscribe();
        let locks = HeldLocks::acquire(&store, &names, requester, ui).await?;
        let result = tokio::select! {
            // An interruption and a lost lock come before the next step of the work.
            biased;
            () = interruption.interrupted() => Err(Interrupted { continuing: None }.into()),
            lost = locks.lost() => Err(lost.into()),
            result = work(&locks) => result,
        };
        locks.release(ui).await;
        result
    }
}
