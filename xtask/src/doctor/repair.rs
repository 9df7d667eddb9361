//! Repairs, each the one that its state has. Nothing here deletes what ever worked.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use super::{Ailment, Kind, Repair, states};
use crate::{
    aws::Clients,
    deploy::{self, DeployError, aws, observe::LIVE},
    ui::Ui,
};

/// How long something that passes is waited for.
const PATIENCE: Duration = Duration::from_secs(45 * 60);

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
            match repair {
                Repair::None | Repair::Deploy => return Ok(false),
                Repair::WaitOrCancel if names.cancel.contains(stack) => {
                    cloudformation.cancel_update(stack).await.map_err(aws(stack))?;
                }
                Repair::Wait | Repair::WaitOrCancel => {}
                Repair::Delete => {
                    // Without a lock, before there is a bucket to lock in, somebody may have made it meanwhile.
                    let now = cloudformation.describe(stack).await.map_err(aws(stack))?;
                    if now.is_some_and(|now| states::stack(&now.status).repair != Repair::Delete) {
                        return Ok(false);
                    }
                    cloudformation.delete(stack).await.map_err(aws(stack))?;
                }
                Repair::RollBack => cloudformation.roll_back(stack).await.map_err(aws(stack))?,
                Repair::ContinueRollback => {
                    let skip = Names::of(&names.skip, stack);
                    cloudformation.continue_rollback(stack, skip).await.map_err(aws(stack))?;
                }
                Repair::DeleteRetaining => {
                    let retain = Names::of(&names.retain, stack);
                    if retain.is_empty() {
                        return Ok(false);
                    }
                    cloudformation.delete_retaining(stack, retain).await.map_err(aws(stack))?;
                }
            }
            let after = settled(stack, region, clients).await?;
            if states::stack(&after).repair != Repair::None {
                let cause = states::stack(&after).meaning.to_owned();
                return Err(DeployError::Stack { stack: stack.clone(), status: after, cause, others: Vec::new() });
            }
        }
    }
    step.done("done");
    Ok(true)
}

/// Waits until nobody is at work on a stack; its status then.
async fn settled(stack: &str, region: Option<&str>, clients: &Clients) -> Result<String, DeployError> {
    let cloudformation = clients.cloudformation(region);
    let (started, mut pause) = (Instant::now(), Duration::from_millis(100));
    loop {
        let Some(state) = cloudformation.describe(stack).await.map_err(aws(stack))? else {
            return Ok("DELETE_COMPLETE".to_owned());
        };
        if !states::stack(&state.status).repair.passes() {
            return Ok(state.status);
        }
        if started.elapsed() > PATIENCE {
            return Err(DeployError::Busy { what: stack.to_owned(), status: state.status });
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(3));
    }
}
