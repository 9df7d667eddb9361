//! Deletes what nothing needs. First a pure mark that says why each thing stays or goes, then a sweep.

pub mod leftovers;
pub mod sites;

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use model::rendered::RenderedSystem;
use serde::Serialize;

use crate::{
    aws::{
        AwsError, Clients,
        lambda::{Alias, Version},
    },
    deploy::Outputs,
    ledger::{Entry, Outcome},
};

/// What is to become of one thing, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The thing, for people.
    pub what: String,
    /// Does it stay?
    pub keep: bool,
    /// Why.
    pub why: String,
    #[serde(skip)]
    target: Target,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Version { function: String, version: String },
    Layer { layer: String, version: i64 },
    Artifact { key: String },
    SiteFile { region: Option<String>, bucket: String, key: String },
    ChangeSet { region: Option<String>, stack: String, name: String },
    EmptyStack { region: Option<String>, stack: String },
    LogGroup { name: String },
}

/// The versions that releases may return to: function → version → the release's number.
pub type Released = BTreeMap<String, BTreeMap<String, u32>>;

/// The versions that a rollback may return to, those of the newest `keep` completed releases, and both ends of one that is
/// open, which may still be finished or reverted.
#[must_use]
pub fn released(entries: &[Entry], keep: usize) -> Released {
    let mut released = Released::new();
    for entry in kept(entries, keep, versions) {
        for (function, moved) in &entry.functions {
            let versions = released.entry(function.clone()).or_default();
            let before = moved.before.iter().filter(|_| entry.is_open());
            for version in before.chain([&moved.after]) {
                versions.entry(version.clone()).or_insert(entry.number);
            }
        }
    }
    released
}

/// The newest `keep` completed releases, newest first, and those that are open. A return to `what` is kept anyway takes no other
/// release's place.
fn kept<K: Ord>(entries: &[Entry], keep: usize, what: impl Fn(&Entry) -> K) -> impl Iterator<Item = &Entry> {
    let mut distinct = BTreeSet::new();
    let completed = entries.iter().rev().filter(|entry| entry.outcome == Outcome::Released);
    let completed = completed.filter(move |entry| distinct.insert(what(entry))).take(keep);
    completed.chain(entries.iter().filter(|entry| entry.is_open()))
}

/// What a release's aliases point to.
fn versions(entry: &Entry) -> Vec<(String, String)> {
    entry.functions.iter().map(|(function, moved)| (function.clone(), moved.after.clone())).collect()
}

/// Marks a function's versions: what an alias points to stays, weights included, what a kept release needs, and the newest
/// `keep` besides.
#[must_use]
pub fn mark_versions(
    function: &str,
    versions: &[Version],
    aliases: &[Alias],
    released: &Released,
    keep: usize,
) -> Vec<Verdict> {
    let release_of = |version: &str| released.get(function).and_then(|versions| versions.get(version));
    let mut newest: Vec<u64> = versions.iter().filter_map(|version| version.version.parse().ok()).collect();
    newest.sort_unstable();
    let newest: BTreeSet<u64> = newest.into_iter().rev().take(keep).collect();
    let alias_of = |version: &str| {
        aliases
            .iter()
            .find(|alias| alias.version == version || alias.weights.contains_key(version))
            .map(|alias| alias.name.as_str())
    };
    versions
        .iter()
        .map(|version| {
            let number = &version.version;
            let (keep, why) = match (alias_of(number), number.parse()) {
                (Some(alias), _) => (true, format!("alias {alias} points to it")),
                (None, _) if release_of(number).is_some() => {
                    (true, format!("release {} needs it", release_of(number).unwrap_or(&0)))
                }
                (None, Ok(number)) if newest.contains(&number) => (true, format!("one of the newest {}", newest.len())),
                (None, Ok(_)) => (false, "older than what is kept".to_owned()),
                (None, Err(_)) => (true, "not a numbered version".to_owned()),
            };
            let target = Target::Version { function: function.to_owned(), version: number.clone() };
            Verdict { what: format!("{function} version {number}"), keep, why, target }
        })
        .collect()
}

