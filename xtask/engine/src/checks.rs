//! The checks of `ci`: the engine's own and those that a project adds. Each is one command line.

use std::process::Command;

use camino::Utf8PathBuf;
use clap::{ValueEnum, builder::PossibleValue};
use miette::Diagnostic;
use thiserror::Error;

use crate::{application::OwnCheck, linters::Linter, process, workspace::Workspace};

/// A check of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EngineCheck {
    /// rustfmt finds nothing to change.
    Format,
    /// clippy finds nothing, warnings included.
    Lints,
    /// cargo-deny: licences, sources, banned and duplicate crates.
    Dependencies,
    /// cargo-deny: known vulnerabilities. Needs the advisory database at GitHub, so it only runs when named.
    Advisories,
    /// Unit, snapshot, command line and end-to-end tests.
    Tests,
    /// rustdoc builds without a warning.
    Docs,
    /// README and the other pages name every command, and their links work.
    Pages,
    /// The committed templates are up to date.
    Templates,
    /// actionlint finds nothing in the workflows.
    Workflows,
    /// Each risk that zizmor finds in the workflows has an exception.
    Zizmor,
    /// Each risk that checkov finds in the templates has an exception.
    Checkov,
}

impl EngineCheck {
    /// Whether the check runs when none is named.
    const fn is_usual(self) -> bool {
        match self {
            Self::Advisories => false,
            Self::Format
            | Self::Lints
            | Self::Dependencies
            | Self::Tests
            | Self::Docs
            | Self::Pages
            | Self::Templates
            | Self::Workflows
            | Self::Zizmor
            | Self::Checkov => true,
        }
    }

    const fn name(self) -> &'static str {
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
            Self::Zizmor => Linter::Zizmor.name(),
            Self::Checkov => Linter::Checkov.name(),
        }
    }

    /// The linter that the check runs, unless it is a command line.
    const fn linter(self) -> Option<Linter> {
        match self {
            Self::Zizmor => Some(Linter::Zizmor),
            Self::Checkov => Some(Linter::Checkov),
            _ => None,
        }
    }

    const fn arguments(self) -> &'static [&'static str] {
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
            // The workflows contain no scripts, so the result does not depend on installed script linters.
            Self::Workflows => &["-shellcheck=", "-pyflakes="],
            Self::Zizmor => Linter::Zizmor.arguments(),
            Self::Checkov => Linter::Checkov.arguments(),
        }
    }

    const fn environment(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Docs => &[("RUSTDOCFLAGS", "-D warnings")],
            _ => &[],
        }
    }
}

/// A check to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check<'a> {
    Engine(EngineCheck),
    Own(&'a OwnCheck),
}

/// A check cannot be run.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum CheckError {
    #[error("failed to start {program}")]
    #[diagnostic(help("install Rust with rustup, or correct PATH"))]
    Start { program: String, source: std::io::Error },
    #[error("failed to run check `{check}`: {package} is not installed")]
    #[diagnostic(help("run `cargo install --locked {package}`"))]
    Missing { package: &'static str, check: String },
    #[error("failed to select the checks: the project excludes `{name}`, but no check has this name")]
    #[diagnostic(help("correct the name in `Application::only_when_named`"))]
    Unknown { name: &'static str },
}

impl Check<'_> {
    /// The check's name on the command line.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Engine(check) => check.name(),
            Self::Own(check) => check.name,
        }
    }

    /// The linter that it runs, unless it is a command line.
    pub(crate) const fn linter(&self) -> Option<Linter> {
        match self {
            Self::Engine(check) => check.linter(),
            Self::Own(_) => None,
        }
    }

    /// The arguments of its program.
    pub(crate) fn arguments(&self) -> &[&'static str] {
        match self {
            Self::Engine(check) => check.arguments(),
            Self::Own(check) => &check.arguments,
        }
    }

    /// Returns the command line of a check without a linter. `actionlint` is the program of the workflows' check; the others run
    /// cargo.
    pub(crate) fn command(&self, workspace: &Workspace, actionlint: Option<Utf8PathBuf>) -> Command {
        let mut command = actionlint.map_or_else(process::cargo, |program| process::command(program.as_str()));
        command.current_dir(workspace.root()).args(self.arguments());
        match self {
            Self::Engine(check) => command.envs(check.environment().iter().copied()),
            Self::Own(check) => command.envs(defaults(&check.environment, |name| std::env::var_os(name).is_some())),
        };
        command
    }

    /// Fails where the check's cargo subcommand is not installed.
    ///
    /// # Errors
    ///
    /// When it is missing, or cargo cannot be started.
    pub(crate) fn require(&self, workspace: &Workspace) -> Result<(), CheckError> {
        let Some((subcommand, package)) = self.cargo_subcommand() else { return Ok(()) };
        let output = process::cargo().current_dir(workspace.root()).args([subcommand, "--version"]).output();
        let output = output.map_err(|source| CheckError::Start { program: "cargo".to_owned(), source })?;
        if output.status.success() {
            Ok(())
        } else {
            Err(CheckError::Missing { package, check: self.name().to_owned() })
        }
    }

    /// The subcommand of cargo that is a package of its own, and that package.
    fn cargo_subcommand(&self) -> Option<(&'static str, &'static str)> {
        match *self.arguments().first()? {
            "deny" => Some(("deny", "cargo-deny")),
            "nextest" => Some(("nextest", "cargo-nextest")),
            _ => None,
        }
    }
}

