//! Carries out a plan: uploads, change sets in dependency order, code. Makes no choices of its own.
//!
//! Foundation goes first, because everything else is uploaded to its bucket; then independent stacks in parallel.
//! Whatever is interrupted is finished by the next run: nothing is remembered but in AWS.

pub mod destroy;
mod ending;
pub mod observe;
pub mod permissions;
mod poller;
pub mod rights;
mod stack;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

pub(crate) use ending::Ending;
use futures_util::{StreamExt, future::try_join_all, stream::FuturesUnordered};
use miette::Diagnostic;
use model::{foundation, rendered::RenderedSystem};
use plan::artifacts::Artifacts;
use plan::{
    Action, CodeUpdate, Plan, PlannedStack,
    allow::Allowances,
    change_set::{self, ChangeSetEntry},
    changes::StackChanges,
    observed::Observed,
    preview::Preview,
};
use poller::Poller;
use stack::Deployment;
use thiserror::Error;

use crate::{
    aws::{AwsError, Clients, documents::Documents, lambda::Readiness},
    interruption::Interruption,
    lock::{HeldLocks, LockError},
    poll::{Progress, Schedule},
    ui::Ui,
};

/// How long another operation on a stack, or on a function, is waited for.
const PATIENCE: Duration = Duration::from_secs(45 * 60);

/// What the names of our change sets begin with; a hash of what they change follows.
pub const CHANGE_SET_PREFIX: &str = "xtask-";

/// A deploy failed.
#[derive(Debug, Error, Diagnostic)]
pub enum DeployError {
    /// A call failed.
    #[error("failed to deploy {what}")]
    Aws {
        /// What was being deployed.
        what: String,
        /// The call.
        #[source]
        #[diagnostic_source]
        source: AwsError,
    },
    /// There is no artifact bucket yet.
    #[error("stage {stage} has no artifact bucket: stack foundation-artifacts-{stage} is not deployed")]
    #[diagnostic(help("run `cargo xtask deploy --stage {stage} --system foundation` first"))]
    NoFoundation {
        /// The stage.
        stage: String,
    },
    /// CloudFormation refuses the change.
    #[error("failed to make a change set for {stack}: {reason}")]
    ChangeSet {
        /// The stack.
        stack: String,
        /// CloudFormation's reason.
        reason: String,
    },
    /// The stack did not reach its goal.
    #[error("failed to deploy {stack}: {cause}{}", also(.others))]
    #[diagnostic(help("mend the cause and run the same command again; the stack is now in {status}"))]
    Stack {
        /// The stack.
        stack: String,
        /// Its status.
        status: String,
        /// The first thing that failed by itself.
        cause: String,
        /// What else failed.
        others: Vec<String>,
    },
    /// The stack needs a hand.
    #[error("stack {stack} is in {status}, which a deploy cannot mend")]
    #[diagnostic(help("{help}"))]
    Stuck {
        /// The stack.
        stack: String,
        /// Its status.
        status: String,
        /// What to do.
        help: &'static str,
    },
    /// Somebody else is at work on it for too long.
    #[error("{what} is still {status} after {} min", PATIENCE.as_secs() / 60)]
    #[diagnostic(help("wait for whoever is at work on it, then run the command again"))]
    Busy {
        /// The stack or function.
        what: String,
        /// Its status.
        status: String,
    },
    /// A value is missing.
    #[error("stack {stack} needs output {output} of {owner}, which is not deployed")]
    #[diagnostic(help("deploy the whole system: leave out --stack"))]
    NoOutput {
        /// The stack that needs it.
        stack: String,
        /// The stack that should have it.
        owner: String,
        /// The output.
        output: String,
    },
    /// The change set would lose data that the plan does not show.
    #[error("the change set for {stack} would {}, which the plan did not show; it was not executed", losses.join(" and "))]
    #[diagnostic(help(
        "find out why with `cargo xtask plan --online`; if it is meant, name it: --allow-replace or --allow-delete {stack}/<logical ID>"
    ))]
    UnseenLoss {
        /// The stack.
        stack: String,
        /// What would be lost.
        losses: Vec<String>,
    },
    /// The run may not change the system any more.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Lock(#[from] LockError),
    /// Lambda cannot take the code.
    #[error("failed to update the code of {function}: {reason}")]
    Code {
        /// The function.
        function: String,
        /// Lambda's reason.
        reason: String,
    },
}

