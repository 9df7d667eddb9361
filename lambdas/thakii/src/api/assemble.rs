//! `POST /assemble-file`: turns an upload into a video and queues it. The request can be repeated after a crash at any
//! point; once the upload is done, a repetition returns the same answer.

use std::{collections::BTreeSet, sync::Arc};

use axum::{extract::State, http::StatusCode};
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use serde_json::json;

use super::{
    chunks::{MIN_PART_BYTES, too_small},
    pieces::{UploadDescription, UploadFields, enqueue, mismatch},
    shared::{Answer, Shared, ok},
};
use crate::{
    app::App,
    auth::identity::Identity,
    aws::AwsError,
    body::Fields,
    error::ApiError,
    files::Piece,
    http::Caller,
    tables::{
        tasks::Uploaded,
        uploads::{Mode, State as UploadState, Upload},
    },
};

/// The largest video that the function assembles itself, in bytes.
const MAX_INLINE_BYTES: u64 = 256 * 1024 * 1024;
/// The number of concurrent deletions.
const CONCURRENCY: usize = 16;

pub(crate) async fn post(State(app): Shared, Caller(identity): Caller, fields: Fields) -> Answer {
    let upload_fields = UploadFields::from_json(&fields)?;
    if !upload_fields.is_complete(false) {
        return Err(ApiError::bad_request("Missing assembly metadata"));
    }
    let description = upload_fields.parse()?;
    let upload = find_upload(&app, &identity, &description).await?;
    if let Some(total_size) = upload.total_size.filter(|_| upload.state == UploadState::Done) {
        return assembled(&upload, total_size);
    }
    let now = Timestamp::now().as_second();
    let Some(upload) = app.uploads.lease(&upload, now).await? else {
        return answer_for_leased(&app, &upload, now).await;
    };
    match assemble_video(&app, &identity, &upload).await {
        Ok(total_size) => assembled(&upload, total_size),
        Err(error) => {
            // Release the lease, so that the client can repeat the request at once.
            if let Err(error) = app.uploads.release(&upload).await {
                tracing::warn!(%error, "failed to release the lease of an upload");
            }
            Err(error)
        }
    }
}

/// Finds the upload that the request names.
async fn find_upload(app: &Arc<App>, identity: &Identity, description: &UploadDescription) -> Result<Upload, ApiError> {
    let now = Timestamp::now().as_second();
    let upload = app.uploads.get(&identity.uid, &description.file_id, now).await?.ok_or_else(not_found)?;
    let same = upload.filename == description.filename.as_str() && upload.total_chunks == description.total_chunks;
    if same { Ok(upload) } else { Err(mismatch()) }
}

fn not_found() -> ApiError {
    ApiError::not_found("Chunks directory not found")
}

/// Answers a request whose upload another request has leased or finished.
async fn answer_for_leased(app: &Arc<App>, upload: &Upload, now: i64) -> Answer {
    let upload = app.uploads.get(&upload.user_id, &upload.file_id, now).await?.ok_or_else(not_found)?;
    match upload.total_size.filter(|_| upload.state == UploadState::Done) {
        Some(total_size) => assembled(&upload, total_size),
        None => Err(ApiError::conflict("Assembly in progress")),
    }
}

fn assembled(upload: &Upload, total_size: u64) -> Answer {
    ok(json!({
        "video_id": upload.video_id,
        "message": "File assembled successfully",
        "s3_key": upload.s3_key,
        "total_size": total_size,
    }))
}

/// Creates the video, its task and the worker's message. Returns the video's size.
async fn assemble_video(app: &Arc<App>, identity: &Identity, upload: &Upload) -> Result<u64, ApiError> {
    let (total_size, leftovers) = match (upload.mode, &upload.upload_id) {
        (Mode::Single, _) => (check_single(app, upload).await?, Vec::new()),
        (Mode::Inline, _) => join_inline(app, upload).await?,
        (Mode::Multipart | Mode::Presigned, Some(upload_id)) => {
            (complete_multipart(app, upload, upload_id).await?, Vec::new())
        }
        (Mode::Multipart | Mode::Presigned, None) => {
            return Err(AwsError::unexpected("assemble an upload", "the record has no upload ID").into());
        }
    };
    let uploaded = Uploaded {
        video_id: upload.video_id.clone(),
        filename: upload.filename.clone(),
        content_type: upload.content_type.clone(),
        size: total_size,
        s3_key: upload.s3_key.clone(),
        user_id: identity.uid.clone(),
        user_email: identity.email.clone(),
    };
    enqueue(app, uploaded).await?;
    app.uploads.finish(upload, total_size).await?;
    delete_pieces(app, leftovers).await;
    Ok(total_size)
}

