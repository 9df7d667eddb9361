//! The XML of stacks, change sets and events (CloudFormation API reference, "Data Types").

use super::{
    changes::{Change, Detail},
    invalid,
    state::{ChangeSet, Event, Resource, Stack},
};
use crate::wire::{Element, Form, Refusal};

/// Reads where a page starts. The tokens of this model are positions.
pub(super) fn position(form: &Form) -> Result<usize, Refusal> {
    match form.get("NextToken") {
        None => Ok(0),
        Some(token) => token.parse().map_err(|_| invalid("The specified NextToken is invalid")),
    }
}

fn pairs<'a>(name: &str, keys: [&str; 2], all: impl IntoIterator<Item = (&'a String, &'a String)>) -> Element {
    let [key, value] = keys;
    let item = |(name, text): (&String, &String)| vec![Element::text(key, name), Element::text(value, text)];
    Element::list(name, all.into_iter().map(item))
}

pub(super) fn stack(stack: &Stack) -> Vec<Element> {
    let mut elements = summary(stack);
    let version = stack.version.as_ref();
    elements.push(Element::text("EnableTerminationProtection", stack.is_protected));
    elements.push(Element::text("DisableRollback", stack.deployment.keeps_failed));
    elements.extend(stack.deployment.print());
    elements.push(pairs("Outputs", ["OutputKey", "OutputValue"], stack.outputs.iter()));
    if let Some(version) = version {
        elements.push(pairs("Parameters", ["ParameterKey", "ParameterValue"], version.parameters.iter()));
        elements.push(pairs("Tags", ["Key", "Value"], version.tags.iter()));
        elements.extend(version.role.as_ref().map(|role| Element::text("RoleARN", role)));
        elements.extend(version.template.body["Description"].as_str().map(|text| Element::text("Description", text)));
    }
    elements
}

pub(super) fn summary(stack: &Stack) -> Vec<Element> {
    let mut elements = vec![
        Element::text("StackId", &stack.id),
        Element::text("StackName", &stack.name),
        Element::text("CreationTime", stack.created.iso8601()),
        Element::text("StackStatus", stack.status),
    ];
    elements.extend(stack.reason.as_ref().map(|reason| Element::text("StackStatusReason", reason)));
    elements.extend(stack.updated.map(|at| Element::text("LastUpdatedTime", at.iso8601())));
    elements.extend(stack.deleted.map(|at| Element::text("DeletionTime", at.iso8601())));
    elements
}

pub(super) fn event(stack: &Stack, event: &Event) -> Vec<Element> {
    let mut elements = vec![
        Element::text("StackId", &stack.id),
        Element::text("StackName", &stack.name),
        Element::text("EventId", &event.id),
        Element::text("LogicalResourceId", &event.logical_id),
        Element::text("PhysicalResourceId", &event.physical_id),
        Element::text("ResourceType", &event.resource_type),
        Element::text("ResourceStatus", event.status),
        Element::text("Timestamp", event.at.iso8601()),
    ];
    elements.extend(event.reason.as_ref().map(|reason| Element::text("ResourceStatusReason", reason)));
    elements.extend(event.token.as_ref().map(|token| Element::text("ClientRequestToken", token)));
    elements
}

pub(super) fn resource(id: &str, resource: &Resource) -> Vec<Element> {
    let mut elements = vec![
        Element::text("LogicalResourceId", id),
        Element::text("ResourceType", &resource.resource_type),
        Element::text("ResourceStatus", resource.status),
        Element::text("LastUpdatedTimestamp", resource.at.iso8601()),
    ];
    let physical_id = Some(&resource.physical_id).filter(|id| !id.is_empty());
    elements.extend(physical_id.map(|id| Element::text("PhysicalResourceId", id)));
    elements.extend(resource.reason.as_ref().map(|reason| Element::text("ResourceStatusReason", reason)));
    elements
}

pub(super) fn change(change: &Change) -> Vec<Element> {
    let mut scope: Vec<_> = change.details.iter().map(|detail| detail.attribute).collect();
    scope.dedup();
    let scope = scope.into_iter().map(|name| Element::text("member", name));
    let physical_id = Some(&change.physical_id).filter(|id| !id.is_empty());
    let resource = Element::new("ResourceChange")
        .with(Element::text("Action", change.action))
        .with(Element::text("LogicalResourceId", &change.logical_id))
        .with_text("PhysicalResourceId", physical_id)
        .with(Element::text("ResourceType", &change.resource_type))
        .with_text("Replacement", change.replacement)
        .with(Element::new("Scope").with_all(scope))
        .with(Element::list("Details", change.details.iter().map(detail)));
    vec![Element::text("Type", "Resource"), resource]
}

fn detail(detail: &Detail) -> Vec<Element> {
    let target = Element::new("Target")
        .with(Element::text("Attribute", detail.attribute))
        .with_text("Name", detail.property.as_ref())
        .with(Element::text("RequiresRecreation", detail.recreation));
    vec![target, Element::text("Evaluation", if detail.is_static { "Static" } else { "Dynamic" })]
}

pub(super) fn change_set_summary(stack: &Stack, change_set: &ChangeSet) -> Vec<Element> {
    let mut elements = vec![
        Element::text("ChangeSetId", &change_set.id),
        Element::text("ChangeSetName", &change_set.name),
        Element::text("StackId", &stack.id),
        Element::text("StackName", &stack.name),
        Element::text("CreationTime", change_set.created.iso8601()),
        Element::text("Status", change_set.status),
        Element::text("ExecutionStatus", change_set.execution),
        Element::text("ImportExistingResources", change_set.imports),
    ];
    elements.extend(change_set.reason.as_ref().map(|reason| Element::text("StatusReason", reason)));
    elements
}

pub(super) fn change_set(stack: &Stack, change_set: &ChangeSet) -> Vec<Element> {
    let mut elements = change_set_summary(stack, change_set);
    let version = &change_set.version;
    elements.push(pairs("Parameters", ["ParameterKey", "ParameterValue"], version.parameters.iter()));
    elements.push(pairs("Tags", ["Key", "Value"], version.tags.iter()));
    elements.extend(change_set.deployment.print());
    elements
}
