//! The resources of a deployed stack.

use std::collections::BTreeMap;

use super::CloudFormation;
use crate::aws::{
    AwsError,
    error::{failed, if_found},
};

impl CloudFormation {
    /// Reads the physical ID of each resource of a stack, by logical ID; none if there is no such stack.
    pub(crate) async fn physical_ids(&self, stack: &str) -> Result<BTreeMap<String, String>, AwsError> {
        let request = self.client.list_stack_resources().stack_name(stack);
        let resources = request.into_paginator().items().send().try_collect().await;
        let resources = if_found(resources.map_err(|error| failed("cloudformation:ListStackResources", error)))?;
        let ids = |resource: aws_sdk_cloudformation::types::StackResourceSummary| {
            Some((resource.logical_resource_id?, resource.physical_resource_id?))
        };
        Ok(resources.into_iter().flatten().filter_map(ids).collect())
    }
}
