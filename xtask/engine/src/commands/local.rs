//! `local`: controls the local cloud.

use clap::{ArgMatches, Args, FromArgMatches, Subcommand};
use miette::Diagnostic;
use serde_json::json;
use thiserror::Error;

use crate::{
    context::Context,
    deploy::observe::Extent,
    error::Exit,
    live::sign_in::{self, SignedIn},
    local,
    session::{self, Session},
    ui::{Format, Ui},
};

/// Control the local cloud: start, stop, inspect, reset.
#[derive(Debug, Args)]
pub(crate) struct LocalArgs {
    #[command(subcommand)]
    command: LocalCommand,
}

#[derive(Debug, Subcommand)]
enum LocalCommand {
    /// Start the local cloud, unless it is running.
    #[command(alias = "start")]
    Up,
    /// Stop the local cloud. Deployed stacks are lost, unless the emulator stores them.
    #[command(alias = "stop")]
    Down,
    /// Show whether the local cloud is running, its URL and its log.
    Status {
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Stop the local cloud, delete its data, and start it again.
    Reset,
    /// Print the logs of the local cloud and its functions.
    Logs {
        /// Print new lines until Ctrl-C.
        #[arg(short, long)]
        follow: bool,
        /// The number of last lines.
        #[arg(short = 'n', long, default_value_t = 100)]
        lines: usize,
    },
    /// Print the ID token of a test user, for `curl -H "Authorization: Bearer $(cargo xtask local sign-in)"`.
    SignIn {
        /// The system with the user pool; may be omitted if only one has users.
        #[arg(long)]
        system: Option<String>,
        /// The user, created if missing [default: a user that no check deletes].
        ///
        /// The name is an e-mail address, or a phone number such as +15555550100, as the user pool requires.
        #[arg(long)]
        user: Option<String>,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Run the gate of a local cloud in the current folder, as `local up` does in the background.
    #[command(hide = true)]
    Gate(GateArgs),
}

/// Which gate to run.
#[derive(Debug, Args)]
pub(crate) struct GateArgs {
    /// The name by which its processes are found.
    token: String,
    /// The Python that MiniStack is installed for.
    python: String,
}

impl GateArgs {
    /// The arguments of the gate, if a command line is the gate's.
    pub(crate) fn of(matches: &ArgMatches) -> Option<Self> {
        let (_, local) = matches.subcommand().filter(|(name, _)| *name == "local")?;
        let (_, gate) = local.subcommand().filter(|(name, _)| *name == "gate")?;
        Self::from_arg_matches(gate).ok()
    }

    /// Runs the gate until the local cloud stops. Needs no workspace: the local cloud's folder may be anywhere.
    ///
    /// # Errors
    ///
    /// When the gate cannot listen, or the emulator ends by itself.
    pub(crate) async fn run(self) -> miette::Result<Exit> {
        local::run_gate(&self.token, &self.python).await?;
        Ok(Exit::Success)
    }
}

#[derive(Debug, Error, Diagnostic)]
enum LocalCommandError {
    #[error("failed to sign in: stage local has no system with users")]
    #[diagnostic(help("enable a system with a user pool in the file of stage local"))]
    NoUsers,
    #[error("failed to sign in: stage local has several systems with users: {}", .0.join(", "))]
    #[diagnostic(help("select one, for example with `cargo xtask local sign-in --system {}`", .0[0]))]
    SeveralSystems(Vec<String>),
}

/// Runs the command.
///
/// # Errors
///
/// When the local cloud cannot be started, stopped or called.
pub(crate) async fn run(args: LocalArgs, context: &Context) -> miette::Result<Exit> {
    let ui = &context.ui;
    let settings = local::Settings::from_workspace(&context.workspace)?;
    match args.command {
        LocalCommand::Up => print_start(&local::up(&settings, ui).await?, ui),
        LocalCommand::Reset => print_start(&local::reset(&settings, ui).await?, ui),
        LocalCommand::Down => {
            let stopped = local::down(&settings).await?;
            ui.say(if stopped { "The local cloud is stopped" } else { "The local cloud was not running" });
        }
        LocalCommand::Status { format } => print_status(&settings, format, ui).await?,
        LocalCommand::Gate(args) => return args.run().await,
        LocalCommand::Logs { follow, lines } => local::logs(&settings, follow, lines, ui).await?,
        LocalCommand::SignIn { system, user, format } => {
            let signed_in = sign_in(system.as_deref(), user.as_deref(), context).await?;
            match format {
                Format::Text => ui.result(signed_in.id_token),
                Format::Json => ui.result(json!({ "username": signed_in.username, "idToken": signed_in.id_token })),
            }
        }
    }
    Ok(Exit::Success)
}

fn print_start(running: &local::Running, ui: &Ui) {
    let state = if running.started { "started" } else { "already running" };
    ui.say(format_args!("The local cloud is {state}, process {}", running.pid));
    ui.say(format_args!("Sign calls with the keys in {}", running.credentials));
    ui.result(&running.endpoint);
}

async fn print_status(settings: &local::Settings, format: Format, ui: &Ui) -> miette::Result<()> {
    let running = local::status(settings).await?;
    match (format, running) {
        (Format::Json, running) => ui.result(json!({
            "running": running.is_some(),
            "endpoint": running.as_ref().map(|running| &running.endpoint),
            "pid": running.as_ref().map(|running| running.pid),
            "credentials": running.as_ref().map(|running| &running.credentials),
            "log": local::log_path(settings),
        })),
        (Format::Text, Some(running)) => {
            ui.result(format_args!("running at {}, process {}, log {}", running.endpoint, running.pid, running.log));
        }
        (Format::Text, None) => ui.result("not running; start it with `cargo xtask local up`"),
    }
    Ok(())
}

async fn sign_in(system: Option<&str>, user: Option<&str>, context: &Context) -> miette::Result<SignedIn> {
    let session = Session::open(context.stage("local")?, context).await?;
    let selected = session.select(system)?;
    let mut with_users: Vec<_> = selected.iter().filter(|system| system.sign_in.is_some()).collect();
    let chosen = match (with_users.pop(), with_users.is_empty(), system) {
        (Some(only), true, _) => only,
        // The selected system has no users, which `sign_in` reports.
        (None, _, Some(_)) => selected.first().ok_or(LocalCommandError::NoUsers)?,
        (None, _, None) => return Err(LocalCommandError::NoUsers.into()),
        (Some(last), false, _) => {
            let names = with_users.iter().map(|system| system.name.clone()).chain([last.name.clone()]);
            return Err(LocalCommandError::SeveralSystems(names.collect()).into());
        }
    };
    let observed = session.observe(Extent::Stacks).await?;
    Ok(sign_in::sign_in(chosen, user, &session, &session::outputs(&observed)).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_that_other_tools_use_start_and_stop_the_local_cloud() {
        for (name, expected) in [("stop", "down"), ("start", "up"), ("down", "down")] {
            let command = LocalArgs::augment_args(clap::Command::new("local"));
            let matches = command.try_get_matches_from(["local", name]).expect("a command");
            assert_eq!(matches.subcommand_name(), Some(expected));
        }
    }
}
