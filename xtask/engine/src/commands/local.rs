//! `local`: the local cloud's own commands.

use clap::{Args, Subcommand};
use miette::{Diagnostic, IntoDiagnostic};
use serde_json::json;
use thiserror::Error;

use super::{
    session::{self, Session},
    status,
};
use crate::{
    aws::cognito::SignedIn,
    deploy::{Outputs, observe},
    error::Exit,
    local::{self, demo},
    stage,
    ui::{Format, Ui},
    workspace::Workspace,
};

/// The user that `local sign-in` and the demo sign in as, made on first use. A number reserved for fiction.
const USER: &str = "+15555550100";

/// The local cloud: start, stop, look at it, start afresh.
#[derive(Debug, Args)]
pub struct LocalArgs {
    #[command(subcommand)]
    command: LocalCommand,
}

#[derive(Debug, Subcommand)]
enum LocalCommand {
    /// Start it, or do nothing when it runs.
    Up,
    /// Stop it; what was deployed is gone unless the emulator keeps it.
    Down,
    /// Is it running, where, since when?
    Status {
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Stop it, forget everything, start it.
    Reset,
    /// Show what it and the functions log.
    Logs {
        /// Go on showing what is added, until Ctrl-C.
        #[arg(short, long)]
        follow: bool,
        /// How many of the last lines.
        #[arg(short = 'n', long, default_value_t = 100)]
        lines: usize,
    },
    /// Print an ID token for the deployed API, for `curl -H "Authorization: Bearer $(cargo xtask local sign-in)"`.
    SignIn {
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Upload a photo through the API and print the URL of its thumbnail.
    Demo {
        /// A JPEG; without it, one that comes with the project.
        #[arg(long)]
        photo: Option<camino::Utf8PathBuf>,
    },
}

/// The API that the demo uploads a photo through, by logical ID.
pub(super) const DEMO_API: &str = "MediaApi";

#[derive(Debug, Error, Diagnostic)]
enum DemoRefused {
    #[error("the Media Uploader is not deployed to stage local")]
    #[diagnostic(help("run `cargo xtask deploy --stage local` first"))]
    NotDeployed,
    #[error("failed to read {path}")]
    Photo { path: camino::Utf8PathBuf, source: std::io::Error },
}

/// Runs the command.
///
/// # Errors
///
/// When the local cloud cannot be started, stopped or used.
pub async fn run(args: LocalArgs, workspace: &Workspace, ui: &Ui) -> miette::Result<Exit> {
    let settings = local::Settings::from_workspace(workspace)?;
    match args.command {
        LocalCommand::Up => started(&local::up(&settings, ui).await?, ui),
        LocalCommand::Reset => started(&local::reset(&settings, ui).await?, ui),
        LocalCommand::Down => {
            let stopped = local::down(&settings).await?;
            ui.say(if stopped { "The local cloud is stopped" } else { "The local cloud was not running" });
        }
        LocalCommand::Status { format } => show_status(&settings, format, ui).await?,
        LocalCommand::Logs { follow, lines } => local::logs(&settings, follow, lines, ui).await?,
        LocalCommand::SignIn { format } => {
            let (session, outputs) = open(workspace, ui).await?;
            let signed_in = sign_in(&session, &outputs).await?;
            match format {
                Format::Text => ui.result(signed_in.id_token),
                Format::Json => {
                    ui.result(json!({ "username": signed_in.username, "idToken": signed_in.id_token }));
                }
            }
        }
        LocalCommand::Demo { photo } => {
            let (session, outputs) = open(workspace, ui).await?;
            demo(photo, &session, &outputs, workspace, ui).await?;
        }
    }
    Ok(Exit::Success)
}

fn started(running: &local::Running, ui: &Ui) {
    let how = if running.started { "started" } else { "already running" };
    ui.say(format_args!("The local cloud is {how}, process {}", running.pid));
    ui.result(&running.endpoint);
}

async fn show_status(settings: &local::Settings, format: Format, ui: &Ui) -> miette::Result<()> {
    let running = local::status(settings).await?;
    match (format, running) {
        (Format::Json, running) => ui.result(json!({
            "running": running.is_some(),
            "endpoint": running.as_ref().map(|running| &running.endpoint),
            "pid": running.as_ref().map(|running| running.pid),
            "log": local::log_path(settings),
        })),
        (Format::Text, Some(running)) => {
            ui.result(format_args!("running at {}, process {}, log {}", running.endpoint, running.pid, running.log));
        }
        (Format::Text, None) => ui.result("not running; start it with `cargo xtask local up`"),
    }
    Ok(())
}

async fn open(workspace: &Workspace, ui: &Ui) -> miette::Result<(Session, Outputs)> {
    let session = Session::open(stage::load(workspace, "local")?, workspace, ui).await?;
    let observed = observe::observe(&session.systems, &session.clients).await?;
    let outputs = session::outputs(&observed);
    Ok((session, outputs))
}

/// A token for the demo's user, who is made on first use with a password that nobody needs to know.
async fn sign_in(session: &Session, outputs: &Outputs) -> miette::Result<SignedIn> {
    let outputs = outputs.get("media-uploader-cognito-local").ok_or(DemoRefused::NotDeployed)?;
    let output = |name: &str| outputs.get(name).ok_or(DemoRefused::NotDeployed);
    let (pool, client) = (output("MainUserPoolId")?, output("MainUserPoolClientId")?);
    let mut password = [0_u8; 16];
    getrandom::fill(&mut password).into_diagnostic()?;
    Ok(session.clients.cognito().sign_in(pool, client, USER, &hex::encode(password)).await?)
}

/// Uploads a photo and prints the URL of its thumbnail.
pub(super) async fn demo(
    photo: Option<camino::Utf8PathBuf>,
    session: &Session,
    outputs: &Outputs,
    workspace: &Workspace,
    ui: &Ui,
) -> miette::Result<()> {
    let urls = status::urls(&session.systems, outputs, session);
    let api = urls.get(DEMO_API).ok_or(DemoRefused::NotDeployed)?;
    let path = photo.unwrap_or_else(|| workspace.root().join("lambdas/media-uploader/demo/photo.jpg"));
    let bytes = fs_err::read(&path).map_err(|source| DemoRefused::Photo { path, source })?;
    let step = ui.step("Upload a photo through the API");
    let token = sign_in(session, outputs).await?.id_token;
    let thumbnail = demo::upload_photo(api, &token, bytes).await?;
    let size = demo::fetch(&thumbnail).await?;
    let (width, height) = (thumbnail.width, thumbnail.height);
    step.done(format_args!("its thumbnail is {width} × {height}, {}", crate::ui::size(size as u64)));
    ui.result(format_args!("thumbnail: {}", thumbnail.url));
    Ok(())
}

/// Something to paste into a terminal.
pub(super) fn say_how_to_call(urls: &std::collections::BTreeMap<String, String>, ui: &Ui) {
    let Some(api) = urls.get(DEMO_API) else { return };
    ui.result(format_args!(
        "try: curl -s {api}/media -H \"Authorization: Bearer $(cargo xtask local sign-in)\" \
         -d '{{\"contentType\":\"image/jpeg\",\"contentLength\":91392}}'"
    ));
}
