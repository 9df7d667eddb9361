//! Operations on stacks: tasks for their resources, in the order of their dependencies, and the phases that follow one another.
//!
//! A phase has a number of its own, which its scheduled events carry: events of a phase that was cancelled find another number, and do
//! nothing. [`proceed`] starts the tasks that are ready; [`super::apply`] and [`super::deletion`] carry them out; [`super::phases`]
//! decides what follows a phase.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use serde_json::Value;

use super::{
    apply, deletion,
    express::Deployment,
    faults::{self, ResourceEffect},
    phases,
    state::Resource,
    template::{Template, Version},
};
use crate::account::Account;

/// An operation in progress, or one that failed and can be rolled back.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    /// The number of the current phase.
    pub(super) number: u64,
    pub(super) phase: Phase,
    pub(super) is_creation: bool,
    /// The version that a rollback restores.
    pub(super) before: Option<Version>,
    pub(super) change_set: Option<String>,
    pub(super) token: Option<Arc<str>>,
    pub(super) deployment: Deployment,
    pub(super) imports: BTreeSet<String>,
    /// The resources that the operation has started to change, as they were before; `None` for new ones.
    pub(super) changed: BTreeMap<String, Option<Resource>>,
    /// Those of them that a rollback has restored.
    pub(super) restored: BTreeSet<String>,
    /// Resources that the cleanup deletes.
    pub(super) garbage: Vec<Doomed>,
    /// Resources that a continued rollback skips.
    pub(super) skipped: BTreeSet<String>,
    pub(super) tasks: BTreeMap<String, Task>,
    pub(super) ready: BTreeSet<String>,
    pub(super) running: usize,
    /// The failed resources, by the verb of their failure.
    pub(super) failed: BTreeSet<(&'static str, String)>,
    /// The template that orders deletions.
    pub(super) order: Option<Arc<Template>>,
}

/// A phase of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Resources are created and updated.
    Apply,
    /// Resources of a failed update are restored.
    Restore,
    /// Resources are deleted.
    Delete(Purpose),
    /// The operation has failed.
    Ended,
}

/// Why resources are deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The stack is deleted.
    Stack,
    /// The stack's creation failed.
    Creation,
    /// The stack was updated.
    Cleanup,
    /// The stack's update was rolled back.
    RollbackCleanup,
}

/// A resource to delete.
#[derive(Debug, Clone)]
pub(super) struct Doomed {
    pub(super) logical_id: String,
    pub(super) physical_id: String,
    pub(super) resource_type: String,
    pub(super) is_retained: bool,
}

/// The work on one resource.
#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) state: State,
    /// How many other tasks must end first.
    pub(super) waits_for: usize,
    /// `CREATE`, `UPDATE`, `IMPORT` or `DELETE`.
    pub(super) verb: &'static str,
    pub(super) kind: Kind,
    pub(super) properties: Arc<Value>,
    pub(super) effect: Option<ResourceEffect>,
    pub(super) doomed: Option<Doomed>,
}

/// What a task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Create,
    Update,
    /// Creates the resource anew; the old one is deleted in the cleanup.
    Replace,
    Import,
    /// Points to the resource that the failed update had replaced.
    Restore,
    Delete,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Waiting,
    Running,
    Ended,
}

impl Task {
    pub(super) fn new(kind: Kind, doomed: Option<Doomed>) -> Self {
        Self { state: State::Waiting, waits_for: 0, verb: "", kind, properties: Arc::default(), effect: None, doomed }
    }
}

impl Operation {
    pub(super) fn new(number: u64, phase: Phase) -> Self {
        Self {
            number,
            phase,
            is_creation: false,
            before: None,
            change_set: None,
            token: None,
            deployment: Deployment::default(),
            imports: BTreeSet::new(),
            changed: BTreeMap::new(),
            restored: BTreeSet::new(),
            garbage: Vec::new(),
            skipped: BTreeSet::new(),
            tasks: BTreeMap::new(),
            ready: BTreeSet::new(),
            running: 0,
            failed: BTreeSet::new(),
            order: None,
        }
    }

