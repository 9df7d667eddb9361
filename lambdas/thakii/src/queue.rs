//! Queues: tasks for the worker, and dead letters.

use aws_call::{Call, services::QUEUES};
use aws_config::SdkConfig;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{aws::AwsError, files, tables::tasks::Task, time};

/// The worker's message about a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskMessage {
    /// The version of the message: always 1.
    pub schema: u32,
    /// The video's ID.
    pub video_id: String,
    /// The video's owner.
    pub user_id: String,
    /// The video's file name.
    pub filename: String,
    /// The video's object.
    pub s3_key: String,
    /// The bucket of all objects.
    pub bucket: String,
    /// The object to write the PDF to.
    pub pdf_key: String,
    /// The object to write the subtitles to.
    pub subtitle_key: String,
    /// The time of sending.
    pub enqueued_at: String,
}

impl TaskMessage {
    pub(crate) fn new(task: &Task, bucket: &str) -> Self {
        Self {
            schema: 1,
            video_id: task.video_id.clone(),
            user_id: task.user_id.clone(),
            filename: task.filename.clone(),
            s3_key: task.s3_key.clone(),
            bucket: bucket.to_owned(),
            pdf_key: files::pdf_key(&task.video_id),
            subtitle_key: files::subtitle_key(&task.video_id),
            enqueued_at: time::now(),
        }
    }
}

/// The approximate number of messages in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Depth {
    pub(crate) visible: u64,
    pub(crate) in_flight: u64,
}

/// A response of `GetQueueAttributes` (SQS API reference).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    attributes: Attributes,
}

/// Numbers are strings.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attributes {
    approximate_number_of_messages: Option<String>,
    approximate_number_of_messages_not_visible: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Queue {
    config: SdkConfig,
    url: String,
}

impl Queue {
    pub(crate) fn new(config: SdkConfig, url: String) -> Self {
        Self { config, url }
    }

    pub(crate) fn name(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or_default()
    }

    /// Sends a task. The SDK tries three times.
    pub(crate) async fn send_task(&self, task: &Task, bucket: &str) -> Result<(), AwsError> {
        let message = serde_json::to_string(&TaskMessage::new(task, bucket));
        self.send(message.map_err(|error| AwsError::new("serialize a task's message", &error))?).await
    }

    pub(crate) async fn send(&self, body: String) -> Result<(), AwsError> {
        let call = Call::json(QUEUES, "SendMessage", &json!({ "QueueUrl": self.url, "MessageBody": body }));
        let sent = call.send(&self.config).await;
        sent.map(drop).map_err(|error| AwsError::new(format!("send to {}", self.name()), &error))
    }

    pub(crate) async fn depth(&self) -> Result<Depth, AwsError> {
        let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
        let input = json!({ "QueueUrl": self.url, "AttributeNames": names });
        let answer = Call::json(QUEUES, "GetQueueAttributes", &input).receive(&self.config).await;
        let Answer { attributes } =
            answer.map_err(|error| AwsError::new(format!("get the depth of {}", self.name()), &error))?;
        Ok(Depth {
            visible: number(attributes.approximate_number_of_messages),
            in_flight: number(attributes.approximate_number_of_messages_not_visible),
        })
    }
}

fn number(text: Option<String>) -> u64 {
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}
