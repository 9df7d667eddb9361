//! Parses the command line, runs its command, prints an error, records the command, and exits.

use std::{ffi::OsString, process::ExitCode};

use camino::{Utf8Path, Utf8PathBuf};
use clap::{ArgMatches, FromArgMatches};
use serde_json::Value;
use tokio::time::Instant;
use tracing_subscriber::EnvFilter;

use crate::{
    application::Application,
    cli::{self, Cli, Command},
    commands::{self, local::GateArgs},
    context::Context,
    error::{self, Exit},
    record::{self, JobRecord},
    report::{Draft, JobReport},
    surroundings::Surroundings,
    ui::Ui,
    workspace::Workspace,
};

/// How a command line ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// The exit of the program.
    pub exit: Exit,
    /// The error and its causes, outermost first; empty for a command that succeeded.
    pub failure: Vec<String>,
    /// The next step after the error.
    pub hint: Option<String>,
    /// What the command did, as `--record` writes it.
    pub report: Value,
}

/// How a command ended, and what it had done by then.
struct CommandOutcome {
    report: JobReport,
    result: miette::Result<Exit>,
}

/// Runs the command line of a project: `fn main() -> ExitCode { engine::main(Project) }`.
pub fn main(application: impl Into<Application>) -> ExitCode {
    main_with(application.into(), std::env::args_os().collect())
}

/// Runs the command line with these arguments, of which the first is the program's name.
///
/// Not generic: a generic function's code, and that of every command below it, would be generated again in the project's binary
/// after each change of a stack.
pub fn main_with(application: Application, arguments: Vec<OsString>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(run_command_line(application, arguments)),
        Err(error) => {
            Ui::new().failure(&["failed to start the asynchronous runtime".to_owned(), error.to_string()], None);
            ExitCode::from(Exit::Failure.code())
        }
    }
}

async fn run_command_line(application: Application, arguments: Vec<OsString>) -> ExitCode {
    if let Err(error) = cli::check_verbs(&application) {
        let report = miette::Report::new(error);
        Ui::new().failure(&error::chain(report.as_ref()), error::hint(&report).as_deref());
        return ExitCode::from(Exit::of(&report).code());
    }
    let matches = cli::command(&application).get_matches_from(arguments);
    start_logging(global_options(&matches).0);
    let ended = if let Some(gate) = GateArgs::of(&matches) {
        let ui = Ui::new();
        ended(CommandOutcome { report: JobReport::Nothing, result: gate.run().await }, &ui)
    } else {
        run_matches(application, &matches, None, &Surroundings::default()).await
    };
    ExitCode::from(ended.exit.code())
}

/// Runs a command line of a project in these surroundings. The arguments lack the program's name.
///
/// Simulated surroundings have no logs of their own, and no signals but those of [`Interruption`]. Their process ends with the command,
/// and also when the returned future is dropped, which is how a simulation kills a process.
///
/// [`Interruption`]: crate::interruption::Interruption
pub async fn run_in(
    application: Application,
    workspace: Workspace,
    surroundings: &Surroundings,
    arguments: &[&str],
) -> Ended {
    let arguments = std::iter::once("xtask").chain(arguments.iter().copied());
    let matches = match cli::command(&application).try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => {
            surroundings.simulated().inspect(|simulated| simulated.process.end());
            return refused(&error);
        }
    };
    let work = Box::pin(run_matches(application, &matches, Some(workspace), surroundings));
    match surroundings.simulated() {
        Some(simulated) => simulated.process.run(work).await,
        None => work.await,
    }
}

/// The end of a command line that clap does not accept, or answers itself: help is no failure.
fn refused(error: &clap::Error) -> Ended {
    let exit = if error.use_stderr() { Exit::Usage } else { Exit::Success };
    let failure = if error.use_stderr() { vec![error.to_string()] } else { Vec::new() };
    Ended { exit, failure, hint: None, report: to_value(&JobReport::Nothing) }
}

