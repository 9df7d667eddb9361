//! CloudWatch Logs: log groups.

use aws_call::{Call, services::CLOUD_WATCH_LOGS};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    AwsError, Clients, Resource,
    error::{failed, gone_is_fine, operation_name, read},
};

/// A log group.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogGroup {
    /// Its name.
    #[serde(rename = "logGroupName")]
    pub(crate) name: String,
    /// The stored bytes.
    #[serde(rename = "storedBytes", default)]
    pub(crate) stored: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    log_groups: Vec<LogGroup>,
    next_token: Option<String>,
}

/// CloudWatch Logs in the stage's region.
#[derive(Debug)]
pub(crate) struct Logs<'a> {
    clients: &'a Clients,
}

impl Clients {
    /// CloudWatch Logs in the stage's region.
    pub(crate) fn logs(&self) -> Logs<'_> {
        Logs { clients: self }
    }
}

impl Logs<'_> {
    /// Lists the log groups whose names start with `prefix`.
    pub(crate) async fn groups(&self, prefix: &str) -> Result<Vec<LogGroup>, AwsError> {
        const OPERATION: &str = "logs:DescribeLogGroups";
        let (mut groups, mut token) = (Vec::new(), None);
        loop {
            let mut input = json!({ "logGroupNamePrefix": prefix });
            if let Some(token) = token {
                input["nextToken"] = Value::String(token);
            }
            let named = || Resource::named("log groups", prefix);
            let page: Page = read(OPERATION, named(), &self.call(OPERATION, named(), &input).await?)?;
            groups.extend(page.log_groups);
            token = page.next_token;
            if token.is_none() {
                return Ok(groups);
            }
        }
    }

    /// Deletes a log group, if there is one.
    pub(crate) async fn delete(&self, group: &str) -> Result<(), AwsError> {
        let resource = Resource::named("log group", group);
        gone_is_fine(self.call("logs:DeleteLogGroup", resource, &json!({ "logGroupName": group })).await)
    }

    async fn call(&self, operation: &'static str, resource: Resource, input: &Value) -> Result<Vec<u8>, AwsError> {
        let call = Call::json(CLOUD_WATCH_LOGS, operation_name(operation), input);
        self.clients.send(None, call).await.map_err(failed(operation, resource))
    }
}
