//! Change sets: what an update would do, and its execution.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types::{
    Capability, ChangeSetStatus, ChangeSetType, ExecutionStatus, Parameter, ResourceChange, Tag,
};
use model::stage::Deployment;
use plan::change_set::ChangeSetEntry;

use super::{CloudFormation, deployment_config};
use crate::{
    aws::{
        AwsError, Resource,
        error::{failed, gone_is_fine},
    },
    surroundings,
};

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
    /// When CloudFormation completes the operation. `ExecuteChangeSet` does not say it again.
    pub(crate) deployment: Deployment,
    /// The template.
    pub(crate) template: Template<'a>,
    /// Every parameter.
    pub(crate) parameters: &'a BTreeMap<String, ParameterValue>,
    /// The role that CloudFormation assumes; without one, it uses the caller's permissions.
    pub(crate) role: Option<&'a str>,
    /// Tags of the stack and all its resources.
    pub(crate) tags: [(&'a str, &'a str); 3],
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
    /// It can be executed, with these changes of resources. There are none if only outputs change.
    Ready(Vec<ChangeSetEntry>),
    /// The stack has this template and these parameters already.
    Empty,
    /// CloudFormation refuses it, for this reason.
    Failed(String),
    /// The stack was updated after it was created.
    Obsolete,
}

impl CloudFormation {
    /// Creates a change set. One that exists already is fine: names are hashes of the changes, so the response to an earlier
    /// attempt was lost.
    pub(crate) async fn create_change_set(&self, request: ChangeSetRequest<'_>) -> Result<(), AwsError> {
        let call = self
            .client
            .create_change_set()
            .stack_name(request.stack)
            .change_set_name(request.name)
            .change_set_type(if request.create { ChangeSetType::Create } else { ChangeSetType::Update })
            .capabilities(Capability::CapabilityNamedIam)
            .set_parameters(Some(parameters(&request)))
            .set_tags(Some(tags(&request)))
            .set_role_arn(request.role.map(str::to_owned))
            .deployment_config(deployment_config(request.deployment))
            // A resource that an earlier `destroy` kept is imported into its stack.
            .import_existing_resources(request.create);
        let call = match request.template {
            Template::Body(body) => call.template_body(body),
            Template::Url(url) => call.template_url(url),
        };
        match call.send().await.map_err(failed("cloudformation:CreateChangeSet", Resource::stack(request.stack))) {
            Err(error) if error.code.as_deref() == Some("AlreadyExistsException") => Ok(()),
            made => made.map(|_| ()),
        }
    }

    /// Reads the state of a change set.
    pub(crate) async fn change_set(&self, stack: &str, name: &str) -> Result<ChangeSetState, AwsError> {
        let request = self.client.describe_change_set().stack_name(stack).change_set_name(name);
        let (mut entries, mut pages) = (Vec::new(), request.into_paginator().send());
        while let Some(page) = pages.next().await {
            let described = page.map_err(failed("cloudformation:DescribeChangeSet", Resource::stack(stack)))?;
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
            if let Some(state) = not_executable(described.execution_status(), reason) {
                return Ok(state);
            }
            // A page holds at most 1 MB of changes.
            entries.extend(described.changes().iter().filter_map(|change| entry(change.resource_change()?)));
        }
        Ok(ChangeSetState::Ready(entries))
    }

    /// Updates a stack without a change set; returns whether there was anything to update.
    ///
    /// Only for the emulator: its change sets do not notice that outputs change (observed in MiniStack 1.5.33).
    pub(crate) async fn update(&self, request: ChangeSetRequest<'_>) -> Result<bool, AwsError> {
        let call = self
            .client
            .update_stack()
            .stack_name(request.stack)
            .capabilities(Capability::CapabilityNamedIam)
            .set_parameters(Some(parameters(&request)))
            .set_tags(Some(tags(&request)))
            .set_role_arn(request.role.map(str::to_owned))
            .deployment_config(deployment_config(request.deployment));
        let call = match request.template {
            Template::Body(body) => call.template_body(body),
            Template::Url(url) => call.template_url(url),
        };
        match call.send().await.map_err(failed("cloudformation:UpdateStack", Resource::stack(request.stack))) {
            Err(error) if is_empty(&error.message) => Ok(false),
            updated => updated.map(|_| true),
        }
    }

