//! The Media Uploader's main job, done once on the local cloud: a photo goes up, its thumbnail comes back.
//!
//! Speaks to the API as any client would, with a user's token; nothing here reaches around it.

use std::time::Duration;

use miette::Diagnostic;
use reqwest::{Client, Response, StatusCode, header};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;
use thiserror::Error;

/// How long a photo may take from upload to thumbnail. The spec's tests wait as long.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks at a photo that is still being processed.
const PAUSE: Duration = Duration::from_millis(250);

/// The photo did not come back as a thumbnail.
#[derive(Debug, Error, Diagnostic)]
pub enum DemoError {
    /// The API or the bucket could not be reached.
    #[error("failed to {what}")]
    #[diagnostic(help("is the local cloud up? See `cargo xtask local status` and `cargo xtask local logs`"))]
    Request {
        /// What was being done.
        what: &'static str,
        /// Why it failed.
        source: reqwest::Error,
    },
    /// An answer other than the one hoped for.
    #[error("failed to {what}: the answer was {status}: {body}")]
    #[diagnostic(help("`cargo xtask local logs` shows what the functions said"))]
    Refused {
        /// What was being done.
        what: &'static str,
        /// The answer's status.
        status: StatusCode,
        /// The answer's body.
        body: String,
    },
    /// Still being processed.
    #[error("failed to get the thumbnail: the photo is still being processed after {} s", PATIENCE.as_secs())]
    #[diagnostic(help("`cargo xtask local logs` shows what the dispatcher and the image function said"))]
    Slow,
}

/// A processed photo.
#[derive(Debug, Clone, Deserialize)]
pub struct Thumbnail {
    /// The photo's filename in the API.
    pub filename: String,
    /// A link anyone can open for a while.
    pub url: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Upload {
    filename: String,
    upload_url: String,
    headers: std::collections::BTreeMap<String, String>,
}

/// Uploads a JPEG through the API at `api` with a user's ID token, and waits for its `small` variant.
///
/// # Errors
///
/// When any request fails or is refused, or processing takes longer than 20 s.
pub async fn upload_photo(api: &str, token: &str, photo: Vec<u8>) -> Result<Thumbnail, DemoError> {
    let client = Client::new();
    let what = "ask for an upload link";
    let request = json!({ "contentType": "image/jpeg", "contentLength": photo.len() });
    let sent = client.post(format!("{api}/media")).bearer_auth(token).json(&request).send().await;
    let upload: Upload = read(what, sent).await?;

    let what = "upload the photo";
    let put = upload
        .headers
        .iter()
        .fold(client.put(&upload.upload_url).body(photo), |request, (name, value)| request.header(name, value));
    accepted(what, put.send().await).await?;

    let thumbnail = wait_for_thumbnail(&client, api, token, &upload.filename);
    tokio::time::timeout(PATIENCE, thumbnail).await.map_err(|_| DemoError::Slow)?
}

async fn wait_for_thumbnail(client: &Client, api: &str, token: &str, filename: &str) -> Result<Thumbnail, DemoError> {
    let what = "get the thumbnail";
    let url = format!("{api}/media/{filename}?size=small&extension=jpg");
    loop {
        let sent = client.get(&url).bearer_auth(token).send().await;
        match sent {
            // 404 until the event has reached the dispatcher, 202 until the image function is done.
            Ok(response) if matches!(response.status(), StatusCode::ACCEPTED | StatusCode::NOT_FOUND) => {
                tokio::time::sleep(PAUSE).await;
            }
            sent => return read(what, sent).await,
        }
    }
}

/// Fetches a thumbnail's bytes as a browser would, and returns how many there are.
///
/// # Errors
///
/// When the link does not serve a JPEG.
pub async fn fetch(thumbnail: &Thumbnail) -> Result<usize, DemoError> {
    let what = "fetch the thumbnail";
    let response = accepted(what, Client::new().get(&thumbnail.url).send().await).await?;
    let jpeg = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "image/jpeg");
    if !jpeg {
        let status = response.status();
        return Err(DemoError::Refused { what, status, body: "the content is not image/jpeg".to_owned() });
    }
    let bytes = response.bytes().await.map_err(|source| DemoError::Request { what, source })?;
    Ok(bytes.len())
}

async fn read<T: DeserializeOwned>(what: &'static str, sent: reqwest::Result<Response>) -> Result<T, DemoError> {
    accepted(what, sent).await?.json().await.map_err(|source| DemoError::Request { what, source: source.without_url() })
}

async fn accepted(what: &'static str, sent: reqwest::Result<Response>) -> Result<Response, DemoError> {
    // Without the URL: a presigned one is a credential.
    let response = sent.map_err(|source| DemoError::Request { what, source: source.without_url() })?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = response.text().await.unwrap_or_default();
    Err(DemoError::Refused { what, status, body })
}
