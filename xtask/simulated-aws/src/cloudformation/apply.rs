//! Creates, updates, replaces, imports and restores the resources of an operation.
//!
//! Each resource takes three steps: CloudFormation begins, the service carries out the request, and the resource is ready.

use std::sync::Arc;

use plan::changes::{Certainty, schema};
use serde_json::Value;

use super::{
    express,
    faults::{self, ResourceAction, ResourceEffect},
    operation::{Kind, Phase, State, proceed_with, run, subject},
    phases,
    resolve::Context,
    state::{Resource, Stack},
};
use crate::{
    account::Account,
    resources::{Inspected, Provided, Wanted, ids, inspect, linger, provider, with_stack_tags},
};

/// What a resource needs.
enum Need {
    /// It is as it should be.
    Nothing,
    /// CloudFormation works on it.
    Work { verb: &'static str, kind: Kind, properties: Arc<Value>, reason: Option<&'static str> },
    /// It cannot become what it should be.
    Impossible { verb: &'static str, reason: String },
}

/// Begins a task.
pub(super) fn begin(account: &mut Account, id: &str, key: &str) {
    let now = account.now();
    let is_coin = account.chance.happens(0.5);
    let Some(stack) = account.cloudformation.stacks.get(id) else { return };
    let Some(operation) = &stack.operation else { return };
    let is_restoration = operation.phase == Phase::Restore;
    let need = if is_restoration { restoration(stack, key) } else { need(stack, key, is_coin) };
    let Some(stack) = account.cloudformation.stack_mut(id) else { return };
    let (verb, kind, properties, reason) = match need {
        Need::Nothing => return end(stack, key),
        Need::Impossible { verb, reason } => {
            start(stack, key, verb);
            stack.set_resource(key, in_progress(verb), None, now);
            return fail(account, id, key, reason);
        }
        Need::Work { verb, kind, properties, reason } => (verb, kind, properties, reason),
    };
    start(stack, key, verb);
    let Some(operation) = &mut stack.operation else { return };
    if let Some(task) = operation.tasks.get_mut(key) {
        (task.kind, task.properties) = (kind, properties);
    }
    stack.set_resource(key, in_progress(verb), reason.map(str::to_owned), now);
    let (name, resource_type) = (stack.name.clone(), resource_type(stack, key));
    let action = match kind {
        _ if is_restoration => ResourceAction::Rollback,
        Kind::Create | Kind::Import => ResourceAction::Create,
        _ => ResourceAction::Update,
    };
    let effect = faults::take(account, &name, key, &resource_type, action);
    if let Some(task) = account.cloudformation.task_mut(id, key) {
        task.effect = effect;
    }
    let pause = faults::pause(account);
    run(account, id, key, pause, initiate);
}

/// Counts a task as running, and remembers the resource as it was.
fn start(stack: &mut Stack, key: &str, verb: &'static str) {
    let resource_type = resource_type(stack, key);
    let before = stack.resources.get(key).filter(|resource| resource.is_owned()).cloned();
    let Some(operation) = &mut stack.operation else { return };
    if let Some(task) = operation.tasks.get_mut(key) {
        (task.state, task.verb) = (State::Running, verb);
    }
    operation.running += 1;
    if operation.phase == Phase::Apply {
        let is_new = before.is_none();
        operation.changed.entry(key.to_owned()).or_insert(before);
        if is_new {
            stack.resources.insert(key.to_owned(), Resource::new(&resource_type));
        }
    }
}

fn resource_type(stack: &Stack, key: &str) -> String {
    let written =
        stack.version.as_ref().map(|version| version.template.resource_type(key)).filter(|name| !name.is_empty());
    let known = || stack.resources.get(key).map(|resource| resource.resource_type.as_str());
    written.or_else(known).unwrap_or_default().to_owned()
}

/// Decides what a resource of the new version needs.
fn need(stack: &Stack, key: &str, is_coin: bool) -> Need {
    let (Some(version), Some(operation)) = (&stack.version, &stack.operation) else { return Need::Nothing };
    let existing = stack.resources.get(key).filter(|resource| resource.is_owned());
    let verb = if existing.is_some() { "UPDATE" } else { "CREATE" };
    let place = stack.place();
    let context = Context { version, place: &place, resources: &stack.resources, unknown: None, modified: None };
    let properties = match context.properties(key) {
        Ok(properties) => Arc::new(properties),
        Err(reason) => return Need::Impossible { verb, reason },
    };
    let Some(existing) = existing else {
        if operation.imports.contains(key) {
            return Need::Work { verb: "IMPORT", kind: Kind::Import, properties, reason: None };
        }
        return match schema::refusal(version.template.resource_type(key), None, &properties) {
            Some(reason) => Need::Impossible { verb, reason },
            None => Need::Work { verb, kind: Kind::Create, properties, reason: None },
        };
    };
    if *existing.properties == *properties {
        return Need::Nothing;
    }
    let causes = schema::replaced_by(&existing.resource_type, &existing.properties, &properties);
    let is_replaced = match causes.iter().map(|(_, certainty)| *certainty).max() {
        Some(Certainty::Certain) => true,
        // The schema does not say on what it depends.
        Some(Certainty::Conditional) => is_coin,
        Some(Certainty::Unknown) | None => false,
    };
    if is_replaced && operation.deployment.keeps_failed {
        return Need::Impossible { verb, reason: express::NO_REPLACEMENT.to_owned() };
    }
    if is_replaced {
        return replacement(existing, properties);
    }
    match schema::refusal(&existing.resource_type, Some(&existing.properties), &properties) {
        Some(reason) => Need::Impossible { verb, reason },
        None => Need::Work { verb, kind: Kind::Update, properties, reason: None },
    }
}

/// CloudFormation template reference, "Name type": a resource with a custom name is not replaced under that name.
fn replacement(existing: &Resource, properties: Arc<Value>) -> Need {
    let name = schema::name_property(&existing.resource_type);
    let named = name.and_then(|name| Some((existing.properties.get(&name)?, properties.get(&name)?)));
    if let Some((old, new)) = named.filter(|(old, new)| old == new) {
        let name = new.as_str().or(old.as_str()).unwrap_or_default();
        let reason = format!(
            "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename {name} and update the stack again."
        );
        return Need::Impossible { verb: "UPDATE", reason };
    }
    let reason = Some("Requested update requires the creation of a new physical resource; hence creating one.");
    Need::Work { verb: "UPDATE", kind: Kind::Replace, properties, reason }
}

/// Decides what a resource needs to become what it was before the failed update.
fn restoration(stack: &Stack, key: &str) -> Need {
    let Some(operation) = &stack.operation else { return Need::Nothing };
    let Some(Some(former)) = operation.changed.get(key) else { return Need::Nothing };
    let (verb, properties) = ("UPDATE", former.properties.clone());
    // `ContinueUpdateRollback`: a skipped resource counts as updated, and remains as it is.
    let is_replaced = stack.resources.get(key).is_some_and(|now| now.physical_id != former.physical_id);
    let kind = if is_replaced || operation.skipped.contains(key) { Kind::Restore } else { Kind::Update };
    Need::Work { verb, kind, properties, reason: None }
}

/// The service carries out the request.
fn initiate(account: &mut Account, event: &str) {
    let Some((id, key)) = subject(account, event) else { return };
    let Some(stack) = account.cloudformation.stacks.get(id) else { return };
    let Some(task) = stack.operation.as_ref().and_then(|operation| operation.tasks.get(key)) else { return };
    let (kind, effect) = (task.kind, task.effect.clone());
    if let Some(ResourceEffect::Fails(reason)) = &effect
        && account.chance.happens(0.5)
    {
        return fail(account, id, key, reason.clone());
    }
    let resource_type = resource_type(stack_of(account, id), key);
    match carry_out(account, id, key, kind, &resource_type) {
        Err(reason) => return fail(account, id, key, reason),
        Ok(provided) => accept(account, id, key, kind, provided),
    }
    let is_express = is_express(account, id);
    if is_express {
        linger_of(account, id, key, kind);
    }
    let usual = match kind {
        _ if is_express => faults::pause(account),
        Kind::Restore => faults::pause(account),
        _ => faults::duration(account, &resource_type),
    };
    match effect {
        Some(ResourceEffect::Hangs) => {}
        Some(ResourceEffect::Takes(long)) => run(account, id, key, long, finish),
        _ => run(account, id, key, usual, finish),
    }
}

/// Whether an operation ends before its resources are ready.
pub(super) fn is_express(account: &Account, id: &str) -> bool {
    account.cloudformation.operation(id).is_some_and(|operation| operation.deployment.is_express())
}

/// The resource becomes ready later than its step ends.
fn linger_of(account: &mut Account, id: &str, key: &str, kind: Kind) {
    let stack = stack_of(account, id);
    let Some(Resource { resource_type, physical_id, .. }) = stack.resources.get(key).cloned() else { return };
    let region = stack.region.clone();
    linger(account, &region, &resource_type, &physical_id, matches!(kind, Kind::Create | Kind::Replace));
}

/// Asks the resource's provider. `None` for a resource that is not touched.
fn carry_out(
    account: &mut Account,
    id: &str,
    key: &str,
    kind: Kind,
    resource_type: &str,
) -> Result<Option<Provided>, String> {
    let stack = stack_of(account, id);
    let (name, region) = (stack.name.clone(), stack.region.clone());
    let physical_id = stack.resources.get(key).map(|resource| resource.physical_id.clone()).unwrap_or_default();
    let task = stack.operation.as_ref().and_then(|operation| operation.tasks.get(key));
    let properties = task.map(|task| task.properties.clone()).unwrap_or_default();
    let tags = super::tags(account, &region, &name, key);
    let properties = &with_stack_tags(resource_type, &properties, &tags);
    let (stack, region) = (name.as_str(), region.as_str());
    let wanted = Wanted { region, stack, logical_id: key, resource_type, properties };
    let provider = provider(resource_type);
    match kind {
        Kind::Create | Kind::Replace => (provider.create)(account, wanted).map(Some),
        Kind::Update => (provider.update)(account, &physical_id, wanted).map(Some),
        Kind::Import => imported(account, wanted).map(Some),
        Kind::Restore | Kind::Delete => Ok(None),
    }
}

/// Imports an existing resource as it is.
fn imported(account: &Account, wanted: Wanted<'_>) -> Result<Provided, String> {
    let name = schema::unique_name(wanted.resource_type).and_then(|name| wanted.properties.get(name)?.as_str());
    let physical_id = name.unwrap_or_default().to_owned();
    match inspect(account, wanted.region, wanted.resource_type, &physical_id) {
        Inspected::Missing => Err(format!("Resource {physical_id} does not exist")),
        Inspected::Exists | Inspected::Has(_) => {
            let arn = ids::arn(&account.id, wanted.region, wanted.resource_type, &physical_id);
            Ok(Provided { physical_id, attributes: [("Arn".to_owned(), Value::String(arn))].into() })
        }
    }
}

/// Records what the service has made.
fn accept(account: &mut Account, id: &str, key: &str, kind: Kind, provided: Option<Provided>) {
    let now = account.now();
    let Some(stack) = account.cloudformation.stack_mut(id) else { return };
    let Some(provided) = provided else { return restore(stack, key) };
    let task = stack.operation.as_ref().and_then(|operation| operation.tasks.get(key));
    let (verb, properties) = task.map(|task| (task.verb, task.properties.clone())).unwrap_or_default();
    let Some(resource) = stack.resources.get_mut(key) else { return };
    resource.properties = properties;
    resource.physical_id = provided.physical_id;
    resource.attributes = Arc::new(provided.attributes);
    if matches!(kind, Kind::Create | Kind::Replace) {
        let reason = "Resource creation Initiated".to_owned();
        stack.set_resource(key, in_progress(verb), Some(reason), now);
    }
}

/// Points to the resource that the failed update had replaced. Its replacement is deleted in the cleanup.
fn restore(stack: &mut Stack, key: &str) {
    let Some(operation) = &mut stack.operation else { return };
    let Some(Some(former)) = operation.changed.get(key) else { return };
    if operation.skipped.contains(key) {
        return;
    }
    let status = "UPDATE_IN_PROGRESS";
    let replacement = stack.resources.insert(key.to_owned(), Resource { status, ..former.clone() });
    if let Some(replacement) = replacement.filter(|replacement| !replacement.physical_id.is_empty()) {
        operation.garbage.push(super::operation::Doomed {
            logical_id: key.to_owned(),
            physical_id: replacement.physical_id,
            resource_type: replacement.resource_type,
            is_retained: false,
        });
    }
}

/// The resource is ready, or has failed late.
fn finish(account: &mut Account, event: &str) {
    let Some((id, key)) = subject(account, event) else { return };
    let now = account.now();
    let Some(task) = account.cloudformation.task_mut(id, key) else { return };
    let verb = task.verb;
    if let Some(ResourceEffect::Fails(reason)) = task.effect.take() {
        return fail(account, id, key, reason);
    }
    let Some(stack) = account.cloudformation.stack_mut(id) else { return };
    let skipped = stack.operation.as_ref().is_some_and(|operation| operation.skipped.contains(key));
    let is_express = stack.operation.as_ref().is_some_and(|operation| operation.deployment.is_express());
    let reason = match (skipped, is_express) {
        (true, _) => Some("Resource was skipped during the rollback".to_owned()),
        (false, true) => Some(express::COMPLETED.to_owned()),
        (false, false) => None,
    };
    stack.set_resource(key, complete(verb), reason, now);
    end(stack, key);
    proceed_with(account, id);
}

fn end(stack: &mut Stack, key: &str) {
    let (Some(operation), Some(version)) = (&mut stack.operation, &stack.version) else { return };
    if operation.phase == Phase::Restore {
        operation.restored.insert(key.to_owned());
    }
    let template = version.template.clone();
    operation.end(key, &template);
}

/// A resource failed. A failed restoration does not stop the others; any other failure cancels them.
pub(super) fn fail(account: &mut Account, id: &str, key: &str, reason: String) {
    let now = account.now();
    let Some(stack) = account.cloudformation.stack_mut(id) else { return };
    let Some(operation) = &mut stack.operation else { return };
    let verb = operation.tasks.get(key).map_or("UPDATE", |task| task.verb);
    operation.failed.insert((verb, key.to_owned()));
    if let Some(task) = operation.tasks.get_mut(key) {
        task.state = State::Ended;
        operation.running -= 1;
    }
    let is_restoration = operation.phase == Phase::Restore;
    stack.set_resource(key, failed(verb), Some(reason), now);
    if is_restoration {
        return proceed_with(account, id);
    }
    phases::cancel(stack, now);
    phases::failed(account, id);
}

fn stack_of<'a>(account: &'a Account, id: &str) -> &'a Stack {
    // Callers have found the stack's operation.
    &account.cloudformation.stacks[id]
}

pub(super) const fn in_progress(verb: &'static str) -> &'static str {
    match verb.as_bytes() {
        b"CREATE" => "CREATE_IN_PROGRESS",
        b"IMPORT" => "IMPORT_IN_PROGRESS",
        b"DELETE" => "DELETE_IN_PROGRESS",
        _ => "UPDATE_IN_PROGRESS",
    }
}

pub(super) const fn complete(verb: &'static str) -> &'static str {
    match verb.as_bytes() {
        b"CREATE" => "CREATE_COMPLETE",
        b"IMPORT" => "IMPORT_COMPLETE",
        b"DELETE" => "DELETE_COMPLETE",
        _ => "UPDATE_COMPLETE",
    }
}

pub(super) const fn failed(verb: &'static str) -> &'static str {
    match verb.as_bytes() {
        b"CREATE" => "CREATE_FAILED",
        b"IMPORT" => "IMPORT_FAILED",
        b"DELETE" => "DELETE_FAILED",
        _ => "UPDATE_FAILED",
    }
}
