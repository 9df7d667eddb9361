//! The state of stacks, their resources, events and change sets.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;

use super::{
    changes::Change, drift::Drift, express::Deployment, operation::Operation, resolve::Place, template::Version,
};
use crate::time::Moment;

/// A stack, living or deleted.
#[derive(Debug, Clone)]
pub struct Stack {
    /// The ID, an ARN.
    pub id: String,
    /// The name.
    pub name: String,
    /// The region.
    pub region: String,
    /// The status (CloudFormation user guide, "Stack status codes").
    pub status: &'static str,
    /// The reason for the status.
    pub reason: Option<String>,
    /// The outputs.
    pub outputs: Arc<BTreeMap<String, String>>,
    /// Whether termination protection is on.
    pub is_protected: bool,
    /// The resources by logical ID, deleted ones included while the stack lists them.
    pub resources: BTreeMap<String, Resource>,
    pub(super) number: u64,
    pub(super) version: Option<Version>,
    pub(super) created: Moment,
    pub(super) updated: Option<Moment>,
    pub(super) deleted: Option<Moment>,
    pub(super) events: Vec<Arc<Event>>,
    pub(super) change_sets: BTreeMap<String, ChangeSet>,
    pub(super) operation: Option<Operation>,
    /// How the last operation was deployed.
    pub(super) deployment: Deployment,
    pub(super) drifts: Arc<Vec<Drift>>,
    pub(super) account: String,
}

/// A resource of a stack.
#[derive(Debug, Clone)]
pub struct Resource {
    /// The type.
    pub resource_type: String,
    /// The physical ID; empty before it is known.
    pub physical_id: String,
    /// The status.
    pub status: &'static str,
    /// The reason for the status.
    pub reason: Option<String>,
    /// The properties that CloudFormation has deployed.
    pub properties: Arc<Value>,
    pub(super) attributes: Arc<BTreeMap<String, Value>>,
    pub(super) at: Moment,
}

/// An event of a stack (CloudFormation API reference, `StackEvent`).
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) id: String,
    pub(super) logical_id: String,
    pub(super) physical_id: String,
    pub(super) resource_type: String,
    pub(super) status: &'static str,
    pub(super) reason: Option<String>,
    pub(super) token: Option<Arc<str>>,
    pub(super) at: Moment,
}

/// A change set.
#[derive(Debug, Clone)]
pub(super) struct ChangeSet {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) is_creation: bool,
    pub(super) imports: bool,
    pub(super) status: &'static str,
    pub(super) execution: &'static str,
    pub(super) reason: Option<String>,
    pub(super) created: Moment,
    pub(super) version: Version,
    pub(super) deployment: Deployment,
    pub(super) changes: Arc<Vec<Change>>,
    /// The failures of its validation (CloudFormation user guide, "Validate stack deployments").
    pub(super) refusals: Arc<Vec<Refused>>,
    pub(super) client_token: Option<String>,
    pub(super) execution_token: Option<String>,
}

/// A validation failure of a change set.
#[derive(Debug, Clone)]
pub(super) struct Refused {
    pub(super) logical_id: String,
    pub(super) resource_type: String,
    pub(super) physical_id: String,
    pub(super) reason: String,
}

impl Resource {
    pub(super) fn new(resource_type: &str) -> Self {
        Self {
            resource_type: resource_type.to_owned(),
            physical_id: String::new(),
            status: "CREATE_IN_PROGRESS",
            reason: None,
            properties: Arc::default(),
            attributes: Arc::default(),
            at: Moment::default(),
        }
    }

    /// Whether it is still the stack's: neither deleted nor given up.
    #[must_use]
    pub fn is_owned(&self) -> bool {
        !self.physical_id.is_empty() && !matches!(self.status, "DELETE_COMPLETE" | "DELETE_SKIPPED")
    }
}

impl Stack {
    /// Whether the last operation was in express mode.
    #[must_use]
    pub fn is_express(&self) -> bool {
        self.deployment.is_express()
    }

    /// Returns the template that the stack is deployed with, or is being deployed with; `None` before its first deployment.
    #[must_use]
    pub fn template(&self) -> Option<&Value> {
        self.version.as_ref().map(|version| &version.template.body)
    }

    /// Returns the values of the template's parameters.
    #[must_use]
    pub fn parameters(&self) -> Option<&BTreeMap<String, String>> {
        self.version.as_ref().map(|version| &*version.parameters)
    }

    /// Returns the tags.
    #[must_use]
    pub fn tags(&self) -> Option<&BTreeMap<String, String>> {
        self.version.as_ref().map(|version| &*version.tags)
    }

    pub(super) fn place(&self) -> Place {
        Place {
            account: self.account.clone(),
            region: self.region.clone(),
            stack: self.name.clone(),
            id: self.id.clone(),
        }
    }

    /// Sets the status, and adds its event.
    pub(super) fn set_status(&mut self, status: &'static str, reason: Option<String>, at: Moment) {
        (self.status, self.reason) = (status, reason.clone());
        let event = Event {
            id: String::new(),
            logical_id: self.name.clone(),
            physical_id: self.id.clone(),
            resource_type: "AWS::CloudFormation::Stack".to_owned(),
            status,
            reason,
            token: None,
            at,
        };
        self.add_event(event);
    }

    /// Sets the status of a resource, and adds its event.
    pub(super) fn set_resource(&mut self, id: &str, status: &'static str, reason: Option<String>, at: Moment) {
        let Some(resource) = self.resources.get_mut(id) else { return };
        (resource.status, resource.at) = (status, at);
        resource.reason.clone_from(&reason);
        let (physical_id, resource_type) = (resource.physical_id.clone(), resource.resource_type.clone());
        let (id, logical_id, token) = (String::new(), id.to_owned(), None);
        self.add_event(Event { id, logical_id, physical_id, resource_type, status, reason, token, at });
    }

    /// Adds an event. Those of one operation carry its token.
    pub(super) fn add_event(&mut self, mut event: Event) {
        event.id = format!("{}-{}-{:x}-{}", event.logical_id, event.status, self.number, self.events.len());
        event.token = self.operation.as_ref().and_then(|operation| operation.token.clone());
        self.events.push(Arc::new(event));
    }

    /// Whether CloudFormation knows a stack by this name: a stack without a template exists only for its change sets
    /// (CloudFormation API reference, `CreateChangeSet`, `ChangeSetType`).
    pub(super) fn is_under_review(&self) -> bool {
        self.status == "REVIEW_IN_PROGRESS"
    }
}
