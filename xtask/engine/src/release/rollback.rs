//! Returning to an earlier release: a few calls, no CloudFormation.

use std::collections::BTreeMap;

use model::rendered::{RenderedFunction, RenderedSystem};

use super::{ReleaseContext, ReleaseError, abort, candidate::probe, resume, shift::carry_out};
use crate::{
    deploy::observe::LIVE,
    ledger::{Entry, Kind, Move, Open, Outcome, missing, target},
    store::Store,
};

/// Moves every alias of a system back to an earlier release, after probing its versions; returns the new entry, or that release's
/// own where users get it already.
///
/// # Errors
///
/// When there is no such release, its versions are gone, its stacks are not what its code needs, a probe fails, or an alias
/// cannot be moved: then none is.
pub async fn rollback<S: Store>(
    system: &RenderedSystem,
    to: Option<u32>,
    context: &ReleaseContext<'_, S>,
) -> Result<Entry, ReleaseError> {
    let open = context.book.newest().await?.filter(|open| open.entry.is_open());
    let open = match (open, to) {
        (Some(open), None) => return settle(system, open, context).await,
        (open, _) => open,
    };
    let entries = context.book.entries().await?;
    let target = target(&entries, to)?;
    let missing = missing(&target.needs, &context.facts.needs);
    if !missing.is_empty() {
        return Err(ReleaseError::StacksDiffer { number: target.number, missing });
    }
    let now = entries.iter().rev().find(|entry| entry.outcome == Outcome::Released);
    let now = now.map(|entry| context.pages.known(&entry.sites)).unwrap_or_default();
    let sites = sites(target, now.clone(), context);
    let gone = context.pages.gone(&sites).await?;
    if !gone.is_empty() {
        return Err(ReleaseError::FilesGone { number: target.number, gone });
    }
    // Everything that can refuse it comes before anything moves.
    let mut wanted = wanted(system, target, context).await?;
    for (function, moved) in &wanted {
        probe(function, &moved.after, context).await?;
    }
    let stays = |(_, moved): &(RenderedFunction, Move)| moved.before.as_ref() == Some(&moved.after);
    if open.is_none() && wanted.iter().all(stays) && sites == now {
        context.ui.say(format_args!("Users get release {} already: nothing moves", target.number));
        // Where its page is not, or is told what is no longer so, it is now.
        context.pages.put(&sites).await?;
        return Ok(target.clone());
    }
    if let Some(open) = open {
        context.ui.say(format_args!("Reverting release {}, which was interrupted", open.entry.number));
        let functions = open.entry.functions.clone();
        abort(open, "its run was interrupted, and a rollback followed", context).await?;
        for (function, moved) in &mut wanted {
            let before = functions.get(&function.function_name).and_then(|moved| moved.before.clone());
            moved.before = before.or(moved.before.take());
        }
    }
    let (rendered, functions) =
        wanted.into_iter().map(|(function, moved)| (function.clone(), (function.function_name, moved))).unzip();
    let entry = context.facts.entry(Kind::Rollback { to: target.number }, functions);
    // What users get is of that commit, whatever the workspace is at.
    let open = context.book.begin(Entry { commit: target.commit.clone(), sites, ..entry }).await?;
    Ok(carry_out(open, rendered, context).await?.entry)
}

/// What the sites are to consist of: those that the release knows as they were then, others as users have them now.
fn sites<S: Store>(
    target: &Entry,
    now: BTreeMap<String, String>,
    context: &ReleaseContext<'_, S>,
) -> BTreeMap<String, String> {
    let sites: BTreeMap<_, _> = now.into_iter().chain(context.pages.known(&target.sites)).collect();
    for name in context.pages.names().filter(|name| !target.sites.contains_key(*name)) {
        context.ui.say(format_args!("Release {} does not say what {name} was: its page stays as it is", target.number));
    }
    for name in target.sites.keys().filter(|name| !sites.contains_key(*name)) {
        context
            .ui
            .warn(format_args!("the workspace defines site {name} of release {} no more: it stays", target.number));
    }
    sites
}

/// A release that was interrupted is what there is to go back from; a rollback that was is carried out after all.
async fn settle<S: Store>(
    system: &RenderedSystem,
    open: Open,
    context: &ReleaseContext<'_, S>,
) -> Result<Entry, ReleaseError> {
    let number = open.entry.number;
    if open.entry.kind == Kind::Deploy {
        context.ui.say(format_args!("Release {number} was interrupted: going back to what was before it"));
        return Ok(abort(open, "its run was interrupted, and a rollback followed", context).await?.entry);
    }
    context.ui.say(format_args!("Going on with rollback {number}, which was interrupted"));
    Ok(resume(system, open, context).await?.entry)
}

/// What every function of the release is to be moved from and to.
async fn wanted<S: Store>(
    system: &RenderedSystem,
    target: &Entry,
    context: &ReleaseContext<'_, S>,
) -> Result<Vec<(RenderedFunction, Move)>, ReleaseError> {
    let known: BTreeMap<_, _> = system
        .stacks
        .iter()
        .flat_map(|stack| &stack.functions)
        .map(|function| (function.function_name.as_str(), function))
        .collect();
    let lambda = context.clients.lambda();
    let (mut wanted, mut gone) = (Vec::new(), Vec::new());
    for (name, entered) in &target.functions {
        let aws = |source| ReleaseError::Aws { function: name.clone(), source };
        let version = lambda.version(name, &entered.after).await.map_err(aws)?;
        let same = |code: &String| entered.code_sha256.as_ref().is_none_or(|entered| entered == code);
        let exists = version.is_some_and(|version| same(&version.code_sha256));
        let (true, Some(function)) = (exists, known.get(name.as_str())) else {
            gone.push(format!("version {} of {name} was", entered.after));
            continue;
        };
        let aliases = lambda.aliases(name).await.map_err(aws)?;
        let before = aliases.into_iter().find(|alias| alias.name == LIVE).map(|alias| alias.version);
        wanted.push(((*function).clone(), Move { before, ..entered.clone() }));
    }
    if gone.is_empty() { Ok(wanted) } else { Err(ReleaseError::VersionsGone { number: target.number, gone }) }
}
