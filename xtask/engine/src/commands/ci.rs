//! `ci`: all that CI runs, the same on a laptop.

use std::process::Command;

use camino::Utf8Path;
use clap::Args;
use miette::Diagnostic;
use thiserror::Error;

use crate::{
    actionlint,
    context::Context,
    error::{self, Exit},
    github, junit,
    ui::duration,
    workspace::Workspace,
};

/// Everything CI runs: format, lints, dependencies, tests, docs, templates, workflows.
#[derive(Debug, Args)]
pub struct CiArgs {
    /// Run only these checks, in the order of the list.
    #[arg(value_enum)]
    only: Vec<Check>,
}

/// How many runs the whole fault suite has.
const FAULT_RUNS: &str = "500";

/// One check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Check {
    /// rustfmt finds nothing to change.
    Format,
    /// clippy finds nothing, warnings included.
    Lints,
    /// cargo-deny: licences, sources, duplicates of what matters.
    Dependencies,
    /// cargo-deny: known vulnerabilities. Asks the advisory database at GitHub, so only when named.
    Advisories,
    /// Unit, snapshot, command line and end-to-end tests.
    Tests,
    /// rustdoc builds without a warning.
    Docs,
    /// README and the other pages name every command, and their links lead somewhere.
    Pages,
    /// The committed templates are what the workspace renders.
    Templates,
    /// actionlint finds nothing in the workflows.
    Workflows,
    /// Five hundred deploys, each with a fault at another call; an hour or two, so only when named.
    Faults,
}

impl Check {
    /// What runs unless checks are named.
    const USUAL: [Self; 8] = [
        Self::Format,
        Self::Lints,
        Self::Dependencies,
        Self::Tests,
        Self::Docs,
        Self::Pages,
        Self::Templates,
        Self::Workflows,
    ];

    fn title(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::Lints => "lints",
            Self::Dependencies => "dependencies",
            Self::Advisories => "advisories",
            Self::Tests => "tests",
            Self::Docs => "docs",
            Self::Pages => "pages",
            Self::Templates => "templates",
            Self::Workflows => "workflows",
            Self::Faults => "faults",
        }
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Format => &["fmt", "--all", "--check"],
            Self::Lints => {
                &["clippy", "--workspace", "--all-targets", "--ignore-rust-version", "--quiet", "--", "-D", "warnings"]
            }
            Self::Dependencies => &["deny", "--log-level", "error", "check", "bans", "licenses", "sources"],
            Self::Advisories => &["deny", "--log-level", "error", "check", "advisories"],
            Self::Tests => {
                &["nextest", "run", "--workspace", "--ignore-rust-version", "--cargo-quiet", "--profile", "ci"]
            }
            Self::Docs => &["doc", "--workspace", "--no-deps", "--ignore-rust-version", "--quiet"],
            Self::Pages => &["xtask", "docs"],
            Self::Templates => &["xtask", "render", "--check"],
            // Every command of a workflow is one of xtask, so there are no scripts to check, whatever else is installed.
            Self::Workflows => &["-shellcheck=", "-pyflakes="],
            Self::Faults => {
                &["nextest", "run", "--package", "xtask", "--ignore-rust-version", "-E", "test(faults)", "--no-capture"]
            }
        }
    }

    /// The cargo subcommand that must be installed, and its package.
    fn needs(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Dependencies | Self::Advisories => Some(("deny", "cargo-deny")),
            Self::Tests | Self::Faults => Some(("nextest", "cargo-nextest")),
            Self::Format | Self::Lints | Self::Docs | Self::Pages | Self::Templates | Self::Workflows => None,
        }
    }
}

