//! Decides which code users receive: publishes versions, probes them by number, then shifts `live`. All functions of a system
//! or none.
//!
//! Every release is recorded in the ledger before the first alias shifts, and closed after the last one.

mod alias;
#[cfg(test)]
mod calls;
pub(crate) mod canary;
mod candidate;
mod context;
mod error;
mod revert;
pub(crate) mod rollback;
mod settling;
mod shift;
pub(crate) mod smoke;

use std::collections::BTreeMap;

pub(crate) use alias::LiveAliases;
use alias::Recorded;
pub(crate) use canary::CanaryPlan;
use candidate::{Candidate, prepare_candidate, probe};
pub(crate) use context::{Known, ReleaseContext, ReleaseMetadata, Settling};
pub(crate) use error::{MovedAlias, ReleaseError, Traffic};
use model::rendered::RenderedFunction;
pub(crate) use revert::abort;
use revert::revert_after;
use serde::{Deserialize, Serialize};
pub(crate) use settling::await_sites;
use settling::check;
use shift::{complete, first_step};

use crate::{
    ledger::{LedgerError, OpenEntry, ReleaseKind, VersionChange},
    parallel,
};

/// A function after a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Released {
    /// The function's name in Lambda.
    pub(crate) function_name: String,
    /// The version that `live` points to.
    pub(crate) version: String,
    /// The version that it pointed to before; `None` if there was none or it is the same.
    pub(crate) before: Option<String>,
    /// How many versions the function has, as far as they were counted.
    #[serde(skip)]
    pub(crate) versions: usize,
}

/// Releases every function of the system. If anything fails, aliases that have shifted are shifted back.
///
/// `is_created` returns whether a function was created by this run: then its version 1 is probed as well.
pub(crate) async fn release(
    context: &ReleaseContext<'_>,
    is_created: impl Fn(&str) -> bool,
) -> Result<Vec<Released>, ReleaseError> {
    let open = context.ledger.newest().await?.filter(|open| open.entry.is_open());
    let mut candidates = prepare_candidates(context, &is_created, open.as_ref()).await?;
    if let Some(open) = open {
        if leads_to(&open, &candidates) && open.entry.sites == context.metadata.sites {
            context.ui.say(format_args!("Resuming release {}, which was interrupted", open.entry.number));
            if let Err(error) = probe_all(context, &candidates).await {
                return Err(revert_after(context, open, error).await);
            }
            complete(context, open, functions(&candidates)).await?;
            return Ok(released(candidates));
        }
        let why = "its run was interrupted, and the next run released other versions or pages";
        context.ui.say(format_args!("Reverting release {}: {why}", open.entry.number));
        abort(context, open, why).await?;
        // The aliases have shifted, so the versions before must be read again.
        candidates = prepare_candidates(context, &is_created, None).await?;
    }
    probe_all(context, &candidates).await?;
    record_and_complete(context, &candidates).await?;
    Ok(released(candidates))
}

/// Probes the versions of an open release again, and completes it from its first step. A canary starts over, because it was
/// not observed meanwhile. An alias that has its version already is set to it again, which changes nothing.
pub(crate) async fn resume(context: &ReleaseContext<'_>, open: OpenEntry) -> Result<OpenEntry, ReleaseError> {
    let functions: Vec<_> = context.functions().cloned().collect();
    let changes =
        functions.iter().filter_map(|function| Some((function, open.entry.functions.get(&function.function_name)?)));
    let probes = changes.map(|(function, change)| probe(context, function, &change.after));
    if let Err(error) = parallel::each(probes).await {
        return Err(revert_after(context, open, error).await);
    }
    complete(context, open, functions).await
}

async fn prepare_candidates(
    context: &ReleaseContext<'_>,
    is_created: &impl Fn(&str) -> bool,
    open: Option<&OpenEntry>,
) -> Result<Vec<Candidate>, ReleaseError> {
    // A run that was killed after creating a function and before recording a release leaves a function without one.
    let names = context.functions().map(|function| function.function_name.clone());
    let settled = context.ledger.settled_versions(names.collect()).await?;
    let candidates = context.functions().map(|function| {
        let name = &function.function_name;
        let open = open.and_then(|open| open.entry.functions.get(name));
        prepare_candidate(context, function, is_created(name), Recorded { settled: settled.get(name), open })
    });
    parallel::each(candidates).await
}

async fn probe_all(context: &ReleaseContext<'_>, candidates: &[Candidate]) -> Result<(), ReleaseError> {
    let probes = candidates.iter().filter(|candidate| candidate.needs_probe).map(async |candidate| {
        let probed = probe(context, &candidate.function, &candidate.version).await;
        probed.map_err(|error| match error {
            ReleaseError::Probe { function, version, cause, .. } if candidate.is_new => {
                ReleaseError::Probe { function, version, cause, traffic: Traffic::StaysOnFailed }
            }
            error => error,
        })
    });
    parallel::each(probes).await.map(drop)
}

/// Returns whether the open release ends at these versions.
fn leads_to(open: &OpenEntry, candidates: &[Candidate]) -> bool {
    let is_same = |candidate: &Candidate| {
        let change = open.entry.functions.get(&candidate.function.function_name);
        change.is_some_and(|change| change.after == candidate.version)
    };
    open.entry.functions.len() == candidates.len() && candidates.iter().all(is_same)
}

