//! The observer: checks the invariants after every step, by reading the simulated account alone.
//!
//! It knows no code of the engine. It reads ledgers, locks and manifests from their documents, as another program would.
//! [`Observer::watch`] connects it to the account; [`crate::run`] reports runs, commands and changes by hand to it.

mod canaries;
mod data;
mod deletions;
pub mod effect;
pub mod expected;
mod ledgers;
mod locks;
mod pages;
pub mod secrecy;
#[cfg(test)]
mod tests;
mod traffic;
pub mod view;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use simulated_aws::{
    Aws, Step,
    account::Account,
    time::Moment,
    wire::{Call, Reply},
};

use self::{
    canaries::{Canaries, Shift},
    data::Data,
    effect::Effect,
    ledgers::Ledgers,
    locks::Locks,
    traffic::Traffic,
};
use crate::project::{ACCOUNT, REGION, STAGE};

/// How many releases a deploy keeps, and `prune` by default.
const KEEP: usize = 5;

/// The name of the stage's artifact bucket.
#[must_use]
pub fn artifact_bucket() -> &'static str {
    static NAME: std::sync::LazyLock<String> =
        std::sync::LazyLock::new(|| format!("artifacts-{STAGE}-{ACCOUNT}-{REGION}"));
    &NAME
}

/// An invariant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Invariant {
    /// `live` points to versions that exist.
    LiveExists,
    /// No version that fails its probe receives traffic, and every shift is recorded.
    Traffic,
    /// A new version's share of the traffic is observed before it grows.
    Canary,
    /// Nothing in use is deleted.
    InUse,
    /// No stateful resource is replaced or deleted unasked.
    Data,
    /// The ledger has no gap, no duplicate, and says what happened.
    Ledger,
    /// A page is published in its release, after the files that it refers to.
    Pages,
    /// Two deployers never interleave on one system.
    Lock,
    /// No secret is in a request that should not have it.
    Secret,
    /// Every run ends, within its budget of calls.
    Ends,
    /// Errors name a resource and a next step.
    Errors,
    /// After faults stop, one more run converges to the state that the workspace describes.
    Converges,
    /// A second run changes nothing.
    Idle,
}

/// A violation of an invariant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// The invariant.
    pub invariant: Invariant,
    /// When it was seen, in seconds of virtual time.
    pub at: u64,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} at {} s: {}", self.invariant, self.at, self.what)
    }
}

/// A run, as the observer knows it.
#[derive(Debug, Clone, Default)]
pub struct Running {
    /// Whether some of its calls fail.
    pub has_faults: bool,
    /// How many releases it keeps.
    pub keep: Option<usize>,
    /// Whether it destroys stacks; `true` if with their data.
    pub destroys: Option<bool>,
    /// The systems that it destroys; `None` for the whole stage.
    pub systems: Option<Vec<String>>,
    /// The stateful resources that it may delete, as `stack/logical ID`.
    pub may_delete: Vec<String>,
    /// Whether it releases by canaries.
    pub is_canary: bool,
    /// Whether it may release the locks of other runs.
    pub breaks_locks: bool,
}

impl Running {
    /// Whether it may delete these objects because it destroys their bucket. The artifact bucket, with the locks and the ledgers, goes with the
    /// whole stage, and that of a site with its system.
    fn may_empty(&self, effect: &Effect) -> bool {
        let Effect::Delete { bucket, .. } = effect else { return false };
        let is_selected = match (&self.systems, effect::system_of(bucket)) {
            (None, _) => true,
            (Some(systems), Some(system)) => systems.iter().any(|selected| selected == system),
            (Some(_), None) => false,
        };
        self.destroys == Some(true) && is_selected
    }
}

/// The observer. Cheap to clone; clones share what was seen.
#[derive(Debug, Clone, Default)]
pub struct Observer(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    runs: BTreeMap<String, Running>,
    violations: Vec<Violation>,
    by_hand: BTreeSet<String>,
    locks: Locks,
    ledgers: Ledgers,
    traffic: Traffic,
    canaries: Canaries,
    data: Data,
    /// The changes of each process, as the names of its calls.
    changes: BTreeMap<String, Vec<String>>,
    /// The calls that Lambda refused because the function was being updated.
    conflicts: BTreeMap<String, Vec<String>>,
}

impl Observer {
    /// Connects the observer to an account.
    pub fn watch(&self, aws: &Aws) {
        let own = self.clone();
        aws.set_observer(Box::new(move |account, step| own.lock().step(account, step)));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A run starts.
    pub fn starts(&self, process: &str, running: Running) {
        let mut state = self.lock();
        state.data.ask(running.may_delete.iter().cloned());
        if let Some(data) = running.destroys {
            state.data.ask_destruction(data);
        }
        state.runs.insert(process.to_owned(), running);
    }

    /// A run has ended, or was killed.
    pub fn ends(&self, process: &str) {
        self.lock().locks.ends(process);
    }

    /// A person deletes a stack by hand: the resources that are not retained go with it.
    pub fn stack_deleted_by_hand(&self) {
        self.lock().data.ask_destruction(false);
    }

    /// A function is changed by hand: what its alias and versions look like is no longer the engine's doing.
    pub fn changed_by_hand(&self, function: &str) {
        self.lock().by_hand.insert(function.to_owned());
    }

    /// Returns the calls with which a process changed something, in order.
    #[must_use]
    pub fn changes_of(&self, process: &str) -> Vec<String> {
        self.lock().changes.get(process).cloned().unwrap_or_default()
    }

    /// Returns the calls of a process that Lambda refused because it was updating the function.
    #[must_use]
    pub(crate) fn conflicts_of(&self, process: &str) -> Vec<String> {
        self.lock().conflicts.get(process).cloned().unwrap_or_default()
    }

    /// Records a violation that the account does not show.
    pub fn report(&self, invariant: Invariant, at: Moment, what: String) {
        self.lock().report(invariant, at, what);
    }

    /// Returns the violations so far.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.lock().violations.clone()
    }
}

