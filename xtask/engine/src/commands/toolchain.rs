//! `toolchain`: installs the tools that a stage's build needs.

use clap::Args;

use super::build;
use crate::{build::install::install, context::Context, error::Exit};

/// Install the tools that a stage's build needs: the Rust target, and zig under the target directory.
#[derive(Debug, Args)]
pub(crate) struct ToolchainArgs {
    /// The stage.
    #[arg(long)]
    stage: String,
}

/// Runs the command.
///
/// # Errors
///
/// When a tool cannot be installed.
pub(crate) async fn run(args: ToolchainArgs, context: &Context) -> miette::Result<Exit> {
    let (workspace, ui) = (&context.workspace, &context.ui);
    let stage = context.stage(&args.stage)?;
    let ready = install(stage.architecture, build::mode(&stage), workspace, ui).await?;
    ui.say(format_args!("✓ Functions of {} are built with {ready}", stage.name));
    Ok(Exit::Success)
}