fn also(others: &[String]) -> String {
    if others.is_empty() { String::new() } else { format!("; also failed: {}", others.join("; ")) }
}

pub(crate) fn aws(what: impl Into<String>) -> impl FnOnce(AwsError) -> DeployError {
    let what = what.into();
    |source| DeployError::Aws { what, source }
}

/// What a deploy did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deployed {
    /// Every stack's outputs, by name in CloudFormation.
    pub outputs: Outputs,
    /// What was really done with every stack.
    pub stacks: BTreeMap<String, Done>,
    /// Keys that were uploaded.
    pub uploaded: Vec<String>,
    /// Functions whose code was updated without CloudFormation.
    pub code: Vec<String>,
}

/// Stack → output → value.
pub type Outputs = BTreeMap<String, BTreeMap<String, String>>;

/// What was done with a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Done {
    /// Created.
    Create,
    /// Updated.
    Update,
    /// Nothing.
    None,
}

/// What a plan was shown as, held against every change set before it is executed.
#[derive(Clone, Copy)]
pub struct Guard<'a> {
    /// What was shown.
    pub preview: &'a Preview,
    /// What was named to pass.
    pub allowances: &'a Allowances,
    /// The locks of the systems, each of which must still be held.
    pub(crate) locks: &'a HeldLocks<Documents>,
    /// Is called with the name of each stack that was changed: what fails later does not undo that.
    pub on_change: &'a dyn Fn(&str),
    /// Registers what CloudFormation continues after an interruption.
    pub interruption: &'a Interruption,
}

impl fmt::Debug for Guard<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.debug_struct("Guard").field("allowances", &self.allowances).finish_non_exhaustive()
    }
}

impl Guard<'_> {
    /// Warns where a change set is not what was shown, and stops where that would lose data.
    fn check(&self, stack: &str, verdicts: &[ChangeSetEntry], ui: &Ui) -> Result<(), DeployError> {
        let nothing = StackChanges::default();
        let shown = self.preview.stacks.iter().find(|shown| shown.name == stack);
        let predicted = shown.map_or(&nothing, |shown| &shown.changes);
        for disagreement in change_set::disagreements(stack, predicted, verdicts) {
            ui.warn(format_args!("CloudFormation sees it differently: {disagreement}"));
        }
        let losses = change_set::unpredicted_losses(stack, predicted, verdicts, self.allowances);
        if losses.is_empty() { Ok(()) } else { Err(DeployError::UnseenLoss { stack: stack.to_owned(), losses }) }
    }
}

/// What CloudFormation's own change sets say of the stacks that a plan updates, by stack. Nothing is executed.
///
/// A stack that is to be created, or that takes a value which only the deploy makes, has no change set yet.
///
/// # Errors
///
/// When a call fails, or CloudFormation refuses a change set.
pub async fn verdicts(
    plan: &Plan,
    outputs: &Outputs,
    bucket: Option<&str>,
    clients: &Clients,
    ui: &Ui,
) -> Result<BTreeMap<String, Vec<ChangeSetEntry>>, DeployError> {
    let updated = plan.stacks.iter().filter(|stack| matches!(stack.action, Action::Update(_)));
    let poller = Poller::new(clients);
    let all = updated.map(async |stack| {
        let verdicts = Deployment::new(stack, bucket, outputs, &poller, clients, ui).verdicts().await?;
        Ok::<_, DeployError>(verdicts.map(|verdicts| (stack.name.clone(), verdicts)))
    });
    Ok(try_join_all(all).await?.into_iter().flatten().collect())
}

/// Refuses a deploy while one of its stacks is in a state that needs a decision: found before anything is touched, not after half
/// of it was changed.
///
/// # Errors
///
/// When there is one; says which, and what to do.
pub fn refuse_stuck(systems: &[RenderedSystem], observed: &Observed) -> Result<(), DeployError> {
    let stacks = systems.iter().flat_map(|system| &system.stacks);
    let observed = stacks.filter_map(|stack| observed.stacks.get_key_value(&stack.name));
    stack::refuse_stuck(observed.map(|(name, stack)| (name, &stack.status)))
}