/// Marks everything of these systems.
///
/// # Errors
///
/// When a call fails.
pub async fn mark(
    systems: &[RenderedSystem],
    parameters: &Outputs,
    bucket: Option<&str>,
    (released, keep): (&Released, usize),
    clients: &Clients,
) -> Result<Vec<Verdict>, AwsError> {
    let lambda = clients.lambda();
    let mut verdicts = Vec::new();
    let mut needed = Needed::default();
    for function in systems.iter().flat_map(|system| &system.stacks).flat_map(|stack| &stack.functions) {
        let name = &function.function_name;
        let (versions, aliases) = (lambda.versions(name).await?, lambda.aliases(name).await?);
        let marked = mark_versions(name, &versions, &aliases, released, keep);
        let kept = versions.iter().zip(&marked).filter(|(_, verdict)| verdict.keep).map(|(version, _)| version);
        needed.extend(kept);
        needed.extend(lambda.version(name, "$LATEST").await?.iter());
        verdicts.extend(marked);
    }
    for stack in systems.iter().flat_map(|system| &system.stacks) {
        needed.keys.extend(parameters.get(&stack.name).into_iter().flat_map(|parameters| parameters.values().cloned()));
    }
    for layer in systems.iter().flat_map(|system| &system.stacks).flat_map(|stack| &stack.layers) {
        let versions = lambda.layer_versions(&layer.layer_name).await?;
        let newest = versions.iter().map(|(version, _)| *version).max();
        verdicts.extend(versions.into_iter().map(|(version, arn)| {
            let (keep, why) = match (needed.layers.contains(&arn), Some(version) == newest) {
                (true, _) => (true, "a kept version uses it"),
                (_, true) => (true, "the newest"),
                _ => (false, "no kept version uses it"),
            };
            let target = Target::Layer { layer: layer.layer_name.clone(), version };
            Verdict { what: format!("layer {} version {version}", layer.layer_name), keep, why: why.to_owned(), target }
        }));
    }
    if let Some(bucket) = bucket {
        for system in systems {
            let keys = clients.s3().keys(bucket, &format!("artifacts/{}-", system.name)).await?;
            verdicts.extend(keys.into_iter().map(|key| needed.judge(key)));
        }
    }
    Ok(verdicts)
}

/// What kept versions and deployed stacks refer to.
#[derive(Debug, Default)]
struct Needed {
    hashes: BTreeSet<String>,
    layers: BTreeSet<String>,
    keys: BTreeSet<String>,
}

impl Needed {
    fn extend<'a>(&mut self, versions: impl Iterator<Item = &'a Version>) {
        for version in versions {
            self.hashes.extend(BASE64_STANDARD.decode(&version.code_sha256).map(hex::encode));
            self.layers.extend(version.settings.layers.iter().cloned());
        }
    }

    fn judge(&self, key: String) -> Verdict {
        let (keep, why) = if self.keys.contains(&key) {
            (true, "a deployed stack refers to it")
        } else if self.hashes.iter().any(|hash| key.contains(hash)) {
            (true, "a kept version was made of it")
        } else {
            (false, "nothing refers to it")
        };
        Verdict { what: key.clone(), keep, why: why.to_owned(), target: Target::Artifact { key } }
    }
}

/// Deletes what was marked to go; returns how many things.
///
/// # Errors
///
/// When a call fails; what is left goes with the next run.
pub async fn sweep(verdicts: &[Verdict], bucket: Option<&str>, clients: &Clients) -> Result<usize, AwsError> {
    let lambda = clients.lambda();
    let mut keys = Vec::new();
    let mut of_sites: BTreeMap<(&Option<String>, &str), Vec<String>> = BTreeMap::new();
    let mut count = 0;
    for verdict in verdicts.iter().filter(|verdict| !verdict.keep) {
        match &verdict.target {
            Target::Version { function, version } => lambda.delete_version(function, version).await?,
            Target::Layer { layer, version } => lambda.delete_layer_version(layer, *version).await?,
            Target::Artifact { key } => keys.push(key.clone()),
            Target::SiteFile { region, bucket, key } => of_sites.entry((region, bucket)).or_default().push(key.clone()),
            Target::ChangeSet { region, stack, name } => {
                clients.cloudformation(region.as_deref()).delete_change_set(stack, name).await?;
            }
            Target::EmptyStack { region, stack } => clients.cloudformation(region.as_deref()).delete(stack).await?,
            Target::LogGroup { name } => clients.logs().delete(name).await?,
        }
        count += 1;
    }
    if let (Some(bucket), false) = (bucket, keys.is_empty()) {
        clients.s3().delete(bucket, &keys).await?;
    }
    for ((region, bucket), keys) in of_sites {
        clients.s3_in(region.as_deref()).delete(bucket, &keys).await?;
    }
    Ok(count)
}

#[cfg(test)]
mod tests;
