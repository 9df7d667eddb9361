//! Parses, runs, prints the chain of causes and a hint, and exits.

use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;
use xtask::{
    cli::{Cli, Command},
    commands,
    error::{self, Exit, Interrupted},
    ui::Ui,
    workspace::Workspace,
};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    start_logging(cli.verbose);
    let ui = Ui::new();
    // Borrowed, not moved: what was running is asked for before it is dropped.
    let mut running = std::pin::pin!(run(cli.command, &ui));
    let ran = tokio::select! {
        ran = &mut running => ran,
        _ = tokio::signal::ctrl_c() => Err(Interrupted { running: ui.still_running() }.into()),
    };
    let exit = match ran {
        Ok(exit) => exit,
        Err(report) => {
            ui.failure(&error::chain(report.as_ref()), error::hint(&report).as_deref());
            if report.downcast_ref::<Interrupted>().is_some() { Exit::Interrupted } else { Exit::Failure }
        }
    };
    ExitCode::from(exit.code())
}

async fn run(command: Command, ui: &Ui) -> miette::Result<Exit> {
    let workspace = Workspace::find()?;
    match command {
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
        Command::Ci(args) => commands::ci::run(&args, &workspace, ui),
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
