//! `artifacts`: the name of the workspace's artifacts at GitHub, and the run that has them.

use clap::Args;

use super::{build, print_outputs};
use crate::{
    context::Context,
    error::Exit,
    github::{self, Github},
    ui::Format,
};

/// Print the name of this workspace's artifacts at GitHub, and the run that has already built them.
#[derive(Debug, Args)]
#[command(
    after_help = "Prints `name` and `run`, and sets them as outputs of a GitHub Actions step. `run` is empty if no run has built \
                  them, or if GITHUB_REPOSITORY and GITHUB_TOKEN are not set. Only runs of this repository's --branch count."
)]
pub(crate) struct ArtifactsArgs {
    /// The stage; stages of one architecture share their artifacts.
    #[arg(long)]
    stage: String,
    /// A branch whose runs are trusted.
    #[arg(long = "branch", value_name = "BRANCH", default_values_t = ["develop".to_owned(), "main".to_owned()])]
    branches: Vec<String>,
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the command.
///
/// # Errors
///
/// When the sources cannot be read, or GitHub refuses.
pub(crate) async fn run(args: ArtifactsArgs, context: &Context) -> miette::Result<Exit> {
    let stage = context.stage(&args.stage)?;
    let sources = build::sources_of(&stage, context)?;
    let name = format!("artifacts-{}-{}", stage.architecture.as_str(), &sources[..16]);
    let branches: Vec<_> = args.branches.iter().map(String::as_str).collect();
    let run = match Github::from_environment() {
        Some(github) => github.run_with_artifact(&name, &branches).await?,
        None => None,
    };
    let outputs = [("name", name), ("run", run.map(|run| run.to_string()).unwrap_or_default())];
    github::set_outputs(&outputs)?;
    print_outputs(&outputs, args.format, &context.ui);
    Ok(Exit::Success)
}
