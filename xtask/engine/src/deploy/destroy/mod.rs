//! Destroys a stage: deletes the stacks in reverse order, and stateful resources on request.

mod stateful;
mod survey;

use model::{
    foundation,
    rendered::{RenderedStack, RenderedSystem},
    stage::Deployment,
};

pub use self::stateful::{StatefulKind, StatefulResource, stateful_resources};
pub(crate) use self::survey::{Survey, survey};
use super::{DeployContext, DeployError, Operation, failed_to};
use crate::error::one_line;

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
    deletion: Deployment,
    systems: &[RenderedSystem],
    resources: &[StatefulResource],
) -> Result<Destroyed, DeployError> {
    let mut destroyed = Destroyed::default();
    for system in systems.iter().rev() {
        if destroyed.keeps(&system.name) {
            continue;
        }
        for stack in system.stacks.iter().rev() {
            match delete_stack(context, deletion, stack).await {
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

async fn delete_stack(
    context: DeployContext<'_>,
    deletion: Deployment,
    stack: &RenderedStack,
) -> Result<bool, DeployError> {
    let name = &stack.name;
    let cloudformation = context.clients.cloudformation(stack.region.as_deref());
    let Some(state) = cloudformation.describe(name).await.map_err(failed_to("delete", name))? else { return Ok(false) };
    let step = context.ui.step(format!("Delete {name}"));
    let _continuing = context.interruption.continuing(format!("CloudFormation continues to delete {name}"));
    match (carry_out(context, deletion, stack, &state.id).await, deletion) {
        // It may need resources of an earlier stack whose deletion is still in progress.
        (Err(DeployError::NotDeleted { .. }), Deployment::Express) => {
            step.detail("again, in standard mode");
            carry_out(context, Deployment::Standard, stack, &state.id).await?;
        }
        (deleted, _) => deleted?,
    }
    match deletion {
        Deployment::Standard => step.done("deleted"),
        Deployment::Express => step.done("deleted; AWS may still be deleting its resources"),
    }
    Ok(true)
}

/// Deletes the stack with this ID, and waits until CloudFormation has completed that.
async fn carry_out(
    context: DeployContext<'_>,
    deletion: Deployment,
    stack: &RenderedStack,
    id: &str,
) -> Result<(), DeployError> {
    let (name, region) = (&stack.name, stack.region.as_deref());
    let cloudformation = context.clients.cloudformation(region);
    let operation = Operation::about_to_start(&cloudformation, name).await.map_err(failed_to("delete", name))?;
    context.locks.ensure_held(&stack.system).await?;
    cloudformation.delete(id, deletion).await.map_err(failed_to("delete", name))?;
    match operation.deleting_id(id).wait_alone(region, name, context.clients).await {
        Ok(Some(state)) if state.id == id => {
            let cause = state.reason.unwrap_or_else(|| format!("it is in {}, without a reason", state.status));
            Err(DeployError::NotDeleted { stage: context.stage.to_owned(), stack: name.clone(), cause })
        }
        // It is gone, or its name is that of another stack.
        Ok(_) => Ok(()),
        Err(DeployError::Aws { source, .. }) => Err(failed_to("delete", name)(source)),
        Err(error) => Err(error),
    }
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use model::example::{Example, FEEDS};

    use super::*;
    use crate::{
        aws::scripted::{Endpoint, Received},
        interruption::Interruption,
        lock::HeldLocks,
        ui::Ui,
    };

    const OPERATIONS: [&str; 3] = ["DeleteStack", "DescribeStackEvents", "DescribeStacks"];

    fn answer(operation: &str, result: &str) -> (u16, String) {
        (200, format!("<{operation}Response><{operation}Result>{result}</{operation}Result></{operation}Response>"))
    }

    /// A stack whose deletion fails so often. A status is seen in progress before it is final.
    async fn failing(failures: usize) -> Endpoint {
        let (deletions, looks) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Endpoint::serve(move |request: &Received| {
            let operation = OPERATIONS.into_iter().find(|operation| request.is(operation)).expect("a known call");
            let count = deletions.load(Ordering::SeqCst);
            let status = match operation {
                "DeleteStack" => {
                    deletions.fetch_add(1, Ordering::SeqCst);
                    looks.store(0, Ordering::SeqCst);
                    return answer(operation, "");
                }
                "DescribeStackEvents" => return answer(operation, ""),
                _ if count == 0 => "UPDATE_COMPLETE",
                _ if looks.fetch_add(1, Ordering::SeqCst) == 0 => "DELETE_IN_PROGRESS",
                _ if count > failures => "DELETE_COMPLETE",
                _ => "DELETE_FAILED",
            };
            let reason = "<StackStatusReason>a certificate is in use</StackStatusReason>";
            let stack = format!(
                "<StackName>s</StackName><StackId>arn:stack</StackId><StackStatus>{status}</StackStatus>{reason}"
            );
            answer(operation, &format!("<Stacks><member>{stack}</member></Stacks>"))
        })
        .await
    }

    /// Deletes the stack; returns the modes of the requests.
    async fn deleted(deletion: Deployment, failures: usize) -> (Result<bool, DeployError>, Vec<Option<String>>) {
        let endpoint = failing(failures).await;
        let systems = Example::systems(&Example::stage_named("dev"));
        let system = systems.into_iter().find(|system| system.name == FEEDS).expect("the system");
        let (clients, locks, interruption, ui) =
            (endpoint.clients().await, HeldLocks::none(), Interruption::default(), Ui::new());
        let context = DeployContext {
            stage: "dev",
            clients: &clients,
            locks: &locks,
            protects: false,
            deployment: Deployment::Standard,
            on_change: &|_| {},
            interruption: &interruption,
            ui: &ui,
        };
        let result = delete_stack(context, deletion, &system.stacks[0]).await;
        let requests = endpoint.received().into_iter().filter(|request| request.is("DeleteStack"));
        let mode = |request: Received| {
            let mut form = url::form_urlencoded::parse(request.body.as_bytes());
            form.find_map(|(key, value)| (key == "DeploymentConfig.Mode").then(|| value.into_owned()))
        };
        (result, requests.map(mode).collect())
    }

    #[tokio::test]
    async fn the_request_for_a_deletion_names_express_mode() {
        let (result, modes) = deleted(Deployment::Express, 0).await;
        assert!(result.expect("deleted"));
        assert_eq!(modes, [Some("EXPRESS".to_owned())]);
        let (result, modes) = deleted(Deployment::Standard, 0).await;
        assert!(result.expect("deleted"));
        assert_eq!(modes, [None]);
    }

    #[tokio::test]
    async fn a_deletion_that_fails_in_express_mode_is_repeated_once_in_standard_mode() {
        let (result, modes) = deleted(Deployment::Express, 1).await;
        assert!(result.expect("deleted"));
        assert_eq!(modes, [Some("EXPRESS".to_owned()), None]);
        for (deletion, requests) in [(Deployment::Express, 2), (Deployment::Standard, 1)] {
            let (result, modes) = deleted(deletion, usize::MAX).await;
            let error = result.expect_err("not deleted");
            assert!(
                matches!(&error, DeployError::NotDeleted { cause, .. } if cause == "a certificate is in use"),
                "{error}"
            );
            assert_eq!(modes.len(), requests, "{deletion:?}");
        }
    }
}
