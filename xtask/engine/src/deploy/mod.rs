//! Executes a plan: uploads artifacts, executes change sets in the order of dependencies, updates code. It makes no choices.
//!
//! Foundation goes first, because its bucket receives everything else; then independent stacks in parallel. All state is in AWS, so the
//! next run completes an interrupted one.

mod code;
pub mod destroy;
mod error;
mod health;
pub mod observe;
mod operation;
mod parameters;
pub(crate) mod permissions;
mod poller;
mod protection;
pub(crate) mod rights;
mod rollout;
mod settle;
mod stack;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use futures_util::future::try_join_all;
use health::{Health, health};
use model::{
    foundation,
    rendered::RenderedSystem,
    stage::{self, Stage},
};
use plan::{
    Action, Plan, PlannedStack,
    allow::Allowances,
    artifacts::{Artifact, Artifacts},
    change_set::{self, ChangeSetEntry},
    changes::StackChanges,
    observed::{Observed, ObservedStack},
    preview::Preview,
};
use poller::Poller;
use rollout::Rollout;
use stack::Deployment;

pub use self::error::DeployError;
pub(crate) use self::{
    code::ready,
    error::{aws, failed_to},
    health::{StackPlace, delete_again, is_at_rest, replay},
    operation::Operation,
    settle::settle,
};
use crate::{
    aws::{Clients, documents::Documents, lambda::Version},
    interruption::Interruption,
    lock::HeldLocks,
    parallel,
    ui::Ui,
};

/// The longest wait for an operation on a stack or a function.
const PATIENCE: Duration = Duration::from_secs(45 * 60);

/// How long after a change AWS may not show yet what was created. Tests do not wait that long.
const VISIBLE_WITHIN: Duration = if cfg!(test) { Duration::from_millis(500) } else { Duration::from_secs(10) };

/// The prefix of the names of change sets; a hash of the changes follows.
pub const CHANGE_SET_PREFIX: &str = "xtask-";

/// What all steps of a deploy use.
#[derive(Clone, Copy)]
pub struct DeployContext<'a> {
    /// The stage's name.
    pub stage: &'a str,
    /// The clients for AWS.
    pub clients: &'a Clients,
    /// The locks of the systems, each of which must still be held before a change.
    pub locks: &'a HeldLocks<Documents>,
    /// Whether the stage is protected: CloudFormation must refuse to delete its stacks.
    pub protects: bool,
    /// When CloudFormation completes a creation or an update, unless a later step needs the resources to be ready.
    pub deployment: stage::Deployment,
    /// Is called with the name of each changed stack: a later failure does not revert the change.
    pub on_change: &'a dyn Fn(&str),
    /// Registers the operations that CloudFormation continues after an interruption.
    pub interruption: &'a Interruption,
    /// The printer.
    pub ui: &'a Ui,
}

impl fmt::Debug for DeployContext<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.debug_struct("DeployContext").field("stage", &self.stage).finish_non_exhaustive()
    }
}

/// The result of a deploy.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Deployed {
    /// The outputs of each stack, by its name in CloudFormation.
    pub outputs: Outputs,
    /// The executed change of each stack.
    pub stacks: BTreeMap<String, Done>,
    /// The keys of the uploaded artifacts.
    pub uploaded: Vec<String>,
    /// The functions whose code was updated without CloudFormation.
    pub code: Vec<String>,
    /// `$LATEST` of these functions.
    pub(crate) latest: BTreeMap<String, Version>,
}

/// Values by stack and output.
pub type Outputs = BTreeMap<String, BTreeMap<String, String>>;

/// The executed change of a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Done {
    /// The stack was created.
    Create,
    /// The stack was updated.
    Update,
    /// There was no change.
    None,
}

/// Compares each change set with the plan that was shown, before the change set is executed.
#[derive(Debug, Clone, Copy)]
pub struct Guard<'a> {
    /// The plan that was shown.
    pub preview: &'a Preview,
    /// The losses that the caller allows.
    pub allowances: &'a Allowances,
}

impl Guard<'_> {
    /// Warns if a change set differs from the plan; fails if the difference would lose data.
    fn check(&self, stage: &str, stack: &str, entries: &[ChangeSetEntry], ui: &Ui) -> Result<(), DeployError> {
        let nothing = StackChanges::default();
        let shown = self.preview.stacks.iter().find(|shown| shown.name == stack);
        let predicted = shown.map_or(&nothing, |shown| &shown.changes);
        for disagreement in change_set::disagreements(stack, predicted, entries) {
            ui.warn(format_args!("CloudFormation's change set differs from the plan: {disagreement}"));
        }
        let losses = change_set::unpredicted_losses(stack, predicted, entries, self.allowances);
        if losses.is_empty() {
            return Ok(());
        }
        Err(DeployError::UnplannedLoss { stage: stage.to_owned(), stack: stack.to_owned(), losses })
    }
}