    /// Executes a change set.
    ///
    /// If the response to an attempt was lost, CloudFormation recognizes the next one by its token. The token is new for every run,
    /// because a failed change may be repeated. The emulator ignores tokens, so a change set that is being executed is fine too.
    pub(crate) async fn execute(&self, stack: &str, name: &str) -> Result<(), AwsError> {
        let request = self.client.execute_change_set().stack_name(stack).change_set_name(name);
        let mut once = [0; 8];
        // Without random bytes the token is only less unique.
        let _zeros = surroundings::fill_random(&mut once);
        let sent = request.client_request_token(format!("{name}-{}", hex::encode(once))).send().await;
        match sent.map_err(failed("cloudformation:ExecuteChangeSet", Resource::stack(stack))) {
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
        let described =
            request.send().await.map_err(failed("cloudformation:DescribeChangeSet", Resource::stack(stack)))?;
        Ok(is_executed(described.execution_status()))
    }

    /// Deletes a change set, if there is one.
    pub(crate) async fn delete_change_set(&self, stack: &str, name: &str) -> Result<(), AwsError> {
        let request = self.client.delete_change_set().stack_name(stack).change_set_name(name);
        gone_is_fine(request.send().await.map_err(failed("cloudformation:DeleteChangeSet", Resource::stack(stack))))
    }

    /// Lists the change sets of a stack that were not executed.
    pub(crate) async fn change_sets(&self, stack: &str) -> Result<Vec<ChangeSet>, AwsError> {
        let request = self.client.list_change_sets().stack_name(stack);
        let summaries = request.into_paginator().items().send().try_collect().await;
        let summaries = summaries.map_err(failed("cloudformation:ListChangeSets", Resource::stack(stack)))?.into_iter();
        let waiting = summaries.filter(|summary| !is_executed(summary.execution_status()));
        let waiting = waiting.filter_map(|summary| {
            let status = summary.status().map_or("", |status| status.as_str());
            let busy = status.ends_with("_PENDING") || status.ends_with("_IN_PROGRESS");
            Some(ChangeSet { busy, name: summary.change_set_name? })
        });
        Ok(waiting.collect())
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

fn parameters(request: &ChangeSetRequest<'_>) -> Vec<Parameter> {
    let parameter = |(name, value): (&String, &ParameterValue)| {
        let parameter = Parameter::builder().parameter_key(name);
        match value {
            ParameterValue::Value(value) => parameter.parameter_value(value),
            ParameterValue::Previous => parameter.use_previous_value(true),
        }
        .build()
    };
    request.parameters.iter().map(parameter).collect()
}

fn tags(request: &ChangeSetRequest<'_>) -> Vec<Tag> {
    request.tags.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build()).collect()
}

/// The state of a change set that was created and cannot be executed: CloudFormation is still preparing it, or the stack was updated since
/// (CloudFormation API reference, `ChangeSetSummary`, `ExecutionStatus`).
fn not_executable(status: Option<&ExecutionStatus>, reason: &str) -> Option<ChangeSetState> {
    match status {
        Some(ExecutionStatus::Unavailable) if reason.is_empty() => Some(ChangeSetState::Pending),
        Some(ExecutionStatus::Unavailable) => Some(ChangeSetState::Failed(reason.to_owned())),
        Some(ExecutionStatus::Obsolete) => Some(ChangeSetState::Obsolete),
        _ => None,
    }
}

/// Recognizes CloudFormation's two reasons why a change set, or an update, has no changes. A change set of outputs alone is no such one: it
/// lists no resource, and can be executed (aws-cdk, pull request 2029, and `changeSetHasNoChanges` in its toolkit).
fn is_empty(reason: &str) -> bool {
    ["The submitted information didn't contain changes.", "No updates are to be performed."]
        .iter()
        .any(|known| reason.starts_with(known))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::scripted::{Endpoint, Received};

    fn described(status: &str, execution: &str, reason: &str) -> String {
        format!(
            "<DescribeChangeSetResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><DescribeChangeSetResult>\
             <StackName>s</StackName><Status>{status}</Status><StatusReason>{reason}</StatusReason>\
             <ExecutionStatus>{execution}</ExecutionStatus><Changes/></DescribeChangeSetResult>\
             <ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></DescribeChangeSetResponse>"
        )
    }

    async fn state(status: &'static str, execution: &'static str, reason: &'static str) -> ChangeSetState {
        let endpoint = Endpoint::serve(move |_: &Received| (200, described(status, execution, reason))).await;
        let clients = endpoint.clients().await;
        clients.cloudformation(None).change_set("s", "c").await.expect("a state")
    }

    #[tokio::test]
    async fn a_change_set_without_resources_is_executable_unless_cloudformation_says_that_it_is_empty() {
        assert_eq!(state("CREATE_COMPLETE", "AVAILABLE", "").await, ChangeSetState::Ready(Vec::new()));
        assert_eq!(state("CREATE_COMPLETE", "UNAVAILABLE", "").await, ChangeSetState::Pending);
        assert_eq!(state("CREATE_IN_PROGRESS", "UNAVAILABLE", "").await, ChangeSetState::Pending);
        assert_eq!(state("CREATE_COMPLETE", "OBSOLETE", "").await, ChangeSetState::Obsolete);
        for reason in [
            "The submitted information didn&apos;t contain changes. Submit different information to create a change set.",
            "No updates are to be performed.",
        ] {
            assert_eq!(state("FAILED", "UNAVAILABLE", reason).await, ChangeSetState::Empty, "{reason}");
        }
        let refused =
            state("FAILED", "UNAVAILABLE", "Template error: an output names No updates are to be performed.").await;
        assert!(matches!(refused, ChangeSetState::Failed(_)), "{refused:?}");
    }
}
