//! What was released, by whom, and what became of it: one document per release, numbered without gaps.
//!
//! A release is entered before the first alias moves and closed after the last, so a run that was killed in between leaves
//! an open entry that says what it was about to do; the next run finishes or reverts it.

mod entries;
mod needs;

use std::collections::BTreeMap;

pub(crate) use entries::time;
pub use entries::{Book, Left, Open};
use miette::Diagnostic;
pub use needs::needs;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::aws::AwsError;

/// One release of one system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Its number; the first is 1.
    pub number: u32,
    /// The system.
    pub system: String,
    /// The stage.
    pub stage: String,
    /// Tells this run's writes from others'.
    pub token: String,
    /// The commit it was made from; `-dirty` at its end where the working tree differed.
    pub commit: Option<String>,
    /// The caller's identity in AWS.
    pub who: String,
    /// When it began; RFC 3339.
    pub began: String,
    /// When it ended; RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ended: Option<String>,
    /// What it is: a deploy, or a return to an earlier release.
    pub kind: Kind,
    /// The SHA-256 of what its plan was made from.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub plan: Option<String>,
    /// Every function of the system: what `live` pointed to before, and what it is to point to.
    pub functions: BTreeMap<String, Move>,
    /// What the code needs of its stacks: `stack/logical ID` of what holds or carries data, and its name there.
    #[serde(default)]
    pub needs: BTreeMap<String, String>,
    /// What its sites consist of: each site, and the name of its manifest. An entry of a version that kept none has none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub sites: BTreeMap<String, String>,
    /// What happened, in order.
    pub steps: Vec<Step>,
    /// What became of it.
    pub outcome: Outcome,
}

/// What an alias points to, before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Move {
    /// The version before; `None` for a function that is new.
    pub before: Option<String>,
    /// The version after.
    pub after: String,
    /// That version's `CodeSha256`: a function that is deleted and made again counts its versions from 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub code_sha256: Option<String>,
}

/// What a release is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "what")]
pub enum Kind {
    /// New versions.
    Deploy,
    /// The versions of an earlier release.
    Rollback {
        /// Its number.
        to: u32,
    },
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// When; RFC 3339.
    pub at: String,
    /// What, in words.
    pub what: String,
}

/// What became of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Outcome {
    /// It is under way, or whoever was at it is gone.
    Open,
    /// Every alias points to its version.
    Released,
    /// Every alias points to what it did before, where there was anything; says why.
    Reverted {
        /// Why.
        why: String,
    },
}

impl Entry {
    /// Is it still to be finished or reverted?
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.outcome == Outcome::Open
    }

    /// What became of it, for people.
    #[must_use]
    pub fn outcome_in_words(&self) -> String {
        match &self.outcome {
            Outcome::Open => "open".to_owned(),
            Outcome::Released => "released".to_owned(),
            Outcome::Reverted { why } if !self.with_nothing_before().is_empty() => {
                format!("failed, with nothing before it: {why}")
            }
            Outcome::Reverted { why } => format!("reverted: {why}"),
        }
    }

    /// The functions whose `live` nothing can be moved back to: they are new.
    #[must_use]
    pub fn with_nothing_before(&self) -> Vec<&str> {
        let new = self.functions.iter().filter(|(_, moved)| moved.before.is_none());
        new.map(|(function, _)| function.as_str()).collect()
    }

    /// What it is, for people.
    #[must_use]
    pub fn kind_in_words(&self) -> String {
        match self.kind {
            Kind::Deploy => "deploy".to_owned(),
            Kind::Rollback { to } => format!("rollback to {to}"),
        }
    }
}

