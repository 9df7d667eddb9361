//! `lock`: who is at work on a stage.

use clap::{Args, Subcommand};

use super::{guarded::bucket, session::Session};
use crate::{
    deploy::{self, DeployError},
    error::Exit,
    lock, stage,
    ui::Ui,
    workspace::Workspace,
};

/// Locks: who is at work on a stage.
#[derive(Debug, Args)]
pub struct LockArgs {
    #[command(subcommand)]
    command: LockCommand,
}

#[derive(Debug, Subcommand)]
enum LockCommand {
    /// Show who holds which lock.
    Show(Selection),
    /// Take locks away from whoever holds them; only when you know that nobody is at work.
    Break(Selection),
}

#[derive(Debug, Args)]
struct Selection {
    /// The stage.
    #[arg(long)]
    stage: String,
    /// Only this system.
    #[arg(long)]
    system: Option<String>,
}

/// Runs the command.
///
/// # Errors
///
/// When the stage cannot be looked at, or a call fails.
pub async fn run(args: LockArgs, workspace: &Workspace, ui: &Ui) -> miette::Result<Exit> {
    let (LockCommand::Show(selection) | LockCommand::Break(selection)) = &args.command;
    let session = Session::open(stage::load(workspace, &selection.stage)?, workspace, ui).await?;
    let systems = session.select(selection.system.as_deref(), None)?;
    let observed = deploy::observe::observe(&session.systems, &session.clients).await?;
    let Some(bucket) = bucket(&session, &observed) else {
        return Err(DeployError::NoFoundation { stage: session.stage.name.clone() }.into());
    };
    let store = session.clients.documents(bucket);
    for system in &systems {
        let (found, what) = match &args.command {
            LockCommand::Show(_) => (lock::show(&store, &system.name).await?, "locked by"),
            LockCommand::Break(_) => (lock::shatter(&store, &system.name).await?, "taken away from"),
        };
        match found {
            Some(record) => ui.result(format_args!("{}: {what} {}", system.name, record.words(lock::now()))),
            None => ui.result(format_args!("{}: free", system.name)),
        }
    }
    Ok(Exit::Success)
}
