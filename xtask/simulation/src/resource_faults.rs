//! Failures of resources, as the simulated CloudFormation plans them.

use std::time::Duration;

use simulated_aws::{
    account::Account,
    cloudformation::{self, ResourceAction, ResourceEffect},
};

use crate::{
    faults::{Action, Effect, ResourceFault, TYPES},
    world::World,
};

/// How long a resource hangs.
const HANGS: Duration = Duration::from_secs(3 * 3600);

/// Plans a failure.
pub(crate) fn plan(account: &mut Account, fault: ResourceFault) {
    account.resource_faults.push(cloudformation::ResourceFault {
        stack: "*".to_owned(),
        resource: TYPES[usize::from(fault.resource) % TYPES.len()].to_owned(),
        action: match fault.action {
            Action::Create => ResourceAction::Create,
            Action::Update => ResourceAction::Update,
            Action::Delete => ResourceAction::Delete,
            Action::Rollback => ResourceAction::Rollback,
        },
        effect: match fault.effect {
            Effect::Fails => ResourceEffect::Fails("a simulated failure".to_owned()),
            Effect::Takes(minutes) => ResourceEffect::Takes(Duration::from_secs(60 * u64::from(minutes))),
            // Longer than the engine waits, and not forever: CloudFormation gives every resource up at some time.
            Effect::Hangs => ResourceEffect::Takes(HANGS),
        },
    });
}

/// Removes all planned failures that have not happened.
pub(crate) fn clear(world: &World) {
    world.aws.change(|account| account.resource_faults.clear());
}
