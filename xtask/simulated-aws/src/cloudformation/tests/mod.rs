//! Tests of the model through the SDK's client.

mod change_sets;
mod deletion;
mod drift;
mod express;
mod histories;
mod input;
mod rollback;
mod updates;

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_cloudformation::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::describe_change_set::DescribeChangeSetOutput,
    types::{Capability, ChangeSetType, Parameter, Stack, StackEvent},
};
use serde_json::{Value, json};

use super::{ResourceAction, ResourceEffect, ResourceFault};
use crate::{Aws, Settings, testing::config};

/// A simulated AWS and its client.
pub(super) struct World {
    pub(super) aws: Aws,
    pub(super) client: Client,
}

/// A template with these resources: logical ID, type and properties.
pub(super) fn template(resources: &[(&str, &str, Value)]) -> Value {
    let resource = |(id, kind, properties): &(&str, &str, Value)| {
        ((*id).to_owned(), json!({ "Type": kind, "Properties": properties }))
    };
    json!({ "Resources": resources.iter().map(resource).collect::<serde_json::Map<_, _>>() })
}

pub(super) fn topic(name: &str) -> Value {
    json!({ "DisplayName": name })
}

/// The code and the message of a refusal.
pub(super) fn refusal<T, E, R>(answer: Result<T, SdkError<E, R>>) -> (String, String)
where
    E: ProvideErrorMetadata,
{
    let Err(error) = answer else { panic!("the call was not refused") };
    (error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned())
}

impl World {
    pub(super) fn new() -> Self {
        let aws = Aws::new(Settings::default());
        Self { client: Client::new(&config(&aws)), aws }
    }

    /// Creates a change set and waits until it is compared.
    pub(super) async fn change_set(&self, stack: &str, name: &str, template: &Value) -> DescribeChangeSetOutput {
        let exists = self.find(stack).await.is_some_and(|stack| status(&stack) != "REVIEW_IN_PROGRESS");
        let kind = if exists { ChangeSetType::Update } else { ChangeSetType::Create };
        let request = self.client.create_change_set().stack_name(stack).change_set_name(name).change_set_type(kind);
        let request = request.import_existing_resources(!exists).capabilities(Capability::CapabilityNamedIam);
        request.template_body(template.to_string()).send().await.expect("a change set");
        self.compared(stack, name).await
    }

    pub(super) async fn compared(&self, stack: &str, name: &str) -> DescribeChangeSetOutput {
        loop {
            let request = self.client.describe_change_set().stack_name(stack).change_set_name(name);
            let described = request.send().await.expect("a description");
            if !described.status().expect("a status").as_str().starts_with("CREATE_IN")
                && !described.status().expect("a status").as_str().ends_with("PENDING")
            {
                return described;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    pub(super) async fn execute(&self, stack: &str, name: &str) {
        self.client.execute_change_set().stack_name(stack).change_set_name(name).send().await.expect("executed");
    }

    /// Creates or updates a stack; returns its final status.
    pub(super) async fn deploy(&self, stack: &str, template: &Value) -> String {
        self.client.delete_change_set().stack_name(stack).change_set_name("c").send().await.ok();
        let described = self.change_set(stack, "c", template).await;
        assert_eq!(described.execution_status().map(|status| status.as_str()), Some("AVAILABLE"), "{described:?}");
        self.execute(stack, "c").await;
        status(&self.settled(stack).await)
    }

    pub(super) async fn find(&self, stack: &str) -> Option<Stack> {
        let found = self.client.describe_stacks().stack_name(stack).send().await.ok()?;
        found.stacks.unwrap_or_default().pop()
    }

    /// Waits until no operation is in progress.
    pub(super) async fn settled(&self, stack: &str) -> Stack {
        loop {
            let found = self.find(stack).await.expect("a stack");
            if !status(&found).ends_with("_IN_PROGRESS") {
                return found;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Waits until a stack has a status.
    pub(super) async fn until(&self, stack: &str, wanted: &str) {
        while self.find(stack).await.is_none_or(|stack| status(&stack) != wanted) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The events of a stack, oldest first: logical ID, status, reason.
    pub(super) async fn events(&self, stack: &str) -> Vec<(String, String, String)> {
        let pages = self.client.describe_stack_events().stack_name(stack).into_paginator().items().send();
        let events: Vec<StackEvent> = pages.try_collect().await.expect("events");
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let event = |event: &StackEvent| {
            let status = event.resource_status().map(|status| status.as_str().to_owned()).unwrap_or_default();
            (text(event.logical_resource_id()), status, text(event.resource_status_reason()))
        };
        events.iter().rev().map(event).collect()
    }

    /// The statuses that a logical ID, or the stack, went through.
    pub(super) async fn history(&self, stack: &str, id: &str) -> Vec<String> {
        let events = self.events(stack).await.into_iter().filter(|(of, ..)| of == id).map(|(_, status, _)| status);
        let mut statuses: Vec<_> = events.collect();
        statuses.dedup();
        statuses
    }

    /// The physical IDs and statuses of the resources that a stack lists.
    pub(super) async fn resources(&self, stack: &str) -> BTreeMap<String, (String, String)> {
        let listed = self.client.list_stack_resources().stack_name(stack).into_paginator().items().send();
        let listed = listed.try_collect().await.expect("resources");
        let resource = |resource: &aws_sdk_cloudformation::types::StackResourceSummary| {
            let id = resource.logical_resource_id().unwrap_or_default().to_owned();
            let status = resource.resource_status().map(|status| status.as_str().to_owned()).unwrap_or_default();
            (id, (resource.physical_resource_id().unwrap_or_default().to_owned(), status))
        };
        listed.iter().map(resource).collect()
    }

    pub(super) fn plan_fault(&self, resource: &str, action: ResourceAction, effect: ResourceEffect) {
        let fault = ResourceFault { stack: "*".to_owned(), resource: resource.to_owned(), action, effect };
        self.aws.change(|account| account.resource_faults.push(fault));
    }

    pub(super) fn fails(&self, resource: &str, action: ResourceAction) {
        self.plan_fault(resource, action, ResourceEffect::Fails("the service refuses".to_owned()));
    }

    /// The number of resources that exist, of a type.
    pub(super) fn count(&self, resource_type: &str) -> usize {
        self.aws.read(|account| account.bags.keys().filter(|(_, kind, _)| kind == resource_type).count())
    }
}

pub(super) fn status(stack: &Stack) -> String {
    stack.stack_status().map(|status| status.as_str().to_owned()).unwrap_or_default()
}

pub(super) fn parameter(key: &str, value: Option<&str>) -> Parameter {
    let parameter = Parameter::builder().parameter_key(key);
    match value {
        Some(value) => parameter.parameter_value(value),
        None => parameter.use_previous_value(true),
    }
    .build()
}
