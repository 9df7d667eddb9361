//! Single requests, pages and batches. A failed condition is a result, not an error.

use std::time::Duration;

use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::{put_item::PutItemError, query::builders::QueryFluentBuilder},
    types::{KeysAndAttributes, PutRequest, ReturnValue, ReturnValuesOnConditionCheckFailure, Select, WriteRequest},
};

use crate::{attributes::Item, change::Change, error::AwsError, query::Query};

/// The largest batch: <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html>.
const BATCH_SIZE: usize = 25;
/// The largest batch of reads: <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html>.
const READ_BATCH_SIZE: usize = 100;
/// The number of retries of a change whose item a transaction holds.
const CONFLICT_RETRIES: u32 = 3;
/// The number of retries of a batch's unprocessed items.
const BATCH_RETRIES: u32 = 6;

/// The tables of an account.
#[derive(Debug, Clone)]
pub struct Database {
    pub(crate) client: Client,
}

impl Database {
    /// Uses a client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// The client, for operations that this crate lacks.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Reads an item, consistently.
    ///
    /// # Errors
    /// When the request fails.
    pub async fn get(&self, table: &str, key: Item) -> Result<Option<Item>, AwsError> {
        let request = self.client.get_item().table_name(table).set_key(Some(key)).consistent_read(true);
        Ok(request.send().await.map_err(|error| table_error("read", table, &error))?.item)
    }

