//! `lock`: shows and breaks the locks of a stage.

use clap::{Args, Subcommand};

use crate::{
    context::Context,
    error::Exit,
    lock::{self, Record, Verdict},
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
    /// Show who holds which lock.
    Show(Selection),
    /// Break locks; only if you know that no command is working on the stage.
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
    let systems = session.select(selection.system.as_deref(), None)?;
    let bucket = session.require_bucket(&session.observe().await?)?;
    let store = session.clients.documents(bucket);
    for system in &systems {
        let state = match &args.command {
            LockCommand::Show(_) => lock::show(&store, &system.name).await?.map(|record| shown(&record)),
            LockCommand::Break(_) => {
                let broken = lock::shatter(&store, &system.name).await?;
                broken.map(|record| format!("broken; it was held by {}", record.words(lock::now())))
            }
        };
        context.ui.result(format_args!("{}: {}", system.name, state.as_deref().unwrap_or("free")));
    }
    Ok(Exit::Success)
}

/// The holder of a lock, in words. The next command takes over a stale lock.
fn shown(record: &Record) -> String {
    let words = record.words(lock::now());
    match lock::standing(record) {
        Verdict::Free => "free".to_owned(),
        Verdict::Stale(reason) => format!("stale: {reason}; it was locked by {words}"),
        Verdict::Taken => format!("locked by {words}"),
    }
}
