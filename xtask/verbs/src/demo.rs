//! The Media Uploader's main job, done once on the local cloud: a photo goes up, its thumbnail comes back.
//!
//! Speaks to the API as any client would, with a user's token; nothing here reaches around it.

use std::{collections::BTreeMap, time::Duration};

use camino::Utf8PathBuf;
use clap::{ArgMatches, Args, FromArgMatches};
use engine::{
    application,
    context::Context,
    deploy::{Outputs, observe},
    error::Exit,
    http::{Client, HttpError, Request, Response},
    live::sign_in::sign_in,
    poll::{Progress, Schedule},
    session::{self, Session},
    ui,
};
use futures_util::future::LocalBoxFuture;
use miette::{Diagnostic, IntoDiagnostic};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;
use thiserror::Error;

/// The system that the demo shows.
const SYSTEM: &str = "media-uploader";
/// Its API, by logical ID.
const API: &str = "MediaApi";

/// `cargo xtask demo`.
pub struct Verb;

/// The demo that follows a deploy to stage `local`.
pub struct Demo;

/// Upload a photo through the local API and print the URL of its thumbnail.
#[derive(Debug, Args)]
struct DemoArgs {
    /// A JPEG instead of the one in the repository.
    #[arg(long)]
    photo: Option<Utf8PathBuf>,
}

impl application::Verb for Verb {
    fn command(&self) -> clap::Command {
        DemoArgs::augment_args(clap::Command::new("demo"))
    }

    fn run<'a>(&'a self, arguments: &'a ArgMatches, context: &'a Context) -> LocalBoxFuture<'a, miette::Result<Exit>> {
        Box::pin(async {
            let args = DemoArgs::from_arg_matches(arguments).into_diagnostic()?;
            let session = Session::open(context.stage("local")?, context).await?;
            let observed = observe::observe(&session.systems, observe::Extent::Stacks, &session.clients).await?;
            show(args.photo, &session, &session::outputs(&observed), context).await?;
            Ok(Exit::Success)
        })
    }
}

impl application::Demo for Demo {
    fn system(&self) -> &str {
        SYSTEM
    }

    fn hint(&self, urls: &BTreeMap<String, String>) -> Option<String> {
        let api = urls.get(API)?;
        Some(format!(
            "try: curl -s {api}/media -H \"Authorization: Bearer $(cargo xtask local sign-in --system {SYSTEM})\" \
             -d '{{\"contentType\":\"image/jpeg\",\"contentLength\":91392}}'"
        ))
    }

    fn routes(&self) -> &[&str] {
        &["POST /media", "GET /media/{filename}"]
    }

    fn run<'a>(
        &'a self,
        session: &'a Session,
        outputs: &'a Outputs,
        context: &'a Context,
    ) -> LocalBoxFuture<'a, miette::Result<()>> {
        Box::pin(show(None, session, outputs, context))
    }
}

/// Uploads a photo and prints the URL of its thumbnail.
async fn show(
    photo: Option<Utf8PathBuf>,
    session: &Session,
    outputs: &Outputs,
    context: &Context,
) -> miette::Result<()> {
    let urls = session.urls(outputs);
    let api = urls.get(API).ok_or(DemoError::NotDeployed)?;
    let system = session.systems.iter().find(|system| system.name == SYSTEM).ok_or(DemoError::NotDeployed)?;
    let path = photo.unwrap_or_else(|| context.workspace.root().join("lambdas/media-uploader/demo/photo.jpg"));
    let bytes = fs_err::read(&path).map_err(|source| DemoError::Photo { path, source })?;
    let step = context.ui.step("Upload a photo through the API");
    let token = sign_in(system, None, session, outputs).await?.id_token;
    let thumbnail = upload_photo(api, &token, bytes).await?;
    let size = fetch(&thumbnail).await?;
    let (width, height) = (thumbnail.width, thumbnail.height);
    step.done(format_args!("its thumbnail is {width} × {height}, {}", ui::size(size as u64)));
    context.ui.result(format_args!("thumbnail: {}", thumbnail.url));
    Ok(())
}

/// The longest time from upload to thumbnail, as in the specification's tests.
const PATIENCE: Duration = Duration::from_secs(20);
const SCHEDULE: Schedule = Schedule::every(Duration::from_millis(250)).within(PATIENCE);

