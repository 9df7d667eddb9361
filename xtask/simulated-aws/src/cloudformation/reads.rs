//! Calls that only read (CloudFormation API reference: `DescribeStacks`, `ListStacks`, `GetTemplate`, `DescribeStackEvents`,
//! `DescribeEvents`, `ListStackResources`).

use std::cmp::Reverse;

use super::{
    input::{find, required},
    invalid, print,
    state::{Event, Stack},
};
use crate::{
    account::Account,
    wire::{Element, Form, Handled, Refusal, Reply},
};

/// The items on a page. AWS's pages hold up to 1 MB, of events and resources about a hundred.
const PAGE: usize = 100;

fn stack_with_id(account: &Account, region: &str, name: &str) -> Result<Stacked, Refusal> {
    let found = account.cloudformation.find(region, name);
    found.map(|stack| Stacked(stack.id.clone())).ok_or_else(|| invalid(format!("Stack with id {name} does not exist")))
}

/// The ID of a stack that exists.
struct Stacked(String);

/// Returns the stacks of a region, the newest first, below the one that a token names.
fn newest_first<'a>(
    account: &'a Account,
    region: &str,
    form: &Form,
    is_wanted: impl Fn(&Stack) -> bool,
) -> Result<(Vec<&'a Stack>, Option<u64>), Refusal> {
    let last = match form.get("NextToken") {
        None => u64::MAX,
        Some(token) => token.parse().map_err(|_| invalid("The specified NextToken is invalid"))?,
    };
    let all = account.cloudformation.stacks();
    let mut wanted: Vec<_> =
        all.filter(|stack| stack.region == region && stack.number < last && is_wanted(stack)).collect();
    wanted.sort_by_key(|stack| Reverse(stack.number));
    let has_more = wanted.len() > PAGE;
    wanted.truncate(PAGE);
    let next = wanted.last().map(|stack| stack.number).filter(|_| has_more);
    Ok((wanted, next))
}

pub(super) fn describe_stacks(account: &Account, region: &str, form: &Form) -> Handled {
    let (stacks, next) = match form.get("StackName") {
        Some(name) => {
            let Stacked(id) = stack_with_id(account, region, name)?;
            (account.cloudformation.find(region, &id).into_iter().collect(), None)
        }
        // Deleted stacks are described by their ID only.
        None => newest_first(account, region, form, |stack| stack.status != "DELETE_COMPLETE")?,
    };
    let stacks = Element::list("Stacks", stacks.into_iter().map(print::stack));
    let next = next.map(|next| Element::text("NextToken", next));
    Ok(Reply::query("DescribeStacks", [stacks].into_iter().chain(next)))
}

pub(super) fn list_stacks(account: &Account, region: &str, form: &Form) -> Handled {
    let statuses = form.texts("StackStatusFilter");
    let is_wanted = |stack: &Stack| statuses.is_empty() || statuses.iter().any(|status| status == stack.status);
    let (stacks, next) = newest_first(account, region, form, is_wanted)?;
    let summaries = Element::list("StackSummaries", stacks.into_iter().map(print::summary));
    let next = next.map(|next| Element::text("NextToken", next));
    Ok(Reply::query("ListStacks", [summaries].into_iter().chain(next)))
}

pub(super) fn template(account: &Account, region: &str, form: &Form) -> Handled {
    let name = required(form, "StackName")?;
    let missing = || invalid(format!("Stack with id {name} does not exist"));
    let stack = account.cloudformation.find(region, name).ok_or_else(missing)?;
    // A stack under review has an empty template (stack_master, pull request 233; awscdk-v1-stack-finder, issue 273).
    let text = stack.version.as_ref().map_or("", |version| version.template.text.as_str());
    let stages = ["Original", "Processed"].map(|stage| Element::text("member", stage));
    let stages = Element::new("StagesAvailable").with_all(stages);
    Ok(Reply::query("GetTemplate", [Element::text("TemplateBody", text), stages]))
}

