//! Returning to an earlier release: a few calls, no CloudFormation.

use std::collections::BTreeMap;

use super::{
    ReleaseContext, ReleaseError, abort,
    alias::Recorded,
    candidate::probe,
    context::failed,
    other_routes, resume,
    shift::{FunctionChange, complete, first_step},
};
use crate::{
    ledger::{Entry, OpenEntry, Outcome, ReleaseKind, VersionChange, rollback_target, unmet_needs},
    parallel,
};

/// Why an open release is reverted before a rollback. Stored in the ledger.
const INTERRUPTED: &str = "its run was interrupted, and a rollback followed";

/// How many ledger entries are read at once: the release to return to is usually the one before the newest.
const AT_ONCE: u32 = 2;

/// Shifts every alias of a system to the versions of an earlier release, after probing them. Returns the new entry, or the
/// earlier release's own if users receive it already. If anything fails, no alias shifts.
pub(crate) async fn rollback(context: &ReleaseContext<'_>, to: Option<u32>) -> Result<Entry, ReleaseError> {
    let open = context.ledger.newest().await?.filter(|open| open.entry.is_open());
    let open = match (open, to) {
        (Some(open), None) => return settle(context, open).await,
        (open, _) => open,
    };
    let is_enough = |entries: &[Entry]| rollback_target(entries, to, &context.metadata.stage).is_ok();
    let entries = context.ledger.recent(AT_ONCE, is_enough).await?;
    let target = rollback_target(&entries, to, &context.metadata.stage)?;
    check_needs(context, target)?;
    let present = present_sites(context, &entries);
    let sites = target_sites(context, target, &present);
    let keeps_sites = open.is_none() && sites == present;
    let files = async { if keeps_sites { Ok(()) } else { check_files(context, target, &sites).await } };
    let (files, changes) = tokio::join!(files, changes(context, target, open.as_ref()));
    files?;
    let mut changes = changes?;
    parallel::each(changes.iter().map(|(function, change)| probe(context, function, &change.after))).await?;
    if keeps_sites && changes.iter().all(|(_, change)| change.is_none()) {
        context.ui.say(format_args!("Users already receive release {}: no traffic is shifted", target.number));
        // Restores a page that is missing, or whose configuration is outdated.
        context.pages.publish(&sites).await?;
        return Ok(target.clone());
    }
    if keeps_sites {
        context.pages.are_published(&sites);
    }
    if let Some(open) = open {
        context.ui.say(format_args!("Reverting release {}, which was interrupted", open.entry.number));
        abort(context, open, INTERRUPTED).await?;
        for (function, change) in &mut changes {
            change.before = context.live.version(&function.function_name);
        }
    }
    record_and_complete(context, target, changes, sites).await
}

fn check_needs(context: &ReleaseContext<'_>, target: &Entry) -> Result<(), ReleaseError> {
    let unmet = unmet_needs(&target.needs, &context.metadata.needs);
    if unmet.is_empty() { Ok(()) } else { Err(ReleaseError::StacksDiffer { number: target.number, unmet }) }
}

async fn check_files(
    context: &ReleaseContext<'_>,
    target: &Entry,
    sites: &BTreeMap<String, String>,
) -> Result<(), ReleaseError> {
    let files = context.pages.deleted_files(sites).await?;
    let stage = || context.metadata.stage.clone();
    if files.is_empty() {
        Ok(())
    } else {
        Err(ReleaseError::FilesDeleted { stage: stage(), number: target.number, files })
    }
}

async fn record_and_complete(
    context: &ReleaseContext<'_>,
    target: &Entry,
    changes: Vec<FunctionChange>,
    sites: BTreeMap<String, String>,
) -> Result<Entry, ReleaseError> {
    let by_name = |(function, change): &FunctionChange| (function.function_name.clone(), change.clone());
    let kind = ReleaseKind::Rollback { to: target.number };
    let entry = context.metadata.entry(kind, changes.iter().map(by_name).collect());
    // Users receive the target's commit, not the workspace's.
    let apis = target.apis.clone();
    warn_of_routes(context, target);
    let steps = first_step(context).into_iter().collect();
    let entry = Entry { commit: target.commit.clone(), sites, apis, steps, ..entry };
    let open = context.ledger.record(context.locks, entry).await?;
    let functions = changes.into_iter().map(|(function, _)| function).collect();
    Ok(complete(context, open, functions).await?.entry)
}

