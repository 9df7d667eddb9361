//! Shifting `live` of a function, from a state that this run knows.
//!
//! A read may show an earlier state, and another actor may move the alias. So a read that contradicts the ledger is repeated, and each
//! shift names the revision that it replaces: Lambda refuses it if the alias has changed since.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{MovedAlias, ReleaseContext, ReleaseError, context::failed};
use crate::{
    aws::{
        AwsError, Resource,
        error::ErrorKind,
        lambda::{Alias, Routing, is_outdated},
    },
    deploy::observe::LIVE,
    ledger::{Entry, SettledVersion, VersionChange},
    poll::{Progress, Schedule},
};

/// How long reads of an alias are repeated that show an unexpected state.
const READS: Schedule =
    Schedule::doubling(Duration::from_millis(250), Duration::from_secs(1)).within(Duration::from_secs(15));
/// The same for an emulator, whose reads are never stale.
const READS_EMULATED: Schedule = Schedule::every(Duration::from_millis(50)).within(Duration::from_secs(1));

/// The state of `live` of each function, as this run last read or set it.
#[derive(Debug, Default)]
pub(crate) struct LiveAliases(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    seen: BTreeMap<String, Seen>,
    moved: BTreeSet<String>,
}

/// A state of `live`.
#[derive(Debug, Clone)]
struct Seen {
    alias: Alias,
    /// Whether this run has set it.
    is_own: bool,
}

impl LiveAliases {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(&self, function: &str) -> Option<Seen> {
        self.known().seen.get(function).cloned()
    }

    fn insert(&self, function: &str, alias: Alias, is_own: bool) {
        self.known().seen.insert(function.to_owned(), Seen { alias, is_own });
    }

    /// Returns the version of the last known state.
    pub(super) fn version(&self, function: &str) -> Option<String> {
        self.seen(function).map(|seen| seen.alias.version)
    }

    /// Returns whether a shift was refused because another actor has moved the alias.
    pub(super) fn is_moved(&self, function: &str) -> bool {
        self.known().moved.contains(function)
    }

    /// Takes the functions whose aliases another actor has moved: they belong to the release that ends.
    pub(super) fn take_moved(&self) -> BTreeSet<String> {
        std::mem::take(&mut self.known().moved)
    }
}

/// What the ledger says about `live` of a function.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Recorded<'a> {
    pub(super) settled: Option<&'a SettledVersion>,
    /// The change of an open release, which may have shifted the alias.
    pub(super) open: Option<&'a VersionChange>,
}

impl Recorded<'_> {
    /// Returns whether an alias that no other actor has moved may be in this state.
    fn allows(&self, alias: &Alias) -> bool {
        self.settled.is_none_or(|settled| settled.version == alias.version)
            || self.open.is_some_and(|change| change.includes(&alias.version))
    }
}

/// Returns the error of the shifts of several functions. A failed call is reported first.
pub(super) fn all_shifted(results: Vec<Result<(), ReleaseError>>) -> Result<(), ReleaseError> {
    let mut all = Vec::new();
    for result in results {
        match result {
            Err(ReleaseError::LiveMoved { moved }) => all.extend(moved),
            shifted => shifted?,
        }
    }
    if all.is_empty() { Ok(()) } else { Err(ReleaseError::LiveMoved { moved: all }) }
}

