//! `toolchain`: what building for a stage takes, installed because somebody asks for it.

use clap::Args;

use super::build;
use crate::{context::Context, error::Exit};

/// Install what building for a stage takes, where it is missing: Rust's target, and zig under the target directory.
#[derive(Debug, Args)]
pub struct ToolchainArgs {
    /// The stage.
    #[arg(long)]
    stage: String,
}

/// Runs the command.
///
/// # Errors
///
/// When something cannot be installed.
pub async fn run(args: ToolchainArgs, context: &Context) -> miette::Result<Exit> {
    let (workspace, ui) = (&context.workspace, &context.ui);
    let stage = context.stage(&args.stage)?;
    let ready = crate::build::install::install(stage.architecture, build::mode(&stage), workspace, ui).await?;
    ui.say(format_args!("✓ Functions of {} are built with {ready}", stage.name));
    Ok(Exit::Success)
}
