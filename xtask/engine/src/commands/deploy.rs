//! `deploy`: select → prepare → lock → apply → release → report. Each step takes the previous step's result.

mod apply;
mod prepare;
mod refused;
mod release;
mod report;
mod routes;
mod select;
mod snapshot;
mod work;

use camino::Utf8PathBuf;
use clap::Args;
use model::foundation;
use prepare::Target;
use snapshot::Snapshot;

use super::{AllowanceArgs, SelectionArgs};
use crate::{
    aws::documents::Documents,
    context::Context,
    error::Exit,
    lock::HeldLocks,
    report::{DeployReport, Draft},
    session::StrategyName,
    ui::Format,
};

/// Build, render, plan, apply, release, publish and prune: bring a stage to the state of the workspace.
#[derive(Debug, Args)]
pub(crate) struct DeployArgs {
    /// The stage.
    #[arg(long)]
    stage: String,
    #[command(flatten)]
    selection: SelectionArgs,
    /// Execute this plan, written by `plan --out`, without confirmation. Refuse if an input of the plan has changed.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["system", "stack", "group", "dry_run", "replace", "delete", "other"])]
    plan: Option<Utf8PathBuf>,
    /// Deploy the artifacts in this folder, written by `build --out`, and build nothing.
    #[arg(long, value_name = "FOLDER")]
    artifacts: Option<Utf8PathBuf>,
    /// Accept artifacts that were built from other sources. The release still records the commit of this checkout.
    #[arg(long, requires = "artifacts")]
    allow_other_sources: bool,
    #[command(flatten)]
    allowances: AllowanceArgs,
    /// How traffic shifts to the new versions [default: the stage file's].
    #[arg(long, value_enum)]
    strategy: Option<StrategyName>,
    /// The bake time of each canary step, in seconds [default: the stage file's].
    #[arg(long, value_name = "SECONDS")]
    bake: Option<u32>,
    /// Stop after the plan.
    #[arg(long)]
    dry_run: bool,
    /// Skip the confirmation, even for a protected stage.
    #[arg(long)]
    yes: bool,
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Whether foundation may change in a stage that workflows deploy. Only `bootstrap` sets it.
    #[arg(skip)]
    bootstrap: bool,
}

impl DeployArgs {
    /// A deploy of foundation alone, for `bootstrap`.
    pub(super) fn foundation(stage: String, allowances: AllowanceArgs, format: Format) -> Self {
        Self {
            stage,
            selection: SelectionArgs::of_system(foundation::SYSTEM),
            plan: None,
            artifacts: None,
            allow_other_sources: false,
            allowances,
            strategy: None,
            bake: None,
            dry_run: false,
            yes: false,
            format,
            bootstrap: true,
        }
    }

    /// The same deploy, which stops after the plan or needs no confirmation.
    pub(super) fn with(self, dry_run: bool, yes: bool) -> Self {
        Self { dry_run, yes, ..self }
    }
}

/// Runs the command.
///
/// # Errors
///
/// When any step fails. Completed steps stay, and the same command resumes after them.
pub(crate) async fn run(args: DeployArgs, context: &Context, draft: &Draft<DeployReport>) -> miette::Result<Exit> {
    let selection = select::select(args, context)?;
    let (target, snapshot) = prepare::open(selection, context).await?;
    let result = deploy(&target, snapshot, draft).await;
    target.session.explain(result)
}

/// Plans first. A lock is only taken for systems with work, and what was read is only read again if another run has held one of these locks
/// since.
async fn deploy(target: &Target, mut snapshot: Snapshot, draft: &Draft<DeployReport>) -> miette::Result<Exit> {
    if !target.args.dry_run && apply::deploy_missing_foundation(target, &snapshot, draft).await? {
        snapshot = target.snapshot().await?;
    }
    let bucket = snapshot.bucket.clone();
    let prepared = prepare::prepare(target, &target.systems, snapshot, draft).await?;
    if target.args.dry_run {
        report::print_plan(target, &prepared)?;
        return Ok(Exit::Success);
    }
    apply::accept(target, &prepared)?;
    let systems = work::systems(target, &prepared)?;
    if systems.is_empty() {
        return report::report_unchanged(target, &prepared, draft).await;
    }
    let work = async |locks: &HeldLocks<Documents>| {
        let prepared = prepare::again(target, &systems, prepared, locks, draft).await?;
        let applied = apply::apply(target, &systems, prepared, locks, draft).await?;
        let released = release::release(target, applied, locks, draft).await?;
        report::report(target, released, locks, draft).await
    };
    target.session.locked(&systems, "deploy", bucket, work).await
}
