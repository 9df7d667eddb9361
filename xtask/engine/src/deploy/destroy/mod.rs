//! Destroys a stage: deletes the stacks in reverse order, and stateful resources on request.

mod stateful;
mod survey;

use std::time::Duration;

use model::{
    foundation,
    rendered::{RenderedStack, RenderedSystem},
};

pub use self::stateful::{StatefulKind, StatefulResource, stateful_resources};
pub(crate) use self::survey::{Survey, survey};
use super::{DeployContext, DeployError, PATIENCE, failed_to};
use crate::{
    error::one_line,
    poll::{Progress, Schedule},
};

const SCHEDULE: Schedule = Schedule::doubling(Duration::from_millis(100), Duration::from_secs(3)).within(PATIENCE);

/// What was deleted, and the first failure.
#[derive(Debug, Default)]
pub(crate) struct Destroyed {
    pub(crate) stacks: usize,
    pub(crate) resources: usize,
    /// The other failures were printed.
    pub(crate) failure: Option<DeployError>,
}

impl Destroyed {
    /// Keeps the first failure, and prints the others.
    fn fail(&mut self, error: DeployError, context: &DeployContext<'_>) {
        match &self.failure {
            None => self.failure = Some(error),
            Some(_) => context.ui.warn(one_line(&error)),
        }
    }

    /// Returns whether a system must stay: foundation, which the next run needs after a failure.
    fn keeps(&self, system: &str) -> bool {
        self.failure.is_some() && system == foundation::SYSTEM
    }
}

/// Deletes every stack of these systems, the last deployed one first, then these resources. After a failure the next run continues.
///
/// A stack that cannot be deleted keeps the other stacks of its system, which it may need. A resource that cannot be deleted keeps none.
///
/// # Errors
///
/// When a lock is lost: nothing more is deleted.
pub(crate) async fn destroy(
    context: DeployContext<'_>,
    systems: &[RenderedSystem],
    resources: &[StatefulResource],
) -> Result<Destroyed, DeployError> {
    let mut destroyed = Destroyed::default();
    for system in systems.iter().rev() {
        if destroyed.keeps(&system.name) {
            continue;
        }
        for stack in system.stacks.iter().rev() {
            match delete_stack(context, stack).await {
                Ok(existed) => destroyed.stacks += usize::from(existed),
                Err(lost @ DeployError::Lock(_)) => return Err(lost),
                Err(error) => {
                    destroyed.fail(error, &context);
                    break;
                }
            }
        }
    }
    // The stacks that remain may still use their resources.
    if destroyed.failure.is_none() {
        delete_resources(context, resources, &mut destroyed).await?;
    }
    Ok(destroyed)
}

async fn delete_stack(context: DeployContext<'_>, stack: &RenderedStack) -> Result<bool, DeployError> {
    let cloudformation = context.clients.cloudformation(stack.region.as_deref());
    let name = &stack.name;
    let failed = || failed_to("delete", name);
    if cloudformation.describe(name).await.map_err(failed())?.is_none() {
        return Ok(false);
    }
    let step = context.ui.step(format!("Delete {name}"));
    context.locks.ensure_held(&stack.system).await?;
    let _continuing = context.interruption.continuing(format!("CloudFormation continues to delete {name}"));
    cloudformation.delete(name).await.map_err(failed())?;
    let deleted = SCHEDULE.poll(async || match cloudformation.describe(name).await.map_err(failed())? {
        None => Ok(Progress::Done(())),
        Some(state) if state.status == "DELETE_FAILED" => {
            let cause = state.reason.unwrap_or_else(|| "CloudFormation gives no reason".to_owned());
            Err(DeployError::NotDeleted { stage: context.stage.to_owned(), stack: name.clone(), cause })
        }
        Some(state) => Ok(Progress::Pending(state.status)),
    });
    if let Progress::Pending(status) = deleted.await? {
        return Err(DeployError::Busy { what: name.clone(), status });
    }
    step.done("deleted");
    Ok(true)
}

/// Deletes the resources that `destroy` can delete, with their contents.
async fn delete_resources(
    context: DeployContext<'_>,
    resources: &[StatefulResource],
    destroyed: &mut Destroyed,
) -> Result<(), DeployError> {
    for resource in resources.iter().filter(|resource| resource.is_deletable()) {
        if destroyed.keeps(&resource.system) {
            continue;
        }
        let step = context.ui.step(format!("Delete {resource}"));
        context.locks.ensure_held(&resource.system).await?;
        match delete_resource(context, resource).await {
            Ok(true) => {
                step.done("deleted");
                destroyed.resources += 1;
            }
            Ok(false) => {}
            Err(error) => destroyed.fail(error, &context),
        }
    }
    Ok(())
}

async fn delete_resource(context: DeployContext<'_>, resource: &StatefulResource) -> Result<bool, DeployError> {
    let clients = context.clients;
    let deleted = match (resource.kind, &resource.id) {
        (StatefulKind::Bucket, _) => clients.s3_in(resource.region.as_deref()).delete_bucket(&resource.name).await,
        (StatefulKind::UserPool, Some(id)) => clients.cognito().delete_pool(id).await,
        // A pool without an ID could be another program's.
        (StatefulKind::UserPool | StatefulKind::Table | StatefulKind::Secret | StatefulKind::Key, _) => Ok(false),
    };
    deleted.map_err(failed_to("delete", resource.to_string()))
}
