//! Deletes the resources of a stack, of a failed creation, or of a cleanup.

use super::{
    apply::{failed, in_progress, is_express},
    express,
    faults::{self, ResourceAction, ResourceEffect},
    operation::{Doomed, Kind, Phase, Purpose, State, Task, proceed_with, run, subject},
    state::{Event, Stack},
};
use crate::{
    account::Account,
    resources::{Wanted, provider},
    time::Moment,
};

/// The task that deletes a resource.
pub(super) fn task(doomed: Doomed) -> Task {
    Task { verb: "DELETE", ..Task::new(Kind::Delete, Some(doomed)) }
}

/// Begins a deletion.
pub(super) fn begin(account: &mut Account, id: &str, key: &str) {
    let now = account.now();
    let Some(doomed) = doomed(account, id, key) else { return };
    let Some(stack) = account.cloudformation.stack_mut(id) else { return };
    if doomed.is_retained || doomed.physical_id.is_empty() {
        // CloudFormation user guide, "DeletionPolicy": a retained resource leaves the stack.
        let status = if doomed.is_retained { "DELETE_SKIPPED" } else { "DELETE_COMPLETE" };
        mark(stack, &doomed, status, None, now);
        return end(stack, key);
    }
    mark(stack, &doomed, in_progress("DELETE"), None, now);
    let Some(operation) = &mut stack.operation else { return };
    operation.running += 1;
    let action = match operation.phase {
        Phase::Delete(Purpose::Creation | Purpose::RollbackCleanup) => ResourceAction::Rollback,
        _ => ResourceAction::Delete,
    };
    if let Some(task) = operation.tasks.get_mut(key) {
        task.state = State::Running;
    }
    let name = stack.name.clone();
    let effect = faults::take(account, &name, &doomed.logical_id, &doomed.resource_type, action);
    if let Some(task) = account.cloudformation.task_mut(id, key) {
        task.effect = effect;
    }
    let pause = faults::pause(account);
    run(account, id, key, pause, initiate);
}

fn doomed(account: &Account, id: &str, key: &str) -> Option<Doomed> {
    account.cloudformation.operation(id)?.tasks.get(key)?.doomed.clone()
}

/// Sets the status of the resource, if it is the one that the stack has now, and adds the event.
fn mark(stack: &mut Stack, doomed: &Doomed, status: &'static str, reason: Option<String>, at: Moment) {
    let now = stack.resources.get(&doomed.logical_id);
    if now.is_some_and(|resource| resource.physical_id == doomed.physical_id) {
        return stack.set_resource(&doomed.logical_id, status, reason, at);
    }
    let Doomed { logical_id, physical_id, resource_type, .. } = doomed.clone();
    let (id, token) = (String::new(), None);
    stack.add_event(Event { id, logical_id, physical_id, resource_type, status, reason, token, at });
}

/// The service carries out the deletion.
fn initiate(account: &mut Account, event: &str) {
    let Some((id, key)) = subject(account, event) else { return };
    let Some(doomed) = doomed(account, id, key) else { return };
    let effect = account.cloudformation.task_mut(id, key).and_then(|task| task.effect.take());
    if let Some(ResourceEffect::Fails(reason)) = effect {
        return fail(account, id, key, &doomed, reason);
    }
    let Some(stack) = account.cloudformation.stacks.get(id) else { return };
    let (name, region) = (stack.name.clone(), stack.region.clone());
    let known = stack.resources.get(&doomed.logical_id).filter(|resource| resource.physical_id == doomed.physical_id);
    let properties = known.map(|resource| resource.properties.clone()).unwrap_or_default();
    let wanted = Wanted {
        region: &region,
        stack: &name,
        logical_id: &doomed.logical_id,
        resource_type: &doomed.resource_type,
        properties: &properties,
    };
    let provider = provider(&doomed.resource_type);
    if let Err(reason) = (provider.delete)(account, &doomed.physical_id, wanted) {
        return fail(account, id, key, &doomed, reason);
    }
    let usual =
        if is_express(account, id) { faults::pause(account) } else { faults::duration(account, &doomed.resource_type) };
    match effect {
        Some(ResourceEffect::Hangs) => {}
        Some(ResourceEffect::Takes(long)) => run(account, id, key, long, finish),
        _ => run(account, id, key, usual, finish),
    }
}

fn finish(account: &mut Account, event: &str) {
    let Some((id, key)) = subject(account, event) else { return };
    let now = account.now();
    let Some(doomed) = doomed(account, id, key) else { return };
    let reason = is_express(account, id).then(|| express::COMPLETED.to_owned());
    let Some(stack) = account.cloudformation.stack_mut(id) else { return };
    mark(stack, &doomed, "DELETE_COMPLETE", reason, now);
    end(stack, key);
    proceed_with(account, id);
}

fn end(stack: &mut Stack, key: &str) {
    let Some(operation) = &mut stack.operation else { return };
    if let Some(template) = operation.order.clone() {
        operation.end(key, &template);
    }
}

/// A deletion failed. The resources that it needs stay, and the others are deleted.
fn fail(account: &mut Account, id: &str, key: &str, doomed: &Doomed, reason: String) {
    let now = account.now();
    let Some(stack) = account.cloudformation.stack_mut(id) else { return };
    mark(stack, doomed, failed("DELETE"), Some(reason), now);
    let Some(operation) = &mut stack.operation else { return };
    operation.failed.insert(("DELETE", doomed.logical_id.clone()));
    if let Some(task) = operation.tasks.get_mut(key) {
        task.state = State::Ended;
        operation.running -= 1;
    }
    proceed_with(account, id);
}
