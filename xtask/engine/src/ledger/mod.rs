//! The releases of each system: one document per release, numbered without gaps.
//!
//! A release is recorded before the first alias shifts and closed after the last one. A run that was killed in between leaves
//! an open entry that states its intention; the next run finishes or reverts it.

mod entries;
mod entry;
mod needs;
mod target;

pub(crate) use entries::{Ledger, OpenEntry, SettledVersion, rfc3339_now};
pub(crate) use entry::{Entry, Outcome, ReleaseKind, VersionChange};
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
    #[diagnostic(help("use the newer version of xtask that may have written it"))]
    Unreadable { key: String, reason: String },
    /// The run may no longer record a release.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Lock(#[from] LockError),
    #[error("release {number} of {system} was changed by another run")]
    #[diagnostic(help("check `cargo xtask release show {number}`, then run the command again"))]
    Changed { system: String, number: u32 },
    #[error("there is no release {number}; there are {known}")]
    #[diagnostic(help("run `cargo xtask release list` to see them"))]
    NoSuchRelease { number: u32, known: usize },
    #[error("release {number} was never completed ({outcome})")]
    #[diagnostic(help("run `cargo xtask release list` to see which releases were completed"))]
    NeverReleased { number: u32, outcome: String },
    #[error("there is no earlier release to return to")]
    #[diagnostic(help("run `cargo xtask release list` to see all releases"))]
    NothingBefore,
}

#[cfg(test)]
pub(crate) mod tests;
