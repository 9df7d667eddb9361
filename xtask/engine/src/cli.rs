//! The command line. Reads as a table of contents: a verb here is a file in [`crate::commands`].

use camino::Utf8PathBuf;
use clap::{Parser, Subcommand};

use crate::commands;

/// Builds, plans, deploys and releases Rust Lambda backends.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed or a check found a difference, 2 wrong usage, 130 interrupted; `plan --exit-code` adds 2 changes, 3 refused."
)]
pub(crate) struct Cli {
    /// Say more: -v what is called, -vv every request.
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub(crate) verbose: u8,
    /// Add what the command did to this file, for `summary` and `notify`.
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) record: Option<Utf8PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build every function and layer into a reproducible zip under target/artifacts.
    Build(commands::build::BuildArgs),
    /// Deploy foundation: the artifact bucket, and the roles that workflows deploy with.
    Bootstrap(commands::bootstrap::BootstrapArgs),
    /// Write the CloudFormation templates of every stage to templates/, or check them.
    Render(commands::render::RenderArgs),
    /// Show what a deploy would change, resource by resource: against a commit, or against what is deployed.
    Plan(commands::plan::PlanArgs),
    /// Draw a stage: systems, stacks, functions, data, and what refers to what.
    Graph(commands::graph::GraphArgs),
    /// Build, render, plan, apply, release and prune: take a stage to what the workspace says.
    Deploy(commands::deploy::DeployArgs),
    /// Move every alias back to an earlier release, after probing it; takes seconds.
    Rollback(commands::rollback::RollbackArgs),
    /// Releases: what was released, by whom, what became of it; finish or revert an interrupted one.
    Release(commands::release::ReleaseArgs),
    /// Say what is wrong with a stage, what it means and how to repair it.
    Doctor(commands::doctor::DoctorArgs),
    /// Locks: who is at work on a stage.
    Lock(commands::lock::LockArgs),
    /// Show what is deployed: stacks, functions, live versions, URLs.
    Status(commands::status::StatusArgs),
    /// Delete versions, layer versions and artifacts that nothing needs.
    Prune(commands::prune::PruneArgs),
    /// Delete a stage's stacks; what holds data is kept unless asked otherwise.
    Destroy(commands::destroy::DestroyArgs),
    /// The local cloud: start, stop, look at it, start afresh.
    Local(commands::local::LocalArgs),
    /// Ask a deployed stage what its clients ask: health, who is turned away, browsers, and how fast it is.
    CheckLive(commands::check_live::CheckLiveArgs),
    /// Say what the commands with the same --record did, also in the job's summary where GITHUB_STEP_SUMMARY is set.
    Summary(commands::summary::SummaryArgs),
    /// Tell each system's alarm topic what became of it in the commands with the same --record; never fails for that.
    Notify(commands::notify::NotifyArgs),
    /// Put the offline plan of every stage under a pull request, as one comment that is updated in place.
    PrComment(commands::pr_comment::PrCommentArgs),
    /// Install what building for a stage takes, where it is missing: Rust's target, and zig under the target directory.
    Toolchain(commands::toolchain::ToolchainArgs),
    /// Say what the artifacts of these sources are called at GitHub, and which run has built them already.
    Artifacts(commands::artifacts::ArtifactsArgs),
    /// Check README, ARCHITECTURE and other pages: they are there, name every command, and their links lead somewhere.
    Docs(commands::docs::DocsArgs),
    /// Everything CI runs: format, lints, tests, docs, templates.
    Ci(commands::ci::CiArgs),
}
