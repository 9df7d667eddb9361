//! One file per verb: its arguments, and the steps it consists of. The mechanisms are in the other modules.

mod allowances;
pub(crate) mod artifacts;
pub(crate) mod bootstrap;
pub(crate) mod build;
pub(crate) mod check_live;
pub(crate) mod check_rights;
pub(crate) mod ci;
pub(crate) mod completions;
pub(crate) mod deploy;
pub(crate) mod destroy;
pub(crate) mod docs;
pub(crate) mod doctor;
pub(crate) mod export;
pub(crate) mod graph;
pub(crate) mod local;
pub(crate) mod lock;
pub(crate) mod man;
pub(crate) mod notify;
pub(crate) mod plan;
pub(crate) mod pr_comment;
pub(crate) mod prune;
pub(crate) mod release;
pub(crate) mod render;
pub(crate) mod rollback;
pub(crate) mod secret;
mod selection;
pub(crate) mod status;
pub(crate) mod summary;
pub(crate) mod toolchain;

pub(crate) use allowances::AllowanceArgs;
use camino::Utf8Path;
use miette::IntoDiagnostic;
pub(crate) use selection::SelectionArgs;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    github,
    ui::{Format, Ui},
};

/// Prints a value to stdout, as indented JSON.
fn print_json(value: &impl Serialize, ui: &Ui) -> miette::Result<()> {
    ui.result(serde_json::to_string_pretty(value).into_diagnostic()?);
    Ok(())
}

/// Sets output `sha256` of a job's step to the hash of a file, with which later jobs compare what they download. Outside a job, it
/// does nothing.
fn set_sha256_output(path: &Utf8Path) -> miette::Result<()> {
    let bytes = fs_err::read(path).into_diagnostic()?;
    github::set_outputs(&[("sha256", hex::encode(Sha256::digest(bytes)))])?;
    Ok(())
}

/// Prints `name=value` lines or a JSON object to stdout.
fn print_outputs(outputs: &[(&str, String)], format: Format, ui: &Ui) {
    match format {
        Format::Text => outputs.iter().for_each(|(name, value)| ui.result(format_args!("{name}={value}"))),
        Format::Json => ui.result(outputs.iter().cloned().collect::<Value>()),
    }
}