impl ReleaseContext<'_> {
    fn reads(&self) -> Schedule {
        if self.clients.endpoint().is_some() { READS_EMULATED } else { READS }
    }

    /// Reads `live` of a function before a release; again while it contradicts the ledger, as a stale read does. An alias that
    /// another actor has moved contradicts it too, so the last read is returned then. `None` if there is no function or alias.
    pub(super) async fn read_live(&self, function: &str, recorded: Recorded<'_>) -> Result<Option<Alias>, AwsError> {
        let read = async || {
            let live = self.read_once(function).await?;
            let is_allowed = live.as_ref().is_none_or(|alias| recorded.allows(alias));
            Ok(if is_allowed { Progress::Done(live) } else { Progress::Pending(live) })
        };
        let (Progress::Done(live) | Progress::Pending(live)) = self.reads().poll(read).await?;
        Ok(live)
    }

    async fn read_once(&self, function: &str) -> Result<Option<Alias>, AwsError> {
        let aliases = self.clients.lambda().aliases(function).await?;
        let live = aliases.into_iter().find(|alias| alias.name == LIVE);
        if let Some(alias) = &live {
            self.live.insert(function, alias.clone(), false);
        }
        Ok(live)
    }

    /// Returns the last known state of `live`; reads it if there is none.
    async fn last_seen(&self, function: &str) -> Result<Seen, AwsError> {
        if self.live.seen(function).is_none() {
            self.read_once(function).await?;
        }
        self.live.seen(function).ok_or_else(|| AwsError {
            operation: "lambda:ListAliases",
            resource: Box::new(Resource::function(function)),
            kind: ErrorKind::NotFound,
            code: None,
            message: format!("there is no alias {LIVE}"),
        })
    }

    /// Shifts `live` of a function of an open release forwards.
    pub(super) async fn shift_live(
        &self,
        open: &Entry,
        function: &str,
        routing: Routing<'_>,
    ) -> Result<(), ReleaseError> {
        let seen = self.last_seen(function).await.map_err(failed(function))?;
        let change = open.functions.get(function);
        let before = change.and_then(|change| change.before.as_deref());
        let recorded = before.unwrap_or(&seen.alias.version);
        // A step before this one, and no shift of this run: an interrupted run may have shifted the alias already.
        let resumed = change.filter(|_| before.is_some() && open.steps.len() > 1 && !seen.is_own);
        let is_expected = |now: &Alias| match resumed {
            _ if routing.is_of(now) => true,
            Some(change) => change.includes(&now.version),
            None if seen.is_own => now.routes_as(&seen.alias),
            None => now.version == recorded,
        };
        self.route_live(function, routing, recorded, is_expected).await
    }

    /// Shifts `live` of a function back to its version before a release.
    ///
    /// Traffic must leave the new version although a read may be stale. So the reversal stops only if repeated reads show a version
    /// that the release does not contain: the choice of another actor.
    pub(super) async fn shift_live_back(&self, function: &str, change: &VersionChange) -> Result<(), ReleaseError> {
        let Some(before) = &change.before else { return Ok(()) };
        self.route_live(function, Routing::All(before), before, |now| change.includes(&now.version)).await
    }

    /// Withdraws the weights of `live` of a function, which points to `version`.
    pub(super) async fn withdraw_weights(&self, function: &str, version: &str) -> Result<(), ReleaseError> {
        self.route_live(function, Routing::All(version), version, |now| now.version == version).await
    }

    /// Sets the routing of `live` of a function while it is in an expected state. `recorded` is the version that an error names.
    ///
    /// Only an update that Lambda accepts is a success: a read, even of the wanted routing, may show an earlier state.
    async fn route_live(
        &self,
        function: &str,
        routing: Routing<'_>,
        recorded: &str,
        is_expected: impl Fn(&Alias) -> bool,
    ) -> Result<(), ReleaseError> {
        let attempt = async || {
            let mut now = self.last_seen(function).await?.alias;
            if !is_expected(&now) {
                self.read_once(function).await?;
                now = self.last_seen(function).await?.alias;
            }
            if !is_expected(&now) {
                let moved = vec![MovedAlias::new(function, recorded, &now)];
                return Ok(Progress::Pending(ReleaseError::LiveMoved { moved }));
            }
            match self.clients.lambda().route(function, LIVE, routing, now.revision.as_deref()).await {
                Ok(alias) => {
                    self.live.insert(function, alias, true);
                    Ok(Progress::Done(()))
                }
                // The alias was moved, the revision is of a stale read, or the call was repeated because its response was lost.
                Err(error) if is_outdated(&error) => {
                    self.read_once(function).await?;
                    Ok(Progress::Pending(failed(function)(error)))
                }
                Err(error) => Err(error),
            }
        };
        match self.reads().poll(attempt).await.map_err(failed(function))? {
            Progress::Done(()) => Ok(()),
            Progress::Pending(error) => {
                if matches!(error, ReleaseError::LiveMoved { .. }) {
                    self.live.known().moved.insert(function.to_owned());
                }
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests;
