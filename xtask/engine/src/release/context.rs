//! The context of a release: the first argument of every step.

use std::{
    collections::BTreeMap,
    fmt::{Debug, Formatter},
    time::Duration,
};

use model::rendered::{RenderedFunction, RenderedSystem};
use plan::observed::ObservedFunction;

use super::{CanaryPlan, ReleaseError, alias::LiveAliases, smoke::SmokeTest};
use crate::{
    aws::{AwsError, Clients, documents::Documents, lambda::Version},
    interruption::Interruption,
    ledger::{Entry, Ledger, Outcome, ReleaseKind, VersionChange, rfc3339_now},
    lock::HeldLocks,
    site::Pages,
    store::writer_token,
    ui::Ui,
};

/// How long after a failure a smoke test is repeated. An updated alias takes a moment to take effect everywhere.
const RETRY_PAUSE: Duration = Duration::from_secs(5);
/// The same for an emulator, which is one process.
const RETRY_PAUSE_EMULATED: Duration = Duration::from_millis(200);

/// How often a smoke test is attempted before it fails: one lost connection must not revert a release.
const ATTEMPTS: u32 = 5;
/// The same, and for probes, after a stack was changed in express mode: two minutes. AWS does not say how long its resources, such as the
/// permissions of a new role, take to be ready.
const ATTEMPTS_SETTLING: u32 = 24;
/// The same for sites: 15 minutes. A distribution takes several minutes to be deployed (CloudFormation user guide, "Deploy CloudFormation
/// stacks faster with express mode").
const ATTEMPTS_OF_SITES: u32 = 180;

/// How often a check is attempted, and the pause between two attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attempts {
    pub(super) count: u32,
    pub(super) pause: Duration,
}

/// Whether resources of the system's stacks may still be becoming ready.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Settling {
    /// No: CloudFormation has waited for them.
    #[default]
    Settled,
    /// The stage is deployed in express mode. This run changed no stack of the system, but an earlier one may just have done so.
    Possible,
    /// This run changed a stack of the system in express mode.
    Expected,
}

/// The system that is released, and what its release needs.
pub(crate) struct ReleaseContext<'a> {
    pub(crate) system: &'a RenderedSystem,
    pub(crate) ledger: &'a Ledger<Documents>,
    /// The lock of the system, which must be held before a release is recorded.
    pub(crate) locks: &'a HeldLocks<Documents>,
    /// How traffic is shifted; `None` shifts all of it at once.
    pub(crate) canary: Option<CanaryPlan>,
    /// The tests at every step of a canary and after all traffic has shifted.
    pub(crate) smoke_tests: Vec<SmokeTest>,
    /// The expected `CodeSha256` of each function, where it is known.
    pub(crate) code: BTreeMap<String, String>,
    /// What this run knows of functions.
    pub(crate) known: BTreeMap<String, Known>,
    pub(crate) metadata: ReleaseMetadata,
    pub(crate) settling: Settling,
    /// The system's sites.
    pub(crate) pages: &'a Pages<'a>,
    pub(crate) clients: &'a Clients,
    /// `live` of the functions, as this run knows it.
    pub(crate) live: LiveAliases,
    /// Is called with each ledger entry that is closed.
    pub(crate) on_close: &'a dyn Fn(&Entry),
    /// Registers the share of the traffic that an interruption leaves in place.
    pub(crate) interruption: &'a Interruption,
    pub(crate) ui: &'a Ui,
}

impl Debug for ReleaseContext<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ReleaseContext").field("metadata", &self.metadata).finish_non_exhaustive()
    }
}

impl ReleaseContext<'_> {
    /// Returns the functions of the system.
    pub(super) fn functions(&self) -> impl Iterator<Item = &RenderedFunction> {
        self.system.stacks.iter().flat_map(|stack| &stack.functions)
    }

    /// Returns how often a smoke test is attempted.
    pub(super) fn attempts(&self) -> Attempts {
        self.up_to(if self.settling == Settling::Expected { ATTEMPTS_SETTLING } else { ATTEMPTS })
    }

    /// Returns how often a probe is attempted: once, unless resources that the function needs may not be ready.
    pub(super) fn attempts_of_probes(&self) -> Attempts {
        self.up_to(if self.settling == Settling::Expected { ATTEMPTS_SETTLING } else { 1 })
    }

    /// Returns how often a site is requested.
    pub(super) fn attempts_of_sites(&self) -> Attempts {
        self.up_to(if self.settling == Settling::Expected { ATTEMPTS_OF_SITES } else { ATTEMPTS })
    }

    fn up_to(&self, count: u32) -> Attempts {
        Attempts { count, pause: if self.clients.endpoint().is_some() { RETRY_PAUSE_EMULATED } else { RETRY_PAUSE } }
    }
}

/// What a run knows of a function before it is released.
#[derive(Debug, Clone)]
pub(crate) enum Known {
    /// This run has not changed it since it was observed.
    Unchanged(ObservedFunction),
    /// This run has updated its code; this is `$LATEST` since.
    Updated(Version),
}

/// The contents of a ledger entry besides its versions, and the alarms that revert a canary.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReleaseMetadata {
    pub(crate) stage: String,
    pub(crate) system: String,
    /// The caller's identity in AWS.
    pub(crate) who: String,
    /// The commit, if the workspace is a git repository.
    pub(crate) commit: Option<String>,
    /// The SHA-256 of the plan's inputs.
    pub(crate) plan: Option<String>,
    /// The alarms that the stage file names; each must exist.
    pub(crate) alarms: Vec<String>,
    /// The alarms in the system's own stacks.
    pub(crate) system_alarms: Vec<String>,
    /// See [`Entry::needs`].
    pub(crate) needs: BTreeMap<String, String>,
    /// See [`Entry::apis`].
    pub(crate) apis: BTreeMap<String, String>,
    /// See [`Entry::sites`].
    pub(crate) sites: BTreeMap<String, String>,
}

impl ReleaseMetadata {
    pub(super) fn entry(&self, kind: ReleaseKind, functions: BTreeMap<String, VersionChange>) -> Entry {
        Entry {
            // The ledger assigns the number.
            number: 0,
            system: self.system.clone(),
            stage: self.stage.clone(),
            token: writer_token(),
            commit: self.commit.clone(),
            who: self.who.clone(),
            began: rfc3339_now(),
            ended: None,
            kind,
            plan: self.plan.clone(),
            functions,
            needs: self.needs.clone(),
            sites: self.sites.clone(),
            apis: self.apis.clone(),
            steps: Vec::new(),
            outcome: Outcome::Open,
        }
    }
}

/// Wraps a failed call for a function.
pub(super) fn failed(function: &str) -> impl FnOnce(AwsError) -> ReleaseError {
    let function = function.to_owned();
    |source| ReleaseError::Aws { source: source.below(&function), function }
}
