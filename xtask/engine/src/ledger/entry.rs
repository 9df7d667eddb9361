//! The document of one release. Its format is stored: later versions must read what this one writes.

use std::collections::{BTreeMap, BTreeSet};

use super::rfc3339_now;
use serde::{Deserialize, Serialize};

/// One release of one system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    /// The release's number; the first is 1.
    pub(crate) number: u32,
    pub(crate) system: String,
    pub(crate) stage: String,
    /// Distinguishes this run's writes from those of others.
    pub(crate) token: String,
    /// The released commit, with the suffix `-dirty` if the working tree differed.
    pub(crate) commit: Option<String>,
    /// The caller's identity in AWS.
    pub(crate) who: String,
    /// When the release began; RFC 3339.
    pub(crate) began: String,
    /// When the entry was closed; RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) ended: Option<String>,
    pub(crate) kind: ReleaseKind,
    /// The SHA-256 of the plan's inputs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) plan: Option<String>,
    /// The version change of every function of the system.
    pub(crate) functions: BTreeMap<String, VersionChange>,
    /// The resources that the code depends on: `stack/logical ID`, and the resource's name.
    #[serde(default)]
    pub(crate) needs: BTreeMap<String, String>,
    /// The manifest of each site. Entries of early versions have none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub(crate) sites: BTreeMap<String, String>,
    /// The logical ID of the deployment that each API served when the release was recorded, by `stack/logical ID`: the routes
    /// that clients got with these versions. Entries of early versions have none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub(crate) apis: BTreeMap<String, String>,
    /// The steps of the release, in order.
    pub(crate) steps: Vec<Step>,
    pub(crate) outcome: Outcome,
}

/// The version that a function's `live` points to before and after a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VersionChange {
    /// The version before; `None` for a new function.
    pub(crate) before: Option<String>,
    /// The version after.
    pub(crate) after: String,
    /// The `CodeSha256` of the version after: a function that is deleted and created again numbers its versions from 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) code_sha256: Option<String>,
}

impl VersionChange {
    /// Returns whether a version is the one before or the one after.
    pub(crate) fn includes(&self, version: &str) -> bool {
        self.before.as_deref() == Some(version) || self.after == version
    }

    /// Returns whether `live` points to the same version before and after.
    pub(crate) fn is_none(&self) -> bool {
        self.before.as_ref() == Some(&self.after)
    }
}

/// What a release releases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "what")]
pub(crate) enum ReleaseKind {
    /// New versions.
    Deploy,
    /// The versions of an earlier release.
    Rollback {
        /// The earlier release's number.
        to: u32,
    },
}

/// A step of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Step {
    /// When it began; RFC 3339.
    pub(crate) at: String,
    pub(crate) what: String,
}

impl Step {
    /// Returns a step that begins now.
    pub(crate) fn now(what: String) -> Self {
        Self { at: rfc3339_now(), what }
    }
}

/// How a release ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub(crate) enum Outcome {
    /// It is in progress, or its run has ended early.
    Open,
    /// Every alias points to its new version.
    Released,
    /// Every alias that had an earlier version points to it again, except those that were moved.
    Reverted {
        /// The reason.
        why: String,
        /// The functions whose `live` another actor had moved: it stayed there.
        #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
        moved: BTreeSet<String>,
    },
}

impl Outcome {
    /// Returns whether another actor had moved `live` of a function, so that a reversal left it.
    pub(crate) fn has_moved(&self, function: &str) -> bool {
        matches!(self, Self::Reverted { moved, .. } if moved.contains(function))
    }

    #[cfg(test)]
    pub(crate) fn reverted(why: &str) -> Self {
        Self::Reverted { why: why.to_owned(), moved: BTreeSet::new() }
    }
}

impl Entry {
    /// Returns whether the release must still be finished or reverted.
    pub(crate) fn is_open(&self) -> bool {
        self.outcome == Outcome::Open
    }

    /// Describes the outcome.
    pub(crate) fn outcome_text(&self) -> String {
        match &self.outcome {
            Outcome::Open => "open".to_owned(),
            Outcome::Released => "released".to_owned(),
            Outcome::Reverted { why, .. } if !self.new_functions().is_empty() => {
                format!("failed, without an earlier version: {why}")
            }
            Outcome::Reverted { why, .. } => format!("reverted: {why}"),
        }
    }

    /// Returns the functions that have no earlier version to revert to.
    pub(crate) fn new_functions(&self) -> Vec<&str> {
        let new = self.functions.iter().filter(|(_, change)| change.before.is_none());
        new.map(|(function, _)| function.as_str()).collect()
    }

    /// Describes the kind of the release.
    pub(crate) fn kind_text(&self) -> String {
        match self.kind {
            ReleaseKind::Deploy => "deploy".to_owned(),
            ReleaseKind::Rollback { to } => format!("rollback to {to}"),
        }
    }
}
