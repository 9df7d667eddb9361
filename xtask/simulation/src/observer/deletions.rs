//! No run deletes what is in use: versions that releases need, their zips, and the files of published sites.

use std::collections::BTreeSet;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value;
use simulated_aws::account::Account;

use super::{
    artifact_bucket,
    effect::{Effect, system_of},
    ledgers::Ledgers,
    view,
};

/// Checks the deletions of a call by a run that keeps so many releases; returns what is wrong.
pub(super) fn check(account: &Account, effect: &Effect, ledgers: &Ledgers, keep: usize) -> Vec<String> {
    match effect {
        Effect::DeleteVersion { function, version } if !version.is_empty() => {
            version_in_use(account, function, version, ledgers, keep).into_iter().collect()
        }
        Effect::Delete { bucket, keys } if *bucket == artifact_bucket() => {
            let used = Used::of(account, ledgers, keep);
            keys.iter().filter_map(|key| used.refuses(key)).collect()
        }
        Effect::Delete { bucket, keys } => {
            let Some(system) = system_of(bucket) else { return Vec::new() };
            let needed = site_files(account, system, ledgers);
            let deleted = keys.iter().filter(|key| needed.contains(*key));
            deleted
                .map(|key| format!("{key} of site bucket {bucket} is deleted, but the published page needs it"))
                .collect()
        }
        _ => Vec::new(),
    }
}

fn version_in_use(account: &Account, function: &str, version: &str, ledgers: &Ledgers, keep: usize) -> Option<String> {
    if let Some(live) = view::live(account, function)
        && (live.version == version || live.shares.contains_key(version))
    {
        return Some(format!("version {version} of {function} is deleted, but `live` points to it"));
    }
    let kept = ledgers.kept(system_of(function)?, keep);
    let needs = |change: &super::ledgers::Change, is_open: bool| {
        change.after == version || (is_open && change.before.as_deref() == Some(version))
    };
    let needed_by = kept
        .into_iter()
        .find(|entry| entry.functions.get(function).is_some_and(|change| needs(change, entry.is_open())))?;
    Some(format!("version {version} of {function} is deleted, but release {} needs it", needed_by.number))
}

/// What the artifact bucket must keep.
struct Used {
    /// SHA-256 in hexadecimal of the code of used versions, with the function.
    code: Vec<(String, String)>,
    /// The parameters of stacks.
    parameters: BTreeSet<String>,
    /// The manifests of published sites.
    manifests: BTreeSet<String>,
}

impl Used {
    fn of(account: &Account, ledgers: &Ledgers, keep: usize) -> Self {
        let mut code = Vec::new();
        for function in view::functions(account) {
            let mut versions = BTreeSet::from(["$LATEST".to_owned()]);
            if let Some(live) = view::live(account, &function) {
                versions.insert(live.version);
                versions.extend(live.shares.into_keys());
            }
            for entry in system_of(&function).map(|system| ledgers.kept(system, keep)).unwrap_or_default() {
                versions.extend(entry.functions.get(&function).map(|change| change.after.clone()));
            }
            let hashes = versions.iter().filter_map(|version| view::code_sha256(account, &function, version));
            let hashes = hashes.filter_map(|hash| BASE64_STANDARD.decode(hash).ok()).map(hex::encode);
            code.extend(hashes.map(|hash| (hash, function.clone())));
        }
        let systems = crate::shape::SYSTEMS.iter();
        let manifests = systems.filter_map(|system| Some((*system, ledgers.present(system)?)));
        let manifests = manifests.flat_map(|(system, entry)| {
            entry.sites.values().map(move |name| format!("sites/{system}/manifests/{name}.json"))
        });
        Self { code, parameters: view::parameters(account), manifests: manifests.collect() }
    }

    fn refuses(&self, key: &str) -> Option<String> {
        if key.starts_with("releases/") {
            return Some(format!("{key} is deleted: the ledger keeps every release"));
        }
        if self.parameters.contains(key) {
            return Some(format!("{key} is deleted, but a stack refers to it"));
        }
        if self.manifests.contains(key) {
            return Some(format!("{key} is deleted, but the published site needs it"));
        }
        let used_by =
            self.code.iter().find(|(hash, _)| key.starts_with("artifacts/") && key.contains(hash.as_str()))?;
        Some(format!("{key} is deleted, but {} uses it", used_by.1))
    }
}

/// The files with hashed keys that the published sites of a system refer to.
fn site_files(account: &Account, system: &str, ledgers: &Ledgers) -> BTreeSet<String> {
    let Some(present) = ledgers.present(system) else { return BTreeSet::new() };
    let manifest = |name: &String| view::document(account, &format!("sites/{system}/manifests/{name}.json"));
    let manifests = present.sites.values().filter_map(manifest);
    let manifests = manifests.filter_map(|text| serde_json::from_slice::<Value>(&text).ok());
    manifests
        .flat_map(|manifest| manifest["files"].as_object().cloned().unwrap_or_default())
        .map(|(key, _)| key)
        .collect()
}
