//! `docs`: the documentation that rustdoc does not see.

use clap::{Args, CommandFactory};
use miette::Diagnostic;
use thiserror::Error;

use crate::{cli::Cli, context::Context, error::Exit, pages, sources::git::Git};

/// Check README, ARCHITECTURE and other pages: they are there, name every command, and their links lead somewhere.
#[derive(Debug, Args)]
pub struct DocsArgs {}

#[derive(Debug, Error, Diagnostic)]
#[error("the documentation is wrong: {}", .0.join("; "))]
#[diagnostic(help("mend it; `cargo xtask docs` checks again"))]
struct Wrong(Vec<String>);

/// Runs the command.
///
/// # Errors
///
/// When something is wrong.
pub fn run(_args: &DocsArgs, context: &Context) -> miette::Result<Exit> {
    let (workspace, ui) = (&context.workspace, &context.ui);
    let files = Git::around(workspace.root())?.tracked(&["."])?;
    let commands: Vec<_> = Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let found = pages::check(workspace.root(), &files, &commands);
    for doubtful in &found.doubtful {
        ui.warn(doubtful);
    }
    ui.say(format_args!("{} lines are marked TODO, FIXME or XXX", found.marks));
    if found.wrong.is_empty() { Ok(Exit::Success) } else { Err(Wrong(found.wrong).into()) }
}