/// Runs a parsed command line, prints its error, and records it.
async fn run_matches(
    application: Application,
    matches: &ArgMatches,
    workspace: Option<Workspace>,
    surroundings: &Surroundings,
) -> Ended {
    let name = matches.subcommand_name().unwrap_or_default().to_owned();
    let (verbose, record) = global_options(matches);
    let started = Instant::now();
    let ui = surroundings.simulated().map_or_else(Ui::new, |simulated| Ui::to(simulated.printer.clone()));
    let ui = ui.with_verbosity(verbose > 0);
    let workspace = workspace.map_or_else(Workspace::find, Ok);
    let outcome = match workspace {
        Ok(workspace) => {
            let interruption = surroundings.simulated().map(|simulated| simulated.interruption.clone());
            let interruption = interruption.unwrap_or_default();
            let (ui, surroundings) = (ui.clone(), surroundings.clone());
            let context = Context { application, workspace, ui, interruption, surroundings };
            run(matches, record.as_deref(), &context).await
        }
        Err(error) => CommandOutcome { report: JobReport::Nothing, result: Err(error.into()) },
    };
    let report = outcome.report.clone();
    let ended = ended(outcome, &ui);
    // `summary` and `notify` only read the record; they add nothing to it.
    if let Some(path) = record.as_deref().filter(|_| name != "summary" && name != "notify") {
        let record = JobRecord::new(name, report, ended.failure.clone(), started.elapsed());
        if let Err(error) = record::append(path, &record) {
            ui.warn(error::chain(&error).join(": "));
        }
    }
    ended
}

/// Prints the error of a command.
fn ended(outcome: CommandOutcome, ui: &Ui) -> Ended {
    let CommandOutcome { report, result } = outcome;
    let report = to_value(&report);
    match result {
        Ok(exit) => Ended { exit, failure: Vec::new(), hint: None, report },
        Err(error) => {
            let (failure, hint) = (error::chain(error.as_ref()), error::hint(&error));
            ui.failure(&failure, hint.as_deref());
            Ended { exit: Exit::of(&error), failure, hint, report }
        }
    }
}

/// A report has no map with keys that JSON lacks.
fn to_value(report: &JobReport) -> Value {
    serde_json::to_value(report).unwrap_or_default()
}

/// The options that every command has, the project's own included.
fn global_options(matches: &ArgMatches) -> (u8, Option<Utf8PathBuf>) {
    (matches.get_count("verbose"), matches.get_one::<Utf8PathBuf>("record").cloned())
}

async fn run(matches: &ArgMatches, record: Option<&Utf8Path>, context: &Context) -> CommandOutcome {
    let own = matches.subcommand().and_then(|(name, arguments)| {
        let verb = context.application.verbs.iter().find(|verb| verb.command().get_name() == name)?;
        Some((verb, arguments))
    });
    if let Some((verb, arguments)) = own {
        return Runner { context }.run(JobReport::Nothing, verb.run(arguments, context)).await;
    }
    let mut command = Cli::from_arg_matches(matches).unwrap_or_else(|error| error.exit()).command;
    if let (Command::Ci(args), Some((_, given))) = (&mut command, matches.subcommand()) {
        args.read_options(given, &context.application.checks);
    }
    dispatch(command, record, context).await
}

/// Runs a command; one arm for each.
async fn dispatch(command: Command, record: Option<&Utf8Path>, context: &Context) -> CommandOutcome {
    use JobReport::{Bootstrap, Build, CheckLive, Deploy, Nothing, Plan, Prune, Release, Rollback};
    let runner = Runner { context };
    match command {
        Command::Deploy(args) => runner.fill(Deploy, async |to| commands::deploy::run(args, context, to).await).await,
        Command::Bootstrap(args) => {
            runner.fill(Bootstrap, async |to| commands::bootstrap::run(args, context, to).await).await
        }
        Command::Rollback(args) => {
            runner.fill(Rollback, async |to| commands::rollback::run(args, context, to).await).await
        }
        Command::Release(args) => {
            runner.fill(Release, async |to| commands::release::run(args, context, to).await).await
        }
        Command::CheckLive(args) => {
            runner.fill(CheckLive, async |to| commands::check_live::run(args, record, context, to).await).await
        }
        Command::Prune(args) => runner.fill(Prune, async |to| commands::prune::run(args, context, to).await).await,
        Command::Plan(args) => runner.run(Plan, commands::plan::run(args, context)).await,
        Command::Build(args) => runner.run(Build, commands::build::run(args, context)).await,
        Command::Render(args) => runner.run(Nothing, async { commands::render::run(&args, context) }).await,
        Command::Graph(args) => runner.run(Nothing, async { commands::graph::run(&args, context) }).await,
        Command::Doctor(args) => runner.run(Nothing, commands::doctor::run(args, context)).await,
        Command::Lock(args) => runner.run(Nothing, commands::lock::run(args, context)).await,
        Command::CheckRights(args) => runner.run(Nothing, commands::check_rights::run(args, context)).await,
        Command::Secret(args) => runner.run(Nothing, commands::secret::run(args, context)).await,
        Command::Status(args) => runner.run(Nothing, commands::status::run(args, context)).await,
        Command::Destroy(args) => runner.run(Nothing, commands::destroy::run(args, context)).await,
        Command::Local(args) => runner.run(Nothing, commands::local::run(args, context)).await,
        Command::Summary(args) => runner.run(Nothing, async { commands::summary::run(&args, record, context) }).await,
        Command::Notify(args) => runner.run(Nothing, commands::notify::run(args, record, context)).await,
        Command::PrComment(args) => runner.run(Nothing, commands::pr_comment::run(args, context)).await,
        Command::Artifacts(args) => runner.run(Nothing, commands::artifacts::run(args, context)).await,
        Command::Export(args) => runner.run(Nothing, async { commands::export::run(&args, context) }).await,
        Command::Toolchain(args) => runner.run(Nothing, commands::toolchain::run(args, context)).await,
        Command::Docs(args) => runner.run(Nothing, async { commands::docs::run(&args, context) }).await,
        Command::Ci(args) => runner.run(Nothing, commands::ci::run(&args, context)).await,
        Command::Completions(args) => runner.run(Nothing, async { commands::completions::run(&args, context) }).await,
        Command::Man(args) => runner.run(Nothing, async { commands::man::run(&args, context) }).await,
    }
}

