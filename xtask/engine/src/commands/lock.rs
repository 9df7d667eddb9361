//! `lock`: who is at work on a stage.

use clap::{Args, Subcommand};

use super::guarded::bucket;
use crate::session::Session;
use crate::{
    context::Context,
    deploy::{self, DeployError},
    error::Exit,
    lock::{self, LockRecord, LockState},
    store::unix_seconds,
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
pub async fn run(args: LockArgs, context: &Context) -> miette::Result<Exit> {
    let (_workspace, ui) = (&context.workspace, &context.ui);
    let (LockCommand::Show(selection) | LockCommand::Break(selection)) = &args.command;
    let session = Session::open(context.stage(&selection.stage)?, context).await?;
    let systems = session.select(selection.system.as_deref(), None)?;
    let observed = deploy::observe::observe(&session.systems, &session.clients).await?;
    let Some(bucket) = bucket(&session, &observed) else {
        return Err(DeployError::NoFoundation { stage: session.stage.name.clone() }.into());
    };
    let store = session.clients.documents(bucket);
    for system in &systems {
        let found = match &args.command {
            LockCommand::Show(_) => lock::read_lock(&store, &system.name).await?.map(|record| shown(&record)),
            LockCommand::Break(_) => {
                let broken = lock::break_lock(&store, &system.name).await?;
                broken.map(|record| format!("taken away from {}", record.owner(unix_seconds())))
            }
        };
        ui.result(format_args!("{}: {}", system.name, found.as_deref().unwrap_or("free")));
    }
    Ok(Exit::Success)
}

/// Who has a lock, or had it: the next one takes over what is nobody's.
fn shown(record: &LockRecord) -> String {
    let words = record.owner(unix_seconds());
    match lock::current_state(record) {
        LockState::Free => "free".to_owned(),
        LockState::Stale(why) => format!("stale: {why}; it was locked by {words}"),
        LockState::Held => format!("locked by {words}"),
    }
}
