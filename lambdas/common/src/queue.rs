//! Functions behind an SQS queue: parses batches, and reports the messages that failed.
//!
//! The event source mapping must have `ReportBatchItemFailures`. Only messages that are reported as failed are received again, as
//! often as the queue allows; then they are in its dead-letter queue (Lambda developer guide, "Handling errors for an SQS event
//! source in Lambda"). This module is for standard queues: it handles the messages after a failed one, whose order a FIFO queue
//! would have to keep.

use contract::Function;
use lambda_runtime::Error;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{events, telemetry};

/// A message of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueMessage<M> {
    /// The ID that SQS gave the message.
    pub id: String,
    /// The queue's name.
    pub queue: String,
    /// How often the message was received, this time included. SQS counts approximately.
    pub receive_count: u32,
    /// The body.
    pub body: M,
}

/// An event of SQS: a batch of messages.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Batch {
    #[serde(rename = "Records")]
    records: Vec<Record>,
}

/// A message in Lambda's form (Lambda developer guide, "Using Lambda with Amazon SQS").
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    message_id: String,
    body: String,
    #[serde(rename = "eventSourceARN", default)]
    source: String,
    #[serde(default)]
    attributes: Attributes,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attributes {
    /// A number, as text.
    approximate_receive_count: Option<String>,
}

/// The response to SQS: the messages to deliver again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchResponse {
    batch_item_failures: Vec<BatchItemFailure>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct BatchItemFailure {
    item_identifier: String,
}

/// Serves the messages of queues until the instance ends. Messages are handled one after another.
///
/// A message whose body is no `M` in JSON is reported as failed, as is one whose handler fails. Neither affects other messages.
///
/// # Errors
/// When Lambda's runtime interface fails.
pub async fn serve_queue<F, M>(handle: impl AsyncFn(QueueMessage<M>) -> Result<(), Error>) -> Result<(), Error>
where
    F: Function,
    M: DeserializeOwned,
{
    let handle = &handle;
    events::serve::<F, Batch, BatchResponse>(async |batch: Batch| Ok(batch.parsed(handle).await)).await
}

impl Batch {
    /// Parses the body of each message and handles it.
    pub async fn parsed<M>(self, handle: impl AsyncFn(QueueMessage<M>) -> Result<(), Error>) -> BatchResponse
    where
        M: DeserializeOwned,
    {
        let handle = &handle;
        self.texts(async |message: QueueMessage<String>| -> Result<(), Error> {
            let QueueMessage { id, queue, receive_count, body } = message;
            let body = serde_json::from_str(&body).map_err(Malformed)?;
            handle(QueueMessage { id, queue, receive_count, body }).await
        })
        .await
    }

    /// Handles each message with its body as text, for functions that treat malformed bodies themselves.
    pub async fn texts<E>(self, handle: impl AsyncFn(QueueMessage<String>) -> Result<(), E>) -> BatchResponse
    where
        E: Into<Error>,
    {
        let mut response = BatchResponse::default();
        for record in self.records {
            let message = record.into_message();
            let (id, queue, receive_count) = (message.id.clone(), message.queue.clone(), message.receive_count);
            // Boxed, because the SDK's futures nest deeper than the compiler follows.
            if let Err(error) = Box::pin(handle(message)).await {
                let error = telemetry::chain(error.into().as_ref());
                tracing::error!(
                    message_id = id,
                    queue,
                    receive_count,
                    error,
                    "failed to handle a message; it will be delivered again"
                );
                response.batch_item_failures.push(BatchItemFailure { item_identifier: id });
            }
        }
        response
    }
}

impl Record {
    fn into_message(self) -> QueueMessage<String> {
        let count = self.attributes.approximate_receive_count.and_then(|count| count.parse().ok());
        QueueMessage {
            id: self.message_id,
            queue: self.source.rsplit(':').next().unwrap_or_default().to_owned(),
            receive_count: count.unwrap_or(1),
            body: self.body,
        }
    }
}

/// A body that is not what the function expects.
#[derive(Debug, thiserror::Error)]
#[error("failed to parse the body of a message")]
struct Malformed(#[source] serde_json::Error);

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::{Value, json};

    use super::*;
    use crate::telemetry::capture::Lines;

    fn record(id: &str, body: &str) -> Value {
        json!({
            "messageId": id, "receiptHandle": "r", "body": body, "awsRegion": "eu-central-1",
            "attributes": { "ApproximateReceiveCount": "3", "SentTimestamp": "1545082649183" },
            "messageAttributes": {}, "md5OfBody": "098f6bcd4621d373cade4e832627b4f6", "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-central-1:111122223333:numbers",
        })
    }

    fn batch(records: &[Value]) -> Batch {
        serde_json::from_value(json!({ "Records": records })).expect("an event of SQS")
    }

    async fn even(message: QueueMessage<u32>) -> Result<(), Error> {
        if message.body.is_multiple_of(2) { Ok(()) } else { Err(format!("{} is odd", message.body).into()) }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn only_failed_and_malformed_messages_are_reported() {
        let records = [record("a", "2"), record("b", "3"), record("c", "two"), record("d", "4")];
        let lines = Lines::default();
        let guard = lines.listen();
        let response = batch(&records).parsed(even).await;
        drop(guard);
        let failed = json!({ "batchItemFailures": [{ "itemIdentifier": "b" }, { "itemIdentifier": "c" }] });
        assert_eq!(serde_json::to_value(response).expect("plain data"), failed);
        let lines = lines.values();
        assert_eq!((&lines[0]["message_id"], &lines[0]["error"]), (&json!("b"), &json!("3 is odd")));
        let malformed = lines[1]["error"].as_str().expect("text");
        assert!(malformed.starts_with("failed to parse the body of a message: "), "{malformed}");
        assert!(!malformed.contains("two"), "bodies are not logged: {malformed}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn every_message_arrives_in_its_order_with_its_queue_and_count() {
        let seen = Mutex::new(Vec::new());
        let mut without_count = record("b", "two");
        without_count["attributes"] = json!({});
        let response = batch(&[record("a", "one"), without_count])
            .texts(async |message| -> Result<(), Error> {
                seen.lock().expect("no panic").push(message);
                Ok(())
            })
            .await;
        assert_eq!(response, BatchResponse::default());
        let message = |id: &str, receive_count, body: &str| {
            let (id, body) = (id.to_owned(), body.to_owned());
            QueueMessage { id, queue: "numbers".to_owned(), receive_count, body }
        };
        assert_eq!(*seen.lock().expect("no panic"), [message("a", 3, "one"), message("b", 1, "two")]);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_batch_without_failures_reports_none() {
        let response = batch(&[record("a", "2")]).parsed(even).await;
        assert_eq!(serde_json::to_value(response).expect("plain data"), json!({ "batchItemFailures": [] }));
    }
}
