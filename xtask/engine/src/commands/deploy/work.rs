//! The systems that a deploy has work for. The others are as the workspace wants them, and need no lock.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use model::rendered::{RenderedStack, RenderedSystem};
use plan::observed::{Observed, ObservedStack};

use super::prepare::{Prepared, Target};
use crate::{
    deploy::is_at_rest,
    ledger::{Entry, LedgerError, OpenEntry, Outcome},
    release::other_routes,
    session::{self, Session, has_functions},
};

/// The newest release of each system that has one.
pub(super) type Newest = BTreeMap<String, OpenEntry>;

/// Reads the newest releases of systems.
///
/// # Errors
///
/// When a call fails, or a release cannot be read.
pub(super) async fn newest(
    systems: impl Iterator<Item = &RenderedSystem>,
    bucket: Option<&str>,
    session: &Session,
) -> Result<Newest, LedgerError> {
    let Some(bucket) = bucket else { return Ok(Newest::new()) };
    let entries = systems.filter(|system| has_functions(system)).map(async |system| {
        let newest = session.ledger(bucket, &system.name).newest().await?;
        Ok::<_, LedgerError>(newest.map(|newest| (system.name.clone(), newest)))
    });
    Ok(try_join_all(entries).await?.into_iter().flatten().collect())
}

/// Returns the manifests of the sites that the newest releases have published.
pub(super) fn published(newest: &Newest) -> BTreeMap<String, BTreeMap<String, String>> {
    let released = newest.iter().filter(|(_, newest)| newest.entry.outcome == Outcome::Released);
    released.map(|(system, newest)| (system.clone(), newest.entry.sites.clone())).collect()
}

/// Returns the systems that the deploy has work for.
///
/// # Errors
///
/// When the files of a site cannot be read.
pub(super) fn systems(target: &Target, prepared: &Prepared) -> miette::Result<Vec<RenderedSystem>> {
    let mut found = Vec::new();
    for system in &prepared.systems {
        let is_complete = !target.partial.contains(&system.name);
        let changes_sites = system.sites.iter().any(|site| {
            let mut differing = prepared.preview.sites.iter();
            differing.any(|differing| differing.site == site.name)
        });
        if prepared.plan.touches(system)
            || system.stacks.iter().any(|stack| !is_settled(stack, target, &prepared.observed))
            || is_complete && (changes_sites || !is_released(system, prepared, &target.session)?)
        {
            found.push(system.clone());
        }
    }
    Ok(found)
}

/// Returns whether a stack is at rest, and protected if the stage is.
fn is_settled(stack: &RenderedStack, target: &Target, observed: &Observed) -> bool {
    let is_settled = |deployed: &ObservedStack| {
        is_at_rest(&deployed.status, deployed.is_express) && (deployed.is_protected || !target.session.stage.protected)
    };
    observed.stacks.get(&stack.name).is_some_and(is_settled)
}

/// Returns whether users receive what the newest release has released, and that is what the workspace has. Traffic shares that a person
/// has set are not seen: `doctor` finds them.
fn is_released(system: &RenderedSystem, prepared: &Prepared, session: &Session) -> miette::Result<bool> {
    if !has_functions(system) {
        return Ok(true);
    }
    let Some(newest) = prepared.newest.get(&system.name).map(|newest| &newest.entry) else { return Ok(false) };
    let observed = &prepared.observed;
    let has_versions = newest.outcome == Outcome::Released && points_to(system, newest, observed);
    if !has_versions || !other_routes(&newest.apis, &session::deployed_apis(system, observed)).is_empty() {
        return Ok(false);
    }
    let bucket = session.bucket(observed).unwrap_or_default();
    let pages = session.pages(system, &session::outputs(observed), &bucket);
    Ok(pages.manifests(&session.context.workspace)? == newest.sites)
}

/// Returns whether `live` of each function points to the version of a release.
fn points_to(system: &RenderedSystem, release: &Entry, observed: &Observed) -> bool {
    let mut functions = system.stacks.iter().flat_map(|stack| &stack.functions);
    functions.all(|function| {
        let name = &function.function_name;
        let (Some(change), Some(deployed)) = (release.functions.get(name), observed.functions.get(name)) else {
            return false;
        };
        // A function that was deleted and created again numbers from 1.
        let has_code = |code: &String| deployed.live_code_sha256.as_ref() == Some(code);
        deployed.live.as_ref() == Some(&change.after) && change.code_sha256.as_ref().is_none_or(has_code)
    })
}
