//! Queues: tasks for the worker, and dead letters.

use std::collections::HashMap;

use aws_sdk_sqs::{Client, types::QueueAttributeName};
use serde::{Deserialize, Serialize};

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

#[derive(Debug, Clone)]
pub(crate) struct Queue {
    client: Client,
    url: String,
}

impl Queue {
    pub(crate) fn new(client: Client, url: String) -> Self {
        Self { client, url }
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
        let request = self.client.send_message().queue_url(&self.url).message_body(body);
        request.send().await.map(|_| ()).map_err(|error| AwsError::new(format!("send to {}", self.name()), &error))
    }

    pub(crate) async fn depth(&self) -> Result<Depth, AwsError> {
        let (visible, in_flight) = (
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        );
        let request = self.client.get_queue_attributes().queue_url(&self.url);
        let answer = request.attribute_names(visible.clone()).attribute_names(in_flight.clone()).send().await;
        let answer = answer.map_err(|error| AwsError::new(format!("get the depth of {}", self.name()), &error))?;
        let attributes = answer.attributes.unwrap_or_default();
        Ok(Depth { visible: number(&attributes, &visible), in_flight: number(&attributes, &in_flight) })
    }
}

fn number(attributes: &HashMap<QueueAttributeName, String>, name: &QueueAttributeName) -> u64 {
    attributes.get(name).and_then(|text| text.parse().ok()).unwrap_or(0)
}
