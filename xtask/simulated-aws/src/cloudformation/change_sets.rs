//! Change sets (CloudFormation API reference: `CreateChangeSet`, `DescribeChangeSet`, `ExecuteChangeSet`, `DeleteChangeSet`,
//! `ListChangeSets`).

use std::sync::Arc;

use super::{
    changes::compare,
    control::{new_stack, updatable},
    express::Deployment,
    faults::pause,
    input::{find, required, valid_name, version},
    invalid,
    phases::{self, Start},
    print,
    state::{ChangeSet, Stack},
    template::Version,
};
use crate::{
    account::Account,
    wire::{Element, Form, Handled, Refusal, Reply},
};

/// The changes on a page. AWS's pages hold up to 1 MB.
const PAGE: usize = 100;

pub(super) fn create(account: &mut Account, region: &str, form: &Form) -> Handled {
    let name = valid_name("changeSetName", required(form, "ChangeSetName")?)?.to_owned();
    let given = required(form, "StackName")?;
    let is_creation = match form.get("ChangeSetType") {
        Some("CREATE") => true,
        Some("UPDATE") | None => false,
        Some(other) => return Err(invalid(format!("the simulated CloudFormation has no change sets of type {other}"))),
    };
    let deployment = Deployment::read(form)?;
    let known = account.cloudformation.find(region, given);
    let (existing, place) = match (known, is_creation) {
        (Some(stack), true) if stack.is_under_review() => (Some(stack.id.clone()), stack.place()),
        (Some(stack), true) => {
            return Err(invalid(format!(
                "Stack [{}] already exists and cannot be created again with the changeSet [{name}].",
                stack.name
            )));
        }
        (Some(stack), false) if !stack.is_under_review() => {
            updatable(stack)?;
            deployment.check_mode(stack)?;
            (Some(stack.id.clone()), stack.place())
        }
        (_, false) => return Err(invalid(format!("Stack [{given}] does not exist"))),
        (None, true) => (None, new_stack(account, region, given)?),
    };
    if let Some(found) = existing.as_ref().and_then(|id| account.cloudformation.stacks.get(id)?.change_sets.get(&name))
    {
        return repeated(found, &place.id, form);
    }
    let version = version(account, &place, existing.as_deref(), form)?;
    let imports = form.is_true("ImportExistingResources");
    let token = form.get("ClientToken").map(str::to_owned);
    let id = add(account, &place, New { name: &name, is_creation, imports, version, deployment, token });
    Ok(Reply::query("CreateChangeSet", [Element::text("Id", id), Element::text("StackId", &place.id)]))
}

/// A call with the token of the call that made the change set is a repetition (CloudFormation API reference, `ClientToken`).
fn repeated(found: &ChangeSet, stack: &str, form: &Form) -> Handled {
    if found.client_token.is_some() && found.client_token.as_deref() == form.get("ClientToken") {
        return Ok(Reply::query("CreateChangeSet", [Element::text("Id", &found.id), Element::text("StackId", stack)]));
    }
    let message =
        format!("ChangeSet {} cannot be created due to a mismatch with existing attribute Template", found.name);
    Err(Refusal::bad_request("AlreadyExistsException", message))
}

struct New<'a> {
    name: &'a str,
    is_creation: bool,
    imports: bool,
    version: Version,
    deployment: Deployment,
    token: Option<String>,
}

/// Adds a change set, and its stack if that is new; returns the change set's ID.
fn add(account: &mut Account, place: &super::resolve::Place, new: New<'_>) -> String {
    let uuid = account.chance.uuid();
    let id = format!("arn:aws:cloudformation:{}:{}:changeSet/{}/{uuid}", place.region, account.id, new.name);
    let now = account.now();
    if !account.cloudformation.stacks.contains_key(&place.id) {
        account.cloudformation.insert(place, "REVIEW_IN_PROGRESS", now);
    }
    let change_set = ChangeSet {
        id: id.clone(),
        name: new.name.to_owned(),
        is_creation: new.is_creation,
        imports: new.imports,
        status: "CREATE_PENDING",
        execution: "UNAVAILABLE",
        reason: None,
        created: now,
        version: new.version,
        deployment: new.deployment,
        changes: Arc::default(),
        refusals: Arc::default(),
        client_token: new.token,
        execution_token: None,
    };
    if let Some(stack) = account.cloudformation.stack_mut(&place.id) {
        stack.change_sets.insert(new.name.to_owned(), change_set);
    }
    let pause = pause(account);
    account.schedule(pause, begin, format!("{} {id}", place.id));
    id
}

fn pending<'a>(account: &'a mut Account, event: &str) -> Option<(&'a mut Stack, String)> {
    let (stack, id) = event.split_once(' ')?;
    let stack = account.cloudformation.stack_mut(stack)?;
    let name = stack.change_sets.values().find(|change_set| change_set.id == id)?.name.clone();
    Some((stack, name))
}

fn begin(account: &mut Account, event: &str) {
    let Some((stack, name)) = pending(account, event) else { return };
    if let Some(change_set) = stack.change_sets.get_mut(&name) {
        change_set.status = "CREATE_IN_PROGRESS";
        let more = pause(account) + pause(account);
        account.schedule(more, complete, event);
    }
}

