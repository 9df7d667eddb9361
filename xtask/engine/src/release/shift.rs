//! Moving the aliases of an entered release, forwards or back.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use futures_util::future::join_all;
use model::rendered::{RenderedFunction, RenderedSystem};

use super::{
    ReleaseContext, ReleaseError,
    canary::{self, Verdict, live::Live},
    candidate::probe,
    smoke::{self, Check},
};
use crate::{
    aws::{AwsError, error::Kind},
    deploy::observe::LIVE,
    ledger::{LedgerError, Move, Open, Outcome},
    site::SiteError,
    store::Store,
};

/// The step of a release that puts the pages of its sites where users get them.
const PAGES: &str = "the pages of its sites";

/// Moves the traffic of an open release as its strategy says, and closes the entry; whatever goes wrong on the way, all
/// aliases go back.
///
/// # Errors
///
/// When the new versions do worse, the system does not serve what it must, or an alias cannot be moved.
pub(super) async fn carry_out<S: Store>(
    open: Open,
    functions: Vec<RenderedFunction>,
    context: &ReleaseContext<'_, S>,
) -> Result<Open, ReleaseError> {
    let moves = |function: &RenderedFunction| {
        let moved = open.entry.functions.get(&function.function_name)?;
        (moved.before.as_ref() != Some(&moved.after)).then(|| moved.clone())
    };
    let moving: Vec<_> =
        functions.into_iter().filter_map(|function| moves(&function).map(|moved| (function, moved))).collect();
    let open = match &context.canary {
        // What users never had has no traffic to share.
        Some(plan) if moving.iter().any(|(_, moved)| moved.before.is_some()) => {
            canary(open, moving, plan, context).await?
        }
        _ => open,
    };
    let open = point_all(open, context).await?;
    for check in &context.checks {
        if let Err(why) = check.settle(again(context)).await {
            let aborted = abort(open, &why, context).await?;
            return Err(undone(&aborted, why));
        }
    }
    let mut open = put_pages(open, context).await?;
    close(&mut open, Outcome::Released, context).await?;
    Ok(open)
}

/// The pages of an open release, once its functions serve them; if one cannot be put there, everything goes back.
async fn put_pages<S: Store>(mut open: Open, context: &ReleaseContext<'_, S>) -> Result<Open, ReleaseError> {
    let sites = context.pages.known(&open.entry.sites);
    if sites.is_empty() {
        return Ok(open);
    }
    // Entered first, as for the aliases.
    context.book.step(&mut open, PAGES.to_owned()).await?;
    match context.pages.put(&sites).await {
        Ok(()) => Ok(open),
        Err(error) => Err(reverted(open, error.into(), context).await),
    }
}

/// The pages that users had before an open release, where it came as far as its own.
async fn put_pages_back<S: Store>(open: &Open, context: &ReleaseContext<'_, S>) -> Result<(), ReleaseError> {
    if !open.entry.steps.iter().any(|step| step.what == PAGES) {
        return Ok(());
    }
    let before = context.book.last_released(Some(open.entry.number)).await?;
    for (site, manifest) in before.map(|entry| entry.sites).unwrap_or_default() {
        match context.pages.put(&BTreeMap::from([(site, manifest)])).await {
            // What is gone does not come back by trying again.
            Err(error @ (SiteError::Gone { .. } | SiteError::Output { .. })) => {
                context.ui.warn(format_args!("{error}; its page stays as it is"));
            }
            put => put?,
        }
    }
    Ok(())
}

/// Closes the entry of a release, and passes it to the command's report.
async fn close<S: Store>(
    open: &mut Open,
    outcome: Outcome,
    context: &ReleaseContext<'_, S>,
) -> Result<(), LedgerError> {
    context.book.close(open, outcome).await?;
    (context.on_close)(&open.entry);
    Ok(())
}

