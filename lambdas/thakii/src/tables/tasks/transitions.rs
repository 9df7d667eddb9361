//! Transitions of tasks: the allowed ones, and the other items they change.

use jiff::Timestamp;
use serde_json::json;
use tables::{Change, TransactionOutcome, Write, from_item};

use super::{ATTEMPTS, Status, Task, Tasks, if_unchanged, key};
use crate::{aws::AwsError, tables::notifications::Stored, time};

/// The longest stored error message, in characters.
const MAX_REASON_CHARS: usize = 1000;

/// A report about a task, by a worker or on its behalf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Report {
    Started,
    Finished {
        pdf_key: String,
        /// Absent for a video without subtitles.
        subtitle_key: Option<String>,
    },
    /// The reason.
    Failed(String),
}

/// The result of a report.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Transition {
    /// The task moved. A notification was stored with it, except for a start.
    Applied(Option<Box<Stored>>),
    /// The task's status does not allow the transition.
    Ignored,
    UnknownTask,
}

impl Report {
    /// Returns the status that follows `status`, if the transition is allowed. `done` is final.
    pub(crate) fn next_status(&self, status: Status) -> Option<Status> {
        match (self, status) {
            (Self::Started, Status::InQueue | Status::Failed) => Some(Status::InProgress),
            (Self::Finished { .. }, Status::InQueue | Status::InProgress | Status::Failed) => Some(Status::Done),
            (Self::Failed(_), Status::InQueue | Status::InProgress) => Some(Status::Failed),
            _ => None,
        }
    }
}

impl Tasks {
    /// Applies a report to a task, together with its server's counters and its user's notification, in one transaction.
    /// `server` is the registered server that reports, if any.
    pub(crate) async fn apply_report(
        &self,
        video_id: &str,
        report: &Report,
        server: Option<&str>,
        now: Timestamp,
    ) -> Result<Transition, AwsError> {
        for _ in 0..ATTEMPTS {
            let Some(item) = self.database.get(&self.table, key(video_id)).await? else {
                return Ok(Transition::UnknownTask);
            };
            let task: Task = from_item(item)?;
            let Some(status) = report.next_status(task.status) else { return Ok(Transition::Ignored) };
            let notification = match status {
                Status::InProgress => None,
                _ => Some(Box::new(notification(&task, status, now)?)),
            };
            let change = change(&task, report, status, server, &time::text(now));
            let counters = counters(&task, report, server);
            if self.write_transition(&task.video_id, change, notification.as_deref(), counters).await? {
                return Ok(Transition::Applied(notification));
            }
        }
        Err(AwsError::unexpected(format!("move task {video_id}"), "the task keeps changing"))
    }

    /// Writes a transition. Returns false if the task has changed in the meantime.
    async fn write_transition(
        &self,
        video_id: &str,
        change: Change,
        notification: Option<&Stored>,
        counters: Option<Counters<'_>>,
    ) -> Result<bool, AwsError> {
        let mut writes = vec![Write::Change(self.table.clone(), key(video_id), change)];
        if let Some(notification) = notification {
            writes.push(self.notifications.store_write(notification)?);
        }
        let without_server = writes.len();
        if let Some(Counters { server, load, jobs }) = counters {
            writes.push(self.servers.add_load_write(server, load, jobs));
        }
        match self.database.transact(writes.clone()).await? {
            TransactionOutcome::Committed => Ok(true),
            TransactionOutcome::ConditionsFailed(failed) if failed.contains(&0) => Ok(false),
            TransactionOutcome::ConditionsFailed(_) => {
                // The server is not registered, so it has no counters.
                writes.truncate(without_server);
                Ok(self.database.transact(writes).await? == TransactionOutcome::Committed)
            }
        }
    }
}

/// The change of the task itself, conditional on its state.
fn change(task: &Task, report: &Report, status: Status, server: Option<&str>, now: &str) -> Change {
    let change = if_unchanged(Change::new().set("status", status).set("updated_at", now), task);
    match report {
        Report::Started => {
            let change = change.set("started_at", now).remove("error_message").remove("finished_at");
            match server {
                Some(server) => change.set("server_id", server),
                None => change.remove("server_id"),
            }
        }
        Report::Finished { pdf_key, subtitle_key } => change
            .set("finished_at", now)
            .set("pdf_key", pdf_key.as_str())
            .set_some("subtitle_key", subtitle_key.as_deref())
            .remove("error_message"),
        Report::Failed(reason) => change
            .set("finished_at", now)
            .set("error_message", reason.chars().take(MAX_REASON_CHARS).collect::<String>()),
    }
}

/// The numbers that a transition adds to the counters of its server.
#[derive(Debug, Clone, Copy)]
struct Counters<'a> {
    server: &'a str,
    load: i64,
    jobs: i64,
}

fn counters<'a>(task: &'a Task, report: &Report, server: Option<&'a str>) -> Option<Counters<'a>> {
    match report {
        Report::Started => server.map(|server| Counters { server, load: 1, jobs: 0 }),
        _ => {
            let load = if task.status == Status::InProgress { -1 } else { 0 };
            task.server_id.as_deref().or(server).map(|server| Counters { server, load, jobs: 1 })
        }
    }
}

fn notification(task: &Task, status: Status, now: Timestamp) -> Result<Stored, AwsError> {
    let body = match status {
        Status::Done => format!("Your video \"{}\" is ready", task.filename),
        _ => format!("Your video \"{}\" could not be processed", task.filename),
    };
    let data = [
        ("video_id".to_owned(), json!(task.video_id)),
        ("status".to_owned(), json!(status)),
        ("type".to_owned(), json!("video_update")),
    ];
    Stored::new(&task.user_id, "Video Processing Update", &body, data.into(), now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn done_is_final_and_a_task_fails_once() {
        let started = Report::Started;
        let finished = Report::Finished { pdf_key: "pdfs/x.pdf".to_owned(), subtitle_key: None };
        let failed = Report::Failed("no".to_owned());
        let next = |report: &Report| Status::ALL.map(|status| report.next_status(status));
        // From in_queue, in_progress, done and failed.
        assert_eq!(next(&started), [Some(Status::InProgress), None, None, Some(Status::InProgress)]);
        assert_eq!(next(&finished), [Some(Status::Done), Some(Status::Done), None, Some(Status::Done)]);
        assert_eq!(next(&failed), [Some(Status::Failed), Some(Status::Failed), None, None]);
    }
}
