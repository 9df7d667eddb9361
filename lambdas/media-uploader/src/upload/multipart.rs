//! Multipart uploads of large videos: the links of all parts, then completion or abortion. Only the caller's keys.

use aws_sdk_s3::{
    error::{ProvideErrorMetadata, SdkError},
    types::{CompletedMultipartUpload, CompletedPart},
};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use common::{
    ApiError, Caller,
    body::{Fields, Parameters},
};
use serde::Serialize;
use serde_json::Value;

use super::{LINK_SECONDS, Shared, Upload, created, link_lifetime, signed_length};
use crate::{
    keys::{Filename, RawKey, RawKind},
    limits::{self, MediaType},
    quota,
    request::InPath,
    storage::{StorageError, unquoted},
};

/// The response to a request for the links of a multipart upload.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Links {
    filename: String,
    key: String,
    upload_id: String,
    part_size: u64,
    parts: Vec<PartLink>,
    expires_in: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PartLink {
    part_number: i32,
    url: String,
}

/// The response to a completed upload.
#[derive(Debug, Serialize)]
struct Completed {
    filename: String,
    key: String,
    etag: String,
}

/// S3's response lacks a required field.
#[derive(Debug, thiserror::Error)]
#[error("S3's response has no {0}")]
struct Incomplete(&'static str);

pub(super) async fn create(State(upload): Shared, caller: Caller, fields: Fields) -> Result<Response, ApiError> {
    let media_type = MediaType::parse(fields.text("contentType")?)?.video_only()?;
    let bytes = fields.positive("contentLength")?;
    media_type.check_bytes(bytes, &upload.limits)?;
    quota::check(&upload.raw, &caller.username, bytes, &upload.limits).await?;
    let key = RawKey { owner: caller.username, kind: RawKind::Videos, filename: Filename::random() };
    let name = key.to_string();
    let request = upload.raw.client().create_multipart_upload().bucket(upload.raw.bucket()).key(&name);
    let answer = request.content_type(media_type.essence).send().await;
    let answer = answer.map_err(|error| upload.raw.failed("start a multipart upload of", &name, error))?;
    let upload_id = answer.upload_id.ok_or(Incomplete("an upload ID"))?;
    if let Err(refusal) = quota::check_uploads(&upload.raw, &key.owner, &upload.limits).await {
        end(&upload, &name, &upload_id).await?;
        return Err(refusal);
    }
    let part_size = limits::part_size(bytes);
    let mut parts = Vec::new();
    for (part_number, start) in (1..).zip((0..bytes).step_by(usize::try_from(part_size)?)) {
        let length = part_size.min(bytes - start);
        parts.push(PartLink { part_number, url: part_url(&upload, &name, &upload_id, part_number, length).await? });
    }
    let filename = key.filename.to_string();
    let body = Links { filename, key: name, upload_id, part_size, parts, expires_in: LINK_SECONDS };
    Ok(created(body, &key.filename, bytes))
}

async fn part_url(
    upload: &Upload,
    key: &str,
    upload_id: &str,
    part_number: i32,
    length: u64,
) -> Result<String, ApiError> {
    let part = upload.presigner.upload_part().bucket(upload.raw.bucket()).key(key).upload_id(upload_id);
    // Signing the lengths limits the whole file to the checked size.
    let part = part.part_number(part_number).content_length(signed_length(length)?);
    let signed = part.presigned(link_lifetime()?).await.map_err(|error| upload.raw.failed("sign", key, error))?;
    Ok(signed.uri().to_owned())
}

pub(super) async fn complete(
    State(upload): Shared,
    caller: Caller,
    InPath(filename): InPath,
    fields: Fields,
) -> Result<Response, ApiError> {
    let (key, upload_id) = (fields.text("key")?, fields.text("uploadId")?);
    let parts = parts(fields.required("parts")?)?;
    check_own(&caller, &filename, key)?;
    let request = upload.raw.client().complete_multipart_upload().bucket(upload.raw.bucket()).key(key);
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let answer = request.upload_id(upload_id).multipart_upload(parts).send().await;
    let answer = answer.map_err(|error| rejection(&upload, "complete", key, error))?;
    let etag = unquoted(&answer.e_tag.ok_or(Incomplete("an ETag"))?).to_owned();
    Ok(Json(Completed { filename: filename.to_string(), key: key.to_owned(), etag }).into_response())
}

pub(super) async fn abort(
    State(upload): Shared,
    caller: Caller,
    InPath(filename): InPath,
    query: Parameters,
) -> Result<StatusCode, ApiError> {
    let (key, upload_id) = (query.required("key")?, query.required("uploadId")?);
    check_own(&caller, &filename, key)?;
    end(&upload, key, upload_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Aborts an upload.
async fn end(upload: &Upload, key: &str, upload_id: &str) -> Result<(), ApiError> {
    let request = upload.raw.client().abort_multipart_upload().bucket(upload.raw.bucket()).key(key);
    request.upload_id(upload_id).send().await.map_err(|error| rejection(upload, "abort", key, error))?;
    Ok(())
}

/// Responds with 403 unless the key belongs to the caller and to this filename.
fn check_own(caller: &Caller, filename: &Filename, key: &str) -> Result<(), ApiError> {
    let owner = &caller.username;
    let own = RawKind::ALL
        .into_iter()
        .any(|kind| RawKey { owner: owner.clone(), kind, filename: filename.clone() }.to_string() == key);
    if own {
        return Ok(());
    }
    let message = "key is not one of yours for this filename";
    Err(ApiError::new(StatusCode::FORBIDDEN, "ForeignKey", message).detail("field", "key"))
}

/// Parses the parts of a request for completion: 1 to 10,000, ascending.
fn parts(value: &Value) -> Result<Vec<CompletedPart>, ApiError> {
    let invalid = |message: &str| ApiError::bad_request("InvalidParts", "parts", message);
    let shape = || invalid("parts must be a list of {partNumber, etag}, with part numbers from 1 to 10000");
    let list = value.as_array().filter(|list| !list.is_empty()).ok_or_else(shape)?;
    let mut parts = Vec::with_capacity(list.len());
    let mut last = 0;
    for part in list {
        let number =
            part.get("partNumber").and_then(Value::as_u64).filter(|number| (1..=limits::PARTS).contains(number));
        let etag = part.get("etag").and_then(Value::as_str).filter(|etag| !etag.is_empty());
        let (Some(number), Some(etag)) = (number, etag) else { return Err(shape()) };
        if number <= last {
            return Err(invalid("parts must be in ascending order, each once"));
        }
        last = number;
        parts.push(CompletedPart::builder().part_number(i32::try_from(number)?).e_tag(etag).build());
    }
    Ok(parts)
}

/// Converts S3's error to a response.
fn rejection<E, R>(upload: &Upload, action: &'static str, key: &str, error: SdkError<E, R>) -> ApiError
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    R: std::fmt::Debug,
{
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default();
    match code {
        "NoSuchUpload" => ApiError::not_found("there is no such upload").detail("field", "uploadId"),
        "InvalidPart" => ApiError::bad_request("InvalidParts", "parts", "a part is missing, or has another ETag"),
        "InvalidPartOrder" => ApiError::bad_request("InvalidParts", "parts", "parts must be in ascending order"),
        "EntityTooSmall" => ApiError::bad_request("InvalidParts", "parts", "a part but the last is smaller than 5 MiB"),
        _ => {
            let error: StorageError = upload.raw.failed(action, key, error);
            error.into()
        }
    }
}
