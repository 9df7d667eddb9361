//! Decides what users get: publish, probe by version number, then move `live`. All functions of a system, or none.
//!
//! Every release is entered in the ledger before the first alias moves, and closed after the last.

pub mod canary;
mod candidate;
pub mod rollback;
mod shift;
pub mod smoke;

use std::{
    collections::BTreeMap,
    fmt::{Debug, Formatter},
};

use candidate::{Candidate, candidate, probe};
use miette::Diagnostic;
use model::rendered::{RenderedFunction, RenderedSystem};
use serde::{Deserialize, Serialize};
pub use shift::{abort, resume};
use shift::{carry_out, reverted};
use smoke::Check;
use thiserror::Error;

use crate::{
    aws::{AwsError, Clients},
    deploy::{DeployError, observe::LIVE},
    interruption::Interruption,
    ledger::{Book, Entry, Kind, LedgerError, Move, Open, Outcome, time},
    lock::token,
    site::{Pages, SiteError},
    store::Store,
    ui::Ui,
};

/// A release failed; `live` points to what it did before.
#[derive(Debug, Error, Diagnostic)]
pub enum ReleaseError {
    /// A call failed.
    #[error("failed to release {function}")]
    Aws {
        /// The function.
        function: String,
        /// The call.
        #[source]
        #[diagnostic_source]
        source: AwsError,
    },
    /// The function never became ready.
    #[error("failed to release {function}")]
    NotReady {
        /// The function.
        function: String,
        /// Why.
        #[source]
        source: Box<DeployError>,
    },
    /// A new version does not answer its probe.
    #[error("version {version} of {function} does not answer its probe: {answer}; {traffic}")]
    #[diagnostic(help("look at the function's log, mend it and deploy again"))]
    Probe {
        /// The function.
        function: String,
        /// The version.
        version: String,
        /// What came instead of `ready`.
        answer: String,
        /// What its traffic is.
        traffic: &'static str,
    },
    /// The new versions do worse, or the system does not serve what it must.
    #[error("release {number} was reverted: {why}")]
    #[diagnostic(help("users get what they got before; look at the functions' logs, mend it and deploy again"))]
    Reverted {
        /// The release.
        number: u32,
        /// Why.
        why: String,
    },
    /// The first versions do not do what they must.
    #[error("release {number} failed: {why}; nothing was before it, so `live` of {functions} stays on it")]
    #[diagnostic(help(
        "look at the functions' logs, mend it and deploy again: that is not released either until it does what it must"
    ))]
    NothingBefore {
        /// The release.
        number: u32,
        /// Why.
        why: String,
        /// The functions, in words.
        functions: String,
    },
    /// Two versions cannot share traffic.
    #[error(
        "the new version of {function} has another role than the old one, so they cannot share traffic; nothing was moved"
    )]
    #[diagnostic(help("release this one with `cargo xtask deploy --stage {stage} --strategy all-at-once`"))]
    RolesDiffer {
        /// The function.
        function: String,
        /// The stage.
        stage: String,
    },
    /// What should revert a canary is not there.
    #[error("release.alarms of stage {stage} names what is no alarm of its account: {}", alarms.join(", "))]
    #[diagnostic(help(
        "mend the names in stacks/stages/{stage}.yaml; `aws cloudwatch describe-alarms` lists what is there"
    ))]
    NoAlarm {
        /// The names.
        alarms: Vec<String>,
        /// The stage.
        stage: String,
    },
    /// An alias could not be moved back.
    #[error(
        "failed to move `live` of {functions} back after a release failed ({why}); users may get a mix of versions"
    )]
    #[diagnostic(help("run `cargo xtask release abort --stage {stage} --system {system}` to move them back"))]
    Mixed {
        /// The stage.
        stage: String,
        /// The system.
        system: String,
        /// The functions.
        functions: String,
        /// Why the release failed.
        why: String,
    },
    /// The ledger cannot be used.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Ledger(#[from] LedgerError),
    /// Versions of an earlier release are gone.
    #[error("release {number} cannot come back: {} deleted; nothing was moved", gone.join(", "))]
    #[diagnostic(help("deploy its commit again, or choose a newer one: `cargo xtask release list`"))]
    VersionsGone {
        /// The release.
        number: u32,
        /// The versions, in words.
        gone: Vec<String>,
    },
    /// The stacks are not what an earlier release's code needs.
    #[error("the code of release {number} cannot run with the stacks as they are: {}; nothing was moved", missing.join(", "))]
    #[diagnostic(help("deploy its commit again instead: that brings its stacks back as well"))]
    StacksDiffer {
        /// The release.
        number: u32,
        /// What is missing, in words.
        missing: Vec<String>,
    },
    /// Files of an earlier release's sites are gone.
    #[error("release {number} cannot come back: {}; nothing was moved", gone.join(", "))]
    #[diagnostic(help("deploy its commit again, or choose a newer one: `cargo xtask release list`"))]
    FilesGone {
        /// The release.
        number: u32,
        /// What is gone, in words.
        gone: Vec<String>,
    },
    /// A site cannot be put where users get it.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Site(#[from] SiteError),
    /// `$LATEST` is not what was deployed.
    #[error(
        "the code of {function} is not what was deployed: its CodeSha256 is {found}, not {wanted}; nothing was released"
    )]
    #[diagnostic(help("somebody else updated the function meanwhile; deploy again"))]
    AnotherCode {
        /// The function.
        function: String,
        /// The hash it should have.
        wanted: String,
        /// The hash it has.
        found: String,
    },
    /// There is nothing to release.
    #[error("function {function} is not deployed")]
    #[diagnostic(help("deploy the whole system: leave out --stack"))]
    Missing {
        /// The function.
        function: String,
    },
}

