//! What a command did, as typed values: `--record` writes them, and `summary`, `notify` and `check-live --rollback` read them.
//!
//! A command fills in a [`Draft`] while it runs, so that a report also exists for a command that failed or was interrupted.

mod check;
mod draft;

use std::collections::BTreeMap;

pub(crate) use check::{CheckKind, CheckResult};
pub(crate) use draft::Draft;
use serde::{Deserialize, Serialize};

use crate::{
    aws::lambda::Described,
    deploy,
    ledger::{self, Entry},
    release::{Released, Traffic},
    site::Published,
};

/// What a command did. Commands that only read or print report [`Self::Nothing`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub(crate) enum JobReport {
    /// A command that has nothing to report.
    #[default]
    Nothing,
    /// `plan`.
    Plan,
    /// `build`.
    Build,
    /// `deploy`.
    Deploy(DeployReport),
    /// `bootstrap`, which deploys foundation.
    Bootstrap(DeployReport),
    /// `rollback`.
    Rollback(ReleasesReport),
    /// `release resume` and `release abort`.
    Release(ReleasesReport),
    /// `check-live`.
    CheckLive(CheckLiveReport),
    /// `prune`.
    Prune(PruneReport),
}

/// What `deploy` and `bootstrap` did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct DeployReport {
    /// The systems that the plan changes; `None` until there is a plan.
    pub(crate) planned: Option<Vec<String>>,
    /// The stacks that CloudFormation changed, in this order.
    pub(crate) changed_stacks: Vec<String>,
    /// The ledger entries that were closed, in this order.
    pub(crate) releases: Vec<ClosedRelease>,
    /// The functions of every released system.
    pub(crate) functions: Vec<Released>,
    /// The sites of every released system.
    pub(crate) sites: Vec<Published>,
    /// How far the releases came.
    pub(crate) progress: ReleaseProgress,
    /// Whether the deploy changed anything.
    pub(crate) changed: bool,
    /// What was done with each stack.
    pub(crate) stacks: Vec<StackReport>,
    /// The URL of each API and site.
    pub(crate) urls: BTreeMap<String, String>,
}

/// How far a deploy came with its releases: systems are released one after another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "camelCase")]
pub(crate) enum ReleaseProgress {
    /// No release has started.
    #[default]
    NotStarted,
    /// A system is being released; those before it have been.
    Releasing {
        /// The system.
        system: String,
    },
    /// Every system has been released.
    Complete,
    /// One system failed, and those behind it were not tried.
    Failed(ReleaseFailure),
}

/// The system whose release failed, and those behind it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReleaseFailure {
    /// The system that failed.
    pub(crate) system: String,
    /// Its traffic after the failure.
    pub(crate) traffic: Traffic,
    /// The systems that were not tried.
    pub(crate) untried: Vec<String>,
}

/// What was done with a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StackReport {
    /// The stack's name.
    pub(crate) name: String,
    /// What was done.
    pub(crate) action: deploy::Done,
}

/// A ledger entry that was closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClosedRelease {
    /// The system.
    pub(crate) system: String,
    /// The release's number.
    pub(crate) number: u32,
    /// A deploy, or a rollback.
    #[serde(rename = "type")]
    pub(crate) kind: ledger::ReleaseKind,
    /// Released, or reverted.
    pub(crate) outcome: ledger::Outcome,
    /// The commit that was released.
    pub(crate) commit: Option<String>,
    /// The caller's identity in AWS.
    pub(crate) who: String,
    /// The functions that had no version before: users get this release of them even if it was reverted.
    #[serde(default)]
    pub(crate) nothing_before: Vec<String>,
}

impl From<&Entry> for ClosedRelease {
    fn from(entry: &Entry) -> Self {
        Self {
            system: entry.system.clone(),
            number: entry.number,
            kind: entry.kind.clone(),
            outcome: entry.outcome.clone(),
            commit: entry.commit.clone(),
            who: entry.who.clone(),
            nothing_before: entry.new_functions().into_iter().map(str::to_owned).collect(),
        }
    }
}

/// What `rollback`, `release resume` and `release abort` did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ReleasesReport {
    /// The ledger entries that were closed, in this order.
    pub(crate) releases: Vec<ClosedRelease>,
}

/// What `check-live` saw and did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct CheckLiveReport {
    /// The results of all checks; empty where the stage could not be checked.
    pub(crate) checks: Vec<CheckResult>,
    /// The live version of each function.
    pub(crate) live: BTreeMap<String, Described>,
    /// The URL of each API and site.
    pub(crate) urls: BTreeMap<String, String>,
    /// The ledger entries that rollbacks closed.
    pub(crate) releases: Vec<ClosedRelease>,
    /// The systems that were rolled back.
    pub(crate) rolled_back: Vec<String>,
    /// The systems that should have been rolled back and were not.
    pub(crate) not_rolled_back: Vec<String>,
}

/// What `prune` did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct PruneReport {
    /// The number of versions, artifacts and files to delete.
    pub(crate) pruned: usize,
}

impl JobReport {
    /// The report of `deploy`; not that of `bootstrap`.
    pub(crate) fn deploy(&self) -> Option<&DeployReport> {
        if let Self::Deploy(report) = self { Some(report) } else { None }
    }

    /// The report of `check-live`.
    pub(crate) fn check_live(&self) -> Option<&CheckLiveReport> {
        if let Self::CheckLive(report) = self { Some(report) } else { None }
    }

    /// Whether the command changes nothing in AWS.
    pub(crate) fn is_read_only(&self) -> bool {
        matches!(self, Self::Plan | Self::Build)
    }

    /// The report of any command that deploys.
    pub(crate) fn deployment(&self) -> Option<&DeployReport> {
        if let Self::Deploy(report) | Self::Bootstrap(report) = self { Some(report) } else { None }
    }

    /// The ledger entries that the command closed.
    pub(crate) fn releases(&self) -> &[ClosedRelease] {
        match self {
            Self::Deploy(report) | Self::Bootstrap(report) => &report.releases,
            Self::Rollback(report) | Self::Release(report) => &report.releases,
            Self::CheckLive(report) => &report.releases,
            Self::Nothing | Self::Plan | Self::Build | Self::Prune(_) => &[],
        }
    }

    /// The URLs that the command found.
    pub(crate) fn urls(&self) -> Option<&BTreeMap<String, String>> {
        match self {
            Self::Deploy(report) | Self::Bootstrap(report) => Some(&report.urls),
            Self::CheckLive(report) => Some(&report.urls),
            _ => None,
        }
    }
}
