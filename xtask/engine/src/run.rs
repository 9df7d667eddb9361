//! Parses, runs, prints the chain of causes and a hint, and exits.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use camino::{Utf8Path, Utf8PathBuf};
use clap::{ArgMatches, FromArgMatches};
use tracing_subscriber::EnvFilter;

use crate::{
    application::Application,
    cli::{self, Cli, Command},
    commands,
    context::Context,
    error::{self, Exit, Interrupted},
    record::{self, Done},
    ui::Ui,
    workspace::Workspace,
};

/// How long an interrupted run may take to give its locks back. What it cannot give back expires.
const GIVE_BACK: Duration = Duration::from_secs(5);

/// Runs the command line of a project: `fn main() -> ExitCode { engine::main(Project) }`.
pub fn main(application: impl Into<Application>) -> ExitCode {
    let application = application.into();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(run_command_line(application)),
        Err(error) => {
            Ui::new().failure(&["failed to start the asynchronous runtime".to_owned(), error.to_string()], None);
            ExitCode::from(Exit::Failure.code())
        }
    }
}

async fn run_command_line(application: Application) -> ExitCode {
    let matches = cli::command(&application).get_matches();
    let name = matches.subcommand_name().unwrap_or_default().to_owned();
    let (verbose, record) = globals(&matches);
    let started = Instant::now();
    start_logging(verbose);
    let ui = Ui::new().with_verbosity(verbose > 0);
    // Borrowed, not moved: what was running is asked for before it is dropped.
    let mut running = std::pin::pin!(run(application, &matches, record.as_deref(), &ui));
    let ran = tokio::select! {
        ran = &mut running => ran,
        _ = tokio::signal::ctrl_c() => {
            let interrupted = Interrupted { running: ui.still_running() };
            if ui.interrupt() {
                // Whoever holds a lock gives it back, unless that takes long or the user insists.
                tokio::select! {
                    _ = tokio::time::timeout(GIVE_BACK, &mut running) => {}
                    _ = tokio::signal::ctrl_c() => {}
                }
            }
            Err(interrupted.into())
        }
    };
    let (exit, failure) = match ran {
        Ok(exit) => (exit, Vec::new()),
        Err(report) => {
            let chain = error::chain(report.as_ref());
            ui.failure(&chain, error::hint(&report).as_deref());
            let interrupted = report.downcast_ref::<Interrupted>().is_some();
            (if interrupted { Exit::Interrupted } else { Exit::Failure }, chain)
        }
    };
    // What tells of a record is no part of it.
    if let Some(path) = record.as_deref().filter(|_| name != "summary" && name != "notify") {
        let seconds = started.elapsed().as_secs_f64();
        let done = Done { command: name, succeeded: failure.is_empty(), failure, seconds, notes: ui.notes() };
        if let Err(error) = record::append(path, &done) {
            ui.warn(error::chain(&error).join(": "));
        }
    }
    ExitCode::from(exit.code())
}

/// The options that every command has, the project's own included.
fn globals(matches: &ArgMatches) -> (u8, Option<Utf8PathBuf>) {
    (matches.get_count("verbose"), matches.get_one::<Utf8PathBuf>("record").cloned())
}

async fn run(
    application: Application,
    matches: &ArgMatches,
    record: Option<&Utf8Path>,
    ui: &Ui,
) -> miette::Result<Exit> {
    let context = Context { application, workspace: Workspace::find()?, ui: ui.clone() };
    let own = matches.subcommand().and_then(|(name, arguments)| {
        let verb = context.application.verbs.iter().find(|verb| verb.command().get_name() == name)?;
        Some((verb, arguments))
    });
    if let Some((verb, arguments)) = own {
        return verb.run(arguments, &context).await;
    }
    let command = Cli::from_arg_matches(matches).unwrap_or_else(|error| error.exit()).command;
    let context = &context;
    match command {
        Command::Bootstrap(args) => commands::bootstrap::run(args, context).await,
        Command::Build(args) => commands::build::run(args, context).await,
        Command::Render(args) => commands::render::run(&args, context),
        Command::Plan(args) => commands::plan::run(args, context).await,
        Command::Graph(args) => commands::graph::run(&args, context),
        Command::Deploy(args) => commands::deploy::run(args, context).await,
        Command::Rollback(args) => commands::rollback::run(args, context).await,
        Command::Release(args) => commands::release::run(args, context).await,
        Command::Doctor(args) => commands::doctor::run(args, context).await,
        Command::Lock(args) => commands::lock::run(args, context).await,
        Command::Status(args) => commands::status::run(args, context).await,
        Command::Prune(args) => commands::prune::run(args, context).await,
        Command::Destroy(args) => commands::destroy::run(args, context).await,
        Command::Local(args) => commands::local::run(args, context).await,
        Command::CheckLive(args) => commands::check_live::run(args, record, context).await,
        Command::Summary(args) => commands::summary::run(&args, record, context),
        Command::Notify(args) => commands::notify::run(args, record, context).await,
        Command::PrComment(args) => commands::pr_comment::run(args, context).await,
        Command::Artifacts(args) => commands::artifacts::run(args, context).await,
        Command::Toolchain(args) => commands::toolchain::run(args, context).await,
        Command::Docs(args) => commands::docs::run(&args, context),
        Command::Ci(args) => commands::ci::run(&args, context).await,
        Command::Completions(args) => commands::completions::run(&args, context),
        Command::Man(args) => commands::man::run(&args, context),
    }
}

/// Logs go to stderr; `RUST_LOG` overrides the verbosity.
fn start_logging(verbose: u8) {
    let default = match verbose {
        0 => "off",
        1 => "engine=debug,xtask=debug",
        _ => "engine=trace,xtask=trace,aws_smithy_runtime=debug",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