async fn canary<S: Store>(
    open: Open,
    moving: Vec<(RenderedFunction, Move)>,
    plan: &canary::Plan,
    context: &ReleaseContext<'_, S>,
) -> Result<Open, ReleaseError> {
    if let Err(error) = same_roles(&moving, context).await {
        abort(open, &error.to_string(), context).await?;
        return Err(error);
    }
    let (checks, since) = (passing(context).await, SystemTime::now());
    let mut world = Live { open, moving, checks, context, since, step: None, continuing: None };
    match canary::run(plan, &mut world).await {
        Ok(Verdict::Good) => Ok(world.open),
        Ok(Verdict::Bad { percent, why }) => {
            let why = format!("at {percent} % of the traffic: {why}");
            let aborted = abort(world.open, &why, context).await?;
            Err(undone(&aborted, why))
        }
        // Somebody else goes on with it: what users get is theirs to say now.
        Err(error @ ReleaseError::Ledger(LedgerError::Changed { .. })) => Err(error),
        Err(error) => {
            // Nobody watches any more, so nobody gets the new versions.
            abort(world.open, &format!("it could not be watched: {error}"), context).await?;
            Err(error)
        }
    }
}

/// The checks that pass before anything has moved. What fails already may be what the release mends, and with a share of the
/// traffic most answers are still the old version's; once all has moved, every check counts.
async fn passing<S: Store>(context: &ReleaseContext<'_, S>) -> Vec<Check> {
    let mut passing = Vec::new();
    for check in &context.checks {
        match check.settle(again(context)).await {
            Ok(()) => passing.push(check.clone()),
            Err(why) => {
                context.ui.warn(format_args!("{why}, before anything was moved: it does not count in the canary"))
            }
        }
    }
    passing
}

/// Versions share traffic only if they have one role (Lambda developer guide, "Implement Lambda canary deployments using a
/// weighted alias").
async fn same_roles<S: Store>(
    moving: &[(RenderedFunction, Move)],
    context: &ReleaseContext<'_, S>,
) -> Result<(), ReleaseError> {
    let lambda = context.clients.lambda();
    for (function, moved) in moving {
        let (name, Some(before)) = (&function.function_name, &moved.before) else { continue };
        let role = async |version: &str| {
            let found = lambda.version(name, version).await;
            let found = found.map_err(|source| ReleaseError::Aws { function: name.clone(), source })?;
            Ok::<_, ReleaseError>(found.map(|found| found.settings.role))
        };
        if role(before).await? != role(&moved.after).await? {
            return Err(ReleaseError::RolesDiffer { function: name.clone(), stage: context.facts.stage.clone() });
        }
    }
    Ok(())
}

/// How long after a wrong answer a check is made again.
pub(super) fn again<S: Store>(context: &ReleaseContext<'_, S>) -> Duration {
    if context.clients.endpoint().is_some() { smoke::AGAIN_LOCALLY } else { smoke::AGAIN }
}

/// Goes on with an open release: probes its versions once more, and carries it out from the start. A canary begins with its first
/// step again, because nobody watched meanwhile.
///
/// Doing it again does no harm: an alias that is there already is pointed there once more.
///
/// # Errors
///
/// As for a release; then every alias is back where it was.
pub async fn resume<S: Store>(
    system: &RenderedSystem,
    open: Open,
    context: &ReleaseContext<'_, S>,
) -> Result<Open, ReleaseError> {
    let functions: Vec<_> = system.stacks.iter().flat_map(|stack| &stack.functions).cloned().collect();
    let entered = |function: &&RenderedFunction| open.entry.functions.contains_key(&function.function_name);
    let wanted: Vec<_> = functions.iter().filter(entered).collect();
    for function in wanted {
        let version = &open.entry.functions[&function.function_name].after;
        if let Err(error) = probe(function, version, context).await {
            return Err(reverted(open, error, context).await);
        }
    }
    carry_out(open, functions, context).await
}

