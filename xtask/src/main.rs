//! Parses, runs, prints the chain of causes and a hint, and exits.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use camino::Utf8Path;
use clap::{CommandFactory, FromArgMatches};
use tracing_subscriber::EnvFilter;
use xtask::{
    cli::{Cli, Command},
    commands,
    error::{self, Exit, Interrupted},
    record::{self, Done},
    ui::Ui,
    workspace::Workspace,
};

/// How long an interrupted run may take to give its locks back. What it cannot give back expires.
const GIVE_BACK: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> ExitCode {
    let matches = Cli::command().get_matches();
    let name = matches.subcommand_name().unwrap_or_default().to_owned();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let (record, started) = (cli.record.clone(), Instant::now());
    start_logging(cli.verbose);
    let ui = Ui::new();
    // Borrowed, not moved: what was running is asked for before it is dropped.
    let mut running = std::pin::pin!(run(cli.command, record.as_deref(), &ui));
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

async fn run(command: Command, record: Option<&Utf8Path>, ui: &Ui) -> miette::Result<Exit> {
    let workspace = Workspace::find()?;
    match command {
        Command::Bootstrap(args) => commands::bootstrap::run(args, &workspace, ui).await,
        Command::Build(args) => commands::build::run(args, &workspace, ui).await,
        Command::Render(args) => commands::render::run(&args, &workspace, ui),
        Command::Plan(args) => commands::plan::run(args, &workspace, ui).await,
        Command::Graph(args) => commands::graph::run(&args, &workspace, ui),
        Command::Deploy(args) => commands::deploy::run(args, &workspace, ui).await,
        Command::Rollback(args) => commands::rollback::run(args, &workspace, ui).await,
        Command::Release(args) => commands::release::run(args, &workspace, ui).await,
        Command::Doctor(args) => commands::doctor::run(args, &workspace, ui).await,
        Command::Lock(args) => commands::lock::run(args, &workspace, ui).await,
        Command::Status(args) => commands::status::run(args, &workspace, ui).await,
        Command::Prune(args) => commands::prune::run(args, &workspace, ui).await,
        Command::Destroy(args) => commands::destroy::run(args, &workspace, ui).await,
        Command::Local(args) => commands::local::run(args, &workspace, ui).await,
        Command::CheckLive(args) => commands::check_live::run(args, record, &workspace, ui).await,
        Command::Summary(args) => commands::summary::run(&args, record, ui),
        Command::Notify(args) => commands::notify::run(args, record, &workspace, ui).await,
        Command::PrComment(args) => commands::pr_comment::run(args, &workspace, ui).await,
        Command::Artifacts(args) => commands::artifacts::run(args, &workspace, ui).await,
        Command::Toolchain(args) => commands::toolchain::run(args, &workspace, ui).await,
        Command::Docs(args) => commands::docs::run(&args, &workspace, ui),
        Command::Ci(args) => commands::ci::run(&args, &workspace, ui).await,
        Command::Schema(args) => commands::schema::run(args, &workspace, ui).await,
    }
}

/// Logs go to stderr; `RUST_LOG` overrides the verbosity.
fn start_logging(verbose: u8) {
    let default = match verbose {
        0 => "off",
        1 => "xtask=debug",
        _ => "xtask=trace,aws_smithy_runtime=debug",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
