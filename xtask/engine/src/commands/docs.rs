//! `docs`: checks the documentation that rustdoc does not see.

use clap::{Args, CommandFactory};
use miette::Diagnostic;
use thiserror::Error;

use crate::{cli::Cli, context::Context, error::Exit, pages, sources::git::Git};

/// Check README, ARCHITECTURE and the other pages: they exist, name every command, and their links work.
#[derive(Debug, Args)]
pub(crate) struct DocsArgs {}

#[derive(Debug, Error, Diagnostic)]
#[error("the documentation has errors: {}", .0.join("; "))]
#[diagnostic(help("fix them, then check again with `cargo xtask docs`"))]
struct Wrong(Vec<String>);

/// Runs the command.
///
/// # Errors
///
/// When a page is missing or wrong.
pub(crate) fn run(_args: &DocsArgs, context: &Context) -> miette::Result<Exit> {
    let (workspace, ui) = (&context.workspace, &context.ui);
    let files = Git::around(workspace.root())?.tracked(&["."])?;
    let commands: Vec<_> = Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let findings = pages::check(workspace.root(), &files, &commands);
    for warning in &findings.warnings {
        ui.warn(warning);
    }
    let lines = if findings.marks == 1 { "line is" } else { "lines are" };
    ui.say(format_args!("{} {lines} marked TODO, FIXME or XXX", findings.marks));
    if findings.errors.is_empty() { Ok(Exit::Success) } else { Err(Wrong(findings.errors).into()) }
}
