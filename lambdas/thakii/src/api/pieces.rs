//! Shared by the three upload routes: a task for a video in the bucket, and the description of an upload.

use std::sync::Arc;

use axum::http::StatusCode;
use jiff::Timestamp;

use crate::{
    app::App,
    aws::AwsError,
    body::{Fields, digits},
    error::ApiError,
    ids,
    names::VideoName,
    tables::tasks::{Status, Task, Uploaded},
    time,
};

/// The largest number of parts that S3 accepts: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>.
const MOST: u64 = 10_000;

/// Creates a video's task and sends it to the worker. A repetition only does the missing steps.
pub(super) async fn enqueue(app: &Arc<App>, uploaded: Uploaded) -> Result<(), ApiError> {
    let task = uploaded.task(Timestamp::now());
    let task = if app.tasks.create(&task).await? { task } else { existing(app, task).await? };
    let lacks_queue = match task.status {
        Status::InQueue => task.queued_at.is_none(),
        // The task failed because the queue was unavailable; this repetition queues it.
        Status::Failed => task.queued_at.is_none() && app.tasks.requeued(&task.video_id, &time::now()).await?,
        Status::InProgress | Status::Done => false,
    };
    if !lacks_queue {
        return Ok(());
    }
    if let Err(error) = app.queue.send_task(&task, app.files.bucket()).await {
        app.tasks.unqueued(&task.video_id, "Queue unavailable", &time::now()).await?;
        return Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "Failed to queue video")
            .with("video_id", task.video_id)
            .because(&error));
    }
    app.tasks.queued(&task.video_id, &time::now()).await?;
    Ok(())
}

async fn existing(app: &Arc<App>, task: Task) -> Result<Task, AwsError> {
    Ok(app.tasks.get(&task.video_id).await?.unwrap_or(task))
}

/// The upload that a request names, and its number of pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Described {
    pub(super) file_id: String,
    pub(super) total_chunks: u64,
    pub(super) filename: VideoName,
}

/// The description of an upload as texts, from a form or from JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) file_id: Option<String>,
    pub(super) total_chunks: Option<String>,
    pub(super) original_filename: Option<String>,
    pub(super) chunk_index: Option<String>,
}

impl Said {
    /// Reads JSON fields. Numbers may be JSON numbers or strings.
    pub(super) fn of(fields: &Fields) -> Result<Self, ApiError> {
        let number =
            |name: &str| fields.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        Ok(Self {
            file_id: fields.text("file_id")?.map(str::to_owned),
            original_filename: fields.text("original_filename")?.map(str::to_owned),
            total_chunks: number("total_chunks"),
            chunk_index: number("chunk_index"),
        })
    }

    /// Checks that all fields are present, including the piece's index with `with_index`.
    pub(super) fn is_complete(&self, with_index: bool) -> bool {
        let said = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        said(&self.file_id)
            && said(&self.total_chunks)
            && said(&self.original_filename)
            && (!with_index || said(&self.chunk_index))
    }

    pub(super) fn described(&self) -> Result<Described, ApiError> {
        let total = self.total_chunks.as_deref().and_then(digits).filter(|total| (1..=MOST).contains(total));
        let file_id = self.file_id.as_deref().filter(|file_id| ids::is_file_id(file_id));
        let (Some(total_chunks), Some(file_id)) = (total, file_id) else { return Err(invalid()) };
        let filename = VideoName::parse(self.original_filename.as_deref().unwrap_or_default())?;
        Ok(Described { file_id: file_id.to_owned(), total_chunks, filename })
    }

    /// Returns the index of the piece, from 0.
    pub(super) fn index(&self, total_chunks: u64) -> Result<u64, ApiError> {
        let index = self.chunk_index.as_deref().and_then(digits);
        index.filter(|index| *index < total_chunks).ok_or_else(invalid)
    }
}

pub(super) fn invalid() -> ApiError {
    ApiError::bad_request("Invalid chunk metadata")
}

pub(super) fn mismatch() -> ApiError {
    ApiError::conflict("Chunk metadata mismatch")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(value: serde_json::Value) -> Said {
        Said::of(&Fields(value.as_object().expect("an object").clone())).expect("texts")
    }

    #[test]
    fn numbers_may_be_texts() {
        let said = said(json!({"file_id": "f", "total_chunks": "3", "original_filename": "a/l.mp4", "chunk_index": 2}));
        assert!(said.is_complete(true));
        let described = said.described().expect("well described");
        assert_eq!((described.total_chunks, described.filename.as_str()), (3, "l.mp4"));
        assert_eq!(said.index(3).expect("within"), 2);
        assert_eq!(said.index(2).expect_err("beyond").text(), "Invalid chunk metadata");
    }

    #[test]
    fn unfit_descriptions_are_refused() {
        let good = json!({"file_id": "f", "total_chunks": 3, "original_filename": "l.mp4", "chunk_index": 0});
        for (name, wrong) in [
            ("file_id", json!("../x")),
            ("total_chunks", json!(0)),
            ("total_chunks", json!(10001)),
            ("total_chunks", json!("abc")),
            ("total_chunks", json!(1.5)),
            ("total_chunks", json!(-1)),
        ] {
            let mut fields = good.clone();
            fields[name] = wrong.clone();
            assert_eq!(said(fields).described().expect_err(name).text(), "Invalid chunk metadata", "{name} {wrong}");
        }
        for wrong in [json!("abc"), json!(3), json!(-1), json!(true)] {
            let mut fields = good.clone();
            fields["chunk_index"] = wrong.clone();
            assert_eq!(said(fields).index(3).expect_err("wrong").text(), "Invalid chunk metadata", "{wrong}");
        }
    }

    #[test]
    fn what_is_not_said_is_missing() {
        let mut said = said(json!({"file_id": "f", "total_chunks": 3, "original_filename": "l.mp4"}));
        assert!(said.is_complete(false) && !said.is_complete(true));
        said.original_filename = Some(String::new());
        assert!(!said.is_complete(false));
    }
}
