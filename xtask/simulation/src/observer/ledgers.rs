//! The ledger has no gap and no duplicate, and says what happened.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use simulated_aws::account::Account;

use super::{artifact_bucket, view};
use crate::project::STAGE;

/// What was seen of the ledgers: the entries of each system, by number.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledgers {
    entries: BTreeMap<String, BTreeMap<u64, Entry>>,
}

/// An entry, as far as the observer reads it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) number: u64,
    pub(super) state: String,
    pub(super) functions: BTreeMap<String, Change>,
    pub(super) sites: BTreeMap<String, String>,
    /// What its steps did, oldest first.
    pub(super) steps: Vec<String>,
    fixed: Value,
}

/// The change of a function.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Change {
    pub(super) before: Option<String>,
    pub(super) after: String,
    pub(super) code_sha256: Option<String>,
}

impl Entry {
    fn parse(text: &[u8]) -> Option<Self> {
        let document: Value = serde_json::from_slice(text).ok()?;
        let change = |change: &Value| {
            let text = |name: &str| change[name].as_str().map(str::to_owned);
            Some(Change { before: text("before"), after: text("after")?, code_sha256: text("codeSha256") })
        };
        let functions = document["functions"].as_object()?.iter();
        let functions = functions.map(|(name, value)| Some((name.clone(), change(value)?)));
        let sites = document["sites"].as_object().into_iter().flatten();
        let sites = sites.filter_map(|(site, name)| Some((site.clone(), name.as_str()?.to_owned())));
        let steps = document["steps"].as_array().into_iter().flatten();
        let steps = steps.filter_map(|step| step["what"].as_str().map(str::to_owned));
        let mut fixed = document.clone();
        for written in ["steps", "outcome", "ended"] {
            fixed.as_object_mut()?.remove(written);
        }
        Some(Self {
            number: document["number"].as_u64()?,
            state: document["outcome"]["state"].as_str()?.to_owned(),
            functions: functions.collect::<Option<_>>()?,
            sites: sites.collect(),
            steps: steps.collect(),
            fixed,
        })
    }

    pub(super) fn is_open(&self) -> bool {
        self.state == "open"
    }

    fn versions(&self) -> Vec<(&str, &str)> {
        self.functions.iter().map(|(function, change)| (function.as_str(), change.after.as_str())).collect()
    }
}

/// Reads all entries of a system's ledger, oldest first.
pub(super) fn read(account: &Account, system: &str) -> Vec<Entry> {
    let prefix = format!("releases/{system}/");
    let Some(bucket) = view::bucket(account, artifact_bucket()) else { return Vec::new() };
    let keys = bucket.keys(&prefix).take_while(|(key, _)| key.starts_with(&prefix));
    keys.filter_map(|(key, _)| Entry::parse(&bucket.current(key)?.1.body)).collect()
}

impl Ledgers {
    /// The open entry of a system.
    pub(super) fn open(&self, system: &str) -> Option<&Entry> {
        self.entries.get(system)?.values().find(|entry| entry.is_open())
    }

    /// The newest completed release of a system.
    pub(super) fn present(&self, system: &str) -> Option<&Entry> {
        self.entries.get(system)?.values().rev().find(|entry| entry.state == "released")
    }

    /// The releases of a system that a rollback may return to if so many are kept, and the open one.
    pub(super) fn kept(&self, system: &str, keep: usize) -> Vec<&Entry> {
        let Some(entries) = self.entries.get(system) else { return Vec::new() };
        let mut distinct = BTreeSet::new();
        let completed = entries.values().rev().filter(|entry| entry.state == "released");
        let completed = completed.filter(|entry| distinct.insert(entry.versions())).take(keep);
        completed.chain(entries.values().filter(|entry| entry.is_open())).collect()
    }

    /// Forgets the entries of systems whose ledger no longer exists.
    pub(super) fn forget(&mut self) {
        self.entries.clear();
    }

    /// Reads an entry that was written; returns what is wrong. `by_hand` are the functions that were changed by hand.
    pub(super) fn written(&mut self, account: &Account, key: &str, by_hand: &BTreeSet<String>) -> Vec<String> {
        let Some((system, name)) = key.strip_prefix("releases/").and_then(|key| key.split_once('/')) else {
            return Vec::new();
        };
        let text = view::document(account, key).unwrap_or_default();
        let Some(entry) = Entry::parse(&text) else { return vec![format!("{key} is no entry of a ledger")] };
        let mut wrong = Vec::new();
        if name != format!("{:08}.json", entry.number)
            || entry.fixed["system"] != system
            || entry.fixed["stage"] != STAGE
        {
            wrong.push(format!("{key} contains release {} of {}", entry.number, entry.fixed["system"]));
        }
        let entries = self.entries.entry(system.to_owned()).or_default();
        match entries.get(&entry.number) {
            None => wrong.extend(begun(entries, &entry, account, by_hand).map(|what| format!("{key}: {what}"))),
            Some(before) if !before.is_open() => wrong.push(format!("{key} was {} and is written again", before.state)),
            Some(before) if before.fixed != entry.fixed => wrong.push(format!("{key} changes what it releases")),
            Some(_) => {}
        }
        wrong.extend(ended(&entry, account, by_hand).map(|what| format!("{key}: {what}")));
        entries.insert(entry.number, entry);
        wrong
    }
}

/// What is wrong with a new entry.
fn begun(
    entries: &BTreeMap<u64, Entry>,
    entry: &Entry,
    account: &Account,
    by_hand: &BTreeSet<String>,
) -> impl Iterator<Item = String> + use<> {
    let mut wrong = Vec::new();
    let last = entries.keys().next_back().copied().unwrap_or_default();
    if entry.number != last + 1 {
        wrong.push(format!("release {} follows release {last}", entry.number));
    }
    if let Some(open) = entries.values().find(|entry| entry.is_open()) {
        wrong.push(format!("release {} is still open", open.number));
    }
    if !entry.is_open() {
        wrong.push("the release is recorded after it has ended".to_owned());
    }
    for (function, change) in entry.functions.iter().filter(|(function, _)| !by_hand.contains(*function)) {
        let live = view::live(account, function);
        if let (Some(before), Some(live)) = (&change.before, &live)
            && live.version != *before
        {
            wrong.push(format!("`live` of {function} was {}, not {before}", live.version));
        }
    }
    wrong.into_iter()
}

/// What is wrong with the end of a release.
fn ended(entry: &Entry, account: &Account, by_hand: &BTreeSet<String>) -> impl Iterator<Item = String> + use<> {
    let mut wrong = Vec::new();
    for (function, change) in entry.functions.iter().filter(|(function, _)| !by_hand.contains(*function)) {
        let expected = match entry.state.as_str() {
            "released" => Some(&change.after),
            "reverted" => change.before.as_ref(),
            _ => None,
        };
        let (Some(expected), Some(live)) = (expected, view::live(account, function)) else { continue };
        if live.version != *expected || !live.shares.is_empty() {
            let shares = live.others();
            let shared = if shares.is_empty() { shares } else { format!(" and shares with {shares}") };
            wrong.push(format!(
                "release {} is {}, but `live` of {function} points to {}{shared} instead of {expected}",
                entry.number, entry.state, live.version
            ));
        }
    }
    wrong.into_iter()
}