struct Runner<'a> {
    context: &'a Context,
}

impl Runner<'_> {
    /// Runs a command whose report does not depend on what it does.
    async fn run(&self, report: JobReport, command: impl Future<Output = miette::Result<Exit>>) -> CommandOutcome {
        // On the heap: the futures of commands are large, and unoptimized code moves them often.
        CommandOutcome { report, result: self.context.interruption.interruptible(Box::pin(command)).await }
    }

    /// Runs a command that fills in a report. The report outlives the command's failure and interruption.
    async fn fill<R: Default>(
        &self,
        report: impl FnOnce(R) -> JobReport,
        command: impl AsyncFnOnce(&Draft<R>) -> miette::Result<Exit>,
    ) -> CommandOutcome {
        let draft = Draft::default();
        let result = self.context.interruption.interruptible(Box::pin(command(&draft))).await;
        CommandOutcome { report: report(draft.into_report()), result }
    }
}

/// Logs go to stderr; `RUST_LOG` overrides the verbosity.
fn start_logging(verbose: u8) {
    let program = std::env::current_exe().ok().and_then(|path| Utf8PathBuf::from_path_buf(path).ok());
    let default = log_filter(verbose, program.as_deref().and_then(Utf8Path::file_stem).unwrap_or("xtask"));
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

/// The filter of a verbosity: the engine, and the project's own program, whose crate has the name of the program.
fn log_filter(verbose: u8, program: &str) -> String {
    let own = program.replace('-', "_");
    match verbose {
        0 => "off".to_owned(),
        1 => format!("engine=debug,{own}=debug"),
        _ => format!("engine=trace,{own}=trace,aws_smithy_runtime=debug"),
    }
}

#[cfg(test)]
mod tests {
    use model::example::Example;

    use super::*;
    use crate::{interruption::Interruption, report::DeployReport};

    fn context() -> Context {
        Context {
            application: Application::new(Example),
            workspace: Workspace::at("/".into()),
            ui: Ui::new(),
            interruption: Interruption::default(),
            surroundings: Surroundings::default(),
        }
    }

    #[tokio::test]
    async fn a_failed_command_reports_what_it_did_before() {
        let context = context();
        let command = async |draft: &Draft<DeployReport>| {
            draft.update(|report| report.changed_stacks.push("notes-data-prod".to_owned()));
            Err(miette::miette!("denied"))
        };
        let outcome = Runner { context: &context }.fill(JobReport::Deploy, command).await;
        assert!(outcome.result.is_err());
        let report = outcome.report.deploy().expect("the report of a deploy");
        assert_eq!(report.changed_stacks, ["notes-data-prod"]);
    }

    #[test]
    fn the_projects_own_program_is_logged() {
        assert_eq!(log_filter(0, "deploy-tool"), "off");
        for (verbose, level) in [(1, "debug"), (2, "trace")] {
            let filter = log_filter(verbose, "deploy-tool");
            assert!(filter.starts_with(&format!("engine={level},deploy_tool={level}")), "{filter}");
            assert!(filter.parse::<EnvFilter>().is_ok(), "{filter}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        cli::command(&Application::new(Example)).debug_assert();
    }
}