#[derive(Debug, Error, Diagnostic)]
enum CiError {
    #[error("failed to start {program}")]
    Start { program: String, source: std::io::Error },
    #[error("{package}, which the check `{check}` needs, is not installed")]
    #[diagnostic(help("run `cargo install --locked {package}`"))]
    Missing { package: &'static str, check: &'static str },
    #[error("{} failed: {}", if .0.len() == 1 { "one check" } else { "checks" }, .0.join(", "))]
    #[diagnostic(help("run one check alone with `cargo xtask ci <check>`"))]
    Failed(Vec<&'static str>),
}

/// Runs the command: every check, even after one failed, so that one run shows all there is to mend.
///
/// # Errors
///
/// When a check fails or a tool it needs is missing.
pub async fn run(args: &CiArgs, context: &Context) -> miette::Result<Exit> {
    let (workspace, ui) = (&context.workspace, &context.ui);
    let all = Check::USUAL.into_iter().chain([Check::Faults]);
    let usual = |check: &Check| args.only.is_empty() && Check::USUAL.contains(check);
    let checks: Vec<_> = all.filter(|check| usual(check) || args.only.contains(check)).collect();
    for check in &checks {
        require(*check, workspace)?;
    }
    let (mut failed, mut failed_tests) = (Vec::new(), Vec::new());
    let report = workspace.root().join(junit::REPORT);
    for check in checks {
        if check == Check::Tests {
            // One of an earlier run must not be taken for this one's: tests that do not compile write none.
            let _absent = fs_err::remove_file(&report);
        }
        let started = std::time::Instant::now();
        let mut command = command(check, context).await?;
        let program = command.get_program().to_string_lossy().into_owned();
        let name = Utf8Path::new(&program).file_name().unwrap_or_default();
        ui.say(format_args!("── {}: {name} {}", check.title(), check.arguments().join(" ")));
        let status = command.status().map_err(|source| CiError::Start { program, source })?;
        let outcome = if status.success() { "passed" } else { "FAILED" };
        ui.say(format_args!("── {} {outcome} ({})", check.title(), duration(started.elapsed())));
        if !status.success() {
            failed.push(check.title());
        }
        if !status.success() && check == Check::Tests {
            match junit::failed(&report) {
                Ok(names) => failed_tests = names,
                Err(error) => {
                    tracing::debug!(error = %error::chain(&error).join(": "), "which tests failed is not known")
                }
            }
        }
    }
    if !failed_tests.is_empty() {
        // The checks that came after them have pushed them out of sight.
        ui.say(format_args!("Failed tests:\n  {}", failed_tests.join("\n  ")));
        github::add_summary(&summary(&failed_tests))?;
    }
    if failed.is_empty() { Ok(Exit::Success) } else { Err(CiError::Failed(failed).into()) }
}

/// The failed tests, for the job's summary.
fn summary(failed_tests: &[String]) -> String {
    let names: String = failed_tests.iter().map(|name| format!("- `{name}`\n")).collect();
    format!("### ❌ Failed tests: {}\n\n{names}", failed_tests.len())
}

async fn command(check: Check, context: &Context) -> miette::Result<Command> {
    let (workspace, ui) = (&context.workspace, &context.ui);
    let mut command = match check {
        Check::Workflows => in_workspace(actionlint::find(workspace, ui).await?.as_str(), workspace),
        _ => cargo(workspace),
    };
    match check {
        Check::Docs => command.env("RUSTDOCFLAGS", "-D warnings"),
        Check::Faults => command.env("XTASK_FAULT_RUNS", FAULT_RUNS),
        _ => &mut command,
    };
    command.args(check.arguments());
    Ok(command)
}

fn require(check: Check, workspace: &Workspace) -> Result<(), CiError> {
    let Some((subcommand, package)) = check.needs() else { return Ok(()) };
    let asked = cargo(workspace).args([subcommand, "--version"]).output();
    let output = asked.map_err(|source| CiError::Start { program: "cargo".to_owned(), source })?;
    if output.status.success() { Ok(()) } else { Err(CiError::Missing { package, check: check.title() }) }
}

fn cargo(workspace: &Workspace) -> Command {
    in_workspace(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), workspace)
}

fn in_workspace(program: impl AsRef<std::ffi::OsStr>, workspace: &Workspace) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace.root());
    command
}