pub(super) fn stack_events(account: &Account, region: &str, form: &Form) -> Handled {
    let stack = find(account, region, required(form, "StackName")?)?;
    // The token counts from the oldest event, so that events that are added meanwhile shift nothing.
    let end = match form.get("NextToken") {
        None => stack.events.len(),
        Some(_) => print::position(form)?.min(stack.events.len()),
    };
    let start = end.saturating_sub(PAGE);
    let events = stack.events[start..end].iter().rev().map(|event| print::event(stack, event));
    let next = (start > 0).then(|| Element::text("NextToken", start));
    Ok(Reply::query("DescribeStackEvents", [Element::list("StackEvents", events)].into_iter().chain(next)))
}

/// The events of operations: validation failures of a change set, or the events of a stack.
pub(super) fn operation_events(account: &Account, region: &str, form: &Form) -> Handled {
    let is_failed_only = form.is_true("Filters.FailedEvents");
    let events = match (form.get("ChangeSetName"), form.get("StackName")) {
        (Some(change_set), _) => refusals(account, region, change_set)?,
        (None, Some(name)) => {
            let stack = find(account, region, name)?;
            let events = stack.events.iter().rev().filter(|event| !is_failed_only || event.status.ends_with("_FAILED"));
            events.map(|event| stack_event(stack, event)).collect()
        }
        (None, None) => return Err(invalid("Either ChangeSetName or StackName must be specified.")),
    };
    let start = print::position(form)?;
    let next = (events.len() > start + PAGE).then(|| Element::text("NextToken", start + PAGE));
    let page = Element::list("OperationEvents", events.into_iter().skip(start).take(PAGE));
    Ok(Reply::query("DescribeEvents", [page].into_iter().chain(next)))
}

fn stack_event(stack: &Stack, event: &Event) -> Vec<Element> {
    let mut elements = print::event(stack, event);
    elements.push(Element::text("EventType", "PROGRESS_EVENT"));
    elements
}

/// The validation failures of a change set, which is named by its ARN (CloudFormation user guide, "Validate stack deployments").
fn refusals(account: &Account, region: &str, change_set: &str) -> Result<Vec<Vec<Element>>, Refusal> {
    let mut all = account.cloudformation.stacks().filter(|stack| stack.region == region);
    let found = all.find_map(|stack| {
        let change_set = stack.change_sets.values().find(|found| found.id == change_set)?;
        Some((stack, change_set))
    });
    let missing = || Refusal::new(404, "ChangeSetNotFound", format!("ChangeSet [{change_set}] does not exist"));
    let (stack, found) = found.ok_or_else(missing)?;
    let events = found.refusals.iter().enumerate().map(|(index, refused)| {
        vec![
            Element::text("EventId", format!("{}-{index}", found.name)),
            Element::text("StackId", &stack.id),
            Element::text("EventType", "VALIDATION_ERROR"),
            Element::text("LogicalResourceId", &refused.logical_id),
            Element::text("PhysicalResourceId", &refused.physical_id),
            Element::text("ResourceType", &refused.resource_type),
            Element::text("Timestamp", found.created.iso8601()),
            Element::text("ValidationFailureMode", "FAIL"),
            Element::text("ValidationName", "NAME_CONFLICT_VALIDATION"),
            Element::text("ValidationStatus", "FAILED"),
            Element::text("ValidationStatusReason", &refused.reason),
            Element::text("ValidationPath", format!("/Resources/{}", refused.logical_id)),
        ]
    });
    Ok(events.collect())
}

pub(super) fn resources(account: &Account, region: &str, form: &Form) -> Handled {
    let Stacked(id) = stack_with_id(account, region, required(form, "StackName")?)?;
    let stack = find(account, region, &id)?;
    let start = print::position(form)?;
    let page = stack.resources.iter().skip(start).take(PAGE).map(|(id, found)| print::resource(id, found));
    let next = (stack.resources.len() > start + PAGE).then(|| Element::text("NextToken", start + PAGE));
    let list = Element::list("StackResourceSummaries", page);
    Ok(Reply::query("ListStackResources", [list].into_iter().chain(next)))
}
