//! Transactions: several writes, all or none.

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
    types::{ConditionCheck, Delete, Put, TransactWriteItem, Update},
};

use uuid::Uuid;

use crate::{
    attributes::Item,
    change::Change,
    database::{Database, pause},
    error::AwsError,
};

/// The number of retries of a transaction that conflicts with another.
const RETRIES: u32 = 3;

/// The result of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransactionOutcome {
    /// Everything was written.
    Committed,
    /// Nothing was written: the conditions of the writes at these indexes failed.
    ConditionsFailed(Vec<usize>),
}

/// One write of a transaction: table, item or key, and changes with conditions.
#[derive(Debug, Clone)]
pub enum Write {
    /// Puts an item, under conditions.
    Put(String, Item, Change),
    /// Changes the item with this key, under conditions.
    Change(String, Item, Change),
    /// Deletes the item with this key, under conditions.
    Delete(String, Item, Change),
    /// Writes nothing: the item with this key must meet the conditions. At least one condition is required.
    Check(String, Item, Change),
}

impl Database {
    /// Writes everything or nothing. Retries after a conflict use the same token: an attempt whose answer was lost may
    /// have been carried out, and must not conflict with its own retry.
    ///
    /// # Errors
    /// When the request fails for another reason than a condition, or when conflicts outlast the retries.
    pub async fn transact(&self, writes: Vec<Write>) -> Result<TransactionOutcome, AwsError> {
        let action = "write in a transaction";
        let requests: Vec<TransactWriteItem> = writes.into_iter().map(request).collect::<Result<_, _>>()?;
        let token = Uuid::new_v4().to_string();
        let mut attempt = 0;
        loop {
            let request = self.client.transact_write_items().set_transact_items(Some(requests.clone()));
            let request = request.client_request_token(&token);
            let error = match request.send().await {
                Ok(_) => return Ok(TransactionOutcome::Committed),
                Err(error) => error,
            };
            let codes = cancellation_codes(&error);
            let failed: Vec<usize> = indexes(&codes, "ConditionalCheckFailed");
            if !failed.is_empty() {
                return Ok(TransactionOutcome::ConditionsFailed(failed));
            }
            let is_transient = codes.iter().any(|code| {
                matches!(code.as_str(), "TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded")
            });
            attempt += 1;
            if !is_transient || attempt > RETRIES {
                return Err(AwsError::new(action, &error));
            }
            pause(attempt).await;
        }
    }
}

fn request(write: Write) -> Result<TransactWriteItem, AwsError> {
    let builder = TransactWriteItem::builder();
    let item = match write {
        Write::Put(table, item, mut condition) => Put::builder()
            .table_name(table)
            .set_item(Some(item))
            .set_condition_expression(condition.condition())
            .set_expression_attribute_names(condition.placeholders.take_names())
            .set_expression_attribute_values(condition.placeholders.take_values()?)
            .build()
            .map(|put| builder.put(put)),
        Write::Change(table, key, mut change) => Update::builder()
            .table_name(table)
            .set_key(Some(key))
            .update_expression(change.update())
            .set_condition_expression(change.condition())
            .set_expression_attribute_names(change.placeholders.take_names())
            .set_expression_attribute_values(change.placeholders.take_values()?)
            .build()
            .map(|update| builder.update(update)),
        Write::Delete(table, key, mut condition) => Delete::builder()
            .table_name(table)
            .set_key(Some(key))
            .set_condition_expression(condition.condition())
            .set_expression_attribute_names(condition.placeholders.take_names())
            .set_expression_attribute_values(condition.placeholders.take_values()?)
            .build()
            .map(|delete| builder.delete(delete)),
        Write::Check(table, key, mut condition) => ConditionCheck::builder()
            .table_name(table)
            .set_key(Some(key))
            .set_condition_expression(condition.condition())
            .set_expression_attribute_names(condition.placeholders.take_names())
            .set_expression_attribute_values(condition.placeholders.take_values()?)
            .build()
            .map(|check| builder.condition_check(check)),
    };
    Ok(item.map_err(|error| AwsError::new("write in a transaction", &error))?.build())
}

/// Returns the cancellation code of each write; `None` is the code of those that would have succeeded.
fn cancellation_codes<R>(error: &SdkError<TransactWriteItemsError, R>) -> Vec<String> {
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
            cancelled.cancellation_reasons().iter().map(|reason| reason.code().unwrap_or("None").to_owned()).collect()
        }
        Some(other) if other.code() == Some("TransactionInProgressException") => vec!["TransactionConflict".to_owned()],
        _ => Vec::new(),
    }
}

fn indexes(codes: &[String], wanted: &str) -> Vec<usize> {
    let matching = codes.iter().enumerate().filter(|(_, code)| *code == wanted);
    matching.map(|(index, _)| index).collect()
}
