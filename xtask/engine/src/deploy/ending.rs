//! When what was begun with a stack is over: one rule for deploys and repairs.
//!
//! CloudFormation may still tell what was there before, right after it has taken a call. So an end counts only once the stack was
//! seen at work, or a new event says the same, or the stack that is being deleted is gone.

use std::{collections::BTreeSet, time::Instant};

use ::plan::states;

use super::{DeployError, PATIENCE, aws, poller::Poller};
use crate::aws::{
    AwsError, Clients,
    cloudformation::{CloudFormation, Event, StackState},
};

/// What events of a stack itself are of.
const STACK: &str = "AWS::CloudFormation::Stack";
/// A stack that a change set was made for and that is not created yet.
const EMPTY: &str = "REVIEW_IN_PROGRESS";

/// What is known of a stack about something that was begun with it.
#[derive(Debug)]
pub(crate) struct Ending {
    /// The events that were there before.
    seen: BTreeSet<String>,
    begun: bool,
    is_deletion: bool,
}

impl Ending {
    /// For what somebody else has begun: whatever is told of it now is not older than that.
    pub(crate) fn of_others() -> Self {
        Self { seen: BTreeSet::new(), begun: true, is_deletion: false }
    }

    /// For what the caller is about to begin. The newest page of events says what was there before.
    pub(crate) async fn before(cloudformation: &CloudFormation, stack: &str) -> Result<Self, AwsError> {
        let events = cloudformation.events(stack, |_| true).await?;
        Ok(Self { seen: events.into_iter().map(|event| event.id).collect(), begun: false, is_deletion: false })
    }

    /// What is begun is the stack's deletion.
    pub(crate) fn of_deletion(self) -> Self {
        Self { is_deletion: true, ..self }
    }

    /// The events that were there before.
    pub(super) fn seen(&self) -> &BTreeSet<String> {
        &self.seen
    }

    /// Is it over, with the stack in this state and these its latest events?
    fn is_over(&mut self, state: Option<&StackState>, events: &[Event]) -> bool {
        let Some(state) = state else { return self.begun || self.is_deletion };
        if states::stack(&state.status).repair.is_transient() {
            self.begun = true;
            return false;
        }
        let ended = |event: &&Event| event.resource_type == STACK && event.status == state.status;
        let ended = events.iter().filter(ended).any(|event| !self.seen.contains(&event.id));
        state.status != EMPTY && (self.begun || ended)
    }

    /// Waits for the end, and tells every new event; the stack as it is then, `None` when it is gone. Somebody must run the poller
    /// meanwhile.
    pub(super) async fn wait(
        &mut self,
        region: Option<&str>,
        stack: &str,
        poller: &Poller<'_>,
        tell: impl Fn(&Event),
    ) -> Result<Option<StackState>, DeployError> {
        let started = Instant::now();
        let mut told = self.seen.clone();
        let mut watch = poller.watch(region, stack);
        loop {
            let now = watch.next().await.map_err(aws(stack))?;
            now.events.iter().rev().filter(|event| told.insert(event.id.clone())).for_each(&tell);
            if self.is_over(now.state.as_ref(), &now.events) {
                return Ok(now.state);
            }
            if started.elapsed() > PATIENCE {
                let status = now.state.map_or_else(|| "not there".to_owned(), |state| state.status);
                return Err(DeployError::Busy { what: stack.to_owned(), status });
            }
        }
    }

    /// Waits for the end of one stack alone.
    pub(crate) async fn alone(
        mut self,
        region: Option<&str>,
        stack: &str,
        clients: &Clients,
    ) -> Result<Option<StackState>, DeployError> {
        let poller = Poller::new(clients);
        poller.during(self.wait(region, stack, &poller, |_| ())).await
    }
}