/// Reverts an open release for an error: users may have a share of it, and nobody watches. What to tell.
pub(super) async fn reverted<S: Store>(
    open: Open,
    error: ReleaseError,
    context: &ReleaseContext<'_, S>,
) -> ReleaseError {
    let why = crate::error::chain(&error).join(": ");
    match abort(open, &why, context).await {
        Ok(aborted) => undone(&aborted, why),
        Err(error) => error,
    }
}

/// What to tell of a release that was taken back: what users get now depends on what was before.
fn undone(aborted: &Open, why: String) -> ReleaseError {
    let number = aborted.entry.number;
    match aborted.entry.with_nothing_before().as_slice() {
        [] => ReleaseError::Reverted { number, why },
        functions => ReleaseError::NothingBefore { number, why, functions: functions.join(", ") },
    }
}

/// Moves every alias of an open release to its version; if one cannot be moved, all go back.
async fn point_all<S: Store>(mut open: Open, context: &ReleaseContext<'_, S>) -> Result<Open, ReleaseError> {
    let moving: Vec<_> = open.entry.functions.clone().into_iter().collect();
    let moving: Vec<_> = moving.into_iter().filter(|(_, moved)| moved.before.as_ref() != Some(&moved.after)).collect();
    // Entered before anything moves: whoever has lost the lock meanwhile cannot write, and moves nothing.
    context.book.step(&mut open, "all of the traffic".to_owned()).await?;
    let moves = moving.iter().map(|(function, moved)| point(function, &moved.after, context));
    let failed = join_all(moves).await.into_iter().find_map(Result::err);
    if let Some((function, source)) = failed {
        abort(open, &format!("{function} could not be moved: {source}"), context).await?;
        return Err(ReleaseError::Aws { function, source });
    }
    for (function, moved) in &moving {
        let before = moved.before.as_deref().unwrap_or("nothing");
        context.ui.say(format_args!("✓ {function}: live {before} → {}", moved.after));
    }
    Ok(open)
}

/// Moves every alias of an open release back to what it pointed to before, puts the pages back, and closes the entry.
///
/// # Errors
///
/// When an alias cannot be moved back, or the ledger cannot be written. Nothing is moved where somebody else has written the
/// entry since: then what users get is theirs to say.
pub async fn abort<S: Store>(mut open: Open, why: &str, context: &ReleaseContext<'_, S>) -> Result<Open, ReleaseError> {
    match context.book.step(&mut open, "none of the traffic".to_owned()).await {
        Err(error @ LedgerError::Changed { .. }) => return Err(error.into()),
        // Users come first: the entry is closed below, or by the next run.
        Err(error) => tracing::debug!(%error, "the step was not entered"),
        Ok(()) => {}
    }
    let functions = open.entry.functions.clone();
    let back = functions.iter().filter_map(|(function, moved)| Some((function, moved.before.as_ref()?)));
    let moves = back.map(|(function, before)| point(function, before, context));
    let failed = join_all(moves).await.into_iter().filter_map(Result::err);
    // What was deleted meanwhile has no traffic to move back, and would keep the entry open for good.
    let (gone, stuck): (Vec<_>, Vec<_>) = failed.partition(|(_, error)| error.kind == Kind::NotFound);
    for (function, error) in &gone {
        context.ui.warn(format_args!("{function} cannot go back to what was before: {error}"));
    }
    if !stuck.is_empty() {
        return Err(ReleaseError::Mixed {
            stage: open.entry.stage.clone(),
            system: open.entry.system.clone(),
            functions: stuck.into_iter().map(|(function, _)| function).collect::<Vec<_>>().join(", "),
            why: why.to_owned(),
        });
    }
    put_pages_back(&open, context).await?;
    close(&mut open, Outcome::Reverted { why: why.to_owned() }, context).await?;
    Ok(open)
}

async fn point<S: Store>(
    function: &str,
    version: &str,
    context: &ReleaseContext<'_, S>,
) -> Result<(), (String, AwsError)> {
    let moved = context.clients.lambda().point(function, LIVE, version).await;
    moved.map_err(|error| (function.to_owned(), error))
}
