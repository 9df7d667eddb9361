//! Calls that change stacks without a change set, and that repair them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    CloudFormation,
    changes::compare,
    express::{Deployment, refuse_rollback},
    input::{find, required, valid_name, version},
    invalid,
    phases::{self, Start},
    resolve::Place,
    state::Stack,
};
use crate::{
    account::Account,
    time::Moment,
    wire::{Element, Form, Handled, Refusal, Reply},
};

/// Refuses a stack that cannot be updated (CloudFormation user guide, "Stack status codes").
pub(super) fn updatable(stack: &Stack) -> Result<(), Refusal> {
    match stack.status {
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "UPDATE_ROLLBACK_COMPLETE" | "UPDATE_FAILED" => Ok(()),
        status => Err(invalid(format!("Stack:{} is in {status} state and can not be updated.", stack.id))),
    }
}

/// The place of a new stack.
pub(super) fn new_stack(account: &mut Account, region: &str, name: &str) -> Result<Place, Refusal> {
    let stack = valid_name("stackName", name)?.to_owned();
    let id = format!("arn:aws:cloudformation:{region}:{}:stack/{stack}/{}", account.id, account.chance.uuid());
    Ok(Place { account: account.id.clone(), region: region.to_owned(), stack, id })
}

impl CloudFormation {
    /// Adds a stack without a template.
    pub(super) fn insert(&mut self, place: &Place, status: &'static str, now: Moment) {
        let number = self.next_number();
        let mut stack = Stack {
            id: place.id.clone(),
            name: place.stack.clone(),
            region: place.region.clone(),
            status,
            reason: None,
            outputs: Arc::default(),
            is_protected: false,
            resources: BTreeMap::new(),
            number,
            version: None,
            created: now,
            updated: None,
            deleted: None,
            events: Vec::new(),
            change_sets: BTreeMap::new(),
            operation: None,
            deployment: Deployment::default(),
            drifts: Arc::default(),
            account: place.account.clone(),
        };
        if stack.is_under_review() {
            stack.set_status(status, Some("User Initiated".to_owned()), now);
        }
        self.names.insert((place.region.clone(), place.stack.clone()), place.id.clone());
        self.stacks.insert(place.id.clone(), Arc::new(stack));
    }
}

fn deployment(form: &Form) -> Result<Deployment, Refusal> {
    let keeps_failed = form.is_true("DisableRollback") || form.get("OnFailure") == Some("DO_NOTHING");
    Ok(Deployment::read(form)?.or_keeping(keeps_failed))
}

fn start(form: &Form, deployment: Deployment) -> Start {
    let token = form.get("ClientRequestToken").map(str::to_owned);
    Start { deployment, token, ..Start::default() }
}

pub(super) fn create(account: &mut Account, region: &str, form: &Form) -> Handled {
    let name = required(form, "StackName")?;
    if account.cloudformation.stack(region, name).is_some() {
        return Err(Refusal::bad_request("AlreadyExistsException", format!("Stack [{name}] already exists")));
    }
    let deployment = deployment(form)?;
    let place = new_stack(account, region, name)?;
    let version = version(account, &place, None, form)?;
    let now = account.now();
    account.cloudformation.insert(&place, "CREATE_IN_PROGRESS", now);
    if let Some(stack) = account.cloudformation.stack_mut(&place.id) {
        stack.is_protected = form.is_true("EnableTerminationProtection");
    }
    phases::apply(account, &place.id, version, start(form, deployment));
    Ok(Reply::query("CreateStack", [Element::text("StackId", &place.id)]))
}

pub(super) fn update(account: &mut Account, region: &str, form: &Form) -> Handled {
    let stack = find(account, region, required(form, "StackName")?)?;
    if stack.is_under_review() {
        return Err(invalid(format!("Stack [{}] does not exist", stack.name)));
    }
    updatable(stack)?;
    let deployment = deployment(form)?;
    deployment.check_mode(stack)?;
    deployment.check_rollback(stack)?;
    let (id, place) = (stack.id.clone(), stack.place());
    let version = version(account, &place, Some(&id), form)?;
    let stack = find(account, region, &id)?;
    let is_kept = stack.status == "UPDATE_FAILED";
    if !compare(account, stack, &version, false).map_err(invalid)?.has_changes && !is_kept {
        return Err(invalid("No updates are to be performed."));
    }
    if let Some(stack) = account.cloudformation.stack_mut(&id) {
        // CloudFormation API reference, `DescribeChangeSet`, `ExecutionStatus`: the stack has been updated since.
        for change_set in stack.change_sets.values_mut().filter(|change_set| change_set.execution == "AVAILABLE") {
            change_set.execution = "OBSOLETE";
        }
    }
    phases::apply(account, &id, version, start(form, deployment));
    Ok(Reply::query("UpdateStack", [Element::text("StackId", id)]))
}