    /// Puts an item. Returns false if the condition of `condition` fails; its changes are ignored.
    ///
    /// The SDK repeats a put whose answer was lost. The condition then fails on the item itself, which counts as
    /// success.
    ///
    /// # Errors
    /// When the request fails for another reason.
    pub async fn put(&self, table: &str, item: Item, mut condition: Change) -> Result<bool, AwsError> {
        let expression = condition.condition();
        let put = item.clone();
        let request = self
            .client
            .put_item()
            .table_name(table)
            .set_item(Some(item))
            .set_condition_expression(expression)
            .set_expression_attribute_names(condition.placeholders.take_names())
            .set_expression_attribute_values(condition.placeholders.take_values()?)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(failed)) => Ok(failed.item() == Some(&put)),
                _ => Err(table_error("write", table, &error)),
            },
        }
    }

    /// Changes an item and returns it, or `None` if a condition fails.
    ///
    /// # Errors
    /// When the request fails for another reason.
    pub async fn update(&self, table: &str, key: Item, mut change: Change) -> Result<Option<Item>, AwsError> {
        let request = self
            .client
            .update_item()
            .table_name(table)
            .set_key(Some(key))
            .update_expression(change.update())
            .set_condition_expression(change.condition())
            .set_expression_attribute_names(change.placeholders.take_names())
            .set_expression_attribute_values(change.placeholders.take_values()?)
            .return_values(ReturnValue::AllNew);
        let mut attempt = 0;
        let answer = loop {
            let answer = request.clone().send().await;
            attempt += 1;
            // A transaction holds the item for a moment; the SDK does not retry that.
            let is_held = matches!(&answer, Err(error) if error.code() == Some("TransactionConflictException"));
            if !is_held || attempt > CONFLICT_RETRIES {
                break answer;
            }
            pause(attempt).await;
        };
        let answer = output_unless_condition_failed(answer, "update", table)?;
        Ok(answer.map(|answer| answer.attributes.unwrap_or_default()))
    }

    /// Deletes an item and returns it. Returns `None` if it does not exist or if the condition fails; the changes of
    /// `condition` are ignored. Of several callers, one receives the item.
    ///
    /// The SDK repeats a deletion whose answer was lost; then no caller receives the item.
    ///
    /// # Errors
    /// When the request fails for another reason.
    pub async fn delete(&self, table: &str, key: Item, mut condition: Change) -> Result<Option<Item>, AwsError> {
        let request = self
            .client
            .delete_item()
            .table_name(table)
            .set_key(Some(key))
            .set_condition_expression(condition.condition())
            .set_expression_attribute_names(condition.placeholders.take_names())
            .set_expression_attribute_values(condition.placeholders.take_values()?)
            .return_values(ReturnValue::AllOld);
        let answer = output_unless_condition_failed(request.send().await, "delete from", table)?;
        Ok(answer.and_then(|answer| answer.attributes).filter(|item| !item.is_empty()))
    }

    /// Reads many items, consistently and in no order. Absent items are left out, and a key may occur twice.
    ///
    /// # Errors
    /// When a request fails, or when items stay unread after all retries.
    pub async fn get_all(&self, table: &str, keys: Vec<Item>) -> Result<Vec<Item>, AwsError> {
        let mut unique: Vec<Item> = Vec::with_capacity(keys.len());
        for key in keys {
            // DynamoDB refuses a batch with duplicates.
            if !unique.contains(&key) {
                unique.push(key);
            }
        }
        let mut items = Vec::new();
        for batch in unique.chunks(READ_BATCH_SIZE) {
            let mut missing = batch.to_vec();
            let mut attempt = 0;
            while !missing.is_empty() {
                if attempt > BATCH_RETRIES {
                    return Err(AwsError::unexpected(format!("read items of {table}"), "the table is throttled"));
                }
                if attempt > 0 {
                    pause(attempt).await;
                }
                missing = self.get_batch(table, missing, &mut items).await?;
                attempt += 1;
            }
        }
        Ok(items)
    }

    /// Reads a batch into `items`; returns the keys that DynamoDB did not process.
    async fn get_batch(&self, table: &str, keys: Vec<Item>, items: &mut Vec<Item>) -> Result<Vec<Item>, AwsError> {
        let keys = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
        let keys = keys.map_err(|error| table_error("read items of", table, &error))?;
        let answer = self.client.batch_get_item().request_items(table, keys).send().await;
        let answer = answer.map_err(|error| table_error("read items of", table, &error))?;
        items.extend(answer.responses.and_then(|mut tables| tables.remove(table)).unwrap_or_default());
        let unprocessed = answer.unprocessed_keys.and_then(|mut tables| tables.remove(table));
        Ok(unprocessed.map(|keys| keys.keys).unwrap_or_default())
    }

    /// Reads one page with a single request, after the key `start`. At most `limit` items are examined, and a
    /// filter may drop some of them. Returns the items, and the key to continue after, if there may be more.
    ///
    /// # Errors
    /// When the request fails.
    pub async fn page(
        &self,
        query: &Query,
        limit: usize,
        start: Option<Item>,
    ) -> Result<(Vec<Item>, Option<Item>), AwsError> {
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        let request = self.request(query)?.limit(limit).set_exclusive_start_key(start);
        let page = request.send().await.map_err(|error| table_error("query", &query.table, &error))?;
        Ok((page.items.unwrap_or_default(), page.last_evaluated_key.filter(|key| !key.is_empty())))
    }

    /// Returns all items, over as many pages as needed.
    ///
    /// # Errors
    /// When a request fails.
    pub async fn query_all(&self, query: &Query) -> Result<Vec<Item>, AwsError> {
        let items = self.request(query)?.into_paginator().items().send().try_collect().await;
        items.map_err(|error| table_error("query", &query.table, &error))
    }

    /// Returns up to `limit` items, over as many pages as needed.
    ///
    /// The SDK's paginator requests the same number of items from each page; this loop requests only the missing ones.
    ///
    /// # Errors
    /// When a request fails.
    pub async fn query(&self, query: &Query, limit: usize) -> Result<Vec<Item>, AwsError> {
        let mut items = Vec::new();
        let mut from = None;
        while items.len() < limit {
            // A limit counts items before they are filtered, so it would mean many small pages.
            let missing = i32::try_from(limit - items.len()).ok().filter(|_| query.filter.is_none());
            let request = self.request(query)?.set_limit(missing).set_exclusive_start_key(from);
            let page = request.send().await.map_err(|error| table_error("query", &query.table, &error))?;
            items.extend(page.items.unwrap_or_default());
            from = page.last_evaluated_key;
            if from.is_none() {
                break;
            }
        }
        items.truncate(limit);
        Ok(items)
    }

    /// Counts the items, over as many pages as needed.
    ///
    /// # Errors
    /// When a request fails.
    pub async fn count(&self, query: &Query) -> Result<u64, AwsError> {
        let mut pages = self.request(query)?.select(Select::Count).into_paginator().send();
        let mut count = 0;
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| table_error("query", &query.table, &error))?;
            count += u64::try_from(page.count).unwrap_or(0);
        }
        Ok(count)
    }

    /// Skips this many items without receiving them. Returns the key to continue after, or `None` if no items follow. The query must
    /// have no filter, because skipped items are counted before they are filtered.
    ///
    /// # Errors
    /// When a request fails.
    pub async fn skip(&self, query: &Query, number: u64) -> Result<Option<Item>, AwsError> {
        let mut missing = number;
        let mut from = None;
        while missing > 0 {
            let limit = i32::try_from(missing).unwrap_or(i32::MAX);
            let request = self.request(query)?.select(Select::Count).limit(limit).set_exclusive_start_key(from);
            let page = request.send().await.map_err(|error| table_error("query", &query.table, &error))?;
            missing = missing.saturating_sub(u64::try_from(page.count).unwrap_or(0));
            from = page.last_evaluated_key.filter(|key| !key.is_empty());
            if from.is_none() {
                break;
            }
        }
        Ok(from)
    }

    fn request(&self, query: &Query) -> Result<QueryFluentBuilder, AwsError> {
        let mut placeholders = query.placeholders.clone();
        Ok(self
            .client
            .query()
            .table_name(&query.table)
            .set_index_name(query.index.map(|index| index.name.to_owned()))
            .key_condition_expression(&query.key)
            .set_filter_expression(query.filter.clone())
            .set_expression_attribute_names(placeholders.take_names())
            .set_expression_attribute_values(placeholders.take_values()?)
            .scan_index_forward(query.forward)
            .set_consistent_read(query.consistent.then_some(true)))
    }

    /// Puts many items. Returns the number of items that could not be put.
    ///
    /// # Errors
    /// When a request fails.
    pub async fn put_all(&self, table: &str, items: Vec<Item>) -> Result<usize, AwsError> {
        let mut unwritten = 0;
        for batch in items.chunks(BATCH_SIZE) {
            let mut requests = batch.iter().map(|item| put_request(item.clone())).collect::<Result<Vec<_>, _>>()?;
            let mut attempt = 0;
            while !requests.is_empty() && attempt <= BATCH_RETRIES {
                if attempt > 0 {
                    pause(attempt).await;
                }
                let request = self.client.batch_write_item().request_items(table, requests);
                let answer = request.send().await.map_err(|error| table_error("write items to", table, &error))?;
                requests = answer.unprocessed_items.and_then(|mut tables| tables.remove(table)).unwrap_or_default();
                attempt += 1;
            }
            unwritten += requests.len();
        }
        Ok(unwritten)
    }
}