/// Creates and deletes change sets for the stacks that a plan updates; returns their entries, by stack. Nothing is executed.
///
/// A stack has no change set if it must be created, or if it takes a value that only the deploy produces.
pub(crate) async fn preview_change_sets(
    context: DeployContext<'_>,
    plan: &Plan,
    observed: &Observed,
    outputs: &Outputs,
) -> Result<BTreeMap<String, Vec<ChangeSetEntry>>, DeployError> {
    let updated = plan.stacks.iter().filter(|stack| matches!(stack.action, Action::Update(_)));
    let poller = Poller::new(context.clients);
    let bucket = artifact_bucket(context.stage, outputs);
    let rollout = Rollout { context, poller: &poller, known: &observed.stacks, plan, bucket: bucket.as_deref() };
    let previews = updated.map(async |stack| {
        let entries = Deployment::new(rollout, stack, outputs).preview().await?;
        Ok::<_, DeployError>(entries.map(|entries| (stack.name.clone(), entries)))
    });
    Ok(try_join_all(previews).await?.into_iter().flatten().collect())
}

/// Fails if one of the stacks is stuck, before the deploy changes anything.
pub(crate) fn refuse_stuck(stage: &Stage, systems: &[RenderedSystem], observed: &Observed) -> Result<(), DeployError> {
    for stack in systems.iter().flat_map(|system| &system.stacks) {
        let Some(ObservedStack { status, is_express, .. }) = observed.stacks.get(&stack.name) else { continue };
        if health(status, *is_express) == Health::Stuck {
            let region = stack.region.as_deref().unwrap_or(&stage.region);
            return Err(StackPlace { stage: &stage.name, region, stack: &stack.name }.stuck(status, *is_express));
        }
    }
    Ok(())
}

/// Executes a plan that was made from `observed`.
///
/// After a failure no further step is started, and the stacks in progress are waited for.
pub async fn apply(
    context: DeployContext<'_>,
    plan: &Plan,
    artifacts: &Artifacts,
    observed: &Observed,
    guard: Guard<'_>,
) -> Result<Deployed, DeployError> {
    let outputs = observed.stacks.iter().map(|(name, stack)| (name.clone(), stack.outputs.clone()));
    let mut deployed = Deployed { outputs: outputs.collect(), ..Deployed::default() };
    let is_foundation = |stack: &&PlannedStack| stack.system == foundation::SYSTEM;
    let (first, rest): (Vec<_>, Vec<_>) = plan.stacks.iter().partition(is_foundation);
    let has_bucket = |stack: &&PlannedStack| stack.stack == foundation::ARTIFACTS;
    let (with_bucket, other): (Vec<_>, Vec<_>) = first.into_iter().partition(has_bucket);
    let poller = Poller::new(context.clients);
    let rollout = Rollout { context, poller: &poller, known: &observed.stacks, plan, bucket: None };
    rollout.deploy(with_bucket, guard, &mut deployed).await?;
    // A large template is read from the bucket. That of the deploy roles grows with the systems.
    let bucket = artifact_bucket(context.stage, &deployed.outputs);
    Rollout { bucket: bucket.as_deref(), ..rollout }.deploy(other, guard, &mut deployed).await?;
    let needed = plan::required_artifacts(plan, artifacts);
    let needs_bucket = !needed.is_empty() || rest.iter().any(|stack| stack.action != Action::None);
    if needs_bucket && bucket.is_none() {
        return Err(DeployError::NoFoundation { stage: context.stage.to_owned() });
    }
    let bucket = bucket.unwrap_or_default();
    if !needed.is_empty() {
        deployed.uploaded = upload(context, &needed, &bucket).await?;
    }
    Rollout { bucket: Some(&bucket), ..rollout }.deploy(rest, guard, &mut deployed).await?;
    let updated = parallel::each(plan.code.iter().map(|code| code::update_code(context, code, &bucket))).await?;
    deployed.latest = plan.code.iter().map(|code| code.function_name.clone()).zip(updated).collect();
    deployed.code.extend(plan.code.iter().map(|code| code.function_name.clone()));
    Ok(deployed)
}