/// The release that a rollback returns to: the one named, or the last completed one that was something else before the one
/// that users have now. After a rollback to release 2 that is one before 2, not what the rollback came from.
///
/// # Errors
///
/// When there is none, or the one named was never released.
pub fn target(entries: &[Entry], to: Option<u32>) -> Result<&Entry, LedgerError> {
    let released = |entry: &&Entry| entry.outcome == Outcome::Released;
    if let Some(number) = to {
        let found = entries.iter().find(|entry| entry.number == number);
        let found = found.ok_or(LedgerError::NoSuchRelease { number, known: entries.len() })?;
        let outcome = found.outcome_in_words();
        return if released(&found) { Ok(found) } else { Err(LedgerError::NeverReleased { number, outcome }) };
    }
    let mut newest_first = entries.iter().rev().filter(released);
    let now = newest_first.next().ok_or(LedgerError::NothingBefore)?;
    // What a rollback returned to may have been a rollback itself.
    let came_from = |number: u32| {
        let entry = entries.iter().find(|entry| entry.number == number)?;
        match entry.kind {
            Kind::Rollback { to } if to < number => Some(to),
            Kind::Rollback { .. } | Kind::Deploy => None,
        }
    };
    let number = std::iter::successors(Some(now.number), |number| came_from(*number)).last().unwrap_or(now.number);
    newest_first.find(|entry| entry.number < number && !is_same(entry, now)).ok_or(LedgerError::NothingBefore)
}

/// Do users get the same of both? A site that one of them does not know stays as it is, so it is no difference.
fn is_same(one: &Entry, other: &Entry) -> bool {
    let after = |entry: &Entry| -> BTreeMap<String, String> {
        entry.functions.iter().map(|(name, moved)| (name.clone(), moved.after.clone())).collect()
    };
    let same_site = |(name, manifest): (&String, &String)| other.sites.get(name).is_none_or(|other| other == manifest);
    after(one) == after(other) && one.sites.iter().all(same_site)
}

