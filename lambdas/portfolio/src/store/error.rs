//! What can go wrong with the table that is not the client's fault.

use aws_sdk_dynamodb::error::SdkError;

/// The table could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// DynamoDB refused, or could not be reached.
    #[error("failed to {what}")]
    Aws {
        /// What was being done.
        what: &'static str,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An item is not as it should be.
    #[error("failed to read the item {key}: {why}")]
    Corrupt {
        /// The item's partition key.
        key: String,
        /// What is wrong with it.
        why: String,
    },
    /// Others kept changing the item.
    #[error("failed to write the item {key}, because others wrote it each time")]
    Contended {
        /// The item's partition key.
        key: String,
    },
    /// Data could not be converted to an attribute.
    #[error("failed to convert data to an attribute")]
    Attribute(#[from] serde_dynamo::Error),
    /// Content could not be converted to JSON or back.
    #[error("failed to convert content")]
    Conversion(#[from] serde_json::Error),
    /// DynamoDB left keys unread again and again.
    #[error("failed to read all keys of a batch")]
    Unprocessed,
}

impl StoreError {
    /// Wraps what the SDK says.
    pub(crate) fn aws<E, R>(what: &'static str) -> impl Fn(SdkError<E, R>) -> Self
    where
        E: std::error::Error + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        move |error| Self::Aws { what, source: Box::new(error) }
    }

    /// An item lacks something, or has it in another type.
    pub(crate) fn corrupt(key: &str, why: impl Into<String>) -> Self {
        Self::Corrupt { key: key.to_owned(), why: why.into() }
    }
}