/// Uploads the artifacts that the bucket lacks; returns their keys.
async fn upload(context: DeployContext<'_>, artifacts: &[&Artifact], bucket: &str) -> Result<Vec<String>, DeployError> {
    let step = context.ui.step("Upload artifacts");
    let s3 = context.clients.s3();
    let prefixes: BTreeSet<_> = artifacts.iter().map(|artifact| artifact.prefix()).collect();
    let existing = prefixes.iter().map(async |prefix| s3.keys(bucket, prefix).await.map_err(aws(bucket)));
    let existing: BTreeSet<_> = parallel::each(existing).await?.into_iter().flatten().collect();
    let uploads = artifacts.iter().filter(|artifact| !existing.contains(&artifact.key())).map(async |artifact| {
        let key = artifact.key();
        step.detail(format_args!("{} {} ({})", artifact.system, artifact.name, crate::ui::size(artifact.zipped)));
        s3.upload(bucket, &key, &artifact.path, &artifact.sha256).await.map_err(aws(&key))?;
        Ok::<_, DeployError>(key)
    });
    let uploaded = parallel::each(uploads).await?;
    step.done(format_args!("{} new", uploaded.len()));
    Ok(uploaded)
}

/// The name of the stage's artifact bucket, once foundation is deployed.
pub(crate) fn artifact_bucket(stage: &str, outputs: &Outputs) -> Option<String> {
    let stack = plan::full_name(foundation::SYSTEM, foundation::ARTIFACTS, stage);
    outputs.get(&stack)?.get(foundation::ARTIFACT_BUCKET_OUTPUT).cloned()
}

/// The role that CloudFormation assumes for a system's stacks, if the stage has one. The role may not change foundation, which defines
/// the role's permissions.
fn execution_role<'a>(system: &str, outputs: &'a Outputs) -> Option<&'a str> {
    if system == foundation::SYSTEM {
        return None;
    }
    let prefix = plan::full_name(foundation::SYSTEM, foundation::pipeline::STACK, "");
    let (_, pipeline) = outputs.iter().find(|(stack, _)| stack.starts_with(&prefix))?;
    pipeline.get(foundation::pipeline::EXECUTION_ROLE_OUTPUT).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use model::example::{Example, FEEDS};
    use plan::{
        artifacts::{Artifact, ArtifactKind},
        observed::ObservedFunction,
    };

    use super::*;

    #[test]
    fn functions_of_one_binary_share_an_upload_and_are_each_updated() {
        let stage = Example::stage_named("local");
        let mut systems = Example::systems(&stage);
        systems.retain(|system| system.name == FEEDS);
        let stack = &mut systems[0].stacks[0];
        let mut second = stack.functions[0].clone();
        (second.id.function, second.function_name) = ("sweep".to_owned(), "feeds-sweep-local".to_owned());
        stack.functions.push(second);
        let (system, name, path) = (FEEDS.to_owned(), "fetch".to_owned(), "fetch.zip".into());
        let (kind, sha256) = (ArtifactKind::Function, "ab".repeat(32));
        let artifact = Artifact { kind, system, name, path, sha256, zipped: 1, unzipped: 1 };
        let artifacts = Artifacts { functions: [("feeds-fetch".to_owned(), artifact)].into(), ..Artifacts::default() };
        let deployed = ObservedStack {
            status: "CREATE_COMPLETE".to_owned(),
            template: Some(stack.template.clone()),
            ..ObservedStack::default()
        };
        let function = ObservedFunction { code_sha256: "another".to_owned(), ..ObservedFunction::default() };
        let names = ["feeds-fetch-local", "feeds-sweep-local"];
        let observed = Observed {
            stacks: [(stack.name.clone(), deployed)].into(),
            functions: names.map(|name| (name.to_owned(), function.clone())).into(),
            ..Observed::default()
        };
        let plan = plan::plan("local", &systems, &artifacts, &observed);
        let updated: Vec<_> = plan.code.iter().map(|code| code.function_name.as_str()).collect();
        assert_eq!(updated, names);
        assert_eq!(plan.code[0].key, plan.code[1].key);
        assert_eq!(plan::required_artifacts(&plan, &artifacts).len(), 1, "one upload");
    }

    #[test]
    fn cloudformation_assumes_its_role_except_for_foundation() {
        let role = [(foundation::pipeline::EXECUTION_ROLE_OUTPUT.to_owned(), "arn".to_owned())].into();
        let with = Outputs::from([("foundation-pipeline-prod".to_owned(), role)]);
        assert_eq!(execution_role("notes", &with), Some("arn"));
        assert_eq!(execution_role(foundation::SYSTEM, &with), None);
        let without = Outputs::from([("foundation-artifacts-prod".to_owned(), BTreeMap::new())]);
        assert_eq!(execution_role("notes", &without), None);
    }
}