impl State {
    fn report(&mut self, invariant: Invariant, at: Moment, what: String) {
        let violation = Violation { invariant, at: at.elapsed().as_secs(), what };
        // A state that stays wrong is reported once.
        if !self.violations.iter().any(|known| known.invariant == invariant && known.what == violation.what) {
            self.violations.push(violation);
        }
    }

    fn step(&mut self, account: &Account, step: &Step<'_>) {
        match step {
            Step::Called { process, call, reply } => self.called(account, process, call, reply),
            Step::Happened => {
                self.traffic.note(account);
                self.look(account);
            }
            Step::ChangedByHand => {
                self.traffic.note(account);
                // What is gone now is the person's doing.
                let _ = self.data.check(account);
                self.locks.look(account);
                self.forget_ledgers(account);
            }
        }
    }

    fn called(&mut self, account: &Account, process: &str, call: &Call, reply: &Reply) {
        let now = account.now();
        if let Some(what) = secrecy::check(account, call) {
            self.report(Invariant::Secret, now, what);
        }
        if reply.status >= 300 {
            if reply.status == 409 && call.service == "lambda" {
                self.conflicts.entry(process.to_owned()).or_default().push(call.name());
            }
            return;
        }
        let effect = Effect::of(call);
        self.locks.note(account, process, call, &effect);
        if effect == Effect::None {
            if call.operation == "GetMetricData" {
                let is_exact = self.runs.get(process).is_none_or(|running| !running.has_faults);
                self.canaries.measured(account, process, call, is_exact);
            }
            return;
        }
        if !effect.is_idle() {
            self.changes.entry(process.to_owned()).or_default().push(call.name());
        }
        let running = self.runs.get(process).cloned().unwrap_or_default();
        let wrong = self.locks.check(account, process, (call, &effect), running.has_faults);
        // A stage that is destroyed with its data loses its locks with the artifact bucket.
        if let Some(what) = wrong.filter(|_| !running.may_empty(&effect)) {
            self.report(Invariant::Lock, now, what);
        }
        if !running.may_empty(&effect) {
            for what in deletions::check(account, &effect, &self.ledgers, running.keep.unwrap_or(KEEP)) {
                self.report(Invariant::InUse, now, what);
            }
        }
        if let Some(what) = self.lock_written(account, process, &effect, &running) {
            self.report(Invariant::Lock, now, what);
        }
        match &effect {
            Effect::Put { bucket, key } if *bucket == artifact_bucket() => {
                for what in self.ledgers.written(account, key, &self.by_hand) {
                    self.report(Invariant::Ledger, now, what);
                }
            }
            Effect::Put { bucket, key } if key == pages::PAGE => {
                let system = effect::system_of(bucket);
                for what in
                    system.map(|system| pages::written(account, bucket, system, &self.ledgers)).into_iter().flatten()
                {
                    self.report(Invariant::Pages, now, what);
                }
            }
            Effect::Alias { function } => {
                for (invariant, what) in self.shifted(account, process, function, running.is_canary) {
                    self.report(invariant, now, what);
                }
            }
            _ => {}
        }
        self.look(account);
    }

    /// Checks a shift of traffic.
    fn shifted(
        &mut self,
        account: &Account,
        process: &str,
        function: &str,
        is_canary: bool,
    ) -> Vec<(Invariant, String)> {
        let before = self.traffic.live(function).cloned();
        let wrong = self.traffic.shifted(account, function, &self.ledgers, &self.by_hand).into_iter();
        let mut wrong: Vec<_> = wrong.map(|what| (Invariant::Traffic, what)).collect();
        if let Some(after) = view::live(account, function).filter(|_| !self.by_hand.contains(function)) {
            let open = effect::system_of(function).and_then(|system| self.ledgers.open(system));
            let shift = Shift { process, function, before: before.as_ref(), after: &after, open, is_canary };
            wrong.extend(self.canaries.shifted(account.now(), shift).map(|what| (Invariant::Canary, what)));
        }
        wrong
    }

    /// Checks who has written a lock.
    fn lock_written(&mut self, account: &Account, process: &str, effect: &Effect, running: &Running) -> Option<String> {
        match effect {
            Effect::Put { bucket, key } if *bucket == artifact_bucket() => {
                let system = key.strip_prefix("locks/")?.strip_suffix(".json")?;
                self.locks.wrote(account, process, system, running.breaks_locks)
            }
            Effect::Delete { bucket, .. } if *bucket == artifact_bucket() => {
                self.locks.look(account);
                None
            }
            _ => None,
        }
    }

    /// Checks what holds at any time.
    fn look(&mut self, account: &Account) {
        let now = account.now();
        for what in Traffic::existing(account, &self.by_hand) {
            self.report(Invariant::LiveExists, now, what);
        }
        for what in self.data.check(account) {
            self.report(Invariant::Data, now, what);
        }
        self.forget_ledgers(account);
    }

    /// A stage without an artifact bucket has no ledger any more.
    fn forget_ledgers(&mut self, account: &Account) {
        if view::bucket(account, artifact_bucket()).is_none() {
            self.ledgers.forget();
        }
    }
}
