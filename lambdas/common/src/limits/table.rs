//! Counters in a DynamoDB table.

use aws_call::{Call, CallError, services::DYNAMODB};
use aws_config::SdkConfig;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use serde_json::Value;

use super::{Subject, backoff::Failures, requests, window::Window};

/// DynamoDB's condition on a write failed (DynamoDB API reference, `UpdateItem`).
const CONDITION_FAILED: &str = "ConditionalCheckFailedException";

/// The table that holds counters among its other items. Its keys are strings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CounterTable {
    /// The name in DynamoDB.
    pub name: String,
    /// The attribute of the partition key.
    pub partition: &'static str,
    /// The attribute of the sort key, if the table has one.
    pub sort: Option<&'static str>,
    /// The attribute with the time to live, in seconds since 1970.
    pub expires: &'static str,
}

/// A failed call. Boxed, because the SDK's error is large.
#[derive(Debug, thiserror::Error)]
pub(super) enum TableError {
    #[error("the table refused the call")]
    Call(#[source] Box<CallError>),
    #[error("the table's response is not JSON")]
    Response(#[from] serde_json::Error),
}

/// Whether a write took place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    Yes,
    /// Another request wrote the item since it was read.
    Contended,
}

impl CounterTable {
    /// Counts a request; returns false if there were `most` in the window.
    pub(super) async fn count(
        &self,
        aws: &SdkConfig,
        subject: &Subject,
        window: Window,
        most: u32,
    ) -> Result<bool, TableError> {
        let input = requests::count(self, subject, window, most);
        Ok(send(aws, "UpdateItem", &input).await?.is_some())
    }

    /// Returns the failures of a subject.
    pub(super) async fn failures(&self, aws: &SdkConfig, subject: &Subject) -> Result<Option<Failures>, TableError> {
        let output = send(aws, "GetItem", &requests::read(self, subject)).await?;
        Ok(requests::failures(&output.unwrap_or_default()))
    }

    /// Replaces the failures of a subject, if they are still those of `before`.
    pub(super) async fn record(
        &self,
        aws: &SdkConfig,
        subject: &Subject,
        before: Option<Failures>,
        after: Failures,
    ) -> Result<Stored, TableError> {
        let input = requests::record(self, subject, before, after);
        Ok(send(aws, "PutItem", &input).await?.map_or(Stored::Contended, |_| Stored::Yes))
    }

    /// Deletes the failures of a subject.
    pub(super) async fn clear(&self, aws: &SdkConfig, subject: &Subject) -> Result<(), TableError> {
        send(aws, "DeleteItem", &requests::clear(self, subject)).await.map(|_| ())
    }
}

/// Sends a call; returns its output, or `None` if its condition failed.
async fn send(aws: &SdkConfig, operation: &'static str, input: &Value) -> Result<Option<Value>, TableError> {
    match Call::json(DYNAMODB, operation, input).send(aws).await {
        Ok(body) => Ok(Some(serde_json::from_slice(&body)?)),
        Err(error) if error.code() == Some(CONDITION_FAILED) => Ok(None),
        Err(error) => Err(TableError::Call(Box::new(error))),
    }
}