    /// Starts a phase with these tasks.
    pub(super) fn enter(&mut self, number: u64, phase: Phase, tasks: BTreeMap<String, Task>) {
        (self.number, self.phase, self.tasks) = (number, phase, tasks);
        self.running = 0;
        // A continued rollback may skip what failed.
        if phase != Phase::Ended {
            self.failed.clear();
        }
        self.ready = self.tasks.iter().filter(|(_, task)| task.waits_for == 0).map(|(key, _)| key.clone()).collect();
    }

    /// Ends a task, and makes the tasks ready that have waited for it only.
    pub(super) fn end(&mut self, key: &str, template: &Template) {
        let Some(task) = self.tasks.get_mut(key) else { return };
        if task.state == State::Running {
            self.running -= 1;
        }
        task.state = State::Ended;
        let dependents = if matches!(self.phase, Phase::Delete(_)) { &template.needs } else { &template.needed_by };
        for dependent in dependents.get(key).into_iter().flatten() {
            if let Some(task) = self.tasks.get_mut(dependent) {
                task.waits_for = task.waits_for.saturating_sub(1);
                if task.waits_for == 0 && task.state == State::Waiting {
                    self.ready.insert(dependent.clone());
                }
            }
        }
    }

    /// "The following resource(s) failed to create: [A, B]. " for each verb (CloudFormation user guide, "Troubleshooting").
    pub(super) fn failures(&self) -> String {
        let mut text = String::new();
        for (verb, word) in [("CREATE", "create"), ("UPDATE", "update"), ("IMPORT", "import"), ("DELETE", "delete")] {
            let ids: Vec<_> = self.failed.iter().filter(|(of, _)| *of == verb).map(|(_, id)| id.as_str()).collect();
            if !ids.is_empty() {
                text.push_str(&format!("The following resource(s) failed to {word}: [{}]. ", ids.join(", ")));
            }
        }
        text
    }
}

/// Counts for each task the others that must end first. In a deletion, these are the resources that need it.
pub(super) fn with_order(
    mut tasks: BTreeMap<String, Task>,
    template: &Template,
    phase: Phase,
) -> BTreeMap<String, Task> {
    let before = if matches!(phase, Phase::Delete(_)) { &template.needed_by } else { &template.needs };
    let count = |key: &String| before.get(key).into_iter().flatten().filter(|other| tasks.contains_key(*other)).count();
    let counts: Vec<_> = tasks.keys().map(count).collect();
    tasks.values_mut().zip(counts).for_each(|(task, count)| task.waits_for = count);
    tasks
}

/// Schedules the start of the current phase.
pub(super) fn schedule_phase(account: &mut Account, id: &str) {
    let pause = faults::pause(account);
    let number = account.cloudformation.operation(id).map_or(0, |operation| operation.number);
    account.schedule(pause, proceed, format!("{id} {number} "));
}

/// Reads the subject of an event: the stack's ID, the phase's number, and the task. `None` if the phase is over.
pub(super) fn subject<'s>(account: &Account, subject: &'s str) -> Option<(&'s str, &'s str)> {
    let mut parts = subject.splitn(3, ' ');
    let (id, number, key) = (parts.next()?, parts.next()?, parts.next()?);
    let operation = account.cloudformation.operation(id)?;
    (operation.number.to_string() == number).then_some((id, key))
}

/// Starts all tasks that are ready, and ends the phase if none remains.
pub(super) fn proceed(account: &mut Account, event: &str) {
    while let Some((id, _)) = subject(account, event) {
        let Some(operation) = account.cloudformation.operation_mut(id) else { return };
        let Some(key) = operation.ready.pop_first() else {
            if operation.running == 0 {
                phases::end(account, id);
            }
            return;
        };
        match operation.phase {
            Phase::Delete(_) => deletion::begin(account, id, &key),
            Phase::Apply | Phase::Restore => apply::begin(account, id, &key),
            Phase::Ended => return,
        }
    }
}

/// Starts what is ready after a task of this phase.
pub(super) fn proceed_with(account: &mut Account, id: &str) {
    let Some(number) = account.cloudformation.operation(id).map(|operation| operation.number) else { return };
    proceed(account, &format!("{id} {number} "));
}

/// Lets a task run: schedules its next step.
pub(super) fn run(account: &mut Account, id: &str, key: &str, after: Duration, step: fn(&mut Account, &str)) {
    let Some(number) = account.cloudformation.operation(id).map(|operation| operation.number) else { return };
    account.schedule(after, step, format!("{id} {number} {key}"));
}
