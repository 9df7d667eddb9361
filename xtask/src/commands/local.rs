//! `local`: the local cloud's own commands.

use clap::{Args, Subcommand};
use miette::{Diagnostic, IntoDiagnostic};
use serde_json::json;
use thiserror::Error;

use super::session::Session;
use crate::{
    error::Exit,
    local::{self, demo},
    stage,
    ui::{Format, Ui},
    workspace::Workspace,
};

/// The user that `local sign-in` and the demo sign in as, made on first use. A number reserved for fiction.
const USER: &str = "+15555550100";

/// The local cloud: start, stop, look at it, start afresh.
#[derive(Debug, Args)]
pub struct LocalArgs {
    #[command(subcommand)]
    command: LocalCommand,
}

#[derive(Debug, Subcommand)]
enum LocalCommand {
    /// Start it, or do nothing when it runs.
    Up,
    /// Stop it; what was deployed is gone unless the emulator keeps it.
    Down,
    /// Is it running, where, since when?
    Status {
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Stop it, forget everything, start it.
    Reset,
    /// Show what it and the functions log.
    Logs {
        /// Go on showing what is added, until Ctrl-C.
        #[arg(short, long)]
        follow: bool,
        /// How many of the last lines.
        #[arg(short = 'n', long, default_value_t = 100)]
        lines: usize,
    },
    /// Print an ID token for the deployed API, for `curl -H "Authorization: Bearer $(cargo xtask local sign-in)"`.
    SignIn {
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Upload a photo through the API and print the URL of its thumbnail.
    Demo {
        /// A JPEG; without it, one that comes with the project.
        #[arg(long)]
        photo: Option<camino::Utf8PathBuf>,
    },
}
