//! `deploy`: select → prepare → apply → release → report. Each step takes the previous step's result.

mod apply;
mod prepare;
mod refused;
mod release;
mod report;
mod routes;
mod select;

use camino::Utf8PathBuf;
use clap::Args;
use model::foundation;

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
    let target = prepare::open(selection, context).await?;
    let result = if target.args.dry_run {
        dry_run(&target, draft).await
    } else {
        let bucket = apply::lock_bucket(&target, draft).await?;
        let work = async |locks: &HeldLocks<Documents>| deploy(&target, locks, draft).await;
        target.session.locked(&target.systems, "deploy", bucket, work).await
    };
    target.session.explain(result)
}

async fn dry_run(target: &prepare::Target, draft: &Draft<DeployReport>) -> miette::Result<Exit> {
    let prepared = prepare::prepare(target, draft).await?;
    report::print_plan(target, &prepared)?;
    Ok(Exit::Success)
}

async fn deploy(
    target: &prepare::Target,
    locks: &HeldLocks<Documents>,
    draft: &Draft<DeployReport>,
) -> miette::Result<Exit> {
    let prepared = prepare::prepare(target, draft).await?;
    let applied = apply::apply(target, prepared, locks, draft).await?;
    let released = release::release(target, applied, locks, draft).await?;
    report::report(target, released, locks, draft).await
}
