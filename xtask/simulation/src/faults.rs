//! Which calls and resources fail, as plain data, and the plan that the simulated AWS asks.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use simulated_aws::{
    chance::Chance,
    faults::{Attempt, Fault, Faults},
};

/// A fault of some calls of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedFault {
    /// The first call, counted from 0 within the run.
    pub call: u16,
    /// How many calls in a row.
    pub calls: u16,
    /// What happens to them.
    pub kind: Fault,
}

impl PlannedFault {
    /// Draws a fault. Early calls are as likely as late ones, on a logarithmic scale.
    #[must_use]
    pub fn random(chance: &mut Chance) -> Self {
        let reach = [8, 30, 80, 200][small(chance, 4)];
        let call = u16::try_from(chance.number(0..reach)).unwrap_or_default();
        let is_carried_out = chance.happens(0.5);
        let seconds = Duration::from_secs(chance.number(1..90));
        let (kind, calls) = match chance.number(0..16) {
            0 | 1 => (Fault::Throttled, burst(chance)),
            2 => (Fault::ServerError, burst(chance)),
            3 => (Fault::Reset, burst(chance)),
            4 | 5 => (Fault::LostResponse, burst(chance).min(3)),
            6 => (Fault::Timeout { is_carried_out }, 1),
            7 => (Fault::Slow(seconds), burst(chance)),
            8..=10 => (Fault::Stale(seconds), burst(chance)),
            // Once expired, they stay expired.
            11 => (Fault::ExpiredCredentials, u16::MAX),
            _ => (Fault::Killed { is_carried_out }, 1),
        };
        Self { call, calls, kind }
    }

    const fn includes(self, call: u16) -> bool {
        self.call <= call && call - self.call < self.calls
    }
}

fn burst(chance: &mut Chance) -> u16 {
    [1, 1, 1, 2, 4, 8, 30][small(chance, 7)]
}

/// A failure of a resource: of the first action that it fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceFault {
    /// The resource type, by its place in [`TYPES`].
    pub resource: u8,
    /// What CloudFormation does with it.
    pub action: Action,
    /// What happens.
    pub effect: Effect,
}

/// The types of resources that fail; `*` is any.
pub const TYPES: [&str; 6] = [
    "*",
    "AWS::Lambda::Function",
    "AWS::DynamoDB::Table",
    "AWS::IAM::Role",
    "AWS::Lambda::Alias",
    "AWS::Logs::LogGroup",
];

/// What CloudFormation does with a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Action {
    Create,
    Update,
    Delete,
    Rollback,
}

/// What happens to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// The action fails.
    Fails,
    /// The action takes so many minutes.
    Takes(u8),
    /// The action takes longer than the engine waits.
    Hangs,
}

impl ResourceFault {
    /// Draws a fault.
    #[must_use]
    pub fn random(chance: &mut Chance) -> Self {
        let minutes = u8::try_from(chance.number(1..20)).unwrap_or_default();
        let actions = [Action::Create, Action::Update, Action::Update, Action::Delete, Action::Rollback];
        let effects = [Effect::Fails, Effect::Fails, Effect::Fails, Effect::Takes(minutes), Effect::Hangs];
        Self {
            resource: u8::try_from(small(chance, TYPES.len())).unwrap_or_default(),
            action: actions[small(chance, actions.len())],
            effect: effects[small(chance, effects.len())],
        }
    }
}

fn small(chance: &mut Chance, below: usize) -> usize {
    usize::try_from(chance.number(0..below as u64)).unwrap_or_default()
}

/// The faults of all running processes. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct FaultPlan(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    processes: BTreeMap<String, Planned>,
    happened: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Default)]
struct Planned {
    calls: u16,
    faults: Vec<PlannedFault>,
}

impl FaultPlan {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Plans the faults of a process.
    pub fn plan(&self, process: &str, faults: &[PlannedFault]) {
        let planned = Planned { calls: 0, faults: faults.to_vec() };
        self.lock().processes.insert(process.to_owned(), planned);
    }

    /// How many calls a process has sent.
    #[must_use]
    pub fn calls(&self, process: &str) -> u16 {
        self.lock().processes.get(process).map_or(0, |planned| planned.calls)
    }

    /// How often each kind of fault happened.
    #[must_use]
    pub fn happened(&self) -> BTreeMap<&'static str, u64> {
        self.lock().happened.clone()
    }
}

impl Faults for FaultPlan {
    fn of(&mut self, attempt: &Attempt<'_>, _: &mut Chance) -> Option<Fault> {
        let mut state = self.lock();
        let planned = state.processes.get_mut(attempt.process)?;
        let call = planned.calls;
        planned.calls = planned.calls.saturating_add(1);
        let fault = planned.faults.iter().find(|fault| fault.includes(call))?.kind;
        *state.happened.entry(fault.name()).or_default() += 1;
        Some(fault)
    }
}
