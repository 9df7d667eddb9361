//! Shifting the traffic of a recorded release to its versions.

use futures_util::future::join_all;
use model::rendered::RenderedFunction;

use super::{
    CanaryPlan, ReleaseContext, ReleaseError, abort,
    alias::all_shifted,
    canary::{self, CanaryOutcome, live::LiveCanary},
    context::failed,
    revert::{close, revert_after, reverted},
    smoke::SmokeTest,
};
use crate::{
    aws::lambda::{Routing, Version},
    error::one_line,
    ledger::{LedgerError, OpenEntry, Outcome, Step, VersionChange},
    parallel,
};

/// The ledger's name of the step that publishes the pages of the sites. Stored: see [`super::revert`].
pub(super) const PAGES_STEP: &str = "the pages of its sites";

/// The ledger's name of the step that shifts all traffic. Stored.
const ALL_STEP: &str = "all of the traffic";

/// The step that a new entry is recorded with: without a canary, all traffic is shifted next.
pub(super) fn first_step(context: &ReleaseContext<'_>) -> Option<Step> {
    context.canary.is_none().then(|| Step::now(ALL_STEP.to_owned()))
}

/// A function and the change of its version.
pub(super) type FunctionChange = (RenderedFunction, VersionChange);

/// Completes an open release: shifts its traffic as the strategy says, tests it, publishes its pages, closes its entry. If
/// anything fails, every alias is shifted back.
pub(super) async fn complete(
    context: &ReleaseContext<'_>,
    open: OpenEntry,
    functions: Vec<RenderedFunction>,
) -> Result<OpenEntry, ReleaseError> {
    let change = |function: &RenderedFunction| open.entry.functions.get(&function.function_name).cloned();
    let changes = functions.into_iter().filter_map(|function| change(&function).map(|change| (function, change)));
    let changes: Vec<_> = changes.filter(|(_, change)| !change.is_none()).collect();
    let open = match &context.canary {
        // New functions have no traffic to share.
        Some(plan) if changes.iter().any(|(_, change)| change.before.is_some()) => {
            run_canary(context, plan, open, changes).await?
        }
        _ => open,
    };
    let open = shift_all(context, open).await?;
    for test in &context.smoke_tests {
        if let Err(why) = test.run_with_retries(context.attempts()).await {
            let aborted = abort(context, open, &why).await?;
            return Err(reverted(&aborted, why));
        }
    }
    let mut open = publish_pages(context, open).await?;
    close(context, &mut open, Outcome::Released).await?;
    Ok(open)
}

/// Publishes the pages of an open release, whose functions are live. If that fails, everything is reverted.
async fn publish_pages(context: &ReleaseContext<'_>, mut open: OpenEntry) -> Result<OpenEntry, ReleaseError> {
    let mut sites = context.pages.known(&open.entry.sites);
    sites.retain(|site, manifest| !context.pages.is_published(site, manifest));
    if sites.is_empty() {
        return Ok(open);
    }
    // Recorded before the first page, as for the aliases.
    context.ledger.record_step(&mut open, PAGES_STEP.to_owned()).await?;
    match context.pages.publish(&sites).await {
        Ok(()) => Ok(open),
        Err(error) => Err(revert_after(context, open, error.into()).await),
    }
}

async fn run_canary(
    context: &ReleaseContext<'_>,
    plan: &CanaryPlan,
    open: OpenEntry,
    changes: Vec<FunctionChange>,
) -> Result<OpenEntry, ReleaseError> {
    if let Err(error) = check_roles(context, &changes).await {
        abort(context, open, &error.to_string()).await?;
        return Err(error);
    }
    let smoke_tests = passing_tests(context).await;
    let shifted = context.clients.now();
    let mut live = LiveCanary { context, open, changes, smoke_tests, shifted, step: None, continuing: None };
    match canary::run(plan, &mut live).await {
        Ok(CanaryOutcome::Passed) => Ok(live.open),
        Ok(CanaryOutcome::Failed { percent, why }) => {
            let why = format!("at {percent} % of the traffic: {why}");
            let aborted = abort(context, live.open, &why).await?;
            Err(reverted(&aborted, why))
        }
        // Another run has taken over this release, and decides about its traffic.
        Err(error @ ReleaseError::Ledger(LedgerError::Changed { .. })) => Err(error),
        Err(error @ ReleaseError::LiveMoved { .. }) => {
            abort(context, live.open, &error.to_string()).await?;
            Err(error)
        }
        Err(error) => {
            // An unobserved canary must not keep its traffic.
            abort(context, live.open, &format!("the canary could not be observed: {}", one_line(&error))).await?;
            Err(error)
        }
    }
}

/// Returns the smoke tests that pass before any traffic has shifted. The release may fix a failing one, and during a canary most
/// responses still come from the old version. Once all traffic has shifted, every test counts.
async fn passing_tests(context: &ReleaseContext<'_>) -> Vec<SmokeTest> {
    let mut passing = Vec::new();
    for test in &context.smoke_tests {
        match test.run_with_retries(context.attempts()).await {
            Ok(()) => passing.push(test.clone()),
            Err(why) => {
                context.ui.warn(format_args!("{why}, before any traffic was shifted: the canary ignores this"));
            }
        }
    }
    passing
}

/// Versions share traffic only if they have the same role (Lambda developer guide, "Implement Lambda canary deployments using
/// a weighted alias").
async fn check_roles(context: &ReleaseContext<'_>, changes: &[FunctionChange]) -> Result<(), ReleaseError> {
    let lambda = context.clients.lambda();
    let checks = changes.iter().map(async |(function, change)| {
        let (name, Some(before)) = (&function.function_name, &change.before) else { return Ok(()) };
        let (before, after) = tokio::try_join!(lambda.version(name, before), lambda.version(name, &change.after))
            .map_err(failed(name))?;
        let role = |version: Option<Version>| version.map(|version| version.settings.role);
        if role(before) == role(after) {
            return Ok(());
        }
        Err(ReleaseError::RolesDiffer { function: name.clone(), stage: context.metadata.stage.clone() })
    });
    parallel::each(checks).await.map(drop)
}

/// Points every alias of an open release to its version; if one cannot be pointed to it, all are shifted back.
async fn shift_all(context: &ReleaseContext<'_>, mut open: OpenEntry) -> Result<OpenEntry, ReleaseError> {
    let changes: Vec<_> = open.entry.functions.clone().into_iter().filter(|(_, change)| !change.is_none()).collect();
    // Recorded before the first shift: a run whose entry was taken over cannot write it, and shifts nothing.
    let is_recorded = open.is_new && open.entry.steps.last().is_some_and(|step| step.what == ALL_STEP);
    if !is_recorded {
        context.ledger.record_step(&mut open, ALL_STEP.to_owned()).await?;
    }
    let shifts = changes
        .iter()
        .map(async |(function, change)| context.shift_live(&open.entry, function, Routing::All(&change.after)).await);
    // All are awaited: a late one would take effect after the reversal of another.
    if let Err(error) = all_shifted(join_all(shifts).await) {
        abort(context, open, &one_line(&error)).await?;
        return Err(error);
    }
    for (function, change) in &changes {
        let before = change.before.as_deref().unwrap_or("nothing");
        context.ui.say(format_args!("✓ {function}: live {before} → {}", change.after));
    }
    Ok(open)
}
