//! One deploy at a time per system and stage: a lock document in the artifact bucket.
//!
//! The owner renews its lock while it works. A lock that was not renewed for 90 seconds, or whose process on this
//! machine has ended, is stale: the next run takes it over and says so. Only S3's clock, or the time in which this machine sees no renewal,
//! counts: the clocks of two machines are never compared.
//!
//! `HeldLocks` is passed to every step that changes a system; the step calls `ensure_held` right before the change.

mod held;
mod machine;
mod watch;

pub use held::HeldLocks;
pub(crate) use held::{FoundLock, Requester, break_lock, read_lock};
use std::{collections::BTreeMap, time::Duration};

use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    aws::{AwsError, documents::Documents},
    store::Tag,
};

/// How long after its last renewal a lock expires.
const EXPIRY: Duration = Duration::from_secs(90);

/// A lock's document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LockRecord {
    /// Distinguishes two runs of the same person.
    pub(crate) token: String,
    /// The caller's identity in AWS.
    pub(crate) who: String,
    pub(crate) host: String,
    pub(crate) process: u32,
    /// The command that the run executes: `deploy`, `rollback`.
    pub(crate) command: String,
    /// When the lock was acquired, in seconds since 1970 by the owner's clock.
    pub(crate) since: u64,
    /// When it was last renewed, in seconds since 1970 by the owner's clock; higher at every renewal.
    pub(crate) renewed: u64,
    /// Whether it was released or broken: the next run may acquire it.
    pub(crate) released: bool,
}

/// Whether a lock may be acquired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LockState {
    /// It was released.
    Free,
    /// Its owner is gone; carries the evidence.
    Stale(String),
    /// Its owner is at work.
    Held,
}

impl LockRecord {
    /// Describes the owner of a lock that was last renewed so long ago, and for how long it has held the lock.
    pub(crate) fn owner(&self, silence: Duration) -> String {
        let age = self.renewed.saturating_sub(self.since) + silence.as_secs();
        format!("{} ({} on {}, process {}, for {age} s)", self.who, self.command, self.host, self.process)
    }

    /// Returns the lock's state as seen from `host`, whose running processes `is_alive` knows. `silence` is the time since its last renewal;
    /// if that is unknown, only a process on this machine makes it stale.
    fn state(&self, silence: Option<Duration>, host: &str, is_alive: impl Fn(u32) -> bool) -> LockState {
        if self.released {
            return LockState::Free;
        }
        if self.host == host && !is_alive(self.process) {
            return LockState::Stale("its process is gone".to_owned());
        }
        match silence {
            Some(silence) if silence > EXPIRY => {
                LockState::Stale(format!("it was not renewed for {} s", silence.as_secs()))
            }
            _ => LockState::Held,
        }
    }
}

/// A lock could not be acquired, or was lost.
#[derive(Debug, Error, Diagnostic)]
pub enum LockError {
    /// Another run holds the lock.
    #[error("{system} is locked by {owner}; nothing was touched")]
    #[diagnostic(help(
        "wait until that run ends; if it has crashed, run `cargo xtask lock break --stage {stage} --system {system}`"
    ))]
    Taken {
        /// The stage.
        stage: String,
        /// The system.
        system: String,
        /// The owner of the lock, with its command and age.
        owner: String,
    },
    /// This run no longer holds the lock.
    #[error(
        "this run lost the lock of {system}: {cause}; completed changes remain, and no further change was started{}",
        continued(.continuing.as_deref())
    )]
    #[diagnostic(help(
        "check the owner with `cargo xtask lock show --stage {stage} --system {system}`, then run the same command again: it \
         resumes where this run stopped"
    ))]
    Lost {
        /// The stage.
        stage: String,
        /// The system.
        system: String,
        /// How the lock was lost, and who holds it now.
        cause: String,
        /// The started operations that AWS continues.
        continuing: Option<String>,
    },
    /// Whether this run still holds the lock is unknown.
    #[error("failed to check the lock of {system}; completed changes remain, and no further change was started")]
    Check {
        /// The system.
        system: String,
        /// The cause.
        #[source]
        #[diagnostic_source]
        source: AwsError,
    },
    /// A call failed.
    #[error("failed to lock {system}; nothing was touched")]
    Aws {
        /// The system.
        system: String,
        /// The cause.
        #[source]
        #[diagnostic_source]
        source: AwsError,
    },
}

impl LockError {
    /// Adds the started operations that AWS continues after the lock was lost.
    pub(crate) fn with_continuing(self, continuing: Option<String>) -> Self {
        match self {
            Self::Lost { stage, system, cause, .. } => Self::Lost { stage, system, cause, continuing },
            other => other,
        }
    }
}

fn continued(work: Option<&str>) -> String {
    work.map(|work| format!("; {work}")).unwrap_or_default()
}

/// The folder of the locks' documents.
const FOLDER: &str = "locks/";

/// The key of a lock's document.
fn key(system: &str) -> String {
    format!("{FOLDER}{system}.json")
}

/// The states of all locks of a stage at one time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LockStates(BTreeMap<String, Tag>);

impl LockStates {
    /// Reads the states; `None` if the bucket does not exist.
    pub(crate) async fn read(documents: &Documents) -> Result<Option<Self>, AwsError> {
        Ok(documents.tags(FOLDER).await?.map(Self))
    }

    /// The state of the lock of a system; `None` if no run has ever locked it.
    fn of(&self, system: &str) -> Option<&Tag> {
        self.0.get(&key(system))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> LockRecord {
        LockRecord {
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
    fn only_a_lock_whose_owner_is_gone_may_be_acquired() {
        let state = |record: &LockRecord, silence: u64, host: &str, alive| {
            record.state(Some(Duration::from_secs(silence)), host, |_| alive)
        };
        assert_eq!(state(&record(), 10, "here", true), LockState::Held);
        assert_eq!(state(&record(), 90, "elsewhere", false), LockState::Held);
        assert!(matches!(state(&record(), 91, "elsewhere", true), LockState::Stale(_)));
        assert!(matches!(state(&record(), 1, "here", false), LockState::Stale(_)));
        assert_eq!(state(&LockRecord { released: true, ..record() }, 1, "here", true), LockState::Free);
        assert_eq!(record().state(None, "elsewhere", |_| true), LockState::Held);
    }

    #[test]
    fn the_owners_clock_only_counts_against_itself() {
        let renewed = LockRecord { since: 1000, renewed: 1030, ..record() };
        assert!(renewed.owner(Duration::from_secs(5)).ends_with("for 35 s)"));
    }

    /// Written by version 0.1 and read by every later one.
    #[test]
    fn a_stored_lock_keeps_its_format() {
        let text = r#"{
  "token": "0123-7-1000",
  "who": "arn:aws:iam::123456789012:user/somebody",
  "host": "machine 0123abcd",
  "process": 7,
  "command": "deploy",
  "since": 1000,
  "renewed": 1030,
  "released": false
}"#;
        let read: LockRecord = serde_json::from_str(text).expect("a lock");
        assert_eq!((read.process, read.renewed, read.released), (7, 1030, false));
        assert_eq!(serde_json::to_string_pretty(&read).expect("plain data"), text);
    }
}
