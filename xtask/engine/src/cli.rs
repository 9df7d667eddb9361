//! The command line. Reads as a table of contents: a verb here is a file in [`crate::commands`].

use std::{collections::BTreeSet, fmt::Write};

use camino::Utf8PathBuf;
use clap::{CommandFactory, Parser, Subcommand};
use miette::Diagnostic;

use crate::{application::Application, commands};

/// Builds, plans, deploys and releases Rust Lambda backends.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, arg_required_else_help = true)]
#[command(after_help = "Run `cargo xtask <COMMAND> --help` for a command's options.\n\n\
                        Exit codes: 0 success, 1 failure or a difference that a check found, 2 wrong usage, 129, 130 or 143 interrupted; \
                        `plan --exit-code` adds 2 changes, 3 refused.")]
pub(crate) struct Cli {
    /// Log more: -v the calls, -vv every request.
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub(crate) verbose: u8,
    /// Append the command's result to this file, for `summary` and `notify`.
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) record: Option<Utf8PathBuf>,
    /// The command to run.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The verbs. Their help is one line of at most 80 columns; [`HEADINGS`] groups them.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build each function and layer into a reproducible zip.
    Build(commands::build::BuildArgs),
    /// Deploy the foundation: the artifact bucket and the deploy roles.
    Bootstrap(commands::bootstrap::BootstrapArgs),
    /// Write or check the CloudFormation templates of every stage.
    Render(commands::render::RenderArgs),
    /// Show what a deploy would change, resource by resource.
    Plan(commands::plan::PlanArgs),
    /// Draw a stage: systems, stacks, functions, references.
    Graph(commands::graph::GraphArgs),
    /// Deploy a stage: build, render, plan, apply, release, prune.
    Deploy(commands::deploy::DeployArgs),
    /// Shift traffic back to an earlier release, in seconds.
    Rollback(commands::rollback::RollbackArgs),
    /// List releases; resume or revert an interrupted one.
    Release(commands::release::ReleaseArgs),
    /// Diagnose a stage and show how to repair it.
    Doctor(commands::doctor::DoctorArgs),
    /// Show or break a stage's locks.
    Lock(commands::lock::LockArgs),
    /// List, rotate and revoke the secrets that templates generate.
    Secret(commands::secret::SecretArgs),
    /// Show deployed stacks, functions, live versions and URLs.
    Status(commands::status::StatusArgs),
    /// Delete versions, artifacts and site files that no release needs.
    Prune(commands::prune::PruneArgs),
    /// Delete a stage's stacks; keep stateful resources by default.
    Destroy(commands::destroy::DestroyArgs),
    /// Start, stop, reset or inspect the local cloud.
    Local(commands::local::LocalArgs),
    /// Test a deployed stage: health, authorization, CORS, latency.
    CheckLive(commands::check_live::CheckLiveArgs),
    /// Compare the calls of functions with another stage's roles.
    CheckRights(commands::check_rights::CheckRightsArgs),
    /// Summarize the commands that wrote to the same --record.
    Summary(commands::summary::SummaryArgs),
    /// Send the recorded results to each system's alarm topic.
    Notify(commands::notify::NotifyArgs),
    /// Post each stage's plan as a pull request comment.
    PrComment(commands::pr_comment::PrCommentArgs),
    /// Install the Rust target and zig that a stage's build needs.
    Toolchain(commands::toolchain::ToolchainArgs),
    /// Find and download the artifacts that a run at GitHub has built.
    Artifacts(commands::artifacts::ArtifactsArgs),
    /// Copy this program to a file, for jobs that compile nothing.
    Export(commands::export::ExportArgs),
    /// Check the documentation: every command named, every link valid.
    Docs(commands::docs::DocsArgs),
    /// Run the checks of CI: format, lints, tests, docs, templates.
    Ci(commands::ci::CiArgs),
    /// Print a completion script for a shell.
    Completions(commands::completions::CompletionsArgs),
    /// Print the manual page.
    Man(commands::man::ManArgs),
}

/// The headings of `--help`, each with its verbs. A verb without a heading is the project's own.
const HEADINGS: [(&str, &[&str]); 5] = [
    ("Every day", &["deploy", "plan", "status", "local", "build", "render", "graph", "check-rights"]),
    ("Releases", &["release", "rollback", "check-live", "prune"]),
    ("Repair", &["doctor", "lock", "secret", "destroy"]),
    ("Pipeline", &["bootstrap", "toolchain", "artifacts", "export", "pr-comment", "summary", "notify", "docs", "ci"]),
    ("Terminal", &["completions", "man"]),
];
/// The heading of the project's own verbs.
const OWN: &str = "This repository";

/// A verb of the project has the name of another command.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("failed to add the project's verb `{name}`: there is already a command of this name")]
#[diagnostic(help("rename it in `Verb::command`"))]
pub(crate) struct VerbTaken {
    name: String,
}

/// Checks that each verb of the project has a name of its own.
///
/// # Errors
///
/// The first verb whose name is the engine's, clap's or another verb's.
pub(crate) fn check_verbs(application: &Application) -> Result<(), VerbTaken> {
    let engine = Cli::command();
    let mut taken: BTreeSet<String> = engine.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    // clap adds it.
    taken.insert("help".to_owned());
    for verb in &application.verbs {
        let name = verb.command().get_name().to_owned();
        if !taken.insert(name.clone()) {
            return Err(VerbTaken { name });
        }
    }
    Ok(())
}

