//! Drift detection (CloudFormation API reference: `DetectStackDrift`, `DescribeStackDriftDetectionStatus`,
//! `DescribeStackResourceDrifts`): compares the properties that a template sets with the resources as they are.

use std::sync::Arc;

use serde_json::Value;

use super::{
    faults,
    input::{find, required},
    invalid, print,
    state::Stack,
};
use crate::{
    account::Account,
    resources::{Inspected, inspect},
    time::Moment,
    wire::{Element, Form, Handled, Reply},
};

/// The drifts on a page.
const PAGE: usize = 100;

/// A detection.
#[derive(Debug, Clone)]
pub(super) struct Detection {
    stack: String,
    is_complete: bool,
    started: Moment,
}

/// The drift of one resource.
#[derive(Debug, Clone)]
pub(super) struct Drift {
    logical_id: String,
    physical_id: String,
    resource_type: String,
    status: &'static str,
    differences: Vec<Difference>,
    at: Moment,
}

/// A property that differs (CloudFormation API reference, `PropertyDifference`).
#[derive(Debug, Clone, PartialEq, Eq)]
struct Difference {
    path: String,
    kind: &'static str,
    expected: String,
    actual: String,
}

pub(super) fn detect(account: &mut Account, region: &str, form: &Form) -> Handled {
    let stack = find(account, region, required(form, "StackName")?)?;
    // CloudFormation user guide, "Detect unmanaged configuration changes": these states only.
    let is_possible = matches!(
        stack.status,
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "UPDATE_ROLLBACK_COMPLETE" | "UPDATE_ROLLBACK_FAILED"
    );
    if !is_possible {
        let message = format!("Drift detection cannot be performed on stack [{}] in state {}", stack.id, stack.status);
        return Err(invalid(message));
    }
    let stack = stack.id.clone();
    let id = account.chance.uuid();
    let detection = Detection { stack, is_complete: false, started: account.now() };
    account.cloudformation.detections.insert(id.clone(), detection);
    let pause = faults::pause(account) * 4;
    account.schedule(pause, complete, id.as_str());
    Ok(Reply::query("DetectStackDrift", [Element::text("StackDriftDetectionId", id)]))
}

fn complete(account: &mut Account, id: &str) {
    let Some(detection) = account.cloudformation.detections.get_mut(id) else { return };
    detection.is_complete = true;
    let Some(stack) = account.cloudformation.stacks.get(&detection.stack) else { return };
    let (id, now) = (stack.id.clone(), account.now());
    let owned = stack.resources.iter().filter(|(_, resource)| resource.is_owned());
    let drifts = owned.map(|(logical_id, resource)| {
        let actual = inspect(account, &stack.region, &resource.resource_type, &resource.physical_id);
        let (status, differences) = match actual {
            Inspected::Missing => ("DELETED", Vec::new()),
            Inspected::Exists => ("NOT_CHECKED", Vec::new()),
            Inspected::Has(actual) => {
                let mut found = Vec::new();
                differences(&resource.properties, Some(actual), "", &mut found);
                (if found.is_empty() { "IN_SYNC" } else { "MODIFIED" }, found)
            }
        };
        let (physical_id, resource_type) = (resource.physical_id.clone(), resource.resource_type.clone());
        Drift { logical_id: logical_id.clone(), physical_id, resource_type, status, differences, at: now }
    });
    let drifts = Arc::new(drifts.collect());
    if let Some(stack) = account.cloudformation.stack_mut(&id) {
        stack.drifts = drifts;
    }
}

/// Collects the properties that the template sets and that differ. Those that it does not set are not compared.
fn differences(expected: &Value, actual: Option<&Value>, path: &str, found: &mut Vec<Difference>) {
    if Some(expected) == actual {
        return;
    }
    if let (Value::Object(expected), Some(Value::Object(actual))) = (expected, actual) {
        for (key, value) in expected {
            differences(value, actual.get(key), &format!("{path}/{key}"), found);
        }
        return;
    }
    let kind = if actual.is_none() { "REMOVE" } else { "NOT_EQUAL" };
    let actual = actual.map(Value::to_string).unwrap_or_default();
    found.push(Difference { path: path.to_owned(), kind, expected: expected.to_string(), actual });
}

fn has_drifted(stack: &Stack) -> usize {
    stack.drifts.iter().filter(|drift| matches!(drift.status, "MODIFIED" | "DELETED")).count()
}

pub(super) fn status(account: &Account, form: &Form) -> Handled {
    let id = required(form, "StackDriftDetectionId")?;
    let missing = || invalid(format!("Drift detection operation [{id}] does not exist"));
    let detection = account.cloudformation.detections.get(id).ok_or_else(missing)?;
    let count = account.cloudformation.stacks.get(&detection.stack).map_or(0, |stack| has_drifted(stack));
    let mut elements = vec![
        Element::text("StackId", &detection.stack),
        Element::text("StackDriftDetectionId", id),
        Element::text("Timestamp", detection.started.iso8601()),
    ];
    if detection.is_complete {
        elements.push(Element::text("DetectionStatus", "DETECTION_COMPLETE"));
        elements.push(Element::text("StackDriftStatus", if count == 0 { "IN_SYNC" } else { "DRIFTED" }));
        elements.push(Element::text("DriftedStackResourceCount", count));
    } else {
        elements.push(Element::text("DetectionStatus", "DETECTION_IN_PROGRESS"));
    }
    Ok(Reply::query("DescribeStackDriftDetectionStatus", elements))
}

pub(super) fn drifts(account: &Account, region: &str, form: &Form) -> Handled {
    let stack = find(account, region, required(form, "StackName")?)?;
    let statuses = form.texts("StackResourceDriftStatusFilters");
    let is_wanted = |drift: &&Drift| statuses.is_empty() || statuses.iter().any(|status| status == drift.status);
    let wanted: Vec<_> = stack.drifts.iter().filter(is_wanted).collect();
    let start = print::position(form)?;
    let page = wanted.iter().skip(start).take(PAGE).map(|drift| print_drift(stack, drift));
    let next = (wanted.len() > start + PAGE).then(|| Element::text("NextToken", start + PAGE));
    let list = Element::list("StackResourceDrifts", page);
    Ok(Reply::query("DescribeStackResourceDrifts", [list].into_iter().chain(next)))
}

fn print_drift(stack: &Stack, drift: &Drift) -> Vec<Element> {
    let difference = |difference: &Difference| {
        vec![
            Element::text("PropertyPath", &difference.path),
            Element::text("ExpectedValue", &difference.expected),
            Element::text("ActualValue", &difference.actual),
            Element::text("DifferenceType", difference.kind),
        ]
    };
    vec![
        Element::text("StackId", &stack.id),
        Element::text("LogicalResourceId", &drift.logical_id),
        Element::text("PhysicalResourceId", &drift.physical_id),
        Element::text("ResourceType", &drift.resource_type),
        Element::text("StackResourceDriftStatus", drift.status),
        Element::list("PropertyDifferences", drift.differences.iter().map(difference)),
        Element::text("Timestamp", drift.at.iso8601()),
    ]
}
