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
const MAX_PIECES: u64 = 10_000;

/// Creates a video's task and sends it to the worker. A repetition only does the missing steps.
pub(super) async fn enqueue(app: &Arc<App>, uploaded: Uploaded) -> Result<(), ApiError> {
    let task = uploaded.task(Timestamp::now());
    let task = if app.tasks.create(&task).await? { task } else { find_existing(app, task).await? };
    let is_unqueued = match task.status {
        Status::InQueue => task.queued_at.is_none(),
        // The task failed because the queue was unavailable; this repetition queues it.
        Status::Failed => task.queued_at.is_none() && app.tasks.requeue_failed(&task.video_id, &time::now()).await?,
        Status::InProgress | Status::Done => false,
    };
    if !is_unqueued {
        return Ok(());
    }
    if let Err(error) = app.queue.send_task(&task, app.files.bucket()).await {
        app.tasks.fail_unqueued(&task.video_id, "Queue unavailable", &time::now()).await?;
        return Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "Failed to queue video")
            .with("video_id", task.video_id)
            .with_cause(&error));
    }
    app.tasks.mark_queued(&task.video_id, &time::now()).await?;
    Ok(())
}

async fn find_existing(app: &Arc<App>, task: Task) -> Result<Task, AwsError> {
    Ok(app.tasks.get(&task.video_id).await?.unwrap_or(task))
}

/// The upload that a request names, and its number of pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UploadDescription {
    pub(super) file_id: String,
    pub(super) total_chunks: u64,
    pub(super) filename: VideoName,
}

/// The description of an upload as texts, from a form or from JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct UploadFields {
    pub(super) file_id: Option<String>,
    pub(super) total_chunks: Option<String>,
    pub(super) original_filename: Option<String>,
    pub(super) chunk_index: Option<String>,
}

impl UploadFields {
    /// Reads JSON fields. Numbers may be JSON numbers or strings.
    pub(super) fn from_json(fields: &Fields) -> Result<Self, ApiError> {
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
        let is_present = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        is_present(&self.file_id)
            && is_present(&self.total_chunks)
            && is_present(&self.original_filename)
            && (!with_index || is_present(&self.chunk_index))
    }

    pub(super) fn parse(&self) -> Result<UploadDescription, ApiError> {
        let total = self.total_chunks.as_deref().and_then(digits).filter(|total| (1..=MAX_PIECES).contains(total));
        let file_id = self.file_id.as_deref().filter(|file_id| ids::is_file_id(file_id));
        let (Some(total_chunks), Some(file_id)) = (total, file_id) else { return Err(invalid_metadata()) };
        let filename = VideoName::parse(self.original_filename.as_deref().unwrap_or_default())?;
        Ok(UploadDescription { file_id: file_id.to_owned(), total_chunks, filename })
    }

    /// Returns the index of the piece, from 0.
    pub(super) fn parse_index(&self, total_chunks: u64) -> Result<u64, ApiError> {
        let index = self.chunk_index.as_deref().and_then(digits);
        index.filter(|index| *index < total_chunks).ok_or_else(invalid_metadata)
    }
}

pub(super) fn invalid_metadata() -> ApiError {
    ApiError::bad_request("Invalid chunk metadata")
}

pub(super) fn mismatch() -> ApiError {
    ApiError::conflict("Chunk metadata mismatch")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn upload_fields(value: serde_json::Value) -> UploadFields {
        UploadFields::from_json(&Fields(value.as_object().expect("an object").clone())).expect("texts")
    }

    #[test]
    fn numbers_may_be_strings() {
        let fields = upload_fields(
            json!({"file_id": "f", "total_chunks": "3", "original_filename": "a/l.mp4", "chunk_index": 2}),
        );
        assert!(fields.is_complete(true));
        let description = fields.parse().expect("well described");
        assert_eq!((description.total_chunks, description.filename.as_str()), (3, "l.mp4"));
        assert_eq!(fields.parse_index(3).expect("within"), 2);
        assert_eq!(fields.parse_index(2).expect_err("beyond").text(), "Invalid chunk metadata");
    }

    #[test]
    fn invalid_descriptions_are_rejected() {
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
            assert_eq!(
                upload_fields(fields).parse().expect_err(name).text(),
                "Invalid chunk metadata",
                "{name} {wrong}"
            );
        }
        for wrong in [json!("abc"), json!(3), json!(-1), json!(true)] {
            let mut fields = good.clone();
            fields["chunk_index"] = wrong.clone();
            assert_eq!(
                upload_fields(fields).parse_index(3).expect_err("wrong").text(),
                "Invalid chunk metadata",
                "{wrong}"
            );
        }
    }

    #[test]
    fn missing_fields_are_detected() {
        let mut fields = upload_fields(json!({"file_id": "f", "total_chunks": 3, "original_filename": "l.mp4"}));
        assert!(fields.is_complete(false) && !fields.is_complete(true));
        fields.original_filename = Some(String::new());
        assert!(!fields.is_complete(false));
    }
}