/// The variables of a project's check that the user has not set.
fn defaults(
    environment: &[(&'static str, &'static str)],
    is_set: impl Fn(&str) -> bool,
) -> Vec<(&'static str, &'static str)> {
    environment.iter().copied().filter(|(name, _)| !is_set(name)).collect()
}

/// Every check, in the order in which they run.
fn all(own: &[OwnCheck]) -> impl Iterator<Item = Check<'_>> {
    EngineCheck::value_variants().iter().copied().map(Check::Engine).chain(own.iter().map(Check::Own))
}

/// Returns the named checks, or the usual ones where none is named: all but those that the project leaves out.
pub(crate) fn select<'a>(named: &[String], own: &'a [OwnCheck], left_out: &[&str]) -> Vec<Check<'a>> {
    let is_usual = |check: &Check| match check {
        Check::Engine(check) => check.is_usual() && !left_out.contains(&check.name()),
        Check::Own(check) => check.is_usual,
    };
    let is_selected = |check: &Check| {
        if named.is_empty() { is_usual(check) } else { named.iter().any(|name| name == check.name()) }
    };
    all(own).filter(is_selected).collect()
}

/// Fails where a project leaves out a check that the engine does not have.
///
/// # Errors
///
/// When a name is unknown.
pub(crate) fn require_known(left_out: &[&'static str]) -> Result<(), CheckError> {
    let is_known = |name: &str| EngineCheck::value_variants().iter().any(|check| check.name() == name);
    left_out.iter().find(|name| !is_known(name)).map_or(Ok(()), |name| Err(CheckError::Unknown { name }))
}

/// Returns the names of all checks for the command line, each with its help.
pub(crate) fn values(own: &[OwnCheck]) -> Vec<PossibleValue> {
    let value = |check: Check| match check {
        Check::Engine(check) => check.to_possible_value(),
        Check::Own(check) => Some(PossibleValue::new(check.name).help(check.about)),
    };
    all(own).filter_map(value).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn own() -> Vec<OwnCheck> {
        vec![OwnCheck {
            name: "faults",
            about: "Deploys with faults",
            arguments: vec!["nextest", "run"],
            environment: vec![("RUNS", "500")],
            options: Vec::new(),
            is_usual: false,
        }]
    }

    #[test]
    fn every_check_that_can_be_named_is_run() {
        let own = own();
        let names: Vec<_> = values(&own).iter().map(|value| value.get_name().to_owned()).collect();
        assert_eq!(names.len(), EngineCheck::value_variants().len() + own.len());
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
        let workspace = Workspace::at("/".into());
        let mut command_lines = BTreeSet::new();
        for name in &names {
            let [check] = select(std::slice::from_ref(name), &own, &[name])[..] else {
                panic!("{name} selects one check")
            };
            assert_eq!(check.name(), name);
            let command = check.command(&workspace, None);
            let arguments: Vec<_> = command.get_args().map(|argument| argument.to_owned()).collect();
            assert!(!arguments.is_empty(), "{name} runs nothing");
            assert!(command_lines.insert(arguments), "{name} runs what another check runs");
        }
        assert_eq!(select(&names, &own, &[]).len(), names.len());
    }

    #[test]
    fn without_names_the_usual_checks_run() {
        let own = own();
        let names = |left_out: &[&str]| -> Vec<_> {
            select(&[], &own, left_out).iter().map(|check| check.name().to_owned()).collect()
        };
        let usual = ["format", "lints", "dependencies", "tests", "docs", "pages", "templates", "workflows"];
        assert_eq!(names(&[]), [&usual[..], &["zizmor", "checkov"]].concat());
        // A project decides which of them run only when they are named.
        assert_eq!(names(&["checkov", "zizmor"]), usual);
        require_known(&["checkov", "zizmor"]).expect("known names");
        require_known(&["chekov"]).expect_err("no such check");
        let usual_own = vec![OwnCheck { is_usual: true, ..own[0].clone() }];
        assert_eq!(select(&[], &usual_own, &[]).last().map(Check::name), Some("faults"));
    }

    #[test]
    fn environment_and_subcommand_come_with_a_check() {
        let own = own();
        let workspace = Workspace::at("/".into());
        let variables = |check: Check| {
            let command = check.command(&workspace, None);
            let set = command.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
            set.collect::<Vec<_>>()
        };
        assert_eq!(variables(Check::Own(&own[0])), [("RUNS".into(), "500".into())]);
        assert_eq!(variables(Check::Engine(EngineCheck::Docs)), [("RUSTDOCFLAGS".into(), "-D warnings".into())]);
        // What the user has set stays.
        assert_eq!(defaults(&own[0].environment, |name| name == "RUNS"), []);
        assert_eq!(Check::Own(&own[0]).cargo_subcommand(), Some(("nextest", "cargo-nextest")));
        assert_eq!(Check::Engine(EngineCheck::Advisories).cargo_subcommand(), Some(("deny", "cargo-deny")));
        assert_eq!(Check::Engine(EngineCheck::Format).cargo_subcommand(), None);
    }
}