pub(super) fn delete(account: &mut Account, region: &str, form: &Form) -> Handled {
    let done = || Ok(Reply::query("DeleteStack", []));
    // A stack that does not exist is deleted already (CloudFormation API reference, `DeleteStack`).
    let Some(stack) = account.cloudformation.find(region, required(form, "StackName")?) else { return done() };
    let (id, name, status) = (stack.id.clone(), stack.name.clone(), stack.status);
    if matches!(status, "DELETE_IN_PROGRESS" | "DELETE_COMPLETE") {
        return done();
    }
    if stack.is_protected {
        return Err(invalid(format!("Stack [{name}] cannot be deleted while TerminationProtection is enabled")));
    }
    if status.starts_with("UPDATE") && status.ends_with("_IN_PROGRESS") {
        return Err(invalid(format!("Stack [{id}] cannot be deleted while in status {status}")));
    }
    let retained: BTreeSet<_> = form.texts("RetainResources").into_iter().collect();
    if !retained.is_empty() && status != "DELETE_FAILED" {
        return Err(invalid(format!(
            "Invalid operation on stack [{id}]. When you delete a stack, specify which resources to retain only when the stack is in the \
             DELETE_FAILED state."
        )));
    }
    if let Some(unknown) = retained.iter().find(|id| !stack.resources.contains_key(*id)) {
        return Err(invalid(format!("The resources to retain must be resources of the stack: [{unknown}]")));
    }
    let deployment = Deployment::read(form)?;
    phases::delete_stack(account, &id, &retained, start(form, deployment));
    done()
}

pub(super) fn protect(account: &mut Account, region: &str, form: &Form) -> Handled {
    let id = find(account, region, required(form, "StackName")?)?.id.clone();
    if let Some(stack) = account.cloudformation.stack_mut(&id) {
        stack.is_protected = form.is_true("EnableTerminationProtection");
    }
    Ok(Reply::query("UpdateTerminationProtection", [Element::text("StackId", id)]))
}

pub(super) fn cancel(account: &mut Account, region: &str, form: &Form) -> Handled {
    let stack = find(account, region, required(form, "StackName")?)?;
    if stack.status != "UPDATE_IN_PROGRESS" {
        return Err(invalid("CancelUpdateStack cannot be called from current stack status"));
    }
    let (id, now) = (stack.id.clone(), account.now());
    if let Some(stack) = account.cloudformation.stack_mut(&id) {
        phases::cancel(stack, now);
    }
    phases::roll_back_update(account, &id, "User Initiated".to_owned());
    Ok(Reply::query("CancelUpdateStack", []))
}

pub(super) fn roll_back(account: &mut Account, region: &str, form: &Form) -> Handled {
    let stack = find(account, region, required(form, "StackName")?)?;
    refuse_rollback(stack)?;
    let (id, reason) = (stack.id.clone(), "User Initiated".to_owned());
    match stack.status {
        "CREATE_FAILED" => phases::roll_back_creation(account, &id, reason),
        "UPDATE_FAILED" => phases::roll_back_update(account, &id, reason),
        // A stable stack keeps its state (CloudFormation API reference, `RollbackStack`: `CREATE_FAILED` or `UPDATE_FAILED` roll back).
        status => return Err(invalid(format!("Stack:{id} is in {status} state and can not be rolled back."))),
    }
    Ok(Reply::query("RollbackStack", [Element::text("StackId", id)]))
}

pub(super) fn continue_rollback(account: &mut Account, region: &str, form: &Form) -> Handled {
    let stack = find(account, region, required(form, "StackName")?)?;
    let id = stack.id.clone();
    if stack.status != "UPDATE_ROLLBACK_FAILED" {
        return Err(invalid(format!("Stack:{id} is in {} state and can not continue update rollback.", stack.status)));
    }
    let skipped: BTreeSet<_> = form.texts("ResourcesToSkip").into_iter().collect();
    // CloudFormation API reference, `ContinueUpdateRollback`: only resources in `UPDATE_FAILED` because a rollback failed, not because
    // the update failed or was cancelled.
    let failed = stack.operation.as_ref().map(|operation| &operation.failed);
    let is_failed = |key: &&String| failed.is_some_and(|failed| failed.iter().any(|(_, id)| id == *key));
    let others: Vec<_> = skipped.iter().filter(|key| !is_failed(key)).map(String::as_str).collect();
    if !others.is_empty() {
        return Err(invalid(format!("Resources [{}] to skip must be in the UPDATE_FAILED state", others.join(", "))));
    }
    if let Some(operation) = account.cloudformation.operation_mut(&id) {
        operation.skipped = skipped;
        operation.token = form.get("ClientRequestToken").map(Arc::from);
    }
    phases::roll_back_update(account, &id, "User Initiated".to_owned());
    Ok(Reply::query("ContinueUpdateRollback", []))
}
