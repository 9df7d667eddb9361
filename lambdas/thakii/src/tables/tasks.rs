//! Table `video-tasks`: a task per video, and its way from `in_queue` to `done` or `failed`.

pub mod moves;

use std::cmp::Reverse;

use contract::thakii::tables::{BY_STATUS, BY_USER};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    attributes::{Item, from_item, from_items, strings, to_item},
    change::Change,
    database::Database,
    notifications::Notifications,
    query::Query,
    servers::Servers,
    transaction::{Part, Transacted},
    users::Users,
};
use crate::{aws::AwsError, time};

/// How often a write that meets a task's move is tried.
const ATTEMPTS: u32 = 3;

/// How far a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nobody works on it yet.
    InQueue,
    /// A worker works on it. The original's workers called it `processing`.
    #[serde(alias = "processing")]
    InProgress,
    /// There are a PDF and subtitles. The original's workers called it `completed`.
    #[serde(alias = "completed")]
    Done,
    /// There will be none, unless somebody tries again.
    Failed,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::InQueue, Self::InProgress, Self::Done, Self::Failed];

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InQueue => "in_queue",
            Self::InProgress => "in_progress",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// As it may be stored: rows of the original keep its words until their first move.
    const fn spellings(self) -> &'static [&'static str] {
        match self {
            Self::InQueue => &["in_queue"],
            Self::InProgress => &["in_progress", "processing"],
            Self::Done => &["done", "completed"],
            Self::Failed => &["failed"],
        }
    }

    /// Reads what [`Status::as_str`] writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// A video and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// The video's id.
    pub video_id: String,
    /// The video's name.
    pub filename: String,
    /// Whose it is.
    pub user_id: String,
    /// Their e-mail address.
    pub user_email: String,
    /// How far it is.
    pub status: Status,
    /// `2026-01-31 12:00:00`, in UTC.
    pub upload_date: String,
    /// When the task was made.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
    /// Where the video lies.
    pub s3_key: String,
    /// The video's bytes.
    pub size: u64,
    /// The video's declared type.
    pub content_type: String,
    /// `created_at#video_id`: sorts tasks by age, and never two alike.
    pub created_key: String,
    /// When the worker's queue took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued_at: Option<String>,
    /// When a worker began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When it was done, or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<String>,
    /// Which registered server works on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_id: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// Where the PDF lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pdf_key: Option<String>,
    /// Where the subtitles lie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subtitle_key: Option<String>,
}

/// A video that was just uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploaded {
    /// Its id.
    pub video_id: String,
    /// Its name.
    pub filename: String,
    /// Its declared type.
    pub content_type: String,
    /// Its bytes.
    pub size: u64,
    /// Where it lies.
    pub s3_key: String,
    /// Whose it is.
    pub user_id: String,
    /// Their e-mail address.
    pub user_email: String,
}

impl Uploaded {
    /// Its task.
    #[must_use]
    pub fn task(self, now: Timestamp) -> Task {
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

/// The repository. What concerns a task's user or server too is written in one transaction.
#[derive(Debug, Clone)]
pub struct Tasks {
    database: Database,
    table: String,
    users: Users,
    servers: Servers,
    notifications: Notifications,
}

impl Tasks {
    /// In this table, with its neighbours.
    #[must_use]
    pub fn new(
        database: Database,
        table: String,
        users: Users,
        servers: Servers,
        notifications: Notifications,
    ) -> Self {
        Self { database, table, users, servers, notifications }
    }

    /// A task as it is now.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn get(&self, video_id: &str) -> Result<Option<Task>, AwsError> {
        self.database.get(&self.table, key(video_id)).await?.map(from_item).transpose()
    }

    /// Makes a task, and counts a video more for its user; false when it is there already.
    ///
    /// # Errors
    /// When a table fails.
    pub async fn create(&self, task: &Task) -> Result<bool, AwsError> {
        let absent = Change::new().when(|at| at.absent("video_id"));
        let parts = vec![
            Part::Put(self.table.clone(), to_item(task)?, absent),
            self.users.gained(&task.user_id, &task.user_email, &task.created_at),
        ];
        Ok(self.database.transact(parts).await? == Transacted::Yes)
    }

    /// Deletes a task, counts a video less for its user, and relieves its server; false when it is not there.
    ///
    /// # Errors
    /// When a table fails, or others move the task all the time.
    pub async fn delete(&self, task: &Task) -> Result<bool, AwsError> {
        let mut task = task.clone();
        for _ in 0..ATTEMPTS {
            if self.deleted(&task).await? {
                return Ok(true);
            }
            // It has moved since it was read, and its server's load with it, or somebody else has deleted it.
            let Some(current) = self.get(&task.video_id).await? else { return Ok(false) };
            task = current;
        }
        Err(AwsError::odd(format!("delete task {}", task.video_id), "it moves all the time"))
    }

    /// Deletes a task that is as it was read; false when it is not.
    async fn deleted(&self, task: &Task) -> Result<bool, AwsError> {
        let unmoved = unmoved(Change::new(), task);
        let mut parts =
            vec![Part::Delete(self.table.clone(), key(&task.video_id), unmoved), self.users.lost(&task.user_id)];
        let without_server = parts.len();
        let server = task.server_id.as_deref().filter(|_| task.status == Status::InProgress);
        if let Some(server) = server {
            parts.push(self.servers.loaded(server, -1, 0));
        }
        match self.database.transact(parts.clone()).await? {
            Transacted::Yes => Ok(true),
            Transacted::Refused(places) if places.contains(&0) => Ok(false),
            Transacted::Refused(_) => {
                // The server is no longer registered.
                parts.truncate(without_server);
                Ok(self.database.transact(parts).await? == Transacted::Yes)
            }
        }
    }

    /// Notes that the worker's queue took the task. One that failed for want of the queue is in it now.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn queued(&self, video_id: &str, now: &str) -> Result<(), AwsError> {
        let change = Change::new().set("queued_at", now).when(|at| at.exists("video_id"));
        self.database.change(&self.table, key(video_id), change).await.map(|_| ())
    }

