//! CloudFormation: stacks, change sets, events.

mod repairs;
mod resources;

use std::collections::BTreeMap;

use aws_sdk_cloudformation::{
    Client,
    types::{
        Capability, ChangeSetStatus, ChangeSetType, ExecutionStatus, Parameter, ResourceChange, Stack, StackEvent, Tag,
        TemplateStage,
    },
};
use plan::change_set::ChangeSetEntry;
use serde_json::Value;

use super::{
    AwsError, Clients,
    error::{failed, gone_is_fine, if_found},
};

/// A stack as CloudFormation describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct StackState {
    /// Its status, for example `UPDATE_COMPLETE`.
    pub status: String,
    /// The reason for its status.
    pub reason: Option<String>,
    /// Its parameters' values.
    pub parameters: BTreeMap<String, String>,
    /// Its outputs.
    pub outputs: BTreeMap<String, String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// One event of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// The event's ID.
    pub(crate) id: String,
    /// The resource.
    pub(crate) logical_id: String,
    /// The resource's type.
    pub(crate) resource_type: String,
    /// The resource's status.
    pub(crate) status: String,
    /// The reason for its status.
    pub(crate) reason: Option<String>,
}

/// The value of a parameter in a change set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ParameterValue {
    /// A new value.
    Value(String),
    /// The value that the stack has.
    Previous,
}

/// The input of a change set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChangeSetRequest<'a> {
    /// The stack.
    pub(crate) stack: &'a str,
    /// The change set's name.
    pub(crate) name: &'a str,
    /// Whether the stack must be created.
    pub(crate) create: bool,
    /// The template.
    pub(crate) template: Template<'a>,
    /// Every parameter.
    pub(crate) parameters: &'a BTreeMap<String, ParameterValue>,
    /// The role that CloudFormation assumes; without one, it uses the caller's permissions.
    pub(crate) role: Option<&'a str>,
    /// Tags of the stack and all its resources.
    pub(crate) tags: &'a [(&'a str, &'a str)],
}

/// A template, in the request or in S3.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Template<'a> {
    /// At most 51,200 bytes (CloudFormation quotas page).
    Body(&'a str),
    /// A URL in S3.
    Url(&'a str),
}

/// The largest template in a request, in bytes (CloudFormation quotas page).
pub(crate) const BODY_LIMIT: usize = 51_200;

/// A change set that was not executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChangeSet {
    /// Its name.
    pub(crate) name: String,
    /// Whether CloudFormation is creating or deleting it.
    pub(crate) busy: bool,
}

/// The state of a change set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ChangeSetState {
    /// CloudFormation is still comparing.
    Pending,
    /// It can be executed, with these changes.
    Ready(Vec<ChangeSetEntry>),
    /// It has no changes.
    Empty,
    /// CloudFormation refuses it, for this reason.
    Failed(String),
}

/// CloudFormation in one region.
#[derive(Debug)]
pub struct CloudFormation {
    pub(super) client: Client,
}

impl Clients {
    /// CloudFormation in a region; `None` is the stage's.
    pub fn cloudformation(&self, region: Option<&str>) -> CloudFormation {
        CloudFormation { client: Client::new(&self.config_in(region)) }
    }
}

impl CloudFormation {
    /// Describes a stack; `None` if there is none.
    pub async fn describe(&self, stack: &str) -> Result<Option<StackState>, AwsError> {
        let described = self.client.describe_stacks().stack_name(stack).send().await;
        let described = if_found(described.map_err(|error| failed("cloudformation:DescribeStacks", error)))?;
        let found = described.as_ref().and_then(|described| described.stacks().first());
        Ok(found.map(state).filter(|state| state.status != "DELETE_COMPLETE"))
    }

    /// Describes every stack that exists, by name.
    pub(crate) async fn describe_all(&self) -> Result<BTreeMap<String, StackState>, AwsError> {
        let stacks = self.client.describe_stacks().into_paginator().items().send().try_collect().await;
        let stacks = stacks.map_err(|error| failed("cloudformation:DescribeStacks", error))?;
        let named = stacks.iter().filter_map(|stack| Some((stack.stack_name()?.to_owned(), state(stack))));
        Ok(named.filter(|(_, state)| state.status != "DELETE_COMPLETE").collect())
    }

    /// Reads the template that the stack was last deployed with; `None` if there is none, or if it is not JSON, which the engine always
    /// sends.
    pub(crate) async fn template(&self, stack: &str) -> Result<Option<Value>, AwsError> {
        let request = self.client.get_template().stack_name(stack).template_stage(TemplateStage::Original);
        let output = request.send().await.map_err(|error| failed("cloudformation:GetTemplate", error));
        Ok(if_found(output)?.and_then(|output| serde_json::from_str(output.template_body()?).ok()))
    }

