//! The Media Uploader's main job, done once on the local cloud: a photo goes up, its thumbnail comes back.
//!
//! Speaks to the API as any client would, with a user's token; nothing here reaches around it.

use std::time::Duration;

use camino::Utf8PathBuf;
use clap::{ArgMatches, Args, FromArgMatches};
use engine::{
    application,
    context::Context,
    deploy::{Outputs, observe},
    error::Exit,
    live::sign_in::sign_in,
    session::{self, Session},
    ui,
};
use futures_util::future::LocalBoxFuture;
use miette::{Diagnostic, IntoDiagnostic};
use reqwest::{Client, Response, StatusCode, header};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;
use thiserror::Error;

/// The system that the demo shows.
const SYSTEM: &str = "media-uploader";
/// Its API, by logical ID.
const API: &str = "MediaApi";

/// `cargo xtask demo`.
pub(crate) struct Verb;

/// The demo that follows a deploy to stage `local`.
pub(crate) struct Demo;

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
            let observed = observe::observe(&session.systems, &session.clients).await?;
            show(args.photo, &session, &session::outputs(&observed), context).await?;
            Ok(Exit::Success)
        })
    }
}

impl application::Demo for Demo {
    fn system(&self) -> &str {
        SYSTEM
    }

    fn run<'a>(
        &'a self,
        session: &'a Session,
        outputs: &'a Outputs,
        context: &'a Context,
    ) -> LocalBoxFuture<'a, miette::Result<()>> {
        Box::pin(async {
            show(None, session, outputs, context).await?;
            if let Some(api) = session.urls(outputs).get(API) {
                context.ui.result(format_args!(
                    "try: curl -s {api}/media -H \"Authorization: Bearer $(cargo xtask local sign-in --system {SYSTEM})\" \
                     -d '{{\"contentType\":\"image/jpeg\",\"contentLength\":91392}}'"
                ));
            }
            Ok(())
        })
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
    let token = sign_in(system, session, outputs).await?.id_token;
    let thumbnail = upload_photo(api, &token, bytes).await?;
    let size = fetch(&thumbnail).await?;
    let (width, height) = (thumbnail.width, thumbnail.height);
    step.done(format_args!("its thumbnail is {width} × {height}, {}", ui::size(size as u64)));
    context.ui.result(format_args!("thumbnail: {}", thumbnail.url));
    Ok(())
}

/// How long a photo may take from upload to thumbnail. The spec's tests wait as long.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks at a photo that is still being processed.
const PAUSE: Duration = Duration::from_millis(250);

/// The photo did not come back as a thumbnail.
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
struct Thumbnail {
    /// The photo's filename in the API.
    filename: String,
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
async fn fetch(thumbnail: &Thumbnail) -> Result<usize, DemoError> {
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
