//! The status function: applies the worker's events and dead tasks to the tasks. Only messages that failed because of
//! AWS are delivered again.

use aws_config::SdkConfig;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thakii_contract::StatusEnvironment;

use crate::{
    aws::{self, AwsError},
    files::{self, Files},
    ids,
    notify::{Notifier, Topic},
    queue::{Queue, TaskMessage},
    tables::{
        Database,
        notifications::Notifications,
        servers::Servers,
        tasks::{
            Tasks,
            moves::{Moved, Report},
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

/// An event of SQS.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Messages {
    #[serde(rename = "Records")]
    pub(crate) records: Vec<Message>,
}

/// A message of SQS.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    pub(crate) message_id: String,
    pub(crate) body: String,
    #[serde(rename = "eventSourceARN")]
    pub(crate) source: String,
}

/// The response to SQS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Handled {
    pub(crate) batch_item_failures: Vec<Again>,
}

/// A message to deliver again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Again {
    pub(crate) item_identifier: String,
}

/// An event of the worker.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct TaskEvent {
    video_id: String,
    status: Told,
    server_id: Option<String>,
    error_message: Option<String>,
    at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Told {
    InProgress,
    Done,
    Failed,
}

impl StatusFunction {
    /// Builds the function from the environment, without calling AWS.
    pub fn new(environment: StatusEnvironment, aws: &SdkConfig) -> Self {
        let aws = &aws::limited(aws);
        let database = Database::new(aws_sdk_dynamodb::Client::new(aws));
        let users = Users::new(database.clone(), environment.table_system);
        let servers = Servers::new(database.clone(), environment.table_processing_servers);
        let notifications = Notifications::new(database.clone(), environment.table_notifications);
        let sqs = aws_sdk_sqs::Client::new(aws);
        let topic = Topic::new(aws_sdk_sns::Client::new(aws), environment.notifications_topic_arn);
        let s3 = aws::s3(aws);
        Self {
            tasks: Tasks::new(database, environment.table_video_tasks, users.clone(), servers, notifications.clone()),
            files: Files::new(s3.clone(), s3, environment.s3_bucket_name),
            notifier: Notifier { users, topic },
            dead: Queue::new(sqs.clone(), environment.tasks_dlq_url),
            malformed: Queue::new(sqs, environment.task_events_dlq_url),
        }
    }

    /// Handles all messages, even after one has failed.
    pub async fn handle(&self, messages: Messages) -> Handled {
        let mut handled = Handled::default();
        for message in messages.records {
            let Message { message_id, body, source } = message;
            if let Err(error) = self.message(&source, body).await {
                tracing::error!(message_id, %error, "a message will come again");
                handled.batch_item_failures.push(Again { item_identifier: message_id });
            }
        }
        handled
    }

    async fn message(&self, source: &str, body: String) -> Result<(), AwsError> {
        let queue = source.rsplit(':').next().unwrap_or_default();
        let understood = if queue == self.dead.name() { given_up(&body) } else { event(&body) };
        match understood {
            Some(event) => self.event(event).await,
            None => {
                tracing::warn!(queue, "a message is malformed and put aside");
                self.malformed.send(body).await
            }
        }
    }

    async fn event(&self, event: TaskEvent) -> Result<(), AwsError> {
        let report = self.report(&event).await?;
        let moved = self.tasks.report(&event.video_id, &report, event.server_id.as_deref(), Timestamp::now()).await?;
        let (video_id, status) = (&event.video_id, event.status);
        match moved {
            Moved::Yes(notification) => {
                tracing::info!(video_id, ?status, at = %event.at, "a task moved");
                if let Some(stored) = notification {
                    self.notifier.announce(std::slice::from_ref(&*stored)).await;
                }
            }
            Moved::Ignored => tracing::info!(video_id, ?status, at = %event.at, "an event changes nothing"),
            Moved::Unknown => {
                // The video was deleted meanwhile, so its results are deleted too.
                tracing::info!(video_id, ?status, at = %event.at, "an event is about no task");
                self.files.delete(&files::pdf_key(video_id)).await?;
                self.files.delete(&files::subtitle_key(video_id)).await?;
            }
        }
        Ok(())
    }

    /// Converts an event to a report. A finished task must have a PDF.
    async fn report(&self, event: &TaskEvent) -> Result<Report, AwsError> {
        match event.status {
            Told::InProgress => Ok(Report::Started),
            Told::Failed => {
                let reason = event.error_message.clone().filter(|reason| !reason.is_empty());
                Ok(Report::Failed(reason.unwrap_or_else(|| "Processing failed".to_owned())))
            }
            Told::Done => {
                let (pdf_key, subtitle_key) = (files::pdf_key(&event.video_id), files::subtitle_key(&event.video_id));
                if self.files.size(&pdf_key).await?.is_none() {
                    return Ok(Report::Failed("PDF missing".to_owned()));
                }
                let subtitles = self.files.size(&subtitle_key).await?;
                Ok(Report::Finished { pdf_key, subtitle_key: subtitles.map(|_| subtitle_key) })
            }
        }
    }
}

/// Parses an event of the worker.
fn event(body: &str) -> Option<TaskEvent> {
    serde_json::from_str(body).ok().filter(|event: &TaskEvent| ids::is_id(&event.video_id))
}

/// Parses a task that the worker failed to process three times.
fn given_up(body: &str) -> Option<TaskEvent> {
    let task: TaskMessage = serde_json::from_str(body).ok().filter(|task: &TaskMessage| ids::is_id(&task.video_id))?;
    Some(TaskEvent {
        video_id: task.video_id,
        status: Told::Failed,
        server_id: None,
        error_message: Some("Gave up after 3 attempts".to_owned()),
        at: Timestamp::now(),
    })
}

#[cfg(test)]
mod tests;