/// Checks a video that was uploaded as one object.
async fn check_single(app: &Arc<App>, upload: &Upload) -> Result<u64, ApiError> {
    let Some(actual) = app.files.object_size(&upload.s3_key).await? else { return Err(missing_chunks(vec![0])) };
    let expected = upload.size.unwrap_or(actual);
    if actual != expected {
        app.files.delete(&upload.s3_key).await?;
        return Err(wrong_size(expected, actual));
    }
    Ok(actual)
}

/// Completes a multipart upload from the parts in S3.
async fn complete_multipart(app: &Arc<App>, upload: &Upload, upload_id: &str) -> Result<u64, ApiError> {
    let Some(parts) = app.files.parts(&upload.s3_key, upload_id).await? else {
        return size_if_completed(app, upload).await;
    };
    require_all_pieces(&parts, upload.total_chunks)?;
    let total: u64 = parts.iter().map(|part| part.size).sum();
    match upload.size {
        Some(expected) if expected != total => return Err(wrong_size(expected, total)),
        None if total > app.max_video_bytes => {
            app.files.abort(&upload.s3_key, upload_id).await?;
            return Err(too_large(app.max_video_bytes));
        }
        _ => {}
    }
    if parts.iter().any(|part| part.size < MIN_PART_BYTES && part.index + 1 < upload.total_chunks) {
        return Err(too_small());
    }
    if !app.files.complete(&upload.s3_key, upload_id, &parts).await? {
        return size_if_completed(app, upload).await;
    }
    Ok(total)
}

/// Returns the size of an object whose multipart upload S3 no longer knows: an earlier request has completed it.
async fn size_if_completed(app: &Arc<App>, upload: &Upload) -> Result<u64, ApiError> {
    app.files.object_size(&upload.s3_key).await?.ok_or_else(not_found)
}

/// Joins the pieces that were sent through the API. They stay in the bucket until the upload is done.
async fn join_inline(app: &Arc<App>, upload: &Upload) -> Result<(u64, Vec<Piece>), ApiError> {
    let pieces = app.files.chunks(&upload.user_id, &upload.file_id).await?;
    let pieces: Vec<Piece> = pieces.into_iter().filter(|piece| piece.index < upload.total_chunks).collect();
    require_all_pieces(&pieces, upload.total_chunks)?;
    let total: u64 = pieces.iter().map(|piece| piece.size).sum();
    let max = MAX_INLINE_BYTES.min(app.max_video_bytes);
    if total > max {
        return Err(too_large(max));
    }
    app.files.join(&pieces, &upload.s3_key, &upload.content_type).await?;
    Ok((total, pieces))
}

/// Fails with the indexes of the missing pieces.
fn require_all_pieces(pieces: &[Piece], total_chunks: u64) -> Result<(), ApiError> {
    let present: BTreeSet<u64> = pieces.iter().map(|piece| piece.index).collect();
    let absent: Vec<u64> = (0..total_chunks).filter(|index| !present.contains(index)).collect();
    if absent.is_empty() { Ok(()) } else { Err(missing_chunks(absent)) }
}

fn missing_chunks(chunks: Vec<u64>) -> ApiError {
    ApiError::bad_request("Missing chunks").with("missing_chunks", chunks)
}

fn wrong_size(expected: u64, actual: u64) -> ApiError {
    ApiError::bad_request("Size mismatch").with("expected", expected).with("actual", actual)
}

fn too_large(max: u64) -> ApiError {
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "Assembled file too large").with("max_bytes", max)
}

/// Deletes the pieces of a finished upload. The bucket's lifecycle removes those that remain.
async fn delete_pieces(app: &Arc<App>, pieces: Vec<Piece>) {
    let deleted: Vec<Result<(), AwsError>> = stream::iter(pieces)
        .map(|piece| async move { app.files.delete(&piece.reference).await })
        .buffer_unordered(CONCURRENCY)
        .collect()
        .await;
    let failures = deleted.iter().filter(|deleted| deleted.is_err()).count();
    if failures > 0 {
        tracing::warn!(failures, "failed to delete pieces of an upload; the bucket's lifecycle will");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_pieces_are_listed() {
        let piece = |index| Piece { index, size: 1, reference: String::new() };
        assert!(require_all_pieces(&[piece(0), piece(1)], 2).is_ok());
        assert_eq!(require_all_pieces(&[piece(0), piece(2)], 4), Err(missing_chunks(vec![1, 3])));
        assert_eq!(require_all_pieces(&[], 2), Err(missing_chunks(vec![0, 1])));
    }
}
