//! `artifacts`: what the artifacts of the workspace's sources are called at GitHub, and which run has them.

use clap::Args;
use serde_json::Value;

use super::build;
use crate::{
    context::Context,
    error::Exit,
    github::{self, Github},
    ui::Format,
};

/// Say what the artifacts of these sources are called at GitHub, and which run has built them already.
#[derive(Debug, Args)]
#[command(
    after_help = "Prints, and gives a job's later steps, `name` and `run`; `run` is empty where nobody has built them, or where \
                        GITHUB_REPOSITORY and GITHUB_TOKEN are not set. Only runs of the repository's own --branch count."
)]
pub struct ArtifactsArgs {
    /// The stage they are for; stages of one architecture have the same.
    #[arg(long)]
    stage: String,
    /// A branch whose runs are trusted to have built them.
    #[arg(long = "branch", value_name = "BRANCH", default_values_t = ["develop".to_owned(), "main".to_owned()])]
    branches: Vec<String>,
    /// How it is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the command.
///
/// # Errors
///
/// When the sources cannot be read, or GitHub refuses.
pub async fn run(args: ArtifactsArgs, context: &Context) -> miette::Result<Exit> {
    let (workspace, ui) = (&context.workspace, &context.ui);
    let stage = context.stage(&args.stage)?;
    let sources = build::sources_of(&stage, &context.render(&stage)?, workspace)?;
    let name = format!("artifacts-{}-{}", stage.architecture.as_str(), &sources[..16]);
    let branches: Vec<_> = args.branches.iter().map(String::as_str).collect();
    let run = match Github::from_environment() {
        Some(github) => github.run_with_artifact(&name, &branches).await?,
        None => None,
    };
    let outputs = [("name", name), ("run", run.map(|run| run.to_string()).unwrap_or_default())];
    github::set_outputs(&outputs)?;
    match args.format {
        Format::Text => outputs.iter().for_each(|(name, value)| ui.result(format_args!("{name}={value}"))),
        Format::Json => ui.result(Value::from_iter(outputs)),
    }
    Ok(Exit::Success)
}
