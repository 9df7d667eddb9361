//! CloudWatch Logs: log groups.

use aws_sdk_cloudwatchlogs::Client;

use super::{
    AwsError, Clients,
    error::{failed, gone_is_fine},
};

/// A log group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogGroup {
    /// Its name.
    pub(crate) name: String,
    /// The stored bytes.
    pub(crate) stored: u64,
}

/// CloudWatch Logs in the stage's region.
#[derive(Debug)]
pub(crate) struct Logs {
    client: Client,
}

impl Clients {
    /// CloudWatch Logs in the stage's region.
    pub(crate) fn logs(&self) -> Logs {
        Logs { client: Client::new(self.config()) }
    }
}

impl Logs {
    /// Lists the log groups whose names start with `prefix`.
    pub(crate) async fn groups(&self, prefix: &str) -> Result<Vec<LogGroup>, AwsError> {
        let request = self.client.describe_log_groups().log_group_name_prefix(prefix);
        let groups = request.into_paginator().items().send().try_collect().await;
        let groups = groups.map_err(|error| failed("logs:DescribeLogGroups", error))?.into_iter();
        let groups = groups.filter_map(|group| {
            let stored = group.stored_bytes().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default();
            Some(LogGroup { name: group.log_group_name?, stored })
        });
        Ok(groups.collect())
    }

    /// Deletes a log group, if there is one.
    pub(crate) async fn delete(&self, group: &str) -> Result<(), AwsError> {
        let request = self.client.delete_log_group().log_group_name(group);
        gone_is_fine(request.send().await.map_err(|error| failed("logs:DeleteLogGroup", error)))
    }
}