/// The command line of a project: the engine's verbs and the project's own, grouped in `--help`.
pub fn command(application: &Application) -> clap::Command {
    let own = application.verbs.iter().map(|verb| verb.command());
    let command = Cli::command().mut_subcommand("ci", |ci| commands::ci::with_checks(ci, &application.checks));
    let command = command.subcommands(own);
    let template = help_template(&command);
    command.help_template(template)
}

/// clap has headings for options and none for subcommands.
fn help_template(command: &clap::Command) -> String {
    let styles = command.get_styles();
    let (header, literal) = (styles.get_header(), styles.get_literal());
    let width = command.get_subcommands().map(|verb| verb.get_name().len()).max().unwrap_or_default();
    let mut template = "{about-with-newline}\n{usage-heading} {usage}\n".to_owned();
    for (heading, verbs) in groups(command) {
        let _ = write!(template, "\n{header}{heading}:{header:#}\n");
        for verb in verbs {
            let name = verb.get_name();
            let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(template, "  {literal}{name}{literal:#}{:1$}  {about}", "", width - name.len());
        }
    }
    let _ = write!(template, "\n{header}Options:{header:#}\n{{options}}{{after-help}}");
    template
}

/// The verbs by heading, in the order of `--help`.
fn groups(command: &clap::Command) -> Vec<(&'static str, Vec<&clap::Command>)> {
    let verbs = |names: &[&str]| names.iter().filter_map(|name| command.find_subcommand(name)).collect();
    let mut groups: Vec<_> = HEADINGS.iter().map(|(heading, names)| (*heading, verbs(names))).collect();
    let is_own = |verb: &&clap::Command| !HEADINGS.iter().any(|(_, names)| names.contains(&verb.get_name()));
    let own: Vec<_> = command.get_subcommands().filter(is_own).collect();
    if !own.is_empty() {
        groups.push((OWN, own));
    }
    groups
}

#[cfg(test)]
mod hints;
#[cfg(test)]
mod tests {
    use clap::ArgMatches;
    use futures_util::future::LocalBoxFuture;
    use model::example::Example;

    use super::*;
    use crate::{application::Verb, context::Context, error::Exit};

    /// A verb of a project.
    pub(crate) struct Greet;

    impl Verb for Greet {
        fn command(&self) -> clap::Command {
            clap::Command::new("greet").about("Greet the reader")
        }

        fn run<'a>(&'a self, _: &'a ArgMatches, _: &'a Context) -> LocalBoxFuture<'a, miette::Result<Exit>> {
            Box::pin(async { Ok(Exit::Success) })
        }
    }

    /// A verb of a project with any name.
    struct Named(&'static str);

    impl Verb for Named {
        fn command(&self) -> clap::Command {
            clap::Command::new(self.0)
        }

        fn run<'a>(&'a self, _: &'a ArgMatches, _: &'a Context) -> LocalBoxFuture<'a, miette::Result<Exit>> {
            Box::pin(async { Ok(Exit::Success) })
        }
    }

    #[test]
    fn a_verb_with_the_name_of_another_command_is_refused() {
        assert!(check_verbs(&Application::new(Example).verb(Greet)).is_ok());
        for name in ["deploy", "man", "help"] {
            let refused = check_verbs(&Application::new(Example).verb(Named(name))).expect_err("refused").to_string();
            let expected =
                format!("failed to add the project's verb `{name}`: there is already a command of this name");
            assert_eq!(refused, expected);
        }
        let twice = Application::new(Example).verb(Greet).verb(Named("greet"));
        assert!(check_verbs(&twice).is_err_and(|refused| refused.name == "greet"));
    }

    #[test]
    fn every_verb_has_one_heading() {
        let grouped: Vec<_> = HEADINGS.iter().flat_map(|(_, verbs)| *verbs).copied().collect();
        for verb in Cli::command().get_subcommands() {
            let times = grouped.iter().filter(|name| **name == verb.get_name()).count();
            assert_eq!(times, 1, "{} is grouped {times} times", verb.get_name());
        }
        assert_eq!(grouped.len(), Cli::command().get_subcommands().count(), "{grouped:?}");
    }

    #[test]
    fn help_lists_every_verb_once_below_its_heading() {
        let help = command(&Application::new(Example).verb(Greet)).render_help().to_string();
        for heading in HEADINGS.iter().map(|(heading, _)| *heading).chain([OWN]) {
            assert!(help.contains(&format!("\n{heading}:\n")), "{heading}\n{help}");
        }
        for verb in command(&Application::new(Example).verb(Greet)).get_subcommands() {
            let listed = help.lines().filter(|line| line.split_whitespace().next() == Some(verb.get_name()));
            assert_eq!(listed.count(), 1, "{}\n{help}", verb.get_name());
        }
        let (_, own) = help.split_once("This repository:\n").expect("the project's own verbs");
        assert!(own.starts_with("  greet         Greet the reader\n\nOptions:\n  -v, --verbose"), "{own}");
        let (verbs, _) = help.split_once("\nOptions:\n").expect("the options");
        assert!(verbs.lines().all(|line| line.len() <= 80), "{verbs}");
    }

    #[test]
    fn a_project_without_verbs_has_no_heading_for_them() {
        assert!(!command(&Application::new(Example)).render_help().to_string().contains(OWN));
    }

    #[test]
    fn the_help_of_a_verb_is_its_own() {
        let mut command = command(&Application::new(Example));
        command.build();
        let plan = command.find_subcommand_mut("plan").expect("the verb").render_long_help().to_string();
        assert!(plan.contains("\nUsage: cargo xtask plan") && !plan.contains("Every day:"), "{plan}");
    }
}