/// What became of one function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Released {
    /// The function's name in Lambda.
    pub function_name: String,
    /// The version `live` points to now.
    pub version: String,
    /// The version it pointed to before; `None` when there was none, or it is the same.
    pub before: Option<String>,
}

/// What a release is made with.
pub struct ReleaseContext<'a, S> {
    /// The ledger of the system.
    pub book: &'a Book<S>,
    /// How traffic moves; `None` is all at once.
    pub canary: Option<canary::Plan>,
    /// What the system must serve once traffic has moved, and at every step of a canary.
    pub checks: Vec<Check>,
    /// The `CodeSha256` that each function should have, where that is known.
    pub code: BTreeMap<String, String>,
    /// What is entered besides the versions.
    pub facts: Facts,
    /// The system's sites.
    pub pages: &'a Pages<'a>,
    /// AWS.
    pub clients: &'a Clients,
    /// Is called with each ledger entry that was closed.
    pub on_close: &'a dyn Fn(&Entry),
    /// Registers the traffic share that stays after an interruption.
    pub interruption: &'a Interruption,
    /// The printer.
    pub ui: &'a Ui,
}

impl<S> Debug for ReleaseContext<'_, S> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ReleaseContext").field("facts", &self.facts).finish_non_exhaustive()
    }
}

/// What the ledger keeps of a release besides its versions.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The stage.
    pub stage: String,
    /// The system.
    pub system: String,
    /// The caller's identity in AWS.
    pub who: String,
    /// The commit, where git knows it.
    pub commit: Option<String>,
    /// The SHA-256 of what the plan was made from.
    pub plan: Option<String>,
    /// Alarms whose firing reverts a canary, as the stage names them: each must be there.
    pub alarms: Vec<String>,
    /// Those of the system's own stacks.
    pub own_alarms: Vec<String>,
    /// What the code needs of its stacks; see [`Entry::needs`].
    pub needs: BTreeMap<String, String>,
    /// What the sites are to consist of; see [`Entry::sites`].
    pub sites: BTreeMap<String, String>,
}

impl Facts {
    fn entry(&self, kind: Kind, functions: BTreeMap<String, Move>) -> Entry {
        Entry {
            number: 0,
            system: self.system.clone(),
            stage: self.stage.clone(),
            token: token(),
            commit: self.commit.clone(),
            who: self.who.clone(),
            began: time(),
            ended: None,
            kind,
            plan: self.plan.clone(),
            functions,
            needs: self.needs.clone(),
            sites: self.sites.clone(),
            steps: Vec::new(),
            outcome: Outcome::Open,
        }
    }
}

/// Releases every function of a system: publishes what changed, probes it, moves `live`.
///
/// `created` says which functions have just come into being with their stack: their version 1 is probed as well.
///
/// # Errors
///
/// When anything fails; aliases that were already moved are moved back.
pub async fn release<S: Store>(
    system: &RenderedSystem,
    created: impl Fn(&str) -> bool,
    context: &ReleaseContext<'_, S>,
) -> Result<Vec<Released>, ReleaseError> {
    let mut candidates = gather(system, &created, context).await?;
    if let Some(open) = context.book.newest().await?.filter(|open| open.entry.is_open()) {
        if goes_on(&open, &candidates) && open.entry.sites == context.facts.sites {
            context.ui.say(format_args!("Going on with release {}, which was interrupted", open.entry.number));
            if let Err(error) = probe_all(&candidates, context).await {
                return Err(reverted(open, error, context).await);
            }
            carry_out(open, functions(&candidates), context).await?;
            return Ok(released(candidates));
        }
        let why = "its run was interrupted, and something else was released instead";
        context.ui.say(format_args!("Reverting release {}: {why}", open.entry.number));
        abort(open, why, context).await?;
        // Aliases have moved, so what they pointed to says nothing any more.
        candidates = gather(system, &created, context).await?;
    }
    probe_all(&candidates, context).await?;
    enter_and_shift(&candidates, context).await?;
    Ok(released(candidates))
}

