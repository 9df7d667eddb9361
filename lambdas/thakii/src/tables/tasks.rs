//! Table `video-tasks`: one task per video, from `in_queue` to `done` or `failed`.

pub(crate) mod transitions;

use std::cmp::Reverse;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tables::{Change, Database, Item, Query, TransactionOutcome, Write, from_item, from_items, strings, to_item};
use thakii_contract::tables::{BY_STATUS, BY_USER};

use super::{index, notifications::Notifications, servers::Servers, users::Users};
use crate::{aws::AwsError, time};

/// The number of attempts of a write that conflicts with a task's transitions.
const ATTEMPTS: u32 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    InQueue,
    /// The original's workers wrote `processing`.
    #[serde(alias = "processing")]
    InProgress,
    /// The original's workers wrote `completed`.
    #[serde(alias = "completed")]
    Done,
    Failed,
}

impl Status {
    pub(crate) const ALL: [Self; 4] = [Self::InQueue, Self::InProgress, Self::Done, Self::Failed];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::InQueue => "in_queue",
            Self::InProgress => "in_progress",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// The stored values of a status: rows of the original service keep theirs until their first transition.
    const fn stored_values(self) -> &'static [&'static str] {
        match self {
            Self::InQueue => &["in_queue"],
            Self::InProgress => &["in_progress", "processing"],
            Self::Done => &["done", "completed"],
            Self::Failed => &["failed"],
        }
    }

    /// Parses the result of [`Status::as_str`].
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// A video and the state of its processing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) video_id: String,
    pub(crate) filename: String,
    pub(crate) user_id: String,
    pub(crate) user_email: String,
    pub(crate) status: Status,
    /// `2026-01-31 12:00:00`, in UTC.
    pub(crate) upload_date: String,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
    pub(crate) s3_key: String,
    /// In bytes.
    pub(crate) size: u64,
    /// As declared by the client.
    pub(crate) content_type: String,
    /// `created_at#video_id`: unique, and sorts tasks by age.
    pub(crate) created_key: String,
    /// Absent until the worker's queue has accepted the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) queued_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) started_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) finished_at: Option<String>,
    /// The registered server that processes the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) server_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error_message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pdf_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) subtitle_key: Option<String>,
}

/// A video that was just uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Uploaded {
    pub(crate) video_id: String,
    pub(crate) filename: String,
    /// As declared by the client.
    pub(crate) content_type: String,
    /// In bytes.
    pub(crate) size: u64,
    pub(crate) s3_key: String,
    pub(crate) user_id: String,
    pub(crate) user_email: String,
}

impl Uploaded {
    /// Returns the video's task, in the queue.
    pub(crate) fn task(self, now: Timestamp) -> Task {
        let created_at = time::text(now);
        Task {
            created_key: format!("{created_at}#{}", self.video_id),
            video_id: self.video_id,
            filename: self.filename,
            user_id: self.user_id,
            user_email: self.user_email,
            status: Status::InQueue,
            upload_date: time::upload_date(now),
            updated_at: created_at.clone(),
            created_at,
            s3_key: self.s3_key,
            size: self.size,
            content_type: self.content_type,
            queued_at: None,
            started_at: None,
            finished_at: None,
            server_id: None,
            error_message: None,
            pdf_key: None,
            subtitle_key: None,
        }
    }
}

/// The repository. Changes that also concern a task's user or server are written in one transaction.
#[derive(Debug, Clone)]
pub(crate) struct Tasks {
    database: Database,
    table: String,
    users: Users,
    servers: Servers,
    notifications: Notifications,
}

impl Tasks {
    pub(crate) fn new(
        database: Database,
        table: String,
        users: Users,
        servers: Servers,
        notifications: Notifications,
    ) -> Self {
        Self { database, table, users, servers, notifications }
    }

    pub(crate) async fn get(&self, video_id: &str) -> Result<Option<Task>, AwsError> {
        self.database.get(&self.table, key(video_id)).await?.map(from_item).transpose()
    }

    /// Creates a task and counts a video for its user. Returns false if the task exists.
    pub(crate) async fn create(&self, task: &Task) -> Result<bool, AwsError> {
        let absent = Change::new().when(|at| at.absent("video_id"));
        let writes = vec![
            Write::Put(self.table.clone(), to_item(task)?, absent),
            self.users.add_video_write(&task.user_id, &task.user_email, &task.created_at),
        ];
        Ok(self.database.transact(writes).await? == TransactionOutcome::Committed)
    }

    /// Deletes a task, its user's count and its server's load. Returns false if the task does not exist.
    pub(crate) async fn delete(&self, task: &Task) -> Result<bool, AwsError> {
        let mut task = task.clone();
        for _ in 0..ATTEMPTS {
            if self.delete_unchanged(&task).await? {
                return Ok(true);
            }
            // The task has moved, and its server's load with it, or another request has deleted it.
            let Some(current) = self.get(&task.video_id).await? else { return Ok(false) };
            task = current;
        }
        Err(AwsError::unexpected(format!("delete task {}", task.video_id), "the task keeps changing"))
    }

    /// Deletes a task that has not changed since it was read. Returns false if it has.
    async fn delete_unchanged(&self, task: &Task) -> Result<bool, AwsError> {
        let unchanged = if_unchanged(Change::new(), task);
        let mut writes = vec![
            Write::Delete(self.table.clone(), key(&task.video_id), unchanged),
            self.users.remove_video_write(&task.user_id),
        ];
        let without_server = writes.len();
        let server = task.server_id.as_deref().filter(|_| task.status == Status::InProgress);
        if let Some(server) = server {
            writes.push(self.servers.add_load_write(server, -1, 0));
        }
        match self.database.transact(writes.clone()).await? {
            TransactionOutcome::Committed => Ok(true),
            TransactionOutcome::ConditionsFailed(failed) if failed.contains(&0) => Ok(false),
            TransactionOutcome::ConditionsFailed(_) => {
                // The server is no longer registered.
                writes.truncate(without_server);
                Ok(self.database.transact(writes).await? == TransactionOutcome::Committed)
            }
        }
    }

