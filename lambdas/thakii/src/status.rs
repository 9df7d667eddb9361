//! The status function: applies the worker's events and dead tasks to the tasks. Only messages that failed because of
//! AWS are delivered again.

use aws_config::SdkConfig;
use common::queue::{Batch, BatchResponse, QueueMessage};
use jiff::Timestamp;
use serde::Deserialize;
use tables::Database;
use thakii_contract::Status as StatusEnvironment;

use crate::{
    aws::{self, AwsError},
    files::{self, Files},
    ids,
    notify::{Notifier, Topic},
    queue::{Queue, TaskMessage},
    tables::{
        notifications::Notifications,
        servers::Servers,
        tasks::{
            Tasks,
            transitions::{Report, Transition},
        },
        users::Users,
    },
};

/// The state of the function.
#[derive(Debug)]
pub struct StatusFunction {
    pub(crate) tasks: Tasks,
    pub(crate) files: Files,
    pub(crate) notifier: Notifier,
    /// The dead-letter queue of tasks: the source of a message determines its meaning.
    pub(crate) dead: Queue,
    /// The dead-letter queue of malformed messages.
    pub(crate) malformed: Queue,
}

/// An event of the worker.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct TaskEvent {
    video_id: String,
    status: EventStatus,
    server_id: Option<String>,
    error_message: Option<String>,
    at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum EventStatus {
    InProgress,
    Done,
    Failed,
}

impl StatusFunction {
    /// Builds the function from the environment, without calling AWS.
    pub fn new(environment: StatusEnvironment, aws: &SdkConfig) -> Self {
        let aws = &aws::with_time_limits(aws);
        let database = Database::new(aws_sdk_dynamodb::Client::new(aws));
        let users = Users::new(database.clone(), environment.table_system);
        let servers = Servers::new(database.clone(), environment.table_processing_servers);
        let notifications = Notifications::new(database.clone(), environment.table_notifications);
        let topic = Topic::new(aws.clone(), environment.notifications_topic_arn);
        let s3 = aws::s3_client(aws);
        Self {
            tasks: Tasks::new(database, environment.table_video_tasks, users.clone(), servers, notifications.clone()),
            files: Files::new(s3.clone(), s3, environment.s3_bucket_name),
            notifier: Notifier { users, topic },
            dead: Queue::new(aws.clone(), environment.tasks_dlq_url),
            malformed: Queue::new(aws.clone(), environment.task_events_dlq_url),
        }
    }

    /// Handles all messages, even after one has failed.
    pub async fn handle(&self, batch: Batch) -> BatchResponse {
        batch.texts(async |message| self.handle_message(message).await).await
    }

    async fn handle_message(&self, message: QueueMessage<String>) -> Result<(), AwsError> {
        let QueueMessage { queue, body, .. } = message;
        let parsed = if queue == self.dead.name() { parse_dead_task(&body) } else { parse_event(&body) };
        match parsed {
            Some(event) => self.apply_event(event).await,
            None => {
                tracing::warn!(queue, "malformed message; sending it to the dead-letter queue");
                self.malformed.send(body).await
            }
        }
    }

    async fn apply_event(&self, event: TaskEvent) -> Result<(), AwsError> {
        let report = self.to_report(&event).await?;
        let transition =
            self.tasks.apply_report(&event.video_id, &report, event.server_id.as_deref(), Timestamp::now()).await?;
        let (video_id, status) = (&event.video_id, event.status);
        match transition {
            Transition::Applied(notification) => {
                tracing::info!(video_id, ?status, at = %event.at, "applied an event");
                if let Some(stored) = notification {
                    self.notifier.announce(std::slice::from_ref(&*stored)).await;
                }
            }
            Transition::Ignored => tracing::info!(video_id, ?status, at = %event.at, "ignored an event"),
            Transition::UnknownTask => {
                // The video has been deleted, so its results are deleted too.
                tracing::info!(video_id, ?status, at = %event.at, "unknown task; deleting its results");
                self.files.delete(&files::pdf_key(video_id)).await?;
                self.files.delete(&files::subtitle_key(video_id)).await?;
            }
        }
        Ok(())
    }

    /// Converts an event to a report. A finished task must have a PDF.
    async fn to_report(&self, event: &TaskEvent) -> Result<Report, AwsError> {
        match event.status {
            EventStatus::InProgress => Ok(Report::Started),
            EventStatus::Failed => {
                let reason = event.error_message.clone().filter(|reason| !reason.is_empty());
                Ok(Report::Failed(reason.unwrap_or_else(|| "Processing failed".to_owned())))
            }
            EventStatus::Done => {
                let (pdf_key, subtitle_key) = (files::pdf_key(&event.video_id), files::subtitle_key(&event.video_id));
                if self.files.object_size(&pdf_key).await?.is_none() {
                    return Ok(Report::Failed("PDF missing".to_owned()));
                }
                let subtitles = self.files.object_size(&subtitle_key).await?;
                Ok(Report::Finished { pdf_key, subtitle_key: subtitles.map(|_| subtitle_key) })
            }
        }
    }
}

/// Parses an event of the worker.
fn parse_event(body: &str) -> Option<TaskEvent> {
    serde_json::from_str(body).ok().filter(|event: &TaskEvent| ids::is_id(&event.video_id))
}

/// Parses a task that the worker failed to process three times.
fn parse_dead_task(body: &str) -> Option<TaskEvent> {
    let task: TaskMessage = serde_json::from_str(body).ok().filter(|task: &TaskMessage| ids::is_id(&task.video_id))?;
    Some(TaskEvent {
        video_id: task.video_id,
        status: EventStatus::Failed,
        server_id: None,
        error_message: Some("Gave up after 3 attempts".to_owned()),
        at: Timestamp::now(),
    })
}

#[cfg(test)]
mod tests;