/// Carries out a plan.
///
/// # Errors
///
/// When anything fails: stacks that were already at work are waited for, then the first failure is told.
pub async fn apply(
    plan: &Plan,
    stage: &str,
    artifacts: &Artifacts,
    known: Outputs,
    guard: Guard<'_>,
    clients: &Clients,
    ui: &Ui,
) -> Result<Deployed, DeployError> {
    let mut deployed = Deployed { outputs: known, ..Deployed::default() };
    let (first, rest): (Vec<_>, Vec<_>) = plan.stacks.iter().partition(|stack| stack.system == foundation::SYSTEM);
    in_order(first, None, guard, &mut deployed, clients, ui).await?;
    let needed = plan::required_artifacts(plan, artifacts);
    let needs_bucket = !needed.is_empty() || rest.iter().any(|stack| stack.action != Action::None);
    let bucket = artifact_bucket(stage, &deployed.outputs);
    if needs_bucket && bucket.is_none() {
        return Err(DeployError::NoFoundation { stage: stage.to_owned() });
    }
    let bucket = bucket.unwrap_or_default();
    if !needed.is_empty() {
        let step = ui.step("Upload artifacts");
        for artifact in needed {
            let (s3, key) = (clients.s3(), artifact.key());
            if s3.exists(&bucket, &key).await.map_err(aws(&key))? {
                continue;
            }
            step.detail(format_args!("{} {} ({})", artifact.system, artifact.name, crate::ui::size(artifact.zipped)));
            s3.upload(&bucket, &key, &artifact.path).await.map_err(aws(&key))?;
            deployed.uploaded.push(key);
        }
        step.done(format_args!("{} new", deployed.uploaded.len()));
    }
    in_order(rest, Some(&bucket), guard, &mut deployed, clients, ui).await?;
    for code in &plan.code {
        update_code(code, &bucket, guard, clients, ui).await?;
        deployed.code.push(code.function_name.clone());
    }
    Ok(deployed)
}

/// The name of the stage's artifact bucket, once foundation is deployed.
#[must_use]
pub fn artifact_bucket(stage: &str, outputs: &Outputs) -> Option<String> {
    let stack = plan::full_name(foundation::SYSTEM, foundation::ARTIFACTS, stage);
    outputs.get(&stack)?.get(foundation::ARTIFACT_BUCKET_OUTPUT).cloned()
}

/// The role that CloudFormation works with for a system's stacks, where the stage has one. It may not change foundation, whose
/// stacks say what it may do.
fn execution_role<'a>(system: &str, outputs: &'a Outputs) -> Option<&'a str> {
    if system == foundation::SYSTEM {
        return None;
    }
    let prefix = plan::full_name(foundation::SYSTEM, foundation::pipeline::STACK, "");
    let (_, pipeline) = outputs.iter().find(|(stack, _)| stack.starts_with(&prefix))?;
    pipeline.get(foundation::pipeline::EXECUTION_ROLE_OUTPUT).map(String::as_str)
}

/// Deploys stacks as soon as those they take values from are done.
async fn in_order(
    stacks: Vec<&PlannedStack>,
    bucket: Option<&str>,
    guard: Guard<'_>,
    deployed: &mut Deployed,
    clients: &Clients,
    ui: &Ui,
) -> Result<(), DeployError> {
    let poller = Poller::new(clients);
    poller.during(each(stacks, bucket, guard, deployed, &poller, clients, ui)).await
}