/// Why the code of an earlier release cannot run with the stacks as they are: what it needs and they no longer have, each in
/// words. Environment and role are part of a version; what they name is not.
#[must_use]
pub fn missing(needs: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<String> {
    needs
        .iter()
        .filter_map(|(resource, name)| match now.get(resource) {
            None => Some(format!("{resource} is gone")),
            Some(other) if other != name => Some(format!("{resource} was {name} and is {other}")),
            Some(_) => None,
        })
        .collect()
}

/// The ledger could not be read or written, or has no such release.
#[derive(Debug, Error, Diagnostic)]
pub enum LedgerError {
    /// A call failed.
    #[error("failed to use the ledger of {system}")]
    Aws {
        /// The system.
        system: String,
        /// The call.
        #[source]
        #[diagnostic_source]
        source: AwsError,
    },
    /// A document is not what this version writes.
    #[error("{key} in the artifact bucket is no release: {reason}")]
    #[diagnostic(help("a newer version of xtask may have written it; use that"))]
    Unreadable {
        /// Its key.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// Somebody else wrote it.
    #[error("release {number} of {system} was changed by somebody else")]
    #[diagnostic(help("look at `cargo xtask release show {number}`, then run the command again"))]
    Changed {
        /// The system.
        system: String,
        /// Its number.
        number: u32,
    },
    /// There is no such release.
    #[error("there is no release {number}; there are {known}")]
    #[diagnostic(help("`cargo xtask release list` shows them"))]
    NoSuchRelease {
        /// What was asked for.
        number: u32,
        /// How many there are.
        known: usize,
    },
    /// It never was what users got.
    #[error("release {number} was never completed ({outcome})")]
    #[diagnostic(help("`cargo xtask release list` shows which were released"))]
    NeverReleased {
        /// Its number.
        number: u32,
        /// What became of it.
        outcome: String,
    },
    /// There is nothing to return to.
    #[error("there is no earlier release to return to")]
    #[diagnostic(help("`cargo xtask release list` shows what there is"))]
    NothingBefore,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn entry(number: u32, version: &str, outcome: Outcome) -> Entry {
        let moved = Move { before: None, after: version.to_owned(), code_sha256: None };
        Entry {
            number,
            system: "notes".to_owned(),
            stage: "dev".to_owned(),
            token: format!("token {number}"),
            commit: None,
            who: "somebody".to_owned(),
            began: "2026-01-01T00:00:00Z".to_owned(),
            ended: None,
            kind: Kind::Deploy,
            plan: None,
            functions: BTreeMap::from([("notes-api-dev".to_owned(), moved)]),
            needs: BTreeMap::new(),
            sites: BTreeMap::new(),
            steps: Vec::new(),
            outcome,
        }
    }

    #[test]
    fn a_rollback_returns_to_the_last_release_that_was_something_else() {
        let reverted = || Outcome::Reverted { why: "a probe failed".to_owned() };
        let entries = [
            entry(1, "1", Outcome::Released),
            entry(2, "2", Outcome::Released),
            entry(3, "3", reverted()),
            entry(4, "4", Outcome::Released),
            entry(5, "4", Outcome::Released),
        ];
        assert_eq!(target(&entries, None).expect("a target").number, 2);
        assert_eq!(target(&entries, Some(1)).expect("a target").number, 1);
        assert!(matches!(target(&entries, Some(3)), Err(LedgerError::NeverReleased { .. })));
        assert!(matches!(target(&entries, Some(9)), Err(LedgerError::NoSuchRelease { .. })));
        assert!(matches!(target(&entries[..1], None), Err(LedgerError::NothingBefore)));
        assert!(matches!(target(&[], None), Err(LedgerError::NothingBefore)));
    }

    #[test]
    fn a_release_of_another_page_alone_is_another_release() {
        let of = |number, manifest: &str| Entry {
            sites: BTreeMap::from([("Site".to_owned(), manifest.to_owned())]),
            ..entry(number, "1", Outcome::Released)
        };
        let entries = [of(1, "a"), of(2, "b"), of(3, "b")];
        assert_eq!(target(&entries, None).expect("a target").number, 1);
        // One of a version that kept no manifests brings back no page.
        let entries = [entry(1, "1", Outcome::Released), of(2, "b")];
        assert!(matches!(target(&entries, None), Err(LedgerError::NothingBefore)));
    }

    #[test]
    fn entries_of_versions_that_kept_no_manifests_are_read() {
        let old = serde_json::to_value(entry(1, "1", Outcome::Released)).expect("plain data");
        assert!(old.get("sites").is_none(), "{old:#}");
        let read: Entry = serde_json::from_value(old).expect("an entry");
        assert_eq!(read, entry(1, "1", Outcome::Released));
    }

    #[test]
    fn a_second_rollback_does_not_go_forward_again() {
        let rolled_back =
            |number, version, to| Entry { kind: Kind::Rollback { to }, ..entry(number, version, Outcome::Released) };
        let mut entries: Vec<_> = (1..=3).map(|number| entry(number, &number.to_string(), Outcome::Released)).collect();
        entries.push(rolled_back(4, "2", 2));
        assert_eq!(target(&entries, None).expect("a target").number, 1);
        entries.push(rolled_back(5, "1", 1));
        assert!(matches!(target(&entries, None), Err(LedgerError::NothingBefore)));
        entries.push(entry(6, "4", Outcome::Released));
        assert_eq!(target(&entries, None).expect("a target").number, 5);
        entries.push(rolled_back(7, "1", 5));
        assert!(matches!(target(&entries, None), Err(LedgerError::NothingBefore)), "what 4 and 5 left stays left");
    }

    #[test]
    fn what_old_code_needs_and_is_gone_is_named() {
        let needs = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let old = needs(&[("data/Table", "a"), ("data/Queue", "q")]);
        assert_eq!(missing(&old, &needs(&[("data/Table", "a"), ("data/Queue", "q"), ("data/More", "m")])), [""; 0]);
        assert_eq!(missing(&old, &needs(&[("data/Table", "b")])), ["data/Queue is gone", "data/Table was a and is b"]);
    }
}
