//! Counters that many add to at once: one atomic update each, never sent a second time if the first may have arrived.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{
    config::{Builder, retry::RetryConfig},
    error::{ProvideErrorMetadata, SdkError},
    operation::update_item::UpdateItemError,
    types::{AttributeValue, ReturnValue},
};

use super::{
    StoreError, Table,
    item::{count_of, number, strings, text},
    keys::Key,
};

/// How often a count that DynamoDB has certainly not taken is sent again.
const ATTEMPTS: u32 = 6;
/// Before the second attempt; doubled before each further one.
const PAUSE: Duration = Duration::from_millis(25);
/// What DynamoDB answers when it has not even looked at a request: Amazon DynamoDB Developer Guide, "Error handling".
const NOT_TAKEN: [&str; 4] = [
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "TransactionConflictException",
];

/// A counter.
#[derive(Debug, Clone)]
pub(super) struct Counter {
    pub(super) key: Key,
    /// The attribute that counts.
    pub(super) attribute: &'static str,
    /// The item's `EntityType`.
    pub(super) entity: &'static str,
    /// Its `GSI1PK`, if the index is to list it.
    pub(super) partition: Option<String>,
    /// Is it made with what it counts, and gone with that? Then counting must not make it.
    pub(super) made: bool,
}

impl Table {
    /// Adds one, and returns the new count: none where the counter is gone.
    pub(super) async fn add_one(&self, counter: &Counter, now: &str) -> Result<Option<u64>, StoreError> {
        let mut pause = PAUSE;
        for _ in 1..ATTEMPTS {
            match self.try_add_one(counter, now).await {
                Err(error) if is_not_taken(&error) => tokio::time::sleep(pause).await,
                result => return counted(result),
            }
            pause *= 2;
        }
        counted(self.try_add_one(counter, now).await)
    }

    async fn try_add_one(&self, counter: &Counter, now: &str) -> Result<u64, SdkError<UpdateItemError>> {
        let attribute = counter.attribute;
        let mut expression = format!(
            "ADD {attribute} :one SET UpdatedAt = :now, CreatedAt = if_not_exists(CreatedAt, :now), \
             EntityType = :entity, #data = if_not_exists(#data, :init)"
        );
        let mut values: HashMap<String, AttributeValue> =
            [(":one", number(1)), (":now", text(now)), (":entity", text(counter.entity)), (":init", strings([]))]
                .map(|(name, value)| (name.to_owned(), value))
                .into();
        if let Some(partition) = &counter.partition {
            expression.push_str(", GSI1PK = :partition");
            values.insert(":partition".to_owned(), text(partition));
        }
        let update = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(counter.key.item()))
            .update_expression(expression)
            .set_condition_expression(counter.made.then(|| "attribute_exists(PK)".to_owned()))
            .expression_attribute_names("#data", "Data")
            .set_expression_attribute_values(Some(values))
            .return_values(ReturnValue::UpdatedNew);
        // The SDK would repeat a request whose answer was lost, which would count twice.
        let once = Builder::new().retry_config(RetryConfig::disabled());
        let updated = update.customize().config_override(once).send().await?;
        Ok(updated.attributes.map(|item| count_of(&item, attribute)).unwrap_or_default())
    }
}

/// The new count. Only a counter that must be there has a condition that can fail.
fn counted(result: Result<u64, SdkError<UpdateItemError>>) -> Result<Option<u64>, StoreError> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(SdkError::ServiceError(error))
            if matches!(error.err(), UpdateItemError::ConditionalCheckFailedException(_)) =>
        {
            Ok(None)
        }
        Err(error) => Err(StoreError::aws("count")(error)),
    }
}

fn is_not_taken(error: &SdkError<UpdateItemError>) -> bool {
    error.as_service_error().and_then(ProvideErrorMetadata::code).is_some_and(|code| NOT_TAKEN.contains(&code))
}
