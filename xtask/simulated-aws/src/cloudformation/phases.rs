//! What follows a phase of an operation: the states of a stack (CloudFormation user guide, "Stack status codes").

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    apply::failed as failed_status,
    deletion,
    express::Deployment,
    operation::{Doomed, Kind, Operation, Phase, Purpose, State, Task, schedule_phase, with_order},
    resolve::Context,
    state::{Resource, Stack},
    template::{Policy, Template, Version},
};
use crate::{account::Account, time::Moment};

/// What starts an operation.
#[derive(Debug, Clone, Default)]
pub(super) struct Start {
    pub(super) change_set: Option<String>,
    pub(super) token: Option<String>,
    pub(super) deployment: Deployment,
    pub(super) imports: BTreeSet<String>,
}

/// Starts to create or update a stack.
pub(super) fn apply(account: &mut Account, id: &str, version: Version, start: Start) {
    let now = account.now();
    let number = account.cloudformation.next_number();
    let Some(stack) = account.cloudformation.stack_mut(id) else { return };
    let is_creation = stack.version.is_none();
    let mut operation = Operation::new(number, Phase::Apply);
    // A kept failure is rolled back to the state before it.
    let kept = stack.operation.take().filter(|_| stack.status == "UPDATE_FAILED");
    if let Some(kept) = kept {
        (operation.before, operation.changed) = (kept.before, kept.changed);
    } else {
        operation.before = stack.version.take();
    }
    operation.is_creation = is_creation;
    operation.change_set = start.change_set;
    operation.token = start.token.map(Arc::from);
    operation.deployment = start.deployment;
    operation.imports = start.imports;
    let included = version.template.needs.keys().filter(|key| version.includes(key));
    let tasks: BTreeMap<_, _> = included.map(|key| (key.clone(), Task::new(Kind::Update, None))).collect();
    operation.enter(number, Phase::Apply, with_order(tasks, &version.template, Phase::Apply));
    let key = stack_key(account, id);
    account.cloudformation.tags.insert(key, version.tags.clone());
    let Some(stack) = account.cloudformation.stack_mut(id) else { return };
    stack.version = Some(version);
    stack.deployment = operation.deployment;
    stack.operation = Some(operation);
    let status = if is_creation { "CREATE_IN_PROGRESS" } else { "UPDATE_IN_PROGRESS" };
    stack.updated = Some(now).filter(|_| !is_creation);
    stack.set_status(status, Some("User Initiated".to_owned()), now);
    schedule_phase(account, id);
}

fn stack_key(account: &Account, id: &str) -> (String, String) {
    let stack = account.cloudformation.stacks.get(id);
    stack.map(|stack| (stack.region.clone(), stack.name.clone())).unwrap_or_default()
}

/// Enters a phase with these tasks.
fn enter(account: &mut Account, id: &str, phase: Phase, tasks: BTreeMap<String, Task>) {
    let number = account.cloudformation.next_number();
    if let Some(operation) = account.cloudformation.operation_mut(id) {
        operation.enter(number, phase, tasks);
        schedule_phase(account, id);
    }
}

/// Ends a phase all of whose tasks have ended, or wait for failed ones.
pub(super) fn end(account: &mut Account, id: &str) {
    let Some(operation) = account.cloudformation.operation(id) else { return };
    let failures = operation.failures();
    let has_failed = !failures.is_empty();
    let status = match (operation.phase, has_failed) {
        (Phase::Apply, _) => return applied(account, id),
        (Phase::Restore, false) => return restored(account, id),
        (Phase::Restore, true) => return rest(account, id, "UPDATE_ROLLBACK_FAILED", failures),
        (Phase::Delete(Purpose::Stack), false) => return deleted(account, id),
        (Phase::Delete(Purpose::Stack), true) => return rest(account, id, "DELETE_FAILED", failures),
        (Phase::Delete(Purpose::Creation), false) => "ROLLBACK_COMPLETE",
        (Phase::Delete(Purpose::Creation), true) => return rest(account, id, "ROLLBACK_FAILED", failures),
        (Phase::Delete(Purpose::Cleanup), _) => "UPDATE_COMPLETE",
        (Phase::Delete(Purpose::RollbackCleanup), _) => "UPDATE_ROLLBACK_COMPLETE",
        (Phase::Ended, _) => return,
    };
    let is_cleanup = matches!(status, "UPDATE_COMPLETE" | "UPDATE_ROLLBACK_COMPLETE");
    let reason = "Update successful. One or more resources could not be deleted.";
    let reason = (is_cleanup && has_failed).then(|| reason.to_owned());
    let now = account.now();
    let Some(stack) = account.cloudformation.stack_mut(id) else { return };
    // Resources that left the stack are no longer listed, whether they are deleted or not.
    if let Some(version) = stack.version.clone().filter(|_| is_cleanup) {
        stack.resources.retain(|key, _| version.includes(key));
    }
    finish(stack, status, reason, now);
}

