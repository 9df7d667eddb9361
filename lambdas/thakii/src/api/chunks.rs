//! `POST /upload-chunk`: stores a piece of a video sent as a form, or returns a link to upload it.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};
use thakii_contract::limits::PRESIGN_SECONDS;

use super::{
    form::Form,
    pieces::{UploadDescription, UploadFields, invalid_metadata, mismatch},
    shared::{Answer, Shared, ok},
};
use crate::{
    app::App,
    auth::identity::Identity,
    aws::AwsError,
    body::{Fields, Payload},
    error::ApiError,
    files,
    http::Caller,
    ids,
    tables::uploads::{LIFETIME, Mode, State as UploadState, Upload},
};

/// The smallest part that S3 accepts, except for the last:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>.
pub(super) const MIN_PART_BYTES: u64 = 5 * 1024 * 1024;

pub(crate) async fn post(State(app): Shared, Caller(identity): Caller, payload: Payload) -> Answer {
    if payload.is_form() {
        store_inline(&app, &identity, &Form::read(&payload).await?).await
    } else if payload.is_json() {
        presign(&app, &identity, &payload.fields()?).await
    } else {
        Err(missing_metadata())
    }
}

fn missing_metadata() -> ApiError {
    ApiError::bad_request("Missing chunk metadata")
}

pub(super) fn too_small() -> ApiError {
    ApiError::bad_request("Chunk too small").with("min_bytes", MIN_PART_BYTES)
}

/// Stores the piece in the request's form.
async fn store_inline(app: &Arc<App>, identity: &Identity, form: &Form) -> Answer {
    let text = |name| form.text(name).map(str::to_owned);
    let upload_fields = UploadFields {
        file_id: text("file_id"),
        total_chunks: text("total_chunks"),
        original_filename: text("original_filename"),
        chunk_index: text("chunk_index"),
    };
    if !upload_fields.is_complete(true) {
        return Err(missing_metadata());
    }
    let chunk = form.file("chunk").ok_or_else(|| ApiError::bad_request("No chunk file provided"))?;
    if chunk.name.is_empty() {
        return Err(ApiError::bad_request("No chunk file selected"));
    }
    let description = upload_fields.parse()?;
    let index = upload_fields.parse_index(description.total_chunks)?;
    if chunk.bytes.is_empty() {
        return Err(ApiError::bad_request("Empty file"));
    }
    let upload = find_or_create_upload(app, identity, &description, Mode::Inline).await?;
    if upload.mode != Mode::Inline {
        return Err(mismatch());
    }
    let key = files::chunk_key(&identity.uid, &description.file_id, index);
    app.files.put(&key, "application/octet-stream", chunk.bytes.clone()).await?;
    ok(json!({
        "chunk_index": index,
        "total_chunks": description.total_chunks,
        "file_id": description.file_id,
        "chunk_size": chunk.bytes.len(),
        "message": "Chunk uploaded successfully",
    }))
}

/// Returns a link to upload a piece. A repetition replaces an expired link.
async fn presign(app: &Arc<App>, identity: &Identity, fields: &Fields) -> Answer {
    let upload_fields = UploadFields::from_json(fields)?;
    if !upload_fields.is_complete(true) || fields.get("chunk_size").is_none() {
        return Err(missing_metadata());
    }
    let description = upload_fields.parse()?;
    let index = upload_fields.parse_index(description.total_chunks)?;
    let size = parse_chunk_size(fields, app.max_video_bytes)?;
    let upload = find_or_create_upload(app, identity, &description, Mode::Presigned).await?;
    let link = match (upload.mode, &upload.upload_id) {
        (Mode::Single, _) if upload.size == Some(size) => {
            app.files.put_link(&upload.s3_key, &upload.content_type, size).await?
        }
        (Mode::Multipart, Some(upload_id)) if upload.piece_size(index) == Some(size) => {
            app.files.part_link(&upload.s3_key, upload_id, index, size).await?
        }
        (Mode::Presigned, Some(upload_id)) => {
            if size < MIN_PART_BYTES && index + 1 < description.total_chunks {
                return Err(too_small());
            }
            app.files.part_link(&upload.s3_key, upload_id, index, size).await?
        }
        _ => return Err(mismatch()),
    };
    let headers = if upload.mode == Mode::Single { json!({"Content-Type": upload.content_type}) } else { json!({}) };
    ok(json!({
        "chunk_index": index,
        "total_chunks": description.total_chunks,
        "file_id": description.file_id,
        "chunk_size": size,
        "message": "Upload the chunk to upload_url",
        "upload_url": link,
        "method": "PUT",
        "headers": headers,
        "expires_in": PRESIGN_SECONDS,
    }))
}

