//! The upload function: returns presigned links for the raw bucket, stores small files itself, completes and aborts
//! multipart uploads, and deletes files. It only accesses the caller's keys of the raw bucket.

mod multipart;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use aws_sdk_s3::{
    Client,
    presigning::{PresigningConfig, PresigningConfigError},
};
use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header::CACHE_CONTROL},
    response::{IntoResponse, Response},
    routing::on,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use common::{ApiError, Caller, Error, Started, body::Fields, cors::Origins, http::Logged};
use media_uploader_contract::UploadRoute;
use serde::Serialize;

use crate::{
    keys::{Filename, RawKey, RawKind},
    limits::{self, MediaType},
    profile::{Limits, Profile},
    quota,
    request::{InPath, invalid_filename},
    storage::{self, Store},
};

/// The lifetime of an upload link.
const LINK_SECONDS: u64 = 3600;

type Contract = media_uploader_contract::Upload;

/// Serves the function's requests until the instance ends.
///
/// # Errors
/// When Lambda's runtime interface fails.
pub async fn serve(started: Started<Contract>) -> Result<(), Error> {
    let environment = started.environment;
    let upload = Upload {
        raw: Store::new(storage::client(&started.aws), environment.raw_media_bucket),
        presigner: storage::presigning_client(&started.aws, environment.public_s3_endpoint.as_deref()),
        limits: Profile::load(&environment.media_profile_path).limits,
    };
    common::http::serve::<Contract>(router(upload, Origins::parse(&environment.allowed_origins))).await
}

/// The state of the handlers.
#[derive(Debug)]
pub(crate) struct Upload {
    /// The raw bucket.
    pub(crate) raw: Store,
    /// The client that presigns links.
    pub(crate) presigner: Client,
    /// The largest accepted files.
    pub(crate) limits: Limits,
}

type Shared = State<Arc<Upload>>;

/// Returns the router of the upload function.
pub(crate) fn router(upload: Upload, origins: Origins) -> Router {
    common::http::router::<Contract, UploadRoute, _>(origins, Arc::new(upload), |route, method| match route {
        UploadRoute::Create => on(method, create),
        UploadRoute::CreateMultipart => on(method, multipart::create),
        UploadRoute::CompleteMultipart => on(method, multipart::complete),
        UploadRoute::AbortMultipart => on(method, multipart::abort),
        UploadRoute::Delete => on(method, delete),
    })
}

/// The response to a request for a link.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Link {
    filename: String,
    key: String,
    upload_url: String,
    method: &'static str,
    headers: BTreeMap<&'static str, &'static str>,
    expires_in: u64,
}

/// The response to a file in a request's body.
#[derive(Debug, Serialize)]
struct Stored {
    filename: String,
    key: String,
    stored: bool,
}

async fn create(State(upload): Shared, caller: Caller, fields: Fields) -> Result<Response, ApiError> {
    let media_type = MediaType::parse(fields.text("contentType")?)?;
    if !fields.has("data") {
        let bytes = fields.positive("contentLength")?;
        media_type.check_bytes(bytes, &upload.limits)?;
        limits::check_single_put(bytes, &upload.limits)?;
        quota::check(&upload.raw, &caller.username, bytes, &upload.limits).await?;
        let key = new_key(&upload, caller, &fields, media_type).await?;
        return link(&upload, &key, media_type, bytes).await;
    }
    if fields.has("contentLength") {
        let message = "give either data or contentLength, not both";
        return Err(ApiError::bad_request("ConflictingFields", "contentLength", message));
    }
    let data = data(&fields)?;
    let bytes = data.len() as u64;
    media_type.check_bytes(bytes, &upload.limits)?;
    quota::check(&upload.raw, &caller.username, bytes, &upload.limits).await?;
    let key = new_key(&upload, caller, &fields, media_type).await?;
    upload.raw.put(&key.to_string(), data, media_type.essence).await?;
    let body = Stored { filename: key.filename.to_string(), key: key.to_string(), stored: true };
    Ok(created(body, &key.filename, bytes))
}

async fn link(upload: &Upload, key: &RawKey, media_type: MediaType, bytes: u64) -> Result<Response, ApiError> {
    let put = upload.presigner.put_object().bucket(upload.raw.bucket()).key(key.to_string());
    // Both headers are signed: S3 rejects any other type or size.
    let put = put.content_type(media_type.essence).content_length(signed_length(bytes)?);
    let signed =
        put.presigned(link_lifetime()?).await.map_err(|error| upload.raw.failed("sign", &key.to_string(), error))?;
    let body = Link {
        filename: key.filename.to_string(),
        key: key.to_string(),
        upload_url: signed.uri().to_owned(),
        method: "PUT",
        headers: BTreeMap::from([("Content-Type", media_type.essence)]),
        expires_in: LINK_SECONDS,
    };
    Ok(created(body, &key.filename, bytes))
}

/// Decodes the file in a request's body.
fn data(fields: &Fields) -> Result<Vec<u8>, ApiError> {
    let text = fields.text("data")?;
    // Rejected before decoding: base64 is a third longer than the file.
    let padding = text.bytes().rev().take_while(|byte| *byte == b'=').count();
    limits::check_inline((text.len() / 4 * 3).saturating_sub(padding))?;
    BASE64_STANDARD
        .decode(text)
        .map_err(|error| ApiError::bad_request("InvalidBase64", "data", format!("data is not valid base64: {error}")))
}

/// Returns the key of a new file: with a new filename, or as the poster of one of the caller's videos.
async fn new_key(upload: &Upload, caller: Caller, fields: &Fields, media_type: MediaType) -> Result<RawKey, ApiError> {
    let owner = caller.username;
    if !fields.has("posterFor") {
        return Ok(RawKey { owner, kind: media_type.raw_kind(), filename: Filename::random() });
    }
    media_type.image_only()?;
    let filename = Filename::parse(fields.text("posterFor")?).ok_or_else(|| invalid_filename("posterFor"))?;
    let video = RawKey { owner: owner.clone(), kind: RawKind::Videos, filename: filename.clone() };
    if upload.raw.head(&video.to_string()).await?.is_none() {
        return Err(ApiError::not_found("posterFor names no video of yours").detail("field", "posterFor"));
    }
    Ok(RawKey { owner, kind: RawKind::Posters, filename })
}

async fn delete(State(upload): Shared, caller: Caller, InPath(filename): InPath) -> Result<StatusCode, ApiError> {
    let mut deleted = false;
    for kind in RawKind::ALL {
        let key = RawKey { owner: caller.username.clone(), kind, filename: filename.clone() }.to_string();
        if upload.raw.head(&key).await?.is_some() {
            upload.raw.delete(&key).await?;
            deleted = true;
        }
    }
    // Another user's file is indistinguishable from one that does not exist.
    if deleted { Ok(StatusCode::NO_CONTENT) } else { Err(ApiError::not_found("you have no such file")) }
}

/// Returns a 201 response that must not be cached, because its links are secrets.
fn created(body: impl Serialize, filename: &Filename, bytes: u64) -> Response {
    let mut response = (StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Json(body)).into_response();
    response.extensions_mut().insert(Logged {
        filename: Some(filename.to_string()),
        bytes: Some(bytes),
        ..Logged::default()
    });
    response
}

fn link_lifetime() -> Result<PresigningConfig, PresigningConfigError> {
    PresigningConfig::expires_in(Duration::from_secs(LINK_SECONDS))
}

fn signed_length(bytes: u64) -> Result<i64, std::num::TryFromIntError> {
    bytes.try_into()
}

#[cfg(test)]
mod tests;