/// Ends an operation.
fn finish(stack: &mut Stack, status: &'static str, reason: Option<String>, now: Moment) {
    let has_succeeded = matches!(status, "CREATE_COMPLETE" | "UPDATE_COMPLETE");
    execution(stack, if has_succeeded { "EXECUTE_COMPLETE" } else { "EXECUTE_FAILED" });
    stack.set_status(status, reason, now);
    stack.operation = None;
}

/// Sets the execution status of the operation's change set.
fn execution(stack: &mut Stack, execution: &'static str) {
    let name = stack.operation.as_ref().and_then(|operation| operation.change_set.clone());
    if let Some(change_set) = name.and_then(|name| stack.change_sets.get_mut(&name)) {
        change_set.execution = execution;
    }
}

/// Ends an operation in a state that needs another call.
fn rest(account: &mut Account, id: &str, status: &'static str, reason: String) {
    let now = account.now();
    let number = account.cloudformation.next_number();
    let Some(stack) = account.cloudformation.stack_mut(id) else { return };
    execution(stack, "EXECUTE_FAILED");
    stack.set_status(status, Some(reason), now);
    if let Some(operation) = &mut stack.operation {
        operation.enter(number, Phase::Ended, BTreeMap::new());
    }
}

/// All resources are created or updated. Outputs are computed, and an update deletes what it no longer needs.
fn applied(account: &mut Account, id: &str) {
    let now = account.now();
    let Some(stack) = account.cloudformation.stack_mut(id) else { return };
    let Some(version) = stack.version.clone() else { return };
    let place = stack.place();
    let (version_of, resources) = (&version, &stack.resources);
    let context = Context { version: version_of, place: &place, resources, unknown: None, modified: None };
    match context.outputs() {
        Ok(outputs) => stack.outputs = Arc::new(outputs),
        Err(reason) => {
            stack.reason = Some(reason);
            return failed(account, id);
        }
    }
    let Some(operation) = &stack.operation else { return };
    if operation.is_creation {
        return finish(stack, "CREATE_COMPLETE", None, now);
    }
    let order = operation.before.as_ref().map_or_else(|| version.template.clone(), |before| before.template.clone());
    let mut doomed = Vec::new();
    for (key, former) in &operation.changed {
        let Some(former) = former else { continue };
        let is_replaced = stack.resources.get(key).is_some_and(|now| now.physical_id != former.physical_id);
        if is_replaced {
            let is_retained = version.template.policy(key, "UpdateReplacePolicy") != Policy::Delete;
            doomed.push(Doomed { is_retained, ..doomed_of(key, former) });
        }
    }
    let removed = stack.resources.iter().filter(|(key, resource)| resource.is_owned() && !version.includes(key));
    doomed.extend(removed.map(|(key, resource)| {
        let is_retained = order.policy(key, "DeletionPolicy") != Policy::Delete;
        Doomed { is_retained, ..doomed_of(key, resource) }
    }));
    stack.set_status("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", None, now);
    delete(account, id, Purpose::Cleanup, order, doomed);
}

fn doomed_of(key: &str, resource: &Resource) -> Doomed {
    Doomed {
        logical_id: key.to_owned(),
        physical_id: resource.physical_id.clone(),
        resource_type: resource.resource_type.clone(),
        is_retained: false,
    }
}

/// Enters a phase that deletes resources, those that need others first.
fn delete(account: &mut Account, id: &str, purpose: Purpose, order: Arc<Template>, doomed: Vec<Doomed>) {
    let mut tasks = BTreeMap::new();
    for doomed in doomed {
        let mut key = doomed.logical_id.clone();
        while tasks.contains_key(&key) {
            key.push('#');
        }
        tasks.insert(key, deletion::task(doomed));
    }
    let phase = Phase::Delete(purpose);
    let tasks = with_order(tasks, &order, phase);
    if let Some(operation) = account.cloudformation.operation_mut(id) {
        operation.order = Some(order);
    }
    enter(account, id, phase, tasks);
}

/// Cancels the resources that CloudFormation is working on.
pub(super) fn cancel(stack: &mut Stack, now: Moment) {
    let Some(operation) = &mut stack.operation else { return };
    let running = operation.tasks.iter_mut().filter(|(_, task)| task.state == State::Running);
    let cancelled: Vec<_> = running
        .map(|(key, task)| {
            task.state = State::Ended;
            (task.verb, key.clone())
        })
        .collect();
    operation.running = 0;
    operation.ready.clear();
    if operation.phase == Phase::Apply {
        operation.failed.extend(cancelled.iter().cloned());
    }
    for (verb, key) in cancelled.into_iter().filter(|(verb, _)| *verb != "DELETE") {
        let word = if verb == "UPDATE" { "update" } else { "creation" };
        stack.set_resource(&key, failed_status(verb), Some(format!("Resource {word} cancelled")), now);
    }
}

/// The creation or update failed: it is rolled back, or kept.
pub(super) fn failed(account: &mut Account, id: &str) {
    let Some(operation) = account.cloudformation.operation(id) else { return };
    let (failures, is_creation) = (operation.failures(), operation.is_creation);
    match (operation.deployment.keeps_failed, is_creation) {
        (true, true) => rest(account, id, "CREATE_FAILED", failures),
        (true, false) => rest(account, id, "UPDATE_FAILED", failures),
        (false, true) => roll_back_creation(account, id, format!("{failures}Rollback requested by user.")),
        (false, false) => roll_back_update(account, id, failures),
    }
}

