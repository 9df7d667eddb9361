//! CloudFormation: stacks, change sets, events.

mod change_sets;
mod repairs;
pub(crate) mod resources;

use std::collections::BTreeMap;

use aws_sdk_cloudformation::{
    Client,
    types::{DeploymentConfig, DeploymentConfigMode, Stack, StackEvent, TemplateStage},
};
pub(crate) use change_sets::{BODY_LIMIT, ChangeSet, ChangeSetRequest, ChangeSetState, ParameterValue, Template};
use futures_util::future::try_join_all;
use model::stage::Deployment;
use serde_json::Value;

use super::{
    AwsError, Clients, Resource,
    error::{failed, if_allowed, if_found},
};
use crate::template_hash;

/// The number of stacks from which one list of all stacks is cheaper than a description of each.
const MANY: usize = 3;

/// A stack as CloudFormation describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct StackState {
    /// Its ID. A stack that is deleted and created again has another one.
    pub id: String,
    /// Its status, for example `UPDATE_COMPLETE`.
    pub status: String,
    /// The reason for its status.
    pub reason: Option<String>,
    /// Whether its last operation was in express mode.
    pub is_express: bool,
    /// Its parameters' values.
    pub parameters: BTreeMap<String, String>,
    /// Its outputs, without the hash of its template.
    pub outputs: BTreeMap<String, String>,
    /// The hash of its template, if it has one; see [`template_hash`].
    pub template_hash: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Whether CloudFormation refuses to delete it.
    pub is_protected: bool,
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

/// CloudFormation in one region.
#[derive(Debug)]
pub struct CloudFormation {
    pub(super) client: Client,
}

impl Clients {
    /// CloudFormation in a region; `None` is the stage's.
    pub fn cloudformation(&self, region: Option<&str>) -> CloudFormation {
        CloudFormation { client: client!(aws_sdk_cloudformation, self, region) }
    }
}

impl CloudFormation {
    /// Describes a stack; `None` if there is none.
    pub async fn describe(&self, stack: &str) -> Result<Option<StackState>, AwsError> {
        let described = self.client.describe_stacks().stack_name(stack).send().await;
        let described = if_found(described.map_err(failed("cloudformation:DescribeStacks", Resource::stack(stack))))?;
        let found = described.as_ref().and_then(|described| described.stacks().first());
        Ok(found.map(state).filter(|state| state.status != "DELETE_COMPLETE"))
    }

    /// Describes every stack that exists, by name.
    pub(crate) async fn describe_all(&self) -> Result<BTreeMap<String, StackState>, AwsError> {
        let stacks = self.client.describe_stacks().into_paginator().items().send().try_collect().await;
        let stacks = stacks.map_err(failed("cloudformation:DescribeStacks", Resource::all("stacks")))?;
        let named = stacks.iter().filter_map(|stack| Some((stack.stack_name()?.to_owned(), state(stack))));
        Ok(named.filter(|(_, state)| state.status != "DELETE_COMPLETE").collect())
    }

    /// Describes stacks by name: few one by one, many by listing all, if the caller may.
    pub(crate) async fn describe_each(&self, stacks: &[&str]) -> Result<BTreeMap<String, StackState>, AwsError> {
        if stacks.len() >= MANY
            && let Some(all) = if_allowed(self.describe_all().await)?
        {
            return Ok(all);
        }
        let one_by_one = stacks.iter().map(async |name| Ok(((*name).to_owned(), self.describe(name).await?)));
        let found = try_join_all(one_by_one).await?;
        Ok(found.into_iter().filter_map(|(name, state)| Some((name, state?))).collect())
    }

    /// Reads the template that the stack was last deployed with, without its hash; `None` if there is none, or if it is not JSON, which
    /// the engine always sends.
    pub(crate) async fn template(&self, stack: &str) -> Result<Option<Value>, AwsError> {
        let request = self.client.get_template().stack_name(stack).template_stage(TemplateStage::Original);
        let output = request.send().await.map_err(failed("cloudformation:GetTemplate", Resource::stack(stack)));
        Ok(if_found(output)?
            .and_then(|output| serde_json::from_str(output.template_body()?).ok())
            .map(template_hash::without_hash))
    }

    /// Lists a stack's events, newest first, page by page until a page has one that is `enough`.
    pub(crate) async fn events(&self, stack: &str, enough: impl Fn(&Event) -> bool) -> Result<Vec<Event>, AwsError> {
        let mut pages = self.client.describe_stack_events().stack_name(stack).into_paginator().send();
        let mut events = Vec::new();
        while let Some(page) = pages.next().await {
            let page = if_found(page.map_err(failed("cloudformation:DescribeStackEvents", Resource::stack(stack))))?;
            let page: Vec<_> = page.iter().flat_map(|page| page.stack_events()).map(event).collect();
            let done = page.iter().any(&enough);
            events.extend(page);
            if done {
                break;
            }
        }
        Ok(events)
    }

    /// Protects a stack from deletion.
    pub(crate) async fn protect(&self, stack: &str) -> Result<(), AwsError> {
        let request = self.client.update_termination_protection().stack_name(stack).enable_termination_protection(true);
        request.send().await.map_err(failed("cloudformation:UpdateTerminationProtection", Resource::stack(stack)))?;
        Ok(())
    }

    /// Starts deleting a stack: the present one of a name, or one by its ID.
    pub(crate) async fn delete(&self, stack: &str, deployment: Deployment) -> Result<(), AwsError> {
        // A deletion is never rolled back, so its configuration has a mode alone, and none in standard mode.
        let config = DeploymentConfig::builder().mode(mode(deployment)).build();
        let config = (deployment == Deployment::Express).then_some(config);
        let request = self.client.delete_stack().stack_name(stack).set_deployment_config(config);
        request.send().await.map_err(failed("cloudformation:DeleteStack", Resource::stack(stack)))?;
        Ok(())
    }
}

const fn mode(deployment: Deployment) -> DeploymentConfigMode {
    match deployment {
        Deployment::Standard => DeploymentConfigMode::Standard,
        Deployment::Express => DeploymentConfigMode::Express,
    }
}

/// The configuration of a creation or an update, which always rolls a failure back.
///
/// In express mode, the user guide says that rollback is disabled by default, and the API reference that it is enabled. Without rollback,
/// CloudFormation refuses replacements.
fn deployment_config(deployment: Deployment) -> DeploymentConfig {
    DeploymentConfig::builder().mode(mode(deployment)).disable_rollback(false).build()
}

fn state(stack: &Stack) -> StackState {
    let pair = |key: Option<&str>, value: Option<&str>| Some((key?.to_owned(), value.unwrap_or_default().to_owned()));
    let parameters = stack.parameters().iter();
    let outputs = stack.outputs().iter();
    let mut outputs = outputs.filter_map(|found| pair(found.output_key(), found.output_value())).collect();
    let template_hash = template_hash::take(&mut outputs);
    let last_mode = stack.deployment_config().and_then(DeploymentConfig::mode);
    StackState {
        id: stack.stack_id().unwrap_or_default().to_owned(),
        status: stack.stack_status().map_or_else(String::new, |status| status.as_str().to_owned()),
        reason: stack.stack_status_reason().map(str::to_owned),
        is_express: last_mode == Some(&DeploymentConfigMode::Express),
        parameters: parameters.filter_map(|found| pair(found.parameter_key(), found.parameter_value())).collect(),
        outputs,
        template_hash,
        tags: stack.tags().iter().filter_map(|tag| pair(tag.key(), tag.value())).collect(),
        is_protected: stack.enable_termination_protection().unwrap_or_default(),
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
