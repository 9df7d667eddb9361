//! `local`: the local cloud's own commands.

use clap::{Args, Subcommand};
use miette::Diagnostic;
use serde_json::json;
use thiserror::Error;

use crate::live::{self, sign_in::SignedIn};
use crate::session::{self, Session};
use crate::{
    context::Context,
    deploy::observe,
    error::Exit,
    local,
    ui::{Format, Ui},
};

/// The local cloud: start, stop, look at it, start afresh.
#[derive(Debug, Args)]
pub struct LocalArgs {
    #[command(subcommand)]
    command: LocalCommand,
}

#[derive(Debug, Subcommand)]
enum LocalCommand {
    /// Start it, or do nothing when it runs.
    Up,
    /// Stop it; what was deployed is gone unless the emulator keeps it.
    Down,
    /// Is it running, where, since when?
    Status {
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Stop it, forget everything, start it.
    Reset,
    /// Show what it and the functions log.
    Logs {
        /// Go on showing what is added, until Ctrl-C.
        #[arg(short, long)]
        follow: bool,
        /// How many of the last lines.
        #[arg(short = 'n', long, default_value_t = 100)]
        lines: usize,
    },
    /// Print the ID token of a test user, for `curl -H "Authorization: Bearer $(cargo xtask local sign-in)"`.
    SignIn {
        /// The system whose user pool is used; may be omitted where only one has users.
        #[arg(long)]
        system: Option<String>,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

#[derive(Debug, Error, Diagnostic)]
enum LocalCommandError {
    #[error("stage local has no system with users")]
    #[diagnostic(help("switch a system with a user pool on in the stage file of `local`"))]
    NoUsers,
    #[error("stage local has several systems with users: {}", .0.join(", "))]
    #[diagnostic(help("name one with `--system <SYSTEM>`"))]
    SeveralSystems(Vec<String>),
}

/// Runs the command.
///
/// # Errors
///
/// When the local cloud cannot be started, stopped or used.
pub async fn run(args: LocalArgs, context: &Context) -> miette::Result<Exit> {
    let (workspace, ui) = (&context.workspace, &context.ui);
    let settings = local::Settings::from_workspace(workspace)?;
    match args.command {
        LocalCommand::Up => started(&local::up(&settings, ui).await?, ui),
        LocalCommand::Reset => started(&local::reset(&settings, ui).await?, ui),
        LocalCommand::Down => {
            let stopped = local::down(&settings).await?;
            ui.say(if stopped { "The local cloud is stopped" } else { "The local cloud was not running" });
        }
        LocalCommand::Status { format } => show_status(&settings, format, ui).await?,
        LocalCommand::Logs { follow, lines } => local::logs(&settings, follow, lines, ui).await?,
        LocalCommand::SignIn { system, format } => {
            let signed_in = sign_in(system.as_deref(), context).await?;
            match format {
                Format::Text => ui.result(signed_in.id_token),
                Format::Json => ui.result(json!({ "username": signed_in.username, "idToken": signed_in.id_token })),
            }
        }
    }
    Ok(Exit::Success)
}

fn started(running: &local::Running, ui: &Ui) {
    let how = if running.started { "started" } else { "already running" };
    ui.say(format_args!("The local cloud is {how}, process {}", running.pid));
    ui.result(&running.endpoint);
}

async fn show_status(settings: &local::Settings, format: Format, ui: &Ui) -> miette::Result<()> {
    let running = local::status(settings).await?;
    match (format, running) {
        (Format::Json, running) => ui.result(json!({
            "running": running.is_some(),
            "endpoint": running.as_ref().map(|running| &running.endpoint),
            "pid": running.as_ref().map(|running| running.pid),
            "log": local::log_path(settings),
        })),
        (Format::Text, Some(running)) => {
            ui.result(format_args!("running at {}, process {}, log {}", running.endpoint, running.pid, running.log));
        }
        (Format::Text, None) => ui.result("not running; start it with `cargo xtask local up`"),
    }
    Ok(())
}

async fn sign_in(system: Option<&str>, context: &Context) -> miette::Result<SignedIn> {
    let session = Session::open(context.stage("local")?, context).await?;
    let selected = session.select(system, None)?;
    let mut with_users: Vec<_> = selected.iter().filter(|system| system.sign_in.is_some()).collect();
    let chosen = match (with_users.pop(), with_users.is_empty(), system) {
        (Some(only), true, _) => only,
        // The system that was named has no users; `sign_in` reports it.
        (None, _, Some(_)) => selected.first().ok_or(LocalCommandError::NoUsers)?,
        (None, _, None) => return Err(LocalCommandError::NoUsers.into()),
        (Some(last), false, _) => {
            let names = with_users.iter().map(|system| system.name.clone()).chain([last.name.clone()]);
            return Err(LocalCommandError::SeveralSystems(names.collect()).into());
        }
    };
    let observed = observe::observe(&session.systems, &session.clients).await?;
    Ok(live::sign_in::sign_in(chosen, &session, &session::outputs(&observed)).await?)
}
