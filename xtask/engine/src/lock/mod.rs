//! One deploy at a time per system and stage: a document in the artifact bucket that says who is at work.
//!
//! Its owner renews it while it works. One that was not renewed for a while, or whose process on this very machine is
//! gone, is nobody's, and the next one takes it over and says so.

mod held;
mod machine;

use std::time::Duration;

pub use held::{Held, acquire, holding, release_all, shatter, show, still_ours};
pub(crate) use held::{now, token};
pub use machine::standing;
use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::aws::AwsError;

/// How long a lock is its owner's after it was last renewed.
pub const EXPIRY_SECONDS: u64 = 90;
/// How often its owner renews it: one renewal may fail.
const RENEWAL: Duration = Duration::from_secs(30);
/// How long the answer to a renewal is waited for.
const ANSWER: Duration = Duration::from_secs(10);

/// Who is at work. What the document holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Tells two runs of the same person apart.
    pub token: String,
    /// The caller's identity in AWS.
    pub who: String,
    /// The machine.
    pub host: String,
    /// The process there.
    pub process: u32,
    /// What is being done: `deploy`, `rollback`.
    pub command: String,
    /// Since when; seconds since 1970.
    pub since: u64,
    /// When it was last renewed; seconds since 1970.
    pub renewed: u64,
    /// Given back: the next one may have it.
    pub released: bool,
}

impl Record {
    /// Who has it and since when, for people.
    #[must_use]
    pub fn words(&self, now: u64) -> String {
        let age = now.saturating_sub(self.since);
        format!("{} ({} on {}, process {}, for {age} s)", self.who, self.command, self.host, self.process)
    }
}

/// A lock could not be had, or was lost.
#[derive(Debug, Error, Diagnostic)]
pub enum LockError {
    /// Somebody else is at work, and stays at it.
    #[error("{system} is locked by {owner}; nothing was touched")]
    #[diagnostic(help(
        "wait until it ends; if you know that nobody is at work: `cargo xtask lock break --stage {stage} --system {system}`"
    ))]
    Taken {
        /// The stage.
        stage: String,
        /// The system.
        system: String,
        /// Who has it.
        owner: String,
    },
    /// Somebody took it while we were at work.
    #[error("the lock of {system} is no longer ours: {owner} has it; stopped where we were")]
    #[diagnostic(help("find out who broke it, then run the command again: it goes on where this one stopped"))]
    Lost {
        /// The system.
        system: String,
        /// Who has it.
        owner: String,
    },
    /// A call failed.
    #[error("failed to lock {system}")]
    Aws {
        /// The system.
        system: String,
        /// The call.
        #[source]
        #[diagnostic_source]
        source: AwsError,
    },
}

/// May a lock be taken from whoever has it?
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is nobody's.
    Free,
    /// Its owner is gone; says why that is known.
    Stale(String),
    /// Its owner is at work.
    Taken,
}

/// Looks at a lock; `is_alive` tells whether a process of this machine runs.
#[must_use]
pub fn judge(record: &Record, now: u64, host: &str, is_alive: impl Fn(u32) -> bool) -> Verdict {
    if record.released {
        return Verdict::Free;
    }
    let silent = now.saturating_sub(record.renewed);
    if silent > EXPIRY_SECONDS {
        return Verdict::Stale(format!("it was not renewed for {silent} s"));
    }
    if record.host == host && !is_alive(record.process) {
        return Verdict::Stale("its process is gone".to_owned());
    }
    Verdict::Taken
}

/// The document's key.
fn key(system: &str) -> String {
    format!("locks/{system}.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            token: "1".to_owned(),
            who: "somebody".to_owned(),
            host: "here".to_owned(),
            process: 7,
            command: "deploy".to_owned(),
            since: 1000,
            renewed: 1000,
            released: false,
        }
    }

    #[test]
    fn only_a_lock_whose_owner_is_gone_may_be_taken() {
        let of = |record: &Record, now, host: &str, alive| judge(record, now, host, |_| alive);
        assert_eq!(of(&record(), 1010, "here", true), Verdict::Taken);
        assert_eq!(of(&record(), 1000 + EXPIRY_SECONDS, "elsewhere", false), Verdict::Taken);
        assert!(matches!(of(&record(), 1001 + EXPIRY_SECONDS, "elsewhere", true), Verdict::Stale(_)));
        assert!(matches!(of(&record(), 1001, "here", false), Verdict::Stale(_)));
        assert_eq!(of(&Record { released: true, ..record() }, 1001, "here", true), Verdict::Free);
        // A clock that runs behind makes nothing stale.
        assert_eq!(of(&record(), 900, "here", true), Verdict::Taken);
    }
}