    /// Puts a task that failed before it reached the queue back into it; false when that is not what it is.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn requeued(&self, video_id: &str, now: &str) -> Result<bool, AwsError> {
        let change = Change::new()
            .set("status", Status::InQueue)
            .set("updated_at", now)
            .remove("error_message")
            .remove("finished_at")
            .when(|at| format!("{} AND {}", at.compare("status", "=", Status::Failed), at.absent("queued_at")));
        Ok(self.database.change(&self.table, key(video_id), change).await?.is_some())
    }

    /// Fails a task that could not be queued.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn unqueued(&self, video_id: &str, message: &str, now: &str) -> Result<(), AwsError> {
        let change = Change::new()
            .set("status", Status::Failed)
            .set("error_message", message)
            .set("finished_at", now)
            .set("updated_at", now)
            .when(|at| format!("{} AND {}", at.compare("status", "=", Status::InQueue), at.absent("queued_at")));
        self.database.change(&self.table, key(video_id), change).await.map(|_| ())
    }

    /// A user's tasks, newest first, older than `before`.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn of_user(&self, user_id: &str, before: Option<&str>, limit: usize) -> Result<Vec<Task>, AwsError> {
        let query = Query::index(&self.table, BY_USER, user_id).sorted(BY_USER.sort, "<", before).descending();
        from_items(self.database.query(&query, limit).await?)
    }

    /// The tasks of a status, newest first, older than `before`.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn of_status(&self, status: Status, before: Option<&str>, limit: usize) -> Result<Vec<Task>, AwsError> {
        let query =
            Query::index(&self.table, BY_STATUS, status.as_str()).sorted(BY_STATUS.sort, "<", before).descending();
        from_items(self.database.query(&query, limit).await?)
    }

    /// All tasks, newest first, older than `before`.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn all(&self, before: Option<&str>, limit: usize) -> Result<Vec<Task>, AwsError> {
        let of = |status| self.of_status(status, before, limit);
        let [queued, progress, done, failed] = Status::ALL.map(of);
        let (queued, progress, done, failed) = tokio::try_join!(queued, progress, done, failed)?;
        Ok(merge([queued, progress, done, failed], limit))
    }

    /// How many tasks are in a status.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn count(&self, status: Status) -> Result<u64, AwsError> {
        self.database.count(&Query::index(&self.table, BY_STATUS, status.as_str())).await
    }

    /// Tasks made before `time` that the worker's queue never took, oldest first; each on its own, so that one that
    /// cannot be read does not hide the others.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn lost(&self, time: &str, limit: usize) -> Result<Vec<Result<Task, AwsError>>, AwsError> {
        let query = Query::index(&self.table, BY_STATUS, Status::InQueue.as_str())
            .sorted(BY_STATUS.sort, "<", Some(time))
            .filter(|at| at.absent("queued_at"));
        Ok(self.database.query(&query, limit).await?.into_iter().map(named).collect())
    }

    /// Tasks in progress that have not changed since `time`, oldest first; each on its own too.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn stuck(&self, time: &str, limit: usize) -> Result<Vec<Result<Task, AwsError>>, AwsError> {
        let query = Query::index(&self.table, BY_STATUS, Status::InProgress.as_str())
            .sorted(BY_STATUS.sort, "<", Some(time))
            .filter(|at| at.compare("updated_at", "<", time));
        Ok(self.database.query(&query, limit).await?.into_iter().map(named).collect())
    }
}

/// The change, made only if the task still is as it was read: every move changes both.
fn unmoved(change: Change, task: &Task) -> Change {
    change
        .when(|at| at.one_of("status", task.status.spellings().iter().copied()))
        .when(|at| at.compare("updated_at", "=", task.updated_at.as_str()))
}

/// A task as it is stored; if it makes no sense, the error says which.
fn named(item: Item) -> Result<Task, AwsError> {
    let id = item.get("video_id").and_then(|id| id.as_s().ok()).cloned().unwrap_or_default();
    from_item(item).map_err(|error: AwsError| AwsError::odd(format!("understand task {id}"), error.cause))
}

/// Several lists as one, newest first. A task that moved while they were read may be in two: its later state counts.
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