async fn gather<S: Store>(
    system: &RenderedSystem,
    created: &impl Fn(&str) -> bool,
    context: &ReleaseContext<'_, S>,
) -> Result<Vec<Candidate>, ReleaseError> {
    // A run that was killed between making a function and entering its release has left it without one.
    let names = system.stacks.iter().flat_map(|stack| &stack.functions).map(|function| function.function_name.clone());
    let left = context.book.left(names.collect()).await?;
    let mut candidates = Vec::new();
    for function in system.stacks.iter().flat_map(|stack| &stack.functions) {
        let name = &function.function_name;
        candidates.push(candidate(function, created(name), left.get(name), context).await?);
    }
    Ok(candidates)
}

async fn probe_all<S: Store>(candidates: &[Candidate], context: &ReleaseContext<'_, S>) -> Result<(), ReleaseError> {
    for candidate in candidates.iter().filter(|candidate| candidate.probe) {
        let probed = probe(&candidate.function, &candidate.version, context).await;
        probed.map_err(|error| match error {
            ReleaseError::Probe { function, version, answer, .. } if candidate.created => ReleaseError::Probe {
                function,
                version,
                answer,
                traffic: "`live` points to it, and nothing was before it",
            },
            error => error,
        })?;
    }
    Ok(())
}

/// Is the open release on its way to just these versions?
fn goes_on(open: &Open, candidates: &[Candidate]) -> bool {
    let same = |candidate: &Candidate| {
        let entered = open.entry.functions.get(&candidate.function.function_name);
        entered.is_some_and(|entered| entered.after == candidate.version)
    };
    open.entry.functions.len() == candidates.len() && candidates.iter().all(same)
}

fn released(candidates: Vec<Candidate>) -> Vec<Released> {
    let released = |candidate: Candidate| Released {
        before: candidate.before.filter(|before| *before != candidate.version),
        version: candidate.version,
        function_name: candidate.function.function_name,
    };
    candidates.into_iter().map(released).collect()
}

async fn enter_and_shift<S: Store>(
    candidates: &[Candidate],
    context: &ReleaseContext<'_, S>,
) -> Result<(), ReleaseError> {
    // A share that no open release gave, which nobody else takes back.
    let stays = |candidate: &&Candidate| candidate.before.as_ref() == Some(&candidate.version);
    for candidate in candidates.iter().filter(|candidate| candidate.weighted).filter(stays) {
        let (name, version) = (&candidate.function.function_name, &candidate.version);
        let aws = |source| ReleaseError::Aws { function: name.clone(), source };
        context.clients.lambda().point(name, LIVE, version).await.map_err(aws)?;
        context.ui.say(format_args!("✓ {name}: live sends everything to {version} again"));
    }
    let wanted: BTreeMap<_, _> =
        candidates.iter().map(|candidate| (candidate.function.function_name.clone(), moved(candidate))).collect();
    let nothing_moves = wanted.values().all(|moved| moved.before.as_ref() == Some(&moved.after));
    if nothing_moves && !candidates.iter().any(|candidate| candidate.created) && same_sites(context).await? {
        return Ok(());
    }
    let open = context.book.begin(context.facts.entry(Kind::Deploy, wanted)).await?;
    carry_out(open, functions(candidates), context).await.map(drop)
}

/// Do users get these sites already?
async fn same_sites<S: Store>(context: &ReleaseContext<'_, S>) -> Result<bool, ReleaseError> {
    let sites = &context.facts.sites;
    if sites.is_empty() {
        return Ok(true);
    }
    Ok(context.book.last_released(None).await?.is_some_and(|entry| entry.sites == *sites))
}

fn functions(candidates: &[Candidate]) -> Vec<RenderedFunction> {
    candidates.iter().map(|candidate| candidate.function.clone()).collect()
}

fn moved(candidate: &Candidate) -> Move {
    // A new function's alias comes with its stack, and points to what is released.
    let before = candidate.before.clone().filter(|_| !candidate.created);
    Move { before, after: candidate.version.clone(), code_sha256: Some(candidate.code_sha256.clone()) }
}
