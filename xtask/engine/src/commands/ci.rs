//! `ci`: runs the checks of CI, the same on a laptop.

use std::time::Instant;

use camino::Utf8Path;
use clap::{Arg, ArgMatches, Args, builder::PossibleValuesParser};
use miette::Diagnostic;
use thiserror::Error;

use crate::{
    actionlint,
    application::OwnCheck,
    checks::{self, Check, CheckError, EngineCheck},
    context::Context,
    error::{Exit, WrongUsage, one_line},
    github, junit,
    ui::duration,
};

/// Run the checks of CI: format, lints, dependencies, tests, docs, templates, workflows, and security linters.
#[derive(Debug, Args)]
pub(crate) struct CiArgs {
    /// Run only these checks, in the order of this list.
    only: Vec<String>,
    /// The options of the project's own checks.
    #[arg(skip)]
    options: Vec<GivenOption>,
}

/// An option of a check, as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
struct GivenOption {
    check: &'static str,
    name: &'static str,
    value: String,
}

#[derive(Debug, Error, Diagnostic)]
#[error(
    "failed to select the checks: --{option} is an option of check `{check}`, which is not named; no check was run"
)]
#[diagnostic(help("name the check before the option: `ci {check} --{option}`"))]
struct OptionOfAnother {
    option: &'static str,
    check: &'static str,
}

impl CiArgs {
    /// Reads the options of the project's own checks, which [`with_checks`] added.
    pub(crate) fn read_options(&mut self, matches: &ArgMatches, own: &[OwnCheck]) {
        let options = own.iter().flat_map(|check| check.options.iter().map(|option| (check.name, option.name)));
        let given = options.filter_map(|(check, name)| {
            let value = matches.get_one::<String>(name)?.clone();
            Some(GivenOption { check, name, value })
        });
        self.options = given.collect();
    }

    /// Returns the options of a check as arguments.
    fn arguments_of(&self, check: Check<'_>) -> Vec<String> {
        let given = self.options.iter().filter(|option| option.check == check.name());
        given.flat_map(|option| [format!("--{}", option.name), option.value.clone()]).collect()
    }

    /// # Errors
    ///
    /// When an option belongs to a check that is not named.
    fn check_options(&self) -> Result<(), WrongUsage> {
        let is_unnamed = |given: &&GivenOption| !self.only.iter().any(|name| name == given.check);
        match self.options.iter().find(is_unnamed) {
            Some(given) => Err(WrongUsage(Box::new(OptionOfAnother { option: given.name, check: given.check }))),
            None => Ok(()),
        }
    }
}

#[derive(Debug, Error, Diagnostic)]
#[error("{} failed: {}", if .0.len() == 1 { "one check" } else { "checks" }, .0.join(", "))]
#[diagnostic(help("run a check alone with `cargo xtask ci {}`", .0[0]))]
struct Failed(Vec<String>);

/// Lets `ci` accept the names of the engine's checks and the project's own, and the options of the latter.
pub(crate) fn with_checks(ci: clap::Command, own: &[OwnCheck]) -> clap::Command {
    let values = PossibleValuesParser::new(checks::values(own));
    let ci = ci.mut_arg("only", |argument| argument.value_parser(values));
    let options = own.iter().flat_map(|check| check.options.iter().map(|option| (check.name, option)));
    ci.args(options.map(|(check, option)| {
        let help = format!("Of check `{check}`: {}", option.about);
        Arg::new(option.name).long(option.name).value_name(option.value).help(help)
    }))
}

/// Runs the command: every check, even after one failed, so that one run shows every problem.
///
/// # Errors
///
/// When a check fails, or its tool is missing.
pub(crate) async fn run(args: &CiArgs, context: &Context) -> miette::Result<Exit> {
    args.check_options()?;
    checks::require_known(&context.application.left_out)?;
    let checks = checks::select(&args.only, &context.application.checks, &context.application.left_out);
    for check in &checks {
        check.require(&context.workspace)?;
    }
    let (mut failed, mut failed_tests) = (Vec::new(), Vec::new());
    for check in checks {
        let is_tests = check == Check::Engine(EngineCheck::Tests);
        let report = context.workspace.root().join(junit::REPORT);
        if is_tests {
            // Tests that do not compile write no report, and an earlier one must not be read instead.
            let _absent = fs_err::remove_file(&report);
        }
        if !passes(check, args, context).await? {
            failed.push(check.name().to_owned());
            if is_tests {
                failed_tests = names_of_failed_tests(&report);
            }
        }
    }
    if !failed_tests.is_empty() {
        // Repeated at the end, because the output of later checks hides them.
        context.ui.say(format_args!("Failed tests:\n  {}", failed_tests.join("\n  ")));
        github::add_summary(&summary(&failed_tests))?;
    }
    if failed.is_empty() { Ok(Exit::Success) } else { Err(Failed(failed).into()) }
}

