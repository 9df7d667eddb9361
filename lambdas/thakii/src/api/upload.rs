//! `POST /upload`: stores a small video sent as a form, or returns links to upload a large one.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use thakii_contract::limits::PRESIGN_SECONDS;

use super::{
    form::Form,
    pieces::enqueue,
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
    names::{self, VideoName},
    tables::{
        tasks::Uploaded,
        uploads::{LIFETIME, Mode, State as UploadState, Upload},
    },
};

const MIB: u64 = 1024 * 1024;
/// The largest video that is uploaded as one object.
const MAX_SINGLE_BYTES: u64 = 100 * MIB;
/// The part size of larger videos.
const PART_BYTES: u64 = 64 * MIB;

pub(crate) async fn post(State(app): Shared, Caller(identity): Caller, payload: Payload) -> Answer {
    if payload.is_form() {
        store_direct(&app, &identity, &Form::read(&payload).await?).await
    } else if payload.is_json() {
        create_links(&app, &identity, &payload.fields()?).await
    } else {
        Err(ApiError::bad_request("No file provided"))
    }
}

/// Stores the video in the request's form.
async fn store_direct(app: &Arc<App>, identity: &Identity, form: &Form) -> Answer {
    let file = form.file("file").ok_or_else(|| ApiError::bad_request("No file provided"))?;
    if file.name.is_empty() {
        return Err(ApiError::bad_request("No selected file"));
    }
    let name = VideoName::parse(&file.name)?;
    if file.bytes.is_empty() {
        return Err(ApiError::bad_request("Empty file"));
    }
    let video_id = ids::new_id();
    let s3_key = files::video_key(&video_id, name.as_str());
    app.files.put(&s3_key, name.content_type(), file.bytes.clone()).await?;
    let uploaded = Uploaded {
        video_id: video_id.clone(),
        filename: name.as_str().to_owned(),
        content_type: name.content_type().to_owned(),
        size: file.bytes.len() as u64,
        s3_key: s3_key.clone(),
        user_id: identity.uid.clone(),
        user_email: identity.email.clone(),
    };
    enqueue(app, uploaded).await?;
    ok(json!({"video_id": video_id, "message": "File uploaded successfully", "s3_key": s3_key}))
}

/// Returns links to upload a video of the declared size.
async fn create_links(app: &Arc<App>, identity: &Identity, fields: &Fields) -> Answer {
    let filename = fields.text("filename")?.ok_or_else(|| ApiError::bad_request("Field \"filename\" is required"))?;
    if filename.is_empty() {
        return Err(ApiError::bad_request("No selected file"));
    }
    let name = VideoName::parse(filename)?;
    let size = parse_size(fields, app.max_video_bytes)?;
    let content_type = match fields.text("content_type")? {
        Some(text) => names::content_type(text)?,
        None => name.content_type().to_owned(),
    };
    let upload = create_upload(app, identity, &name, content_type, size).await?;
    let mut body = response_fields(&upload);
    match &upload.upload_id {
        None => {
            let link = app.files.put_link(&upload.s3_key, &upload.content_type, size).await?;
            body.insert("upload_url".to_owned(), json!(link));
        }
        Some(upload_id) => {
            body.insert("part_size".to_owned(), json!(upload.part_size));
            body.insert("total_chunks".to_owned(), json!(upload.total_chunks));
            body.insert("parts".to_owned(), part_links(app, &upload, upload_id).await?);
        }
    }
    ok(body)
}

fn parse_size(fields: &Fields, max: u64) -> Result<u64, ApiError> {
    let size = fields.get("size").and_then(Value::as_u64).filter(|size| *size > 0);
    let size = size.ok_or_else(|| ApiError::bad_request("Invalid size"))?;
    if size > max {
        let error = ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "File too large");
        return Err(error.with("max_bytes", max));
    }
    Ok(size)
}

async fn create_upload(
    app: &Arc<App>,
    identity: &Identity,
    name: &VideoName,
    content_type: String,
    size: u64,
) -> Result<Upload, ApiError> {
    let video_id = ids::new_id();
    let s3_key = files::video_key(&video_id, name.as_str());
    let multipart = size > MAX_SINGLE_BYTES;
    let upload_id = if multipart { Some(app.files.start(&s3_key, &content_type).await?) } else { None };
    let now = Timestamp::now().as_second();
    let upload = Upload {
        user_id: identity.uid.clone(),
        file_id: video_id.clone(),
        video_id,
        mode: if multipart { Mode::Multipart } else { Mode::Single },
        filename: name.as_str().to_owned(),
        content_type,
        size: Some(size),
        total_chunks: if multipart { size.div_ceil(PART_BYTES) } else { 1 },
        part_size: multipart.then_some(PART_BYTES),
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
    Err(AwsError::unexpected("create an upload", "its random ID exists already").into())
}

fn response_fields(upload: &Upload) -> Map<String, Value> {
    let single = upload.mode == Mode::Single;
    let headers = if single { json!({"Content-Type": upload.content_type}) } else { json!({}) };
    let body = json!({
        "file_id": upload.file_id, "total_chunks": upload.total_chunks, "original_filename": upload.filename,
    });
    Map::from_iter([
        ("mode".to_owned(), json!(upload.mode)),
        ("video_id".to_owned(), json!(upload.video_id)),
        ("file_id".to_owned(), json!(upload.file_id)),
        ("s3_key".to_owned(), json!(upload.s3_key)),
        ("method".to_owned(), json!("PUT")),
        ("headers".to_owned(), headers),
        ("expires_in".to_owned(), json!(PRESIGN_SECONDS)),
        ("complete".to_owned(), json!({"method": "POST", "path": "/assemble-file", "body": body})),
    ])
}

async fn part_links(app: &Arc<App>, upload: &Upload, upload_id: &str) -> Result<Value, AwsError> {
    let mut parts = Vec::new();
    for index in 0..upload.total_chunks {
        let size = upload.piece_size(index).unwrap_or_default();
        let link = app.files.part_link(&upload.s3_key, upload_id, index, size).await?;
        parts.push(json!({"chunk_index": index, "size": size, "upload_url": link}));
    }
    Ok(Value::Array(parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sized(size: Value) -> Result<u64, (u16, String)> {
        let fields = Fields(Map::from_iter([("size".to_owned(), size)]));
        super::parse_size(&fields, 5 * 1024 * MIB).map_err(|error| (error.status().as_u16(), error.text().to_owned()))
    }

    #[test]
    fn sizes_are_positive_integers_within_the_limit() {
        assert_eq!(sized(json!(1)), Ok(1));
        assert_eq!(sized(json!(5_368_709_120_u64)), Ok(5_368_709_120));
        assert_eq!(sized(json!(5_368_709_121_u64)), Err((413, "File too large".to_owned())));
        for wrong in [json!(0), json!(-1), json!(1.5), json!("7"), json!(null), json!([1])] {
            assert_eq!(sized(wrong.clone()), Err((400, "Invalid size".to_owned())), "{wrong}");
        }
    }

    #[test]
    fn the_largest_video_has_eighty_parts() {
        assert_eq!((5 * 1024 * MIB).div_ceil(PART_BYTES), 80);
    }
}