/// The comparison is done.
fn complete(account: &mut Account, event: &str) {
    let Some((stack, name)) = pending(account, event) else { return };
    let Some(change_set) = stack.change_sets.get(&name) else { return };
    let (version, imports, id) = (change_set.version.clone(), change_set.imports, stack.id.clone());
    let Some(stack) = account.cloudformation.stacks.get(&id) else { return };
    let compared = compare(account, stack, &version, imports);
    let Some((stack, name)) = pending(account, event) else { return };
    let Some(change_set) = stack.change_sets.get_mut(&name) else { return };
    let failure = match compared {
        Err(reason) => Some(reason),
        Ok(compared) => {
            let failure = compared.failure().map(str::to_owned);
            (change_set.changes, change_set.refusals) = (Arc::new(compared.changes), Arc::new(compared.refusals));
            failure
        }
    };
    match failure {
        None => (change_set.status, change_set.execution) = ("CREATE_COMPLETE", "AVAILABLE"),
        Some(reason) => (change_set.status, change_set.reason) = ("FAILED", Some(reason)),
    }
}

/// Finds a change set by its ARN, or by its name and stack.
fn find_change_set<'a>(account: &'a Account, region: &str, form: &Form) -> Result<(&'a Stack, &'a ChangeSet), Refusal> {
    let name = required(form, "ChangeSetName")?;
    let not_found = || Refusal::new(404, "ChangeSetNotFound", format!("ChangeSet [{name}] does not exist"));
    if name.starts_with("arn:") {
        let all = account.cloudformation.stacks().filter(|stack| stack.region == region);
        let found = all.flat_map(|stack| stack.change_sets.values().map(move |change_set| (stack, change_set)));
        return { found }.find(|(_, change_set)| change_set.id == name).ok_or_else(not_found);
    }
    let given = form
        .get("StackName")
        .ok_or_else(|| invalid("StackName must be specified if ChangeSetName is not specified as an ARN."))?;
    let stack = find(account, region, given)?;
    stack.change_sets.get(name).map(|change_set| (stack, change_set)).ok_or_else(not_found)
}

pub(super) fn describe(account: &Account, region: &str, form: &Form) -> Handled {
    let (stack, change_set) = find_change_set(account, region, form)?;
    let start = print::position(form)?;
    let page = change_set.changes.iter().skip(start).take(PAGE).map(print::change);
    let next = (change_set.changes.len() > start + PAGE).then(|| start + PAGE);
    let elements = [Element::list("Changes", page)].into_iter().chain(print::change_set(stack, change_set));
    let token = next.map(|next| Element::text("NextToken", next));
    Ok(Reply::query("DescribeChangeSet", elements.chain(token)))
}

pub(super) fn list(account: &Account, region: &str, form: &Form) -> Handled {
    let stack = find(account, region, required(form, "StackName")?)?;
    let start = print::position(form)?;
    let all = stack.change_sets.values();
    let page = all.skip(start).take(PAGE).map(|change_set| print::change_set_summary(stack, change_set));
    let next = (stack.change_sets.len() > start + PAGE).then(|| Element::text("NextToken", start + PAGE));
    Ok(Reply::query("ListChangeSets", [Element::list("Summaries", page)].into_iter().chain(next)))
}

pub(super) fn delete(account: &mut Account, region: &str, form: &Form) -> Handled {
    let (id, name) = match find_change_set(account, region, form) {
        // A change set that does not exist is deleted already, if its stack exists (aws-cdk, `cleanupOldChangeset`).
        Err(refusal) if refusal.code == "ChangeSetNotFound" => return Ok(Reply::query("DeleteChangeSet", [])),
        found => {
            let (stack, change_set) = found?;
            let blocked =
                [change_set.status, change_set.execution].into_iter().find(|status| status.ends_with("_IN_PROGRESS"));
            if let Some(status) = blocked {
                let message = format!("Cannot delete ChangeSet in status {status}");
                return Err(Refusal::bad_request("InvalidChangeSetStatus", message));
            }
            (stack.id.clone(), change_set.name.clone())
        }
    };
    if let Some(stack) = account.cloudformation.stack_mut(&id) {
        stack.change_sets.remove(&name);
    }
    Ok(Reply::query("DeleteChangeSet", []))
}

pub(super) fn execute(account: &mut Account, region: &str, form: &Form) -> Handled {
    let (stack, change_set) = find_change_set(account, region, form)?;
    let (id, name) = (stack.id.clone(), change_set.name.clone());
    let token = form.get("ClientRequestToken").map(str::to_owned);
    if token.is_some() && token == change_set.execution_token {
        return Ok(Reply::query("ExecuteChangeSet", []));
    }
    let refused = |what: &str, status: &str| {
        let message = format!("ChangeSet [{}] cannot be executed in its current {what} of [{status}]", change_set.id);
        Refusal::bad_request("InvalidChangeSetStatus", message)
    };
    if change_set.status != "CREATE_COMPLETE" {
        return Err(refused("status", change_set.status));
    }
    if change_set.execution != "AVAILABLE" {
        return Err(refused("execution status", change_set.execution));
    }
    let deployment = change_set.deployment.or_keeping(form.is_true("DisableRollback"));
    if !change_set.is_creation {
        updatable(stack)?;
        deployment.check_mode(stack)?;
        deployment.check_rollback(stack)?;
    }
    let imports = change_set.changes.iter().filter(|change| change.action == "Import");
    let imports = imports.map(|change| change.logical_id.clone()).collect();
    let version = change_set.version.clone();
    if let Some(stack) = account.cloudformation.stack_mut(&id) {
        // The other change sets are no longer valid for the stack (CloudFormation API reference, `ExecuteChangeSet`).
        stack.change_sets.retain(|other, _| *other == name);
        if let Some(change_set) = stack.change_sets.get_mut(&name) {
            change_set.execution = "EXECUTE_IN_PROGRESS";
            change_set.execution_token.clone_from(&token);
        }
    }
    phases::apply(account, &id, version, Start { change_set: Some(name), token, deployment, imports });
    Ok(Reply::query("ExecuteChangeSet", []))
}
