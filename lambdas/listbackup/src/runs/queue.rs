//! Queues to send to.

use std::time::Duration;

use aws_call::{Call, services::QUEUES};
use aws_config::SdkConfig;
use serde::Deserialize;
use serde_json::{Value, json};
use tables::AwsError;

/// The most entries and bytes of a batch (SQS API reference, `SendMessageBatch`; the smallest of its size limits so far).
const BATCH_ENTRIES: usize = 10;
const BATCH_BYTES: usize = 256 * 1024;
/// The number of attempts to send the entries that failed.
const ATTEMPTS: u32 = 5;

/// A queue.
#[derive(Debug, Clone)]
pub struct Queue {
    aws: SdkConfig,
    url: String,
}

/// The response of `SendMessageBatch`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    failed: Vec<Failed>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Failed {
    id: String,
    #[serde(default)]
    sender_fault: bool,
    #[serde(default)]
    code: String,
}

impl Queue {
    /// Uses the queue at a URL.
    #[must_use]
    pub fn new(aws: &SdkConfig, url: impl Into<String>) -> Self {
        Self { aws: aws.clone(), url: url.into() }
    }

    /// Sends one message.
    ///
    /// # Errors
    /// When the queue did not accept it.
    pub async fn send(&self, body: &str) -> Result<(), AwsError> {
        let call = Call::json(QUEUES, "SendMessage", &json!({ "QueueUrl": self.url, "MessageBody": body }));
        call.send(&self.aws).await.map(drop).map_err(|error| AwsError::new("send a message", &error))
    }

    /// Sends many messages, in batches. Entries that fail are sent again.
    ///
    /// # Errors
    /// When messages were not accepted. Others may have been sent.
    pub async fn send_all(&self, bodies: &[String]) -> Result<(), AwsError> {
        for batch in batches(bodies) {
            let mut waiting: Vec<(usize, &String)> = batch.iter().enumerate().collect();
            let mut attempt = 0;
            while !waiting.is_empty() {
                if attempt > 0 {
                    pause(attempt).await;
                }
                attempt += 1;
                let failed = self.send_batch(&waiting).await?;
                if let Some(refused) = failed.iter().find(|entry| entry.sender_fault || attempt >= ATTEMPTS) {
                    let cause = format!("{} of {} were refused: {}", failed.len(), waiting.len(), refused.code);
                    return Err(AwsError::unexpected("send messages", cause));
                }
                waiting.retain(|(index, _)| failed.iter().any(|entry| entry.id == index.to_string()));
            }
        }
        Ok(())
    }

    async fn send_batch(&self, waiting: &[(usize, &String)]) -> Result<Vec<Failed>, AwsError> {
        let entries: Vec<Value> =
            waiting.iter().map(|(index, body)| json!({ "Id": index.to_string(), "MessageBody": body })).collect();
        let call = Call::json(QUEUES, "SendMessageBatch", &json!({ "QueueUrl": self.url, "Entries": entries }));
        let answer: Result<Answer, _> = call.receive(&self.aws).await;
        Ok(answer.map_err(|error| AwsError::new("send messages", &error))?.failed)
    }
}

/// Splits messages into batches within both limits.
fn batches(bodies: &[String]) -> Vec<&[String]> {
    let mut batches = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (index, body) in bodies.iter().enumerate() {
        if index - start == BATCH_ENTRIES || (index > start && bytes + body.len() > BATCH_BYTES) {
            batches.push(&bodies[start..index]);
            (start, bytes) = (index, 0);
        }
        bytes += body.len();
    }
    if start < bodies.len() {
        batches.push(&bodies[start..]);
    }
    batches
}

/// Waits longer with each attempt.
async fn pause(attempt: u32) {
    tokio::time::sleep(Duration::from_millis(50 << attempt.min(6))).await;
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tables::testing::{Script, json_reply};

    use super::*;

    #[test]
    fn batches_respect_count_and_size() {
        let sizes = |bodies: &[String]| batches(bodies).iter().map(|batch| batch.len()).collect::<Vec<_>>();
        assert_eq!(sizes(&vec!["x".to_owned(); 23]), [10, 10, 3]);
        assert_eq!(sizes(&vec!["x".repeat(100 * 1024); 5]), [2, 2, 1]);
        assert_eq!(sizes(&[]), [0; 0]);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn only_failed_entries_are_sent_again() {
        let calls = AtomicUsize::new(0);
        let script = Script::new(move |_| match calls.fetch_add(1, Ordering::SeqCst) {
            0 => json_reply(json!({"Successful": [], "Failed": [
                {"Id": "1", "SenderFault": false, "Code": "InternalError"},
                {"Id": "4", "SenderFault": false, "Code": "ServiceUnavailable"},
            ]})),
            1 => json_reply(json!({"Failed": [{"Id": "4", "SenderFault": false, "Code": "InternalError"}]})),
            _ => json_reply(json!({"Successful": []})),
        });
        let bodies: Vec<String> = (0..5).map(|number| format!("m{number}")).collect();
        Queue::new(&script.aws(), "http://q").send_all(&bodies).await.expect("sent at last");
        let sent: Vec<Vec<Value>> = script
            .bodies("AmazonSQS.SendMessageBatch")
            .iter()
            .map(|body| {
                body["Entries"].as_array().expect("entries").iter().map(|entry| entry["MessageBody"].clone()).collect()
            })
            .collect();
        assert_eq!(sent, [vec!["m0", "m1", "m2", "m3", "m4"], vec!["m1", "m4"], vec!["m4"]]);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_refused_entry_is_an_error() {
        let script = Script::new(|_| {
            json_reply(json!({"Failed": [{"Id": "0", "SenderFault": true, "Code": "InvalidMessageContents"}]}))
        });
        let error = Queue::new(&script.aws(), "http://q").send_all(&["m".to_owned()]).await.expect_err("refused");
        assert!(error.to_string().contains("InvalidMessageContents"), "{error}");
        assert_eq!(script.requests().len(), 1);
    }
}
