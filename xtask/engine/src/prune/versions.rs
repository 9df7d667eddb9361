//! Marks the versions of functions. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::{Mark, Target};
use crate::{
    aws::lambda::{Alias, Version},
    ledger::{Entry, Outcome},
};

/// The versions that a rollback may return to: function → version → the number of the newest release with it.
pub(crate) type ReleasedVersions = BTreeMap<String, BTreeMap<String, u32>>;

/// Returns the versions of the newest `keep` completed releases, and both versions of an open one, which may still be finished
/// or reverted.
pub(crate) fn released_versions(entries: &[Entry], keep: usize) -> ReleasedVersions {
    let mut released = ReleasedVersions::new();
    for entry in completed_and_open(entries, keep, versions_of) {
        for (function, change) in &entry.functions {
            let versions = released.entry(function.clone()).or_default();
            let before = change.before.iter().filter(|_| entry.is_open());
            for version in before.chain([&change.after]) {
                versions.entry(version.clone()).or_insert(entry.number);
            }
        }
    }
    released
}

/// Returns the `CodeSha256` of the code that the newest `keep` completed releases and an open one have released.
pub(crate) fn released_code(entries: &[Entry], keep: usize) -> impl Iterator<Item = &str> {
    let kept = completed_and_open(entries, keep, versions_of);
    kept.flat_map(|entry| entry.functions.values()).filter_map(|change| change.code_sha256.as_deref())
}

/// Returns the newest `keep` completed releases, newest first, and the open ones. Of releases with the same `content` only the
/// newest counts.
pub(super) fn completed_and_open<K: Ord>(
    entries: &[Entry],
    keep: usize,
    content: impl Fn(&Entry) -> K,
) -> impl Iterator<Item = &Entry> {
    let mut distinct = BTreeSet::new();
    let completed = entries.iter().rev().filter(|entry| entry.outcome == Outcome::Released);
    let completed = completed.filter(move |entry| distinct.insert(content(entry))).take(keep);
    completed.chain(entries.iter().filter(|entry| entry.is_open()))
}

/// Returns whether the entries contain `keep` completed releases with different versions: older ones keep nothing.
pub(crate) fn has_releases(entries: &[Entry], keep: usize) -> bool {
    let mut completed = entries.iter().filter(|entry| entry.outcome == Outcome::Released);
    let first = completed.next().is_some();
    first && completed_and_open(entries, keep, versions_of).filter(|entry| !entry.is_open()).count() == keep
}

/// Returns the version of each function after a release.
pub(super) fn versions_of(entry: &Entry) -> Vec<(String, String)> {
    entry.functions.iter().map(|(function, change)| (function.clone(), change.after.clone())).collect()
}

/// Marks a function's versions. Those that an alias points to stay, weights included, those of kept releases, and the newest
/// `keep`.
pub(super) fn mark_versions(
    function: &str,
    versions: &[Version],
    aliases: &[Alias],
    released: &ReleasedVersions,
    keep: usize,
) -> Vec<Mark> {
    let mut newest: Vec<u64> = versions.iter().filter_map(|version| version.version.parse().ok()).collect();
    newest.sort_unstable();
    let newest: BTreeSet<u64> = newest.into_iter().rev().take(keep).collect();
    let release_of = |version: &str| released.get(function).and_then(|versions| versions.get(version));
    let alias_of = |version: &str| {
        let alias = aliases.iter().find(|alias| alias.version == version || alias.weights.contains_key(version));
        alias.map(|alias| alias.name.as_str())
    };
    let mark = |version: &Version| {
        let number = &version.version;
        let (keep, why) = match (alias_of(number), release_of(number), number.parse()) {
            (Some(alias), _, _) => (true, format!("alias {alias} points to it")),
            (None, Some(release), _) => (true, format!("release {release} needs it")),
            (None, None, Ok(number)) if newest.contains(&number) => {
                (true, format!("one of the newest {}", newest.len()))
            }
            (None, None, Ok(_)) => (false, "older than the kept versions".to_owned()),
            (None, None, Err(_)) => (true, "not a numbered version".to_owned()),
        };
        let target = Target::Version { function: function.to_owned(), version: number.clone() };
        Mark { what: format!("{function} version {number}"), keep, why, target }
    };
    versions.iter().map(mark).collect()
}