fn put_request(item: Item) -> Result<WriteRequest, AwsError> {
    let put = PutRequest::builder().set_item(Some(item)).build();
    let put = put.map_err(|error| AwsError::new("write items", &error))?;
    Ok(WriteRequest::builder().put_request(put).build())
}

/// Returns a write's output, or `None` if its condition failed.
fn output_unless_condition_failed<T, E, R>(
    answer: Result<T, SdkError<E, R>>,
    action: &str,
    table: &str,
) -> Result<Option<T>, AwsError>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error)
            if error.as_service_error().and_then(ProvideErrorMetadata::code)
                == Some("ConditionalCheckFailedException") =>
        {
            Ok(None)
        }
        Err(error) => Err(table_error(action, table, &error)),
    }
}

fn table_error(action: &str, table: &str, error: &(impl std::error::Error + 'static)) -> AwsError {
    AwsError::new(format!("{action} {table}"), error)
}

/// Waits longer with each attempt, with jitter.
pub(crate) async fn pause(attempt: u32) {
    let mut random = [0; 2];
    // Without randomness all callers wait equally long, which is better than failing.
    let _ = getrandom::fill(&mut random);
    let jitter = u64::from(u16::from_be_bytes(random) % 50);
    tokio::time::sleep(Duration::from_millis(25 * (1 << attempt.min(6)) + jitter)).await;
}
