//! Reverting an open release: aliases and pages return to the state before it.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use super::{ReleaseContext, ReleaseError, shift::PAGES_STEP};
use crate::{
    aws::error::ErrorKind,
    error::chain,
    ledger::{Entry, LedgerError, OpenEntry, Outcome},
    site::SiteError,
};

/// Reverts an open release: points every alias to its earlier version, restores the pages, closes the entry. An alias that another
/// actor has moved stays. Changes nothing if another run has taken over the entry, which then decides about the traffic.
pub(crate) async fn abort(
    context: &ReleaseContext<'_>,
    mut open: OpenEntry,
    why: &str,
) -> Result<OpenEntry, ReleaseError> {
    match context.ledger.record_step(&mut open, "none of the traffic".to_owned()).await {
        Err(error @ LedgerError::Changed { .. }) => return Err(error.into()),
        // The traffic is more urgent: the entry is closed below, or by the next run.
        Err(error) => tracing::debug!(%error, "failed to record a step"),
        Ok(()) => {}
    }
    let stuck = shift_back(context, &open.entry).await;
    if !stuck.is_empty() {
        return Err(ReleaseError::MixedVersions {
            stage: open.entry.stage.clone(),
            system: open.entry.system.clone(),
            functions: stuck.join(", "),
            why: why.to_owned(),
        });
    }
    restore_pages(context, &open).await?;
    close(context, &mut open, Outcome::Reverted { why: why.to_owned(), moved: context.live.take_moved() }).await?;
    Ok(open)
}

/// Reverts an open release because of an error: users may receive a share of it, and it is no longer observed. Returns the
/// error to report.
pub(super) async fn revert_after(context: &ReleaseContext<'_>, open: OpenEntry, error: ReleaseError) -> ReleaseError {
    let why = chain(&error).join(": ");
    match abort(context, open, &why).await {
        Ok(aborted) => reverted(&aborted, why),
        Err(error) => error,
    }
}

/// Returns the error that reports a reverted release. Users keep receiving the functions that have no earlier version.
pub(super) fn reverted(aborted: &OpenEntry, why: String) -> ReleaseError {
    let number = aborted.entry.number;
    match aborted.entry.new_functions().as_slice() {
        [] => ReleaseError::Reverted { number, why },
        functions => ReleaseError::NothingBefore { number, why, functions: functions.join(", ") },
    }
}

/// Closes the entry of a release, and passes it to the command's report.
pub(super) async fn close(
    context: &ReleaseContext<'_>,
    open: &mut OpenEntry,
    outcome: Outcome,
) -> Result<(), LedgerError> {
    context.ledger.close(open, outcome).await?;
    (context.on_close)(&open.entry);
    Ok(())
}

/// Points every alias of an entry to its earlier version; returns the functions where that failed.
async fn shift_back(context: &ReleaseContext<'_>, entry: &Entry) -> Vec<String> {
    let earlier = entry.functions.iter().filter(|(_, change)| change.before.is_some() && !change.is_none());
    let shifted = earlier.filter(|(function, _)| !context.live.is_moved(function));
    let shifts = shifted.map(async |(function, change)| (function, context.shift_live_back(function, change).await));
    let mut stuck = Vec::new();
    for (function, shifted) in join_all(shifts).await {
        match shifted {
            Ok(()) => {}
            // A function that was deleted meanwhile has no traffic, and would keep the entry open forever.
            Err(ReleaseError::Aws { source, .. }) if source.kind == ErrorKind::NotFound => {
                let source = source.below(function);
                context.ui.warn(format_args!("failed to shift {function} back to its earlier version: {source}"));
            }
            Err(ReleaseError::LiveMoved { moved }) => {
                moved.iter().for_each(|moved| context.ui.warn(format_args!("{moved}; it stays there")));
            }
            Err(_) => stuck.push(function.clone()),
        }
    }
    stuck
}

/// Restores the pages that users received before an open release, if it began to publish its own.
async fn restore_pages(context: &ReleaseContext<'_>, open: &OpenEntry) -> Result<(), ReleaseError> {
    if !open.entry.steps.iter().any(|step| step.what == PAGES_STEP) {
        return Ok(());
    }
    let before = context.ledger.last_released(Some(open.entry.number)).await?;
    for (site, manifest) in before.map(|entry| entry.sites).unwrap_or_default() {
        match context.pages.publish(&BTreeMap::from([(site, manifest)])).await {
            // Another attempt would not bring deleted files back.
            Err(error @ (SiteError::Deleted { .. } | SiteError::MissingOutput { .. })) => {
                context.ui.warn(format_args!("{error}; the page stays unchanged"));
            }
            published => published?,
        }
    }
    Ok(())
}