/// The demo failed.
#[derive(Debug, Error, Diagnostic)]
enum DemoError {
    /// The system is not deployed.
    #[error("the Media Uploader is not deployed to stage local")]
    #[diagnostic(help("run `cargo xtask deploy --stage local` first"))]
    NotDeployed,
    /// The photo cannot be read.
    #[error("failed to read {path}")]
    Photo {
        /// The file.
        path: Utf8PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The API or the bucket does not respond.
    #[error("failed to {what}: {reason}")]
    #[diagnostic(help("check the local cloud with `cargo xtask local status` and `cargo xtask local logs`"))]
    Request {
        /// The step that failed.
        what: &'static str,
        /// The reason, without the URL: a presigned one is a credential.
        reason: String,
    },
    /// An unexpected response.
    #[error("failed to {what}: the response was {status}: {body}")]
    #[diagnostic(help("see the functions' logs with `cargo xtask local logs`"))]
    Refused {
        /// The step that failed.
        what: &'static str,
        /// The response's status.
        status: u16,
        /// The response's body.
        body: String,
    },
    /// Still being processed.
    #[error("failed to get the thumbnail: the photo is still being processed after {} s", PATIENCE.as_secs())]
    #[diagnostic(help("`cargo xtask local logs` shows what the dispatcher and the image function said"))]
    Slow,
}

/// A processed photo.
#[derive(Debug, Clone, Deserialize)]
struct Thumbnail {
    /// A link anyone can open for a while.
    url: String,
    /// Width in pixels.
    width: u32,
    /// Height in pixels.
    height: u32,
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
async fn upload_photo(api: &str, token: &str, photo: Vec<u8>) -> Result<Thumbnail, DemoError> {
    let client = Client::default();
    let what = "request an upload link";
    let wanted = json!({ "contentType": "image/jpeg", "contentLength": photo.len() });
    let request = Request::new("POST", format!("{api}/media")).bearer(token).json(&wanted);
    let upload: Upload = read(what, client.send(request).await)?;

    let what = "upload the photo";
    let put = Request::new("PUT", &upload.upload_url).body(photo);
    let put = upload.headers.iter().fold(put, |put, (name, value)| put.header(name.to_lowercase(), value));
    accepted(what, client.send(put).await)?;

    match SCHEDULE.poll(async || thumbnail(&client, api, token, &upload.filename).await).await? {
        Progress::Done(thumbnail) => Ok(thumbnail),
        Progress::Pending(()) => Err(DemoError::Slow),
    }
}

async fn thumbnail(
    client: &Client,
    api: &str,
    token: &str,
    filename: &str,
) -> Result<Progress<Thumbnail, ()>, DemoError> {
    let request = Request::get(format!("{api}/media/{filename}?size=small&extension=jpg")).bearer(token);
    match client.send(request).await {
        // 404 until the event has reached the dispatcher, 202 until the image function is done.
        Ok(Response { status: 202 | 404, .. }) => Ok(Progress::Pending(())),
        sent => read("get the thumbnail", sent).map(Progress::Done),
    }
}

/// Fetches a thumbnail without credentials; returns its size in bytes.
///
/// # Errors
///
/// When the link does not serve a JPEG.
async fn fetch(thumbnail: &Thumbnail) -> Result<usize, DemoError> {
    let what = "fetch the thumbnail";
    let response = accepted(what, Request::get(&thumbnail.url).send().await)?;
    if response.headers.get("content-type").is_none_or(|content| content != "image/jpeg") {
        let body = "the content is not image/jpeg".to_owned();
        return Err(DemoError::Refused { what, status: response.status, body });
    }
    Ok(response.body.len())
}

fn read<T: DeserializeOwned>(what: &'static str, sent: Result<Response, HttpError>) -> Result<T, DemoError> {
    let response = accepted(what, sent)?;
    let unreadable = |error: serde_json::Error| DemoError::Request { what, reason: error.to_string() };
    serde_json::from_slice(&response.body).map_err(unreadable)
}

fn accepted(what: &'static str, sent: Result<Response, HttpError>) -> Result<Response, DemoError> {
    let response = sent.map_err(|HttpError { reason, .. }| DemoError::Request { what, reason })?;
    if response.is_success() {
        return Ok(response);
    }
    let body = String::from_utf8_lossy(&response.body).into_owned();
    Err(DemoError::Refused { what, status: response.status, body })
}

#[cfg(test)]
mod tests {
    use application::Demo as _;

    use super::*;

    #[test]
    fn the_hint_is_a_request_with_the_token_of_a_test_user() {
        let urls = [(API.to_owned(), "http://localhost:4566/api".to_owned())].into();
        let expected = "try: curl -s http://localhost:4566/api/media -H \"Authorization: Bearer $(cargo xtask local sign-in \
                        --system media-uploader)\" -d '{\"contentType\":\"image/jpeg\",\"contentLength\":91392}'";
        assert_eq!(Demo.hint(&urls).as_deref(), Some(expected));
        assert_eq!(Demo.hint(&BTreeMap::new()), None);
    }
}
