//! The retrieve function: hands out short-lived links to processed media and reports how far processing is. It only
//! reads, and only the processed bucket.

mod choice;

use std::{sync::Arc, time::Duration};

use aws_sdk_s3::{Client, presigning::PresigningConfig};
use axum::{
    Json, Router,
    extract::State,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, LOCATION, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
    routing::on,
};
use choice::{Choice, Media};
use common::{ApiError, Caller, body::Parameters, cors::Origins, http::Logged};
use jiff::Timestamp;
use media_uploader_contract::RetrieveRoute;
use serde::Serialize;
use serde_json::json;

use crate::{
    keys,
    manifest::{Kind, Variant},
    request::InPath,
    storage::Store,
};

/// How long a link can be used.
const LINK_SECONDS: u64 = 900;
/// A third of [`LINK_SECONDS`], so that a kept answer's link still works.
const KEEP: &str = "private, max-age=300";

/// What the handlers need.
#[derive(Debug)]
pub struct Retrieve {
    /// The processed bucket.
    pub processed: Store,
    /// The client that signs links.
    pub presigner: Client,
}

type Shared = State<Arc<Retrieve>>;

/// Every route of the retrieve function.
pub fn router(retrieve: Retrieve, origins: Origins) -> Router {
    common::http::router::<media_uploader_contract::Retrieve, RetrieveRoute, _>(
        origins,
        Arc::new(retrieve),
        |route, method| match route {
            RetrieveRoute::Get => on(method, get),
            RetrieveRoute::Head => on(method, head),
            RetrieveRoute::Manifest => on(method, manifest),
        },
    )
}

/// The answer to a request for a link.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Link<'a> {
    filename: &'a str,
    size: &'a str,
    extension: &'a str,
    content_type: &'static str,
    bytes: u64,
    width: u32,
    height: u32,
    url: &'a str,
    expires_in: u64,
}

async fn get(
    State(retrieve): Shared,
    _: Caller,
    InPath(filename): InPath,
    query: Parameters,
) -> Result<Response, ApiError> {
    let choice = Choice::read(&query)?;
    let redirect = redirect(&query)?;
    let media = media(&retrieve, filename.as_str()).await?;
    let Some(variant) = media.variant(&choice) else {
        media.why_missing(&choice, Timestamp::now())?;
        let body = Json(json!({"filename": filename.as_str(), "status": "processing"}));
        return Ok((StatusCode::ACCEPTED, [(RETRY_AFTER, "2"), (CACHE_CONTROL, "no-store")], body).into_response());
    };
    let url = url(&retrieve, variant).await?;
    let mut response = if redirect {
        (StatusCode::FOUND, [(LOCATION, url.as_str()), (CACHE_CONTROL, KEEP)]).into_response()
    } else {
        ([(CACHE_CONTROL, KEEP)], Json(answer(filename.as_str(), variant, &choice, &url))).into_response()
    };
    response.extensions_mut().insert(Logged { bytes: Some(variant.bytes), ..Logged::default() });
    Ok(response)
}

fn answer<'a>(filename: &'a str, variant: &'a Variant, choice: &Choice, url: &'a str) -> Link<'a> {
    Link {
        filename,
        size: &variant.size,
        extension: &variant.extension,
        content_type: choice.content_type(),
        bytes: variant.bytes,
        width: variant.width,
        height: variant.height,
        url,
        expires_in: LINK_SECONDS,
    }
}

async fn head(
    State(retrieve): Shared,
    _: Caller,
    InPath(filename): InPath,
    query: Parameters,
) -> Result<Response, ApiError> {
    let choice = Choice::read(&query)?;
    let media = media(&retrieve, filename.as_str()).await?;
    media.variant(&choice).ok_or_else(|| media.no_such_variant())?;
    Ok((StatusCode::OK, [(CACHE_CONTROL, KEEP)]).into_response())
}

async fn manifest(State(retrieve): Shared, _: Caller, InPath(filename): InPath) -> Result<Response, ApiError> {
    let media = media(&retrieve, filename.as_str()).await?;
    Ok(([(CACHE_CONTROL, "no-store")], Json(media.merged(Timestamp::now())?)).into_response())
}

/// The manifest, and that of the poster where there can be one.
async fn media(retrieve: &Retrieve, filename: &str) -> Result<Media, ApiError> {
    let manifest = retrieve.processed.manifest(&keys::manifest(filename)).await?;
    let main = manifest.ok_or_else(|| ApiError::not_found("there is no such media"))?;
    let poster = match main.kind {
        Kind::Video => retrieve.processed.manifest(&keys::poster_manifest(filename)).await?,
        Kind::Image => None,
    };
    Ok(Media { main, poster })
}

async fn url(retrieve: &Retrieve, variant: &Variant) -> Result<String, ApiError> {
    let lifetime = PresigningConfig::expires_in(Duration::from_secs(LINK_SECONDS))?;
    let get = retrieve.presigner.get_object().bucket(retrieve.processed.bucket()).key(&variant.key);
    let signed =
        get.presigned(lifetime).await.map_err(|error| retrieve.processed.failed("sign", &variant.key, error))?;
    Ok(signed.uri().to_owned())
}

fn redirect(query: &Parameters) -> Result<bool, ApiError> {
    match query.get("redirect") {
        None | Some("0") => Ok(false),
        Some("1") => Ok(true),
        Some(_) => Err(ApiError::bad_request("InvalidRedirect", "redirect", "redirect must be 0 or 1")),
    }
}

#[cfg(test)]
mod tests;