async fn each(
    stacks: Vec<&PlannedStack>,
    bucket: Option<&str>,
    guard: Guard<'_>,
    deployed: &mut Deployed,
    poller: &Poller<'_>,
    clients: &Clients,
    ui: &Ui,
) -> Result<(), DeployError> {
    let ours: BTreeSet<_> = stacks.iter().map(|stack| stack.name.clone()).collect();
    let mut waiting = stacks;
    let mut running = FuturesUnordered::new();
    let mut failure = None;
    loop {
        // The outputs that a stack of this deploy had before say nothing: it may be about to change them.
        let ready = |stack: &&PlannedStack, deployed: &Deployed| {
            stack.depends_on.iter().all(|needed| {
                deployed.stacks.contains_key(needed) || !ours.contains(needed) && deployed.outputs.contains_key(needed)
            })
        };
        if failure.is_none() {
            let (now, later): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|stack| ready(stack, deployed));
            waiting = later;
            for stack in now {
                let outputs = deployed.outputs.clone();
                running.push(async move {
                    let deployment = Deployment::new(stack, bucket, &outputs, poller, clients, ui);
                    (stack, deployment.deploy(guard).await)
                });
            }
        }
        match running.next().await {
            Some((stack, Ok((done, outputs)))) => {
                deployed.outputs.insert(stack.name.clone(), outputs);
                deployed.stacks.insert(stack.name.clone(), done);
            }
            Some((_, Err(error))) => failure = Some(failure.unwrap_or(error)),
            None => {
                return failure
                    .or_else(|| waiting.first().map(|stack| never_ready(stack, deployed)))
                    .map_or(Ok(()), Err);
            }
        }
    }
}

/// Why a stack's turn never came: it takes a value from a stack that is neither deployed nor going to be.
fn never_ready(stack: &PlannedStack, deployed: &Deployed) -> DeployError {
    let missing = stack.depends_on.iter().find(|needed| !deployed.outputs.contains_key(*needed));
    DeployError::NoOutput {
        stack: stack.name.clone(),
        owner: missing.cloned().unwrap_or_default(),
        output: "it takes".to_owned(),
    }
}

async fn update_code(
    code: &CodeUpdate,
    bucket: &str,
    guard: Guard<'_>,
    clients: &Clients,
    ui: &Ui,
) -> Result<(), DeployError> {
    let name = &code.function_name;
    let step = ui.step(format!("Update the code of {name}"));
    let lambda = clients.lambda();
    guard.locks.ensure_held(&code.system).await?;
    lambda.update_code(name, bucket, &code.key).await.map_err(aws(name))?;
    let version = ready(name, "$LATEST", clients).await?;
    if version.code_sha256 != code.code_sha256 {
        let reason =
            "Lambda reports another hash than the zip's; somebody else updated the function meanwhile".to_owned();
        return Err(DeployError::Code { function: name.clone(), reason });
    }
    step.done("done");
    Ok(())
}

/// Waits until a version can be invoked and published.
///
/// # Errors
///
/// When Lambda fails on it, or takes too long.
pub(crate) async fn ready(
    function: &str,
    version: &str,
    clients: &Clients,
) -> Result<crate::aws::lambda::Version, DeployError> {
    const SCHEDULE: Schedule = Schedule::doubling(Duration::from_millis(100), Duration::from_secs(2)).within(PATIENCE);
    let failed = |reason: String| DeployError::Code { function: function.to_owned(), reason };
    let ready = SCHEDULE.poll(async || {
        let found = clients.lambda().version(function, version).await.map_err(aws(function))?;
        let Some(found) = found else { return Err(failed(format!("there is no version {version}"))) };
        match found.readiness {
            Readiness::Ready => Ok(Progress::Done(found)),
            Readiness::Failed(reason) => Err(failed(reason)),
            Readiness::Pending => Ok(Progress::Pending(())),
        }
    });
    match ready.await? {
        Progress::Done(version) => Ok(version),
        Progress::Pending(()) => Err(DeployError::Busy { what: function.to_owned(), status: "Pending".to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cloudformation_works_with_its_own_role_but_never_on_foundation() {
        let role = [(foundation::pipeline::EXECUTION_ROLE_OUTPUT.to_owned(), "arn".to_owned())].into();
        let with = Outputs::from([("foundation-pipeline-prod".to_owned(), role)]);
        assert_eq!(execution_role("notes", &with), Some("arn"));
        assert_eq!(execution_role(foundation::SYSTEM, &with), None);
        let without = Outputs::from([("foundation-artifacts-prod".to_owned(), BTreeMap::new())]);
        assert_eq!(execution_role("notes", &without), None);
    }
}