/// Starts to delete what a failed creation has made.
pub(super) fn roll_back_creation(account: &mut Account, id: &str, reason: String) {
    let now = account.now();
    let Some(stack) = account.cloudformation.stack_mut(id) else { return };
    stack.set_status("ROLLBACK_IN_PROGRESS", Some(reason), now);
    let (Some(version), Some(operation)) = (&stack.version, &stack.operation) else { return };
    let order = version.template.clone();
    let resources = stack.resources.iter().filter(|(_, resource)| is_listed(resource));
    let doomed = resources.map(|(key, resource)| {
        // CloudFormation template reference, "DeletionPolicy": `RetainExceptOnCreate` deletes what the failed creation made.
        let is_retained = order.policy(key, "DeletionPolicy") == Policy::Retain || operation.imports.contains(key);
        Doomed { is_retained: is_retained && !resource.physical_id.is_empty(), ..doomed_of(key, resource) }
    });
    let doomed = doomed.collect();
    delete(account, id, Purpose::Creation, order, doomed);
}

fn is_listed(resource: &Resource) -> bool {
    !matches!(resource.status, "DELETE_COMPLETE" | "DELETE_SKIPPED")
}

/// Starts to restore the version before a failed update.
pub(super) fn roll_back_update(account: &mut Account, id: &str, reason: String) {
    let now = account.now();
    let Some(stack) = account.cloudformation.stack_mut(id) else { return };
    stack.set_status("UPDATE_ROLLBACK_IN_PROGRESS", Some(reason), now);
    let Some(operation) = &mut stack.operation else { return };
    if operation.order.is_none() {
        operation.order = stack.version.as_ref().map(|version| version.template.clone());
    }
    let Some(before) = operation.before.clone() else { return };
    let changed =
        operation.changed.iter().filter(|(key, former)| former.is_some() && !operation.restored.contains(*key));
    let tasks = changed.map(|(key, _)| (key.clone(), Task::new(Kind::Update, None))).collect();
    let tasks = with_order(tasks, &before.template, Phase::Restore);
    let (tags, key) = (before.tags.clone(), (stack.region.clone(), stack.name.clone()));
    stack.version = Some(before);
    account.cloudformation.tags.insert(key, tags);
    enter(account, id, Phase::Restore, tasks);
}

/// The version before the update is restored: what the update has created is deleted.
fn restored(account: &mut Account, id: &str) {
    let now = account.now();
    let Some(stack) = account.cloudformation.stack_mut(id) else { return };
    stack.set_status("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", None, now);
    let (Some(version), Some(operation)) = (&stack.version, &mut stack.operation) else { return };
    let order = operation.order.clone().unwrap_or_else(|| version.template.clone());
    let mut doomed = std::mem::take(&mut operation.garbage);
    for (key, _) in operation.changed.iter().filter(|(_, former)| former.is_none()) {
        let Some(resource) = stack.resources.get(key) else { continue };
        let is_retained = order.policy(key, "DeletionPolicy") == Policy::Retain && resource.is_owned();
        doomed.push(Doomed { is_retained, ..doomed_of(key, resource) });
    }
    delete(account, id, Purpose::RollbackCleanup, order, doomed);
}

/// Starts to delete a stack. `retained` are resources that stay.
pub(super) fn delete_stack(account: &mut Account, id: &str, retained: &BTreeSet<String>, start: Start) {
    let now = account.now();
    let number = account.cloudformation.next_number();
    let Some(stack) = account.cloudformation.stack_mut(id) else { return };
    cancel(stack, now);
    execution(stack, "EXECUTE_FAILED");
    let mut operation = Operation::new(number, Phase::Delete(Purpose::Stack));
    operation.token = start.token.map(Arc::from);
    operation.deployment = start.deployment;
    stack.deployment = start.deployment;
    stack.operation = Some(operation);
    stack.set_status("DELETE_IN_PROGRESS", Some("User Initiated".to_owned()), now);
    let Some(order) = stack.version.as_ref().map(|version| version.template.clone()) else {
        // It was never created, so there is nothing to delete.
        return deleted(account, id);
    };
    let resources = stack.resources.iter().filter(|(_, resource)| is_listed(resource));
    let doomed = resources.map(|(key, resource)| {
        let is_retained = order.policy(key, "DeletionPolicy") != Policy::Delete || retained.contains(key);
        Doomed { is_retained: is_retained && !resource.physical_id.is_empty(), ..doomed_of(key, resource) }
    });
    let doomed = doomed.collect();
    delete(account, id, Purpose::Stack, order, doomed);
}

fn deleted(account: &mut Account, id: &str) {
    let now = account.now();
    let key = stack_key(account, id);
    let cloudformation = &mut account.cloudformation;
    cloudformation.names.remove(&key);
    cloudformation.tags.remove(&key);
    let Some(stack) = cloudformation.stack_mut(id) else { return };
    stack.change_sets.clear();
    stack.deleted = Some(now);
    finish(stack, "DELETE_COMPLETE", None, now);
}
