//! The releases of each system: one document per release, numbered without gaps.
//!
//! A release is recorded before the first alias shifts and closed after the last one. A run that was killed in between leaves
//! an open entry that states its intention; the next run finishes or reverts it.

mod entries;
mod entry;
mod needs;
mod target;

pub(crate) use entries::{Ledger, OpenEntry, SettledVersion, rfc3339_now};
pub(crate) use entry::{Entry, Outcome, ReleaseKind, Step, VersionChange};
use miette::Diagnostic;
pub(crate) use needs::{needs_of_stack, unmet_needs};
pub(crate) use target::rollback_target;
use thiserror::Error;

use crate::{aws::AwsError, lock::LockError};

/// The ledger could not be read or written, or does not contain the release.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum LedgerError {
    #[error("failed to access the ledger of {system}")]
    Aws {
        system: String,
        #[source]
        #[diagnostic_source]
        source: AwsError,
    },
    #[error("failed to read {key} in the artifact bucket as a release: {reason}")]
    #[diagnostic(help("update xtask: a newer version may have written this release"))]
    Unreadable { key: String, reason: String },
    /// The run may no longer record a release.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Lock(#[from] LockError),
    #[error("release {number} of {system} was changed by another run; this run shifted no more traffic")]
    #[diagnostic(help(
        "check `cargo xtask release show {number} --stage {stage} --system {system}`, then run the command again"
    ))]
    Changed { stage: String, system: String, number: u32 },
    #[error("there is no release {number}; the ledger has {known}; no traffic was shifted")]
    #[diagnostic(help("choose a release from `cargo xtask release list --stage {stage}`"))]
    NoSuchRelease { stage: String, number: u32, known: usize },
    #[error("failed to return to release {number}: it was never completed ({outcome}); no traffic was shifted")]
    #[diagnostic(help("choose a completed release from `cargo xtask release list --stage {stage}`"))]
    NeverReleased { stage: String, number: u32, outcome: String },
    #[error("there is no earlier release to return to; no traffic was shifted")]
    #[diagnostic(help("list the releases with `cargo xtask release list --stage {stage}`"))]
    NothingBefore { stage: String },
}

#[cfg(test)]
pub(crate) mod tests;
