//! `lock`: shows and breaks the locks of a stage.

use clap::{Args, Subcommand};

use crate::{
    context::Context,
    deploy::observe::Extent,
    error::Exit,
    lock::{self, FoundLock, LockState},
    session::Session,
};

/// Show who holds the locks of a stage, or break them.
#[derive(Debug, Args)]
pub(crate) struct LockArgs {
    #[command(subcommand)]
    command: LockCommand,
}

#[derive(Debug, Subcommand)]
enum LockCommand {
    /// Show each lock and its holder.
    Show(Selection),
    /// Break locks. Make sure first that no other command is running on the stage.
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
/// When foundation is not deployed, or a call fails.
pub(crate) async fn run(args: LockArgs, context: &Context) -> miette::Result<Exit> {
    let (LockCommand::Show(selection) | LockCommand::Break(selection)) = &args.command;
    let session = Session::open(context.stage(&selection.stage)?, context).await?;
    let systems = session.select(selection.system.as_deref())?;
    let bucket = session.require_bucket(&session.observe(Extent::Stacks).await?)?;
    let store = session.clients.documents(bucket);
    for system in &systems {
        let state = match &args.command {
            LockCommand::Show(_) => lock::read_lock(&store, &system.name).await?.map(|found| shown(&found)),
            LockCommand::Break(_) => {
                let broken = lock::break_lock(&store, &system.name).await?;
                broken.map(|found| format!("broken; it was held by {}", found.owner()))
            }
        };
        context.ui.result(format_args!("{}: {}", system.name, state.as_deref().unwrap_or("free")));
    }
    Ok(Exit::Success)
}

/// The holder of a lock, in words. The next command takes over a stale lock.
fn shown(found: &FoundLock) -> String {
    let words = found.owner();
    match found.state() {
        LockState::Free => "free".to_owned(),
        LockState::Stale(reason) => format!("stale: {reason}; it was locked by {words}"),
        LockState::Held => format!("locked by {words}"),
    }
}
