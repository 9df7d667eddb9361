//! `live` of a function always points to versions that exist, a release that is recorded shifts it, and no version that fails its probe
//! receives traffic from a shift.
//!
//! A new function is an exception that the engine documents: CloudFormation creates its alias with its first version, before any probe.

use std::collections::{BTreeMap, BTreeSet};

use simulated_aws::account::Account;

use super::{effect::system_of, ledgers::Ledgers, view};

/// What was seen of aliases: the traffic of each function.
#[derive(Debug, Clone, Default)]
pub(super) struct Traffic {
    live: BTreeMap<String, view::Live>,
}

impl Traffic {
    /// Checks that every `live` points to existing versions; returns what is wrong.
    pub(super) fn existing(account: &Account, by_hand: &BTreeSet<String>) -> Vec<String> {
        let mut wrong = Vec::new();
        for function in view::functions(account).into_iter().filter(|function| !by_hand.contains(function)) {
            let Some(live) = view::live(account, &function) else { continue };
            let versions = std::iter::once(&live.version).chain(live.shares.keys());
            let missing = versions.filter(|version| !view::has_version(account, &function, version));
            wrong.extend(
                missing
                    .map(|version| format!("`live` of {function} points to version {version}, which does not exist")),
            );
        }
        wrong
    }

    /// The traffic of a function as it was last seen.
    pub(super) fn live(&self, function: &str) -> Option<&view::Live> {
        self.live.get(function)
    }

    /// Takes note of the present traffic, without a check.
    pub(super) fn note(&mut self, account: &Account) {
        let functions = view::functions(account).into_iter();
        self.live =
            functions.filter_map(|function| Some((function.clone(), view::live(account, &function)?))).collect();
    }

    /// Checks a shift by a run; returns what is wrong.
    pub(super) fn shifted(
        &mut self,
        account: &Account,
        function: &str,
        ledgers: &Ledgers,
        by_hand: &BTreeSet<String>,
    ) -> Vec<String> {
        let Some(live) = view::live(account, function) else { return Vec::new() };
        let before = self.live.insert(function.to_owned(), live.clone());
        if before.as_ref() == Some(&live) || by_hand.contains(function) {
            return Vec::new();
        }
        let mut wrong = Vec::new();
        let had = |version: &String| before.as_ref().is_some_and(|before| before.share(version) > 0);
        let received = std::iter::once(&live.version).chain(live.shares.keys()).filter(|version| !had(version));
        for version in received.filter(|version| view::passes_probe(account, function, version) == Some(false)) {
            wrong.push(format!("`live` of {function} is shifted to version {version}, which fails its probe"));
        }
        let only_withdraws = live.shares.is_empty() && before.is_some_and(|before| before.version == live.version);
        if !only_withdraws {
            wrong.extend(unrecorded(function, &live, ledgers));
        }
        wrong
    }
}

/// What is wrong with a shift that no open release contains.
fn unrecorded(function: &str, live: &view::Live, ledgers: &Ledgers) -> Option<String> {
    let open = system_of(function).and_then(|system| ledgers.open(system));
    let change = open.and_then(|open| open.functions.get(function));
    let is_recorded = change.is_some_and(|change| {
        let is_of_release = |version: &String| *version == change.after || Some(version) == change.before.as_ref();
        is_of_release(&live.version) && live.shares.keys().all(is_of_release)
    });
    (!is_recorded).then(|| {
        let number = open.map(|open| format!("release {}", open.number));
        let number = number.unwrap_or_else(|| "no release".to_owned());
        format!("`live` of {function} is shifted to version {}, but {number} is open for that", live.version)
    })
}