    /// Creates a change set. One that exists already is fine: names are hashes of the changes, so the response to an earlier
    /// attempt was lost.
    pub(crate) async fn create_change_set(&self, request: ChangeSetRequest<'_>) -> Result<(), AwsError> {
        let parameters = request.parameters.iter().map(|(name, value)| {
            let parameter = Parameter::builder().parameter_key(name);
            match value {
                ParameterValue::Value(value) => parameter.parameter_value(value),
                ParameterValue::Previous => parameter.use_previous_value(true),
            }
            .build()
        });
        let tags = request.tags.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build());
        let call = self
            .client
            .create_change_set()
            .stack_name(request.stack)
            .change_set_name(request.name)
            .change_set_type(if request.create { ChangeSetType::Create } else { ChangeSetType::Update })
            .capabilities(Capability::CapabilityNamedIam)
            .set_parameters(Some(parameters.collect()))
            .set_tags(Some(tags.collect()))
            .set_role_arn(request.role.map(str::to_owned))
            // A resource that an earlier `destroy` kept is imported into its stack.
            .import_existing_resources(request.create);
        let call = match request.template {
            Template::Body(body) => call.template_body(body),
            Template::Url(url) => call.template_url(url),
        };
        match call.send().await.map_err(|error| failed("cloudformation:CreateChangeSet", error)) {
            Err(error) if error.code.as_deref() == Some("AlreadyExistsException") => Ok(()),
            made => made.map(|_| ()),
        }
    }

    /// Reads the state of a change set.
    pub(crate) async fn change_set(&self, stack: &str, name: &str) -> Result<ChangeSetState, AwsError> {
        let request = self.client.describe_change_set().stack_name(stack).change_set_name(name);
        let (mut entries, mut pages) = (Vec::new(), request.into_paginator().send());
        while let Some(page) = pages.next().await {
            let described = page.map_err(|error| failed("cloudformation:DescribeChangeSet", error))?;
            let reason = described.status_reason().unwrap_or_default();
            match described.status() {
                Some(ChangeSetStatus::CreateComplete) => {}
                Some(ChangeSetStatus::Failed) if is_empty(reason) => return Ok(ChangeSetState::Empty),
                Some(ChangeSetStatus::Failed) => {
                    let refusals = self.refusals(described.change_set_id().unwrap_or(name)).await;
                    let reason = if refusals.is_empty() { reason.to_owned() } else { refusals.join("; ") };
                    return Ok(ChangeSetState::Failed(reason));
                }
                _ => return Ok(ChangeSetState::Pending),
            }
            // A page holds at most 1 MB of changes.
            entries.extend(described.changes().iter().filter_map(|change| entry(change.resource_change()?)));
        }
        Ok(if entries.is_empty() { ChangeSetState::Empty } else { ChangeSetState::Ready(entries) })
    }

    /// Executes a change set.
    ///
    /// If the response to an attempt was lost, CloudFormation recognizes the next one by its token. The token is new for every run,
    /// because a failed change may be repeated. The emulator ignores tokens, so a change set that is being executed is fine too.
    pub(crate) async fn execute(&self, stack: &str, name: &str) -> Result<(), AwsError> {
        let request = self.client.execute_change_set().stack_name(stack).change_set_name(name);
        let mut once = [0; 8];
        // Without random bytes the token is only less unique.
        let _zeros = getrandom::fill(&mut once);
        let sent = request.client_request_token(format!("{name}-{}", hex::encode(once))).send().await;
        match sent.map_err(|error| failed("cloudformation:ExecuteChangeSet", error)) {
            Err(error)
                if matches!(
                    error.code.as_deref(),
                    Some("InvalidChangeSetStatus" | "InvalidChangeSetStatusException")
                ) =>
            {
                if self.is_change_set_executed(stack, name).await? {
                    Ok(())
                } else {
                    Err(error)
                }
            }
            executed => executed.map(|_| ()),
        }
    }

    async fn is_change_set_executed(&self, stack: &str, name: &str) -> Result<bool, AwsError> {
        let request = self.client.describe_change_set().stack_name(stack).change_set_name(name);
        let described = request.send().await.map_err(|error| failed("cloudformation:DescribeChangeSet", error))?;
        Ok(is_executed(described.execution_status()))
    }

    /// Deletes a change set, if there is one.
    pub(crate) async fn delete_change_set(&self, stack: &str, name: &str) -> Result<(), AwsError> {
        let request = self.client.delete_change_set().stack_name(stack).change_set_name(name);
        gone_is_fine(request.send().await.map_err(|error| failed("cloudformation:DeleteChangeSet", error)))
    }

    /// Lists the change sets of a stack that were not executed.
    pub(crate) async fn change_sets(&self, stack: &str) -> Result<Vec<ChangeSet>, AwsError> {
        let request = self.client.list_change_sets().stack_name(stack);
        let summaries = request.into_paginator().items().send().try_collect().await;
        let summaries = summaries.map_err(|error| failed("cloudformation:ListChangeSets", error))?.into_iter();
        let waiting = summaries.filter(|summary| !is_executed(summary.execution_status()));
        let waiting = waiting.filter_map(|summary| {
            let status = summary.status().map_or("", |status| status.as_str());
            let busy = status.ends_with("_PENDING") || status.ends_with("_IN_PROGRESS");
            Some(ChangeSet { busy, name: summary.change_set_name? })
        });
        Ok(waiting.collect())
    }

    /// Lists a stack's events, newest first, page by page until a page has one that is `enough`.
    pub(crate) async fn events(&self, stack: &str, enough: impl Fn(&Event) -> bool) -> Result<Vec<Event>, AwsError> {
        let mut pages = self.client.describe_stack_events().stack_name(stack).into_paginator().send();
        let mut events = Vec::new();
        while let Some(page) = pages.next().await {
            let page = if_found(page.map_err(|error| failed("cloudformation:DescribeStackEvents", error)))?;
            let page: Vec<_> = page.iter().flat_map(|page| page.stack_events()).map(event).collect();
            let done = page.iter().any(&enough);
            events.extend(page);
            if done {
                break;
            }
        }
        Ok(events)
    }

    /// Starts deleting a stack.
    pub(crate) async fn delete(&self, stack: &str) -> Result<(), AwsError> {
        let request = self.client.delete_stack().stack_name(stack);
        request.send().await.map_err(|error| failed("cloudformation:DeleteStack", error))?;
        Ok(())
    }
}

