//! The queues: tasks for the worker, and what had to be put aside.

use std::collections::HashMap;

use aws_sdk_sqs::{Client, types::QueueAttributeName};
use serde::{Deserialize, Serialize};

use crate::{aws::AwsError, files, tables::tasks::Task, time};

/// What the worker is told of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskMessage {
    /// Always 1.
    pub schema: u32,
    /// The video.
    pub video_id: String,
    /// Whose it is.
    pub user_id: String,
    /// Its name.
    pub filename: String,
    /// Where it lies.
    pub s3_key: String,
    /// In which bucket.
    pub bucket: String,
    /// Where the PDF shall lie.
    pub pdf_key: String,
    /// Where the subtitles shall lie.
    pub subtitle_key: String,
    /// When it was told.
    pub enqueued_at: String,
}

impl TaskMessage {
    /// A task's message.
    #[must_use]
    pub fn new(task: &Task, bucket: &str) -> Self {
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

/// How much lies in a queue; SQS's numbers are approximate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// Waiting.
    pub visible: u64,
    /// Being worked on.
    pub in_flight: u64,
}

/// A queue.
#[derive(Debug, Clone)]
pub struct Queue {
    client: Client,
    url: String,
}

impl Queue {
    /// The queue with this URL.
    #[must_use]
    pub fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or_default()
    }

    /// Sends a task. The SDK tries three times.
    ///
    /// # Errors
    /// When SQS fails.
    pub async fn send_task(&self, task: &Task, bucket: &str) -> Result<(), AwsError> {
        let message = serde_json::to_string(&TaskMessage::new(task, bucket));
        self.send(message.map_err(|error| AwsError::new("write a task's message", &error))?).await
    }

    /// Sends a text.
    ///
    /// # Errors
    /// When SQS fails.
    pub async fn send(&self, body: String) -> Result<(), AwsError> {
        let request = self.client.send_message().queue_url(&self.url).message_body(body);
        request.send().await.map(|_| ()).map_err(|error| AwsError::new(format!("send to {}", self.name()), &error))
    }

    /// How much lies in it.
    ///
    /// # Errors
    /// When SQS fails.
    pub async fn depth(&self) -> Result<Depth, AwsError> {
        let (visible, in_flight) = (
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        );
        let request = self.client.get_queue_attributes().queue_url(&self.url);
        let answer = request.attribute_names(visible.clone()).attribute_names(in_flight.clone()).send().await;
        let answer = answer.map_err(|error| AwsError::new(format!("look at {}", self.name()), &error))?;
        let attributes = answer.attributes.unwrap_or_default();
        Ok(Depth { visible: number(&attributes, &visible), in_flight: number(&attributes, &in_flight) })
    }
}

fn number(attributes: &HashMap<QueueAttributeName, String>, name: &QueueAttributeName) -> u64 {
    attributes.get(name).and_then(|text| text.parse().ok()).unwrap_or(0)
}
