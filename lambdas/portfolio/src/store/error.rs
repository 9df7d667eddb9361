//! Errors of the table that are not the client's fault.

use aws_sdk_dynamodb::error::SdkError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// DynamoDB rejected the request or could not be reached.
    #[error("failed to {what}")]
    Aws {
        /// The attempted action.
        what: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An item has an invalid form.
    #[error("failed to read the item {key}: {why}")]
    Corrupt {
        /// The partition key.
        key: String,
        why: String,
    },
    /// Other writers kept changing the item.
    #[error("failed to write the item {key}: other writers changed it before each attempt")]
    Contended {
        /// The partition key.
        key: String,
    },
    #[error("failed to convert data to an attribute")]
    Attribute(#[from] serde_dynamo::Error),
    #[error("failed to convert content")]
    Conversion(#[from] serde_json::Error),
    /// DynamoDB left keys unprocessed in every attempt.
    #[error("failed to read all keys of a batch")]
    Unprocessed,
}

impl StoreError {
    /// Wraps an SDK error.
    pub(crate) fn aws<E, R>(what: &'static str) -> impl Fn(SdkError<E, R>) -> Self
    where
        E: std::error::Error + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        move |error| Self::Aws { what, source: Box::new(error) }
    }

    /// The error of an item with a missing or invalid attribute.
    pub(crate) fn corrupt(key: &str, why: impl Into<String>) -> Self {
        Self::Corrupt { key: key.to_owned(), why: why.into() }
    }
}
