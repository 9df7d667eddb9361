//! `export`: copies this program to a file, for jobs that compile nothing.

use camino::Utf8PathBuf;
use clap::Args;
use miette::{Diagnostic, IntoDiagnostic};
use thiserror::Error;

use super::set_sha256_output;
use crate::{context::Context, error::Exit};

/// Copy this program to a file, for jobs that compile nothing.
#[derive(Debug, Args)]
#[command(
    after_help = "Sets the file's SHA-256 as output `sha256` of a GitHub Actions step. A job with a role verifies the hash and runs \
                  the file, so no build script of a dependency can use the role's credentials."
)]
pub(crate) struct ExportArgs {
    /// The path of the copy.
    #[arg(long, value_name = "FILE")]
    out: Utf8PathBuf,
}

#[derive(Debug, Error, Diagnostic)]
#[error("failed to copy this program to {path}")]
#[diagnostic(help("check the path and its permissions"))]
struct ExportError {
    path: Utf8PathBuf,
    source: std::io::Error,
}

/// Runs the command.
///
/// # Errors
///
/// When the operating system refuses.
pub(crate) fn run(args: &ExportArgs, context: &Context) -> miette::Result<Exit> {
    let program = std::env::current_exe().into_diagnostic()?;
    let failed = |source| ExportError { path: args.out.clone(), source };
    if let Some(folder) = args.out.parent() {
        fs_err::create_dir_all(folder).map_err(failed)?;
    }
    fs_err::copy(program, &args.out).map_err(failed)?;
    set_sha256_output(&args.out)?;
    context.ui.say(format_args!("Wrote {}", args.out));
    Ok(Exit::Success)
}