async fn passes(check: Check<'_>, args: &CiArgs, context: &Context) -> miette::Result<bool> {
    let started = Instant::now();
    let passes = match check.linter() {
        Some(linter) => {
            announce(check, linter.name(), &[], context);
            linter.passes(&context.workspace, &context.ui).await?
        }
        None => command_succeeds(check, &args.arguments_of(check), context).await?,
    };
    let outcome = if passes { "passed" } else { "FAILED" };
    context.ui.say(format_args!("── {} {outcome} ({})", check.name(), duration(started.elapsed())));
    Ok(passes)
}

async fn command_succeeds(check: Check<'_>, options: &[String], context: &Context) -> miette::Result<bool> {
    let (workspace, ui) = (&context.workspace, &context.ui);
    let actionlint = match check {
        Check::Engine(EngineCheck::Workflows) => Some(actionlint::find(workspace, ui).await?),
        _ => None,
    };
    let mut command = check.command(workspace, actionlint);
    command.args(options);
    let program = command.get_program().to_string_lossy().into_owned();
    announce(check, Utf8Path::new(&program).file_name().unwrap_or_default(), options, context);
    let status = tokio::process::Command::from(command).kill_on_drop(true).status().await;
    let status = status.map_err(|source| CheckError::Start { program, source })?;
    Ok(status.success())
}

fn announce(check: Check<'_>, program: &str, options: &[String], context: &Context) {
    let words: Vec<_> = check.arguments().iter().copied().chain(options.iter().map(String::as_str)).collect();
    context.ui.say(format_args!("── {}: {program} {}", check.name(), words.join(" ")));
}

fn names_of_failed_tests(report: &Utf8Path) -> Vec<String> {
    junit::failed(report).unwrap_or_else(|error| {
        tracing::debug!(error = %one_line(&error), "failed to read which tests failed");
        Vec::new()
    })
}

/// The failed tests, for the job's summary.
fn summary(failed_tests: &[String]) -> String {
    let names: String = failed_tests.iter().map(|name| format!("- `{name}`\n")).collect();
    format!("### ❌ Failed tests: {}\n\n{names}", failed_tests.len())
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, FromArgMatches};

    use super::*;
    use crate::{application::CheckOption, cli::Cli, error};

    #[test]
    fn the_command_line_accepts_every_check_and_no_other_name() {
        let own = [OwnCheck {
            name: "faults",
            about: "Deploys with faults",
            arguments: vec!["nextest"],
            environment: Vec::new(),
            options: Vec::new(),
            is_usual: false,
        }];
        let parse = |check: &str| {
            let command = Cli::command().mut_subcommand("ci", |ci| with_checks(ci, &own));
            command.try_get_matches_from(["xtask", "ci", check])
        };
        for value in checks::values(&own) {
            parse(value.get_name()).expect("a check");
        }
        parse("nothing").expect_err("no check");
    }

    #[test]
    fn options_reach_their_check_and_no_other() {
        let option = |name| CheckOption { name, value: "N", about: "How many" };
        let check = |name, option| OwnCheck {
            name,
            about: "A check",
            arguments: vec!["nextest"],
            environment: Vec::new(),
            options: vec![option],
            is_usual: false,
        };
        let own = [check("faults", option("runs")), check("simulate", option("seeds"))];
        let parse = |words: &[&str]| {
            let command = Cli::command().mut_subcommand("ci", |ci| with_checks(ci, &own));
            let matches = command.try_get_matches_from(["xtask", "ci"].iter().chain(words)).expect("accepted");
            let ci = matches.subcommand_matches("ci").expect("ci");
            let mut args = CiArgs::from_arg_matches(ci).expect("arguments");
            args.read_options(ci, &own);
            args
        };
        let args = parse(&["simulate", "--seeds", "5"]);
        args.check_options().expect("its check is named");
        assert_eq!(args.arguments_of(Check::Own(&own[1])), ["--seeds", "5"]);
        assert_eq!(args.arguments_of(Check::Own(&own[0])), Vec::<String>::new());
        let error = parse(&["faults", "--seeds", "5"]).check_options().expect_err("another check");
        assert!(error.to_string().contains("--seeds is an option of check `simulate`"), "{error}");
        let report = miette::Report::from(error);
        assert_eq!(Exit::of(&report), Exit::Usage);
        let hint = error::hint(&report);
        assert_eq!(hint.as_deref(), Some("name the check before the option: `ci simulate --seeds`"));
    }
}
