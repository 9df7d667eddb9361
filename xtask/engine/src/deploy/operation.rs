//! Waits for the end of an operation on a stack: one rule for deploys and repairs.
//!
//! Right after a call, CloudFormation may still report the earlier state. So a final state only counts after the stack was seen in
//! progress, or with a new event of the same state, or if a stack that is being deleted is gone. A stack that the caller does not delete
//! counts as gone only after no read has shown it for a while.

use std::collections::BTreeSet;

use ::plan::states;
use tokio::time::Instant;

use super::{DeployError, PATIENCE, VISIBLE_WITHIN, error::aws, poller::Poller};
use crate::aws::{
    AwsError, Clients,
    cloudformation::{CloudFormation, Event, StackState},
};

/// The resource type of a stack's own events.
const STACK: &str = "AWS::CloudFormation::Stack";
/// The state of a stack that has a change set and is not created yet.
pub(super) const EMPTY: &str = "REVIEW_IN_PROGRESS";

/// An operation on a stack.
#[derive(Debug, Default)]
pub(crate) struct Operation {
    /// The IDs of earlier events.
    earlier: BTreeSet<String>,
    was_in_progress: bool,
    is_deletion: bool,
    /// The ID of the stack that is deleted, if it is known: a later stack of the same name is none of the operation.
    deleted: Option<String>,
    /// When reads began not to show the stack.
    missing_since: Option<Instant>,
}

impl Operation {
    /// An operation that is in progress already, so that the reported state cannot be an earlier one.
    pub(crate) fn in_progress() -> Self {
        Self { was_in_progress: true, ..Self::default() }
    }

    /// An operation that the caller is about to start. The newest page of events has the earlier ones.
    pub(crate) async fn about_to_start(cloudformation: &CloudFormation, stack: &str) -> Result<Self, AwsError> {
        let events = cloudformation.events(stack, |_| true).await?;
        let earlier = events.into_iter().map(|event| event.id).collect();
        Ok(Self { earlier, ..Self::default() })
    }

    /// The same operation as a deletion of the stack.
    pub(crate) fn deleting(self) -> Self {
        Self { is_deletion: true, ..self }
    }

    /// The same operation as a deletion of the stack with this ID.
    pub(crate) fn deleting_id(self, id: &str) -> Self {
        Self { is_deletion: true, deleted: Some(id.to_owned()), ..self }
    }

    /// The IDs of earlier events.
    pub(super) fn earlier(&self) -> &BTreeSet<String> {
        &self.earlier
    }

    /// Returns whether the operation has ended, by the stack's state and its latest events.
    fn has_ended(&mut self, state: Option<&StackState>, events: &[Event]) -> bool {
        let Some(state) = state else {
            let since = self.missing_since.get_or_insert_with(Instant::now);
            return self.is_deletion || self.was_in_progress && since.elapsed() > VISIBLE_WITHIN;
        };
        self.missing_since = None;
        if self.deleted.as_ref().is_some_and(|deleted| *deleted != state.id) {
            return true;
        }
        if states::stack(&state.status).repair.is_transient() {
            self.was_in_progress = true;
            return false;
        }
        let ended = |event: &&Event| event.resource_type == STACK && event.status == state.status;
        let ended = events.iter().filter(ended).any(|event| !self.earlier.contains(&event.id));
        state.status != EMPTY && (self.was_in_progress || ended)
    }

    /// Waits for the end and reports each new event; returns the stack's state, `None` if it is gone. The caller runs the poller
    /// meanwhile.
    pub(super) async fn wait(
        &mut self,
        region: Option<&str>,
        stack: &str,
        poller: &Poller<'_>,
        report: impl Fn(&Event),
    ) -> Result<Option<StackState>, DeployError> {
        let started = Instant::now();
        let mut reported = self.earlier.clone();
        let mut watch = poller.watch(region, stack);
        loop {
            let now = watch.next().await.map_err(aws(stack))?;
            now.events.iter().rev().filter(|event| reported.insert(event.id.clone())).for_each(&report);
            if self.has_ended(now.state.as_ref(), &now.events) {
                return Ok(now.state);
            }
            if started.elapsed() > PATIENCE {
                let status = now.state.map_or_else(|| "not created".to_owned(), |state| state.status);
                return Err(DeployError::Busy { what: stack.to_owned(), status });
            }
        }
    }

    /// Waits for the end with a poller of its own.
    pub(crate) async fn wait_alone(
        mut self,
        region: Option<&str>,
        stack: &str,
        clients: &Clients,
    ) -> Result<Option<StackState>, DeployError> {
        let poller = Poller::new(clients);
        poller.during(self.wait(region, stack, &poller, |_| ())).await
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_deletion_of_a_stack_has_ended_when_its_name_is_that_of_another() {
        let state = |id: &str| StackState {
            id: id.to_owned(),
            status: "CREATE_COMPLETE".to_owned(),
            reason: None,
            parameters: BTreeMap::new(),
            template_hash: None,
            outputs: BTreeMap::new(),
            tags: BTreeMap::new(),
            is_protected: false,
            is_express: false,
        };
        let mut deletion = Operation::default().deleting_id("first");
        assert!(!deletion.has_ended(Some(&state("first")), &[]));
        assert!(deletion.has_ended(Some(&state("second")), &[]));
        assert!(deletion.has_ended(None, &[]));
    }
}
