//! Repairs, each the one that its state has. Nothing here deletes what ever worked.

use std::collections::BTreeSet;

use super::{Ailment, Kind, Repair, states};
use crate::{
    aws::{Clients, cloudformation::CloudFormation},
    deploy::{self, DeployError, Ending, aws, observe::LIVE},
    ui::Ui,
};

/// What was named for a repair: resources to be left out of it, as `<stack>/<logical ID>`, and stacks.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Not rolled back.
    pub skip: BTreeSet<String>,
    /// Not deleted.
    pub retain: BTreeSet<String>,
    /// Stacks whose update is stopped.
    pub cancel: BTreeSet<String>,
}

impl Names {
    fn of(names: &BTreeSet<String>, stack: &str) -> Vec<String> {
        names.iter().filter_map(|name| name.strip_prefix(stack)?.strip_prefix('/')).map(str::to_owned).collect()
    }
}

/// Repairs an ailment; returns whether it could be.
///
/// # Errors
///
/// When a call fails, or a repair does not succeed.
pub async fn repair(
    ailment: &Ailment,
    region: Option<&str>,
    names: &Names,
    clients: &Clients,
    ui: &Ui,
) -> Result<bool, DeployError> {
    let step = ui.step(format!("Repair {}", ailment.what));
    match &ailment.kind {
        Kind::Told => return Ok(false),
        Kind::Pending(function) => drop(deploy::ready(function, "$LATEST", clients).await?),
        Kind::Weights(function, version) => {
            clients.lambda().point(function, LIVE, version).await.map_err(aws(function))?;
        }
        Kind::Stack(stack, repair) => {
            let cloudformation = clients.cloudformation(region);
            let Some(ending) = begin(stack, *repair, names, &cloudformation).await? else { return Ok(false) };
            let after = ending.alone(region, stack, clients).await?;
            let after = after.map_or_else(|| "DELETE_COMPLETE".to_owned(), |state| state.status);
            if states::stack(&after).repair != Repair::None {
                let cause = states::stack(&after).meaning.to_owned();
                return Err(DeployError::Stack { stack: stack.clone(), status: after, cause, others: Vec::new() });
            }
        }
    }
    step.done("done");
    Ok(true)
}

/// Begins a stack's repair; what is known about its end. `None` where it has none, or not without being told more.
async fn begin(
    stack: &str,
    repair: Repair,
    names: &Names,
    cloudformation: &CloudFormation,
) -> Result<Option<Ending>, DeployError> {
    let before = async || Ending::before(cloudformation, stack).await.map_err(aws(stack));
    let (ending, begun) = match repair {
        Repair::None | Repair::Deploy => return Ok(None),
        // Already at work, and it stays so until it has gone back.
        Repair::WaitOrCancel if names.cancel.contains(stack) => {
            (Ending::of_others(), cloudformation.cancel_update(stack).await)
        }
        Repair::Wait | Repair::WaitOrCancel => (Ending::of_others(), Ok(())),
        Repair::Delete => {
            let ending = before().await?.of_deletion();
            // Without a lock, before there is a bucket to lock in, somebody may have made it meanwhile.
            let now = cloudformation.describe(stack).await.map_err(aws(stack))?;
            if now.is_some_and(|now| states::stack(&now.status).repair != Repair::Delete) {
                return Ok(None);
            }
            (ending, cloudformation.delete(stack).await)
        }
        Repair::RollBack => (before().await?, cloudformation.roll_back(stack).await),
        Repair::ContinueRollback => {
            let skip = Names::of(&names.skip, stack);
            (before().await?, cloudformation.continue_rollback(stack, skip).await)
        }
        Repair::DeleteRetaining => {
            let retain = Names::of(&names.retain, stack);
            if retain.is_empty() {
                return Ok(None);
            }
            (before().await?.of_deletion(), cloudformation.delete_retaining(stack, retain).await)
        }
    };
    begun.map_err(aws(stack))?;
    Ok(Some(ending))
}
