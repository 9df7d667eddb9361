//! The resources of stacks, those of deleted stacks included.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudformation::types::{ResourceStatus, StackStatus};

use super::CloudFormation;
use crate::aws::{
    AwsError, Resource,
    error::{failed, if_found},
};

/// A resource of a stack.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StackResource {
    pub(crate) logical_id: String,
    /// The bucket's name, the pool's ID, and so on.
    pub(crate) physical_id: String,
    pub(crate) resource_type: String,
}

impl CloudFormation {
    /// Lists the resources of a stack; none if there is no such stack.
    pub(crate) async fn resources(&self, stack: &str) -> Result<Vec<StackResource>, AwsError> {
        let pages = self.client.list_stack_resources().stack_name(stack).into_paginator().items().send();
        let listed =
            pages.try_collect().await.map_err(failed("cloudformation:ListStackResources", Resource::stack(stack)));
        let listed = if_found(listed)?.unwrap_or_default().into_iter();
        let existing = listed.filter(|resource| resource.resource_status() != Some(&ResourceStatus::DeleteComplete));
        let resources = existing.filter_map(|resource| {
            Some(StackResource {
                logical_id: resource.logical_resource_id?,
                physical_id: resource.physical_resource_id.filter(|id| !id.is_empty())?,
                resource_type: resource.resource_type.unwrap_or_default(),
            })
        });
        Ok(resources.collect())
    }

    /// Reads the physical ID of each resource of a stack, by logical ID; none if there is no such stack.
    pub(crate) async fn physical_ids(&self, stack: &str) -> Result<BTreeMap<String, String>, AwsError> {
        let resources = self.resources(stack).await?.into_iter();
        Ok(resources.map(|resource| (resource.logical_id, resource.physical_id)).collect())
    }

    /// Lists the IDs of deleted stacks with these names, by name. CloudFormation knows them for 90 days (CloudFormation API reference,
    /// `ListStacks`).
    pub(crate) async fn deleted_stacks(
        &self,
        names: &BTreeSet<&str>,
    ) -> Result<BTreeMap<String, Vec<String>>, AwsError> {
        let pages = self.client.list_stacks().stack_status_filter(StackStatus::DeleteComplete).into_paginator();
        let mut pages = pages.send();
        let mut deleted: BTreeMap<String, Vec<String>> = BTreeMap::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(failed("cloudformation:ListStacks", Resource::all("deleted stacks")))?;
            for stack in page.stack_summaries.unwrap_or_default() {
                let (Some(name), Some(id)) = (stack.stack_name, stack.stack_id) else { continue };
                if names.contains(name.as_str()) {
                    deleted.entry(name).or_default().push(id);
                }
            }
        }
        Ok(deleted)
    }

    /// Lists the resources that a stack has given up without deleting them, by its events. `stack` is a name, or the ID of a
    /// deleted stack.
    pub(crate) async fn retained(&self, stack: &str) -> Result<BTreeSet<StackResource>, AwsError> {
        let mut pages = self.client.describe_stack_events().stack_name(stack).into_paginator().send();
        let mut retained = BTreeSet::new();
        while let Some(page) = pages.next().await {
            let page = if_found(page.map_err(failed("cloudformation:DescribeStackEvents", Resource::stack(stack))))?;
            for event in page.into_iter().flat_map(|page| page.stack_events.unwrap_or_default()) {
                let is_skipped = event.resource_status() == Some(&ResourceStatus::DeleteSkipped);
                let physical_id = event.physical_resource_id.filter(|id| !id.is_empty());
                let (true, Some(physical_id)) = (is_skipped, physical_id) else { continue };
                retained.insert(StackResource {
                    logical_id: event.logical_resource_id.unwrap_or_default(),
                    physical_id,
                    resource_type: event.resource_type.unwrap_or_default(),
                });
            }
        }
        Ok(retained)
    }
}