    /// Records that the worker's queue has accepted a task.
    pub(crate) async fn mark_queued(&self, video_id: &str, now: &str) -> Result<(), AwsError> {
        let change = Change::new().set("queued_at", now).when(|at| at.exists("video_id"));
        self.database.update(&self.table, key(video_id), change).await.map(|_| ())
    }

    /// Returns a task to the queue that failed before it was queued. Returns false if it is not such a task.
    pub(crate) async fn requeue_failed(&self, video_id: &str, now: &str) -> Result<bool, AwsError> {
        let change = Change::new()
            .set("status", Status::InQueue)
            .set("updated_at", now)
            .remove("error_message")
            .remove("finished_at")
            .when(|at| format!("{} AND {}", at.compare("status", "=", Status::Failed), at.absent("queued_at")));
        Ok(self.database.update(&self.table, key(video_id), change).await?.is_some())
    }

    /// Fails a task that could not be queued.
    pub(crate) async fn fail_unqueued(&self, video_id: &str, message: &str, now: &str) -> Result<(), AwsError> {
        let change = Change::new()
            .set("status", Status::Failed)
            .set("error_message", message)
            .set("finished_at", now)
            .set("updated_at", now)
            .when(|at| format!("{} AND {}", at.compare("status", "=", Status::InQueue), at.absent("queued_at")));
        self.database.update(&self.table, key(video_id), change).await.map(|_| ())
    }

    /// Lists a user's tasks older than `before`, newest first.
    pub(crate) async fn list_for_user(
        &self,
        user_id: &str,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Task>, AwsError> {
        let query = Query::index(&self.table, index(BY_USER), user_id).sorted(BY_USER.sort, "<", before).descending();
        from_items(self.database.query(&query, limit).await?)
    }

    /// Lists the tasks with a status older than `before`, newest first.
    pub(crate) async fn list_with_status(
        &self,
        status: Status,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Task>, AwsError> {
        let query = Query::index(&self.table, index(BY_STATUS), status.as_str())
            .sorted(BY_STATUS.sort, "<", before)
            .descending();
        from_items(self.database.query(&query, limit).await?)
    }

    /// Lists all tasks older than `before`, newest first.
    pub(crate) async fn list(&self, before: Option<&str>, limit: usize) -> Result<Vec<Task>, AwsError> {
        let list = |status| self.list_with_status(status, before, limit);
        let [queued, progress, done, failed] = Status::ALL.map(list);
        let (queued, progress, done, failed) = tokio::try_join!(queued, progress, done, failed)?;
        Ok(merge([queued, progress, done, failed], limit))
    }

    pub(crate) async fn count_with_status(&self, status: Status) -> Result<u64, AwsError> {
        self.database.count(&Query::index(&self.table, index(BY_STATUS), status.as_str())).await
    }

    /// Lists tasks created before `time` that were never queued, oldest first. Each has its own result, so that an
    /// unreadable one does not hide the others.
    pub(crate) async fn list_lost(&self, time: &str, limit: usize) -> Result<Vec<Result<Task, AwsError>>, AwsError> {
        let query = Query::index(&self.table, index(BY_STATUS), Status::InQueue.as_str())
            .sorted(BY_STATUS.sort, "<", Some(time))
            .filter(|at| at.absent("queued_at"));
        Ok(self.database.query(&query, limit).await?.into_iter().map(parse_task).collect())
    }

    /// Lists tasks in progress that have not changed since `time`, oldest first, each with its own result.
    pub(crate) async fn list_stalled(&self, time: &str, limit: usize) -> Result<Vec<Result<Task, AwsError>>, AwsError> {
        let query = Query::index(&self.table, index(BY_STATUS), Status::InProgress.as_str())
            .sorted(BY_STATUS.sort, "<", Some(time))
            .filter(|at| at.compare("updated_at", "<", time));
        Ok(self.database.query(&query, limit).await?.into_iter().map(parse_task).collect())
    }
}

/// Adds the condition that a task has not changed since it was read: every transition changes both attributes.
fn if_unchanged(change: Change, task: &Task) -> Change {
    change
        .when(|at| at.one_of("status", task.status.stored_values().iter().copied()))
        .when(|at| at.compare("updated_at", "=", task.updated_at.as_str()))
}

/// Converts an item. The error of an unreadable one names the task.
fn parse_task(item: Item) -> Result<Task, AwsError> {
    let id = item.get("video_id").and_then(|id| id.as_s().ok()).cloned().unwrap_or_default();
    from_item(item).map_err(|error: AwsError| AwsError::unexpected(format!("parse task {id}"), error.cause))
}

/// Merges lists, newest first. A task that moved between two queries may be in two lists: its later state counts.
fn merge(lists: [Vec<Task>; 4], limit: usize) -> Vec<Task> {
    let mut tasks: Vec<Task> = lists.into_iter().flatten().collect();
    tasks.sort_by_key(|task| Reverse((task.created_key.clone(), task.updated_at.clone())));
    tasks.dedup_by(|later, earlier| later.video_id == earlier.video_id);
    tasks.truncate(limit);
    tasks
}

fn key(video_id: &str) -> Item {
    strings([("video_id", video_id)])
}

#[cfg(test)]
mod tests;