fn state(stack: &Stack) -> StackState {
    let pair = |key: Option<&str>, value: Option<&str>| Some((key?.to_owned(), value.unwrap_or_default().to_owned()));
    let parameters = stack.parameters().iter();
    let outputs = stack.outputs().iter();
    StackState {
        status: stack.stack_status().map_or_else(String::new, |status| status.as_str().to_owned()),
        reason: stack.stack_status_reason().map(str::to_owned),
        parameters: parameters.filter_map(|found| pair(found.parameter_key(), found.parameter_value())).collect(),
        outputs: outputs.filter_map(|found| pair(found.output_key(), found.output_value())).collect(),
        tags: stack.tags().iter().filter_map(|tag| pair(tag.key(), tag.value())).collect(),
    }
}

fn event(event: &StackEvent) -> Event {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    Event {
        id: text(event.event_id()),
        logical_id: text(event.logical_resource_id()),
        resource_type: text(event.resource_type()),
        status: event.resource_status().map_or_else(String::new, |status| status.as_str().to_owned()),
        reason: event.resource_status_reason().map(str::to_owned),
    }
}

fn entry(change: &ResourceChange) -> Option<ChangeSetEntry> {
    Some(ChangeSetEntry {
        logical_id: change.logical_resource_id()?.to_owned(),
        resource_type: change.resource_type().unwrap_or_default().to_owned(),
        action: change.action()?.as_str().to_owned(),
        replacement: change.replacement().map(|replacement| replacement.as_str().to_owned()),
    })
}

fn is_executed(status: Option<&ExecutionStatus>) -> bool {
    use ExecutionStatus::{ExecuteComplete, ExecuteFailed, ExecuteInProgress};
    matches!(status, Some(ExecuteInProgress | ExecuteComplete | ExecuteFailed))
}

/// Recognizes CloudFormation's two messages for a change set without changes.
fn is_empty(reason: &str) -> bool {
    reason.contains("didn't contain changes") || reason.contains("No updates are to be performed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_change_set_is_not_a_failure() {
        // The first from the CloudFormation user guide, the second from the API.
        assert!(is_empty(
            "The submitted information didn't contain changes. Submit different information to create a change set."
        ));
        assert!(is_empty("No updates are to be performed."));
        assert!(!is_empty("Template error: instance of Fn::GetAtt references undefined resource X"));
    }
}