fn parse_chunk_size(fields: &Fields, max: u64) -> Result<u64, ApiError> {
    match fields.get("chunk_size").and_then(Value::as_u64) {
        None => Err(invalid_metadata()),
        Some(0) => Err(ApiError::bad_request("Empty file")),
        Some(size) if size > max => {
            Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "File too large").with("max_bytes", max))
        }
        Some(size) => Ok(size),
    }
}

/// Returns the upload of a piece. The first piece creates it, in the mode of its own request.
async fn find_or_create_upload(
    app: &Arc<App>,
    identity: &Identity,
    description: &UploadDescription,
    mode: Mode,
) -> Result<Upload, ApiError> {
    let now = Timestamp::now().as_second();
    let upload = match app.uploads.get(&identity.uid, &description.file_id, now).await? {
        Some(upload) => upload,
        None => create_upload(app, identity, description, mode, now).await?,
    };
    let is_inline = mode == Mode::Inline;
    if upload.filename != description.filename.as_str()
        || upload.total_chunks != description.total_chunks
        || (upload.mode == Mode::Inline) != is_inline
        || upload.state == UploadState::Done
    {
        return Err(mismatch());
    }
    if upload.state == UploadState::Assembling && upload.lease_until > now {
        return Err(ApiError::conflict("Assembly in progress"));
    }
    Ok(upload)
}

/// Creates an upload. If another request creates it first, this one aborts its multipart upload and returns the other's
/// record.
async fn create_upload(
    app: &Arc<App>,
    identity: &Identity,
    description: &UploadDescription,
    mode: Mode,
    now: i64,
) -> Result<Upload, ApiError> {
    let video_id = ids::new_id();
    let filename = description.filename.as_str();
    let s3_key = files::video_key(&video_id, filename);
    let content_type = description.filename.content_type();
    let upload_id = match mode {
        Mode::Inline | Mode::Single => None,
        Mode::Multipart | Mode::Presigned => Some(app.files.start(&s3_key, content_type).await?),
    };
    let upload = Upload {
        user_id: identity.uid.clone(),
        file_id: description.file_id.clone(),
        video_id,
        mode,
        filename: filename.to_owned(),
        content_type: content_type.to_owned(),
        size: None,
        total_chunks: description.total_chunks,
        part_size: None,
        upload_id,
        s3_key,
        state: UploadState::Open,
        lease_until: 0,
        expires_at: now + LIFETIME,
        total_size: None,
    };
    if app.uploads.begin(&upload, now).await? {
        return Ok(upload);
    }
    if let Some(upload_id) = &upload.upload_id {
        app.files.abort(&upload.s3_key, upload_id).await?;
    }
    let winner = app.uploads.get(&identity.uid, &description.file_id, now).await?;
    winner.ok_or_else(|| AwsError::unexpected("create an upload", "the record of the other request is gone").into())
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;

    #[test]
    fn piece_sizes_are_positive_integers() {
        let sized = |size: Value| {
            let fields = Fields(Map::from_iter([("chunk_size".to_owned(), size)]));
            parse_chunk_size(&fields, 100).map_err(|error| (error.status().as_u16(), error.text().to_owned()))
        };
        assert_eq!(sized(json!(100)), Ok(100));
        assert_eq!(sized(json!(101)), Err((413, "File too large".to_owned())));
        assert_eq!(sized(json!(0)), Err((400, "Empty file".to_owned())));
        for wrong in [json!(-1), json!(1.5), json!("7")] {
            assert_eq!(sized(wrong.clone()), Err((400, "Invalid chunk metadata".to_owned())), "{wrong}");
        }
    }
}