/// Warns of APIs that keep the routes of a later deploy: they belong to the stacks, which a rollback does not change.
fn warn_of_routes(context: &ReleaseContext<'_>, target: &Entry) {
    for api in other_routes(&target.apis, &context.metadata.apis) {
        context.ui.warn(format_args!(
            "{api} keeps its current routes, which differ from those of release {}; deploy that commit to restore them",
            target.number
        ));
    }
}

/// Returns the manifests of the sites that users receive now.
fn present_sites(context: &ReleaseContext<'_>, entries: &[Entry]) -> BTreeMap<String, String> {
    let present = entries.iter().rev().find(|entry| entry.outcome == Outcome::Released);
    present.map(|entry| context.pages.known(&entry.sites)).unwrap_or_default()
}

/// Returns the manifests of the sites after the rollback: the target's, and the present ones of sites that it does not contain.
fn target_sites(
    context: &ReleaseContext<'_>,
    target: &Entry,
    present: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let (number, ui) = (target.number, context.ui);
    let sites: BTreeMap<_, _> = present.clone().into_iter().chain(context.pages.known(&target.sites)).collect();
    for name in context.pages.names().filter(|name| !target.sites.contains_key(*name)) {
        ui.say(format_args!("Release {number} does not contain {name}: its page stays unchanged"));
    }
    for name in target.sites.keys().filter(|name| !sites.contains_key(*name)) {
        ui.warn(format_args!("site {name} of release {number} is no longer defined: its page stays unchanged"));
    }
    sites
}

/// Returns from an interrupted deploy to the release before it; completes an interrupted rollback.
async fn settle(context: &ReleaseContext<'_>, open: OpenEntry) -> Result<Entry, ReleaseError> {
    let number = open.entry.number;
    if open.entry.kind == ReleaseKind::Deploy {
        context.ui.say(format_args!("Release {number} was interrupted: returning to the release before it"));
        return Ok(abort(context, open, INTERRUPTED).await?.entry);
    }
    context.ui.say(format_args!("Resuming rollback {number}, which was interrupted"));
    Ok(resume(context, open).await?.entry)
}

/// Returns the version change of every function of the target. Fails if a version no longer exists.
async fn changes(
    context: &ReleaseContext<'_>,
    target: &Entry,
    open: Option<&OpenEntry>,
) -> Result<Vec<FunctionChange>, ReleaseError> {
    let defined: BTreeMap<_, _> =
        context.functions().map(|function| (function.function_name.as_str(), function)).collect();
    let lambda = context.clients.lambda();
    let settled = context.ledger.settled_versions(target.functions.keys().cloned().collect()).await?;
    let (mut changes, mut versions) = (Vec::new(), Vec::new());
    let read = target.functions.iter().map(async |(name, released)| {
        let open = open.and_then(|open| open.entry.functions.get(name));
        let recorded = Recorded { settled: settled.get(name), open };
        tokio::try_join!(lambda.version(name, &released.after), context.read_live(name, recorded)).map_err(failed(name))
    });
    let read = parallel::each(read).await?;
    for ((name, released), (version, live)) in target.functions.iter().zip(read) {
        let is_same = |code: &String| released.code_sha256.as_ref().is_none_or(|released| released == code);
        let exists = version.is_some_and(|version| is_same(&version.code_sha256));
        let (true, Some(function)) = (exists, defined.get(name.as_str())) else {
            versions.push(format!("version {} of {name} no longer exists", released.after));
            continue;
        };
        let before = live.map(|alias| alias.version);
        changes.push(((*function).clone(), VersionChange { before, ..released.clone() }));
    }
    if versions.is_empty() {
        Ok(changes)
    } else {
        Err(ReleaseError::VersionsDeleted { stage: context.metadata.stage.clone(), number: target.number, versions })
    }
}
