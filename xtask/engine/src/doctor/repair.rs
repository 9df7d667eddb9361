//! Repairs a problem. No repair deletes a stack that ever worked, except one whose deletion already failed.

use std::collections::BTreeSet;

use model::stage::Deployment;

use super::{Ailment, AilmentKind, Repair, meaning, states};
use crate::{
    aws::{
        AwsError, Clients,
        cloudformation::{CloudFormation, StackState},
        documents::Documents,
        lambda::{Routing, is_outdated},
    },
    deploy::{self, DeployError, Operation, StackPlace, failed_to, observe::LIVE},
    lock::HeldLocks,
    ui::Ui,
};

/// The resources, as `<stack>/<logical ID>`, and stacks that options of the command name.
#[derive(Debug, Clone, Default)]
pub(crate) struct RepairOptions {
    /// Resources that are not rolled back.
    pub(crate) skip: BTreeSet<String>,
    /// Resources that are not deleted.
    pub(crate) retain: BTreeSet<String>,
    /// Stacks whose update is cancelled.
    pub(crate) cancel: BTreeSet<String>,
}

impl RepairOptions {
    /// The logical IDs of one stack.
    fn logical_ids(names: &BTreeSet<String>, stack: &str) -> Vec<String> {
        names.iter().filter_map(|name| name.strip_prefix(stack)?.strip_prefix('/')).map(str::to_owned).collect()
    }
}

/// What a repair uses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RepairContext<'a> {
    /// The stage's name.
    pub(crate) stage: &'a str,
    pub(crate) clients: &'a Clients,
    /// The locks of the systems, each of which must still be held before a repair.
    pub(crate) locks: &'a HeldLocks<Documents>,
    pub(crate) options: &'a RepairOptions,
    pub(crate) ui: &'a Ui,
}

/// The stack or the function that is repaired belongs here.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Place<'a> {
    pub(crate) system: &'a str,
    /// `None` is the stage's.
    pub(crate) region: Option<&'a str>,
}

/// Repairs a problem; returns whether there is a repair.
///
/// # Errors
///
/// When a lock is lost, a call fails, or the repair does not succeed.
pub(crate) async fn repair(
    ailment: &Ailment,
    place: Place<'_>,
    context: RepairContext<'_>,
) -> Result<bool, DeployError> {
    let RepairContext { stage, clients, locks, options, ui } = context;
    let step = ui.step(format!("Repair {}", ailment.what));
    match &ailment.kind {
        AilmentKind::Manual => return Ok(false),
        AilmentKind::Pending(function) => drop(deploy::ready(function, "$LATEST", clients).await?),
        AilmentKind::Weights(function, version) => {
            locks.ensure_held(place.system).await?;
            if !withdraw_weights(function, version, clients).await.map_err(failed_to("repair", function))? {
                ui.warn(format_args!(
                    "`live` of {function} was moved after the diagnosis, and stays; run `doctor` again"
                ));
                return Ok(false);
            }
        }
        AilmentKind::Stack(stack, repair) => {
            let cloudformation = clients.cloudformation(place.region);
            locks.ensure_held(place.system).await?;
            let Some(operation) = start(stack, *repair, options, &cloudformation).await? else { return Ok(false) };
            let after = operation.wait_alone(place.region, stack, clients).await?;
            if let Some(StackState { status, reason, is_express, .. }) = after
                && states::stack_in(&status, is_express).repair != Repair::None
            {
                let (region, stack) = (place.region.unwrap_or(clients.region()), stack.clone());
                let next = StackPlace { stage, region, stack: &stack }.after(&status, is_express);
                let cause = meaning(&status, is_express, reason.as_deref());
                return Err(DeployError::NotRepaired { cause, stack, next });
            }
        }
    }
    step.done("done");
    Ok(true)
}

/// Sends all traffic of `live` to the version that it points to; returns whether it still points there. The diagnosis may be of a stale
/// read, so the update names the revision of another one.
async fn withdraw_weights(function: &str, version: &str, clients: &Clients) -> Result<bool, AwsError> {
    let aliases = clients.lambda().aliases(function).await?;
    let live = aliases.into_iter().find(|alias| alias.name == LIVE && alias.version == version);
    let Some(live) = live else { return Ok(false) };
    match clients.lambda().route(function, LIVE, Routing::All(version), live.revision.as_deref()).await {
        Err(error) if is_outdated(&error) => Ok(false),
        updated => updated.map(|_| true),
    }
}

/// Starts a stack's repair; `None` if there is none, or none without further options.
async fn start(
    stack: &str,
    repair: Repair,
    options: &RepairOptions,
    cloudformation: &CloudFormation,
) -> Result<Option<Operation>, DeployError> {
    let start = async || Operation::about_to_start(cloudformation, stack).await.map_err(failed_to("repair", stack));
    let (operation, started) = match repair {
        Repair::None | Repair::Deploy | Repair::Replay => return Ok(None),
        // The operation continues until the stack has rolled back.
        Repair::WaitOrCancel if options.cancel.contains(stack) => {
            (Operation::in_progress(), cloudformation.cancel_update(stack).await)
        }
        Repair::Wait | Repair::WaitOrCancel => (Operation::in_progress(), Ok(())),
        Repair::Delete => {
            let operation = start().await?;
            // Before the artifact bucket exists there is no lock, and another run may have created the stack meanwhile.
            let now = cloudformation.describe(stack).await.map_err(failed_to("repair", stack))?;
            let Some(now) = now else { return Ok(Some(operation.deleting())) };
            if states::stack(&now.status).repair != Repair::Delete {
                return Ok(None);
            }
            // The next deploy creates the stack again, perhaps at once, and needs the names of its resources.
            (operation.deleting_id(&now.id), cloudformation.delete(&now.id, Deployment::Standard).await)
        }
        Repair::RollBack => (start().await?, cloudformation.roll_back(stack).await),
        Repair::ContinueRollback => {
            let skip = RepairOptions::logical_ids(&options.skip, stack);
            (start().await?, cloudformation.continue_rollback(stack, skip).await)
        }
        Repair::DeleteRetaining => {
            let retain = RepairOptions::logical_ids(&options.retain, stack);
            if retain.is_empty() {
                return Ok(None);
            }
            (start().await?.deleting(), cloudformation.delete_retaining(stack, retain).await)
        }
    };
    started.map_err(failed_to("repair", stack))?;
    Ok(Some(operation))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::scripted::{Endpoint, Received};

    #[tokio::test]
    async fn weights_are_withdrawn_only_from_the_diagnosed_version() {
        let endpoint = Endpoint::serve(|request: &Received| {
            if request.target.starts_with("GET") {
                return (200, r#"{"Aliases":[{"Name":"live","FunctionVersion":"4","RevisionId":"r"}]}"#.to_owned());
            }
            let is_of_g = request.target.contains("/functions/g/");
            if is_of_g {
                (412, r#"{"__type":"PreconditionFailedException"}"#.to_owned())
            } else {
                (200, "{}".to_owned())
            }
        })
        .await;
        let clients = endpoint.clients().await;
        assert!(!withdraw_weights("f", "3", &clients).await.expect("read"), "it points to another version");
        assert_eq!(endpoint.count("PUT "), 0);
        assert!(withdraw_weights("f", "4", &clients).await.expect("withdrawn"));
        assert!(!withdraw_weights("g", "4", &clients).await.expect("refused"), "it was moved after the read");
        let revisions = endpoint.received().into_iter().filter(|request| request.body.contains(r#""RevisionId":"r""#));
        assert_eq!(revisions.count(), 2);
    }
}