fn released(candidates: Vec<Candidate>) -> Vec<Released> {
    let released = |candidate: Candidate| Released {
        before: candidate.before.filter(|before| *before != candidate.version),
        version: candidate.version,
        versions: candidate.versions,
        function_name: candidate.function.function_name,
    };
    candidates.into_iter().map(released).collect()
}

/// Says that a deploy without new versions runs no smoke checks, which may be other ones than before.
pub(crate) fn not_checked(stage: &str, system: &str, checks: usize) -> Option<String> {
    let checks = match checks {
        0 => return None,
        1 => "its smoke check was".to_owned(),
        _ => format!("its {checks} smoke checks were"),
    };
    Some(format!(
        "· {system}: no new version, so {checks} not run; run `cargo xtask check-live --stage {stage} --system {system}` to do so"
    ))
}

async fn record_and_complete(context: &ReleaseContext<'_>, candidates: &[Candidate]) -> Result<(), ReleaseError> {
    withdraw_stray_weights(context, candidates).await?;
    let changes: BTreeMap<_, _> =
        candidates.iter().map(|candidate| (candidate.function.function_name.clone(), change(candidate))).collect();
    let is_unchanged = changes.values().all(VersionChange::is_none);
    if is_unchanged && !candidates.iter().any(|candidate| candidate.is_new) && serves_the_same(context).await? {
        if context.settling != Settling::Settled {
            return check(context).await;
        }
        let (stage, system) = (&context.metadata.stage, &context.metadata.system);
        not_checked(stage, system, context.smoke_tests.len()).iter().for_each(|line| context.ui.say(line));
        return Ok(());
    }
    let mut entry = context.metadata.entry(ReleaseKind::Deploy, changes);
    entry.steps.extend(first_step(context));
    let open = context.ledger.record(context.locks, entry).await?;
    complete(context, open, functions(candidates)).await.map(drop)
}

/// Withdraws traffic shares that belong to no open release, from functions whose version stays.
async fn withdraw_stray_weights(context: &ReleaseContext<'_>, candidates: &[Candidate]) -> Result<(), ReleaseError> {
    let stays = |candidate: &&Candidate| candidate.before.as_ref() == Some(&candidate.version);
    for candidate in candidates.iter().filter(|candidate| candidate.is_weighted).filter(stays) {
        let (name, version) = (&candidate.function.function_name, &candidate.version);
        context.locks.ensure_held(&context.system.name).await.map_err(LedgerError::from)?;
        context.withdraw_weights(name, version).await?;
        context.ui.say(format_args!("✓ {name}: live sends all traffic to {version} again"));
    }
    Ok(())
}

/// Returns whether users receive the wanted sites already, and the last release was tested with the present routes.
async fn serves_the_same(context: &ReleaseContext<'_>) -> Result<bool, ReleaseError> {
    let ReleaseMetadata { sites, apis, .. } = &context.metadata;
    if sites.is_empty() && apis.is_empty() {
        return Ok(true);
    }
    let Some(last) = context.ledger.last_released(None).await? else { return Ok(sites.is_empty()) };
    Ok(last.sites == *sites && other_routes(&last.apis, apis).is_empty())
}

/// Returns the APIs, as `stack/logical ID`, whose routes differ from those of a release. An API that the release does not name is
/// left out: the entry may be of a version that recorded none.
pub(crate) fn other_routes<'a>(
    released: &BTreeMap<String, String>,
    present: &'a BTreeMap<String, String>,
) -> Vec<&'a str> {
    let differs = |(api, deployment): &(&String, &String)| released.get(*api).is_some_and(|old| old != *deployment);
    present.iter().filter(differs).map(|(api, _)| api.as_str()).collect()
}

fn functions(candidates: &[Candidate]) -> Vec<RenderedFunction> {
    candidates.iter().map(|candidate| candidate.function.clone()).collect()
}

fn change(candidate: &Candidate) -> VersionChange {
    // The stack creates a new function's alias, which points to the version that is released.
    let before = candidate.before.clone().filter(|_| !candidate.is_new);
    VersionChange { before, after: candidate.version.clone(), code_sha256: Some(candidate.code_sha256.clone()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_differ_where_another_deployment_is_served() {
        let of = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(api, deployment)| ((*api).to_owned(), (*deployment).to_owned())).collect()
        };
        let released = of(&[("a/Api", "One"), ("b/Api", "One")]);
        assert_eq!(other_routes(&released, &of(&[("a/Api", "Two"), ("b/Api", "One"), ("c/Api", "One")])), ["a/Api"]);
        assert_eq!(other_routes(&BTreeMap::new(), &released), [""; 0]);
    }

    #[test]
    fn smoke_checks_that_were_not_run_are_counted_and_named_with_their_command() {
        assert_eq!(not_checked("dev", "notes", 0), None);
        let line = not_checked("dev", "notes", 2).expect("a line");
        let command = "`cargo xtask check-live --stage dev --system notes`";
        assert_eq!(
            line,
            format!("· notes: no new version, so its 2 smoke checks were not run; run {command} to do so")
        );
        assert!(not_checked("dev", "notes", 1).is_some_and(|line| line.contains("its smoke check was not run")));
    }
}
