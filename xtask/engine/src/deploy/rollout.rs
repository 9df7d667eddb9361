//! Deploys stacks in the order of their dependencies, independent ones in parallel.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream::FuturesUnordered};
use plan::{Plan, PlannedStack, observed::ObservedStack};

use super::{DeployContext, DeployError, Deployed, Guard, parameters::no_stack, poller::Poller, stack::Deployment};

/// What the stacks of one rollout share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rollout<'a> {
    pub(super) context: DeployContext<'a>,
    pub(super) poller: &'a Poller<'a>,
    /// The stacks that the plan was made from, by name.
    pub(super) known: &'a BTreeMap<String, ObservedStack>,
    pub(super) plan: &'a Plan,
    /// The artifact bucket, once foundation is deployed.
    pub(super) bucket: Option<&'a str>,
}

impl Rollout<'_> {
    /// Deploys each stack as soon as the stacks that it takes values from are done.
    ///
    /// After a failure no further stack is started, and the ones in progress are waited for.
    pub(super) async fn deploy(
        self,
        stacks: Vec<&PlannedStack>,
        guard: Guard<'_>,
        deployed: &mut Deployed,
    ) -> Result<(), DeployError> {
        self.poller.during(self.deploy_in_order(stacks, guard, deployed)).await
    }

    async fn deploy_in_order(
        self,
        stacks: Vec<&PlannedStack>,
        guard: Guard<'_>,
        deployed: &mut Deployed,
    ) -> Result<(), DeployError> {
        let planned: BTreeSet<_> = stacks.iter().map(|stack| stack.name.clone()).collect();
        let mut waiting = stacks;
        let mut running = FuturesUnordered::new();
        let mut failure = None;
        loop {
            if failure.is_none() {
                let (ready, later): (Vec<_>, Vec<_>) =
                    waiting.into_iter().partition(|stack| is_ready(stack, &planned, deployed));
                waiting = later;
                for stack in ready {
                    let outputs = deployed.outputs.clone();
                    running.push(async move { (stack, Deployment::new(self, stack, &outputs).deploy(guard).await) });
                }
            }
            match running.next().await {
                Some((stack, Ok(done))) => {
                    deployed.outputs.insert(stack.name.clone(), done.outputs);
                    deployed.stacks.insert(stack.name.clone(), done.action);
                }
                Some((_, Err(error))) => failure = Some(failure.unwrap_or_else(|| explained(error, deployed))),
                None => {
                    let stage = self.context.stage;
                    let failure = failure.or_else(|| waiting.first().map(|stack| never_ready(stage, stack, deployed)));
                    return failure.map_or(Ok(()), Err);
                }
            }
        }
    }
}

/// Returns whether the stacks that a stack takes values from are done. The earlier outputs of a planned stack do not count, because
/// its deployment may change them.
fn is_ready(stack: &PlannedStack, planned: &BTreeSet<String>, deployed: &Deployed) -> bool {
    stack.depends_on.iter().all(|needed| {
        deployed.stacks.contains_key(needed) || !planned.contains(needed) && deployed.outputs.contains_key(needed)
    })
}

/// The error of a stack that takes a value from a stack that is neither deployed nor planned.
fn never_ready(stage: &str, stack: &PlannedStack, deployed: &Deployed) -> DeployError {
    let missing = stack.depends_on.iter().find(|needed| !deployed.outputs.contains_key(*needed));
    no_stack(stage, stack, missing.map_or("", String::as_str))
}

/// A missing output of a stack that this run has deployed is not missing because that stack was left out.
fn explained(error: DeployError, deployed: &Deployed) -> DeployError {
    match error {
        DeployError::NoOutput { stack, owner, output, .. } if deployed.stacks.contains_key(&owner) => {
            DeployError::OutputNotMade { stack, owner, output }
        }
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::Done;

    #[test]
    fn an_output_that_this_run_did_not_make_is_no_reason_to_deploy_more() {
        let missing = || DeployError::NoOutput {
            stack: "notes-api-dev".to_owned(),
            owner: "notes-data-dev".to_owned(),
            output: "TableName".to_owned(),
            command: "cargo xtask deploy --stage dev --system notes".to_owned(),
        };
        let earlier = explained(missing(), &Deployed::default()).to_string();
        assert!(earlier.contains("is deployed without it"), "{earlier}");
        let stacks = [("notes-data-dev".to_owned(), Done::Update)].into();
        let deployed = Deployed { stacks, ..Deployed::default() };
        let now = explained(missing(), &deployed).to_string();
        assert!(now.contains("which this run deployed without that output"), "{now}");
    }
}
