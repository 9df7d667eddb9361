//! `secret`: lists, rotates and revokes the secrets that templates generate.

use clap::{Args, Subcommand};
use comfy_table::Table;
use miette::Diagnostic;
use thiserror::Error;

use crate::{
    aws::secrets::{CURRENT, PREVIOUS, SecretVersion},
    context::Context,
    error::Exit,
    secrets::{self, Revoked, Secret},
    session::Session,
    table,
};

/// List the generated secrets of a stage, rotate one, or revoke its previous value. No value is read or printed.
#[derive(Debug, Args)]
#[command(
    after_help = "After a leak, run `secret rotate --revoke-previous`. Signatures made with the leaked value become invalid as \
                        soon as the functions read the new value."
)]
pub(crate) struct SecretArgs {
    #[command(subcommand)]
    command: SecretCommand,
}

#[derive(Debug, Subcommand)]
enum SecretCommand {
    /// List the secrets, each with the creation time of its current value.
    List(Selection),
    /// Generate a new value. Functions may accept the previous value for a while.
    Rotate(RotateArgs),
    /// Revoke the previous value.
    Revoke(SecretSelection),
}

#[derive(Debug, Args)]
struct Selection {
    /// The stage.
    #[arg(long)]
    stage: String,
    /// Only this system.
    #[arg(long)]
    system: Option<String>,
}

#[derive(Debug, Args)]
struct SecretSelection {
    #[command(flatten)]
    selection: Selection,
    /// The secret: its name in Secrets Manager or its logical ID.
    #[arg(long, value_name = "NAME")]
    secret: String,
    /// Skip the confirmation of a protected stage.
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Args)]
struct RotateArgs {
    #[command(flatten)]
    target: SecretSelection,
    /// Also revoke the value that the new one replaces, for example after a leak.
    #[arg(long)]
    revoke_previous: bool,
}

#[derive(Debug, Error, Diagnostic)]
enum Refused {
    #[error("failed to change secret {name} in stage {stage}: there is no terminal to confirm it; nothing was changed")]
    #[diagnostic(help("run the command again with --yes"))]
    NoTerminal { name: String, stage: String },
    #[error("failed to change secret {name}: the change was not confirmed; nothing was changed")]
    #[diagnostic(help("run the command again and confirm it"))]
    NotConfirmed { name: String },
}

/// Runs the command.
///
/// # Errors
///
/// When there is no such secret, the change is not confirmed, or a call fails.
pub(crate) async fn run(args: SecretArgs, context: &Context) -> miette::Result<Exit> {
    match args.command {
        SecretCommand::List(selection) => list(&selection, context).await,
        SecretCommand::Rotate(RotateArgs { target, revoke_previous }) => {
            let (session, secret) = open(&target, context).await?;
            confirm(&session, &secret, target.yes, "Rotate")?;
            let manager = session.clients.secrets(secret.region.as_deref());
            let replaced = secrets::rotate(&secret, &session.stage.name, &manager).await?;
            context.ui.say(format_args!("✓ {}: rotated", secret.name));
            if revoke_previous {
                secrets::revoke_replaced(&secret, &replaced, &manager).await?;
                context.ui.say(format_args!("✓ {}: the previous value is revoked", secret.name));
            }
            Ok(Exit::Success)
        }
        SecretCommand::Revoke(target) => {
            let (session, secret) = open(&target, context).await?;
            confirm(&session, &secret, target.yes, "Revoke the previous value of")?;
            revoke(&session, &secret).await
        }
    }
}

async fn list(selection: &Selection, context: &Context) -> miette::Result<Exit> {
    let session = Session::open(context.stage(&selection.stage)?, context).await?;
    let found = secrets::find(&session.select(selection.system.as_deref())?);
    if found.is_empty() {
        context.ui.say("The stage's templates generate no secret");
        return Ok(Exit::Success);
    }
    let mut rows = table::terminal(&["secret", "logical ID", "current since", "previous value"]);
    for secret in &found {
        let versions = session.clients.secrets(secret.region.as_deref()).versions(&secret.name).await?;
        add_row(&mut rows, secret, versions.as_deref());
    }
    context.ui.result(rows);
    Ok(Exit::Success)
}

/// Adds a secret; without versions it is not deployed.
fn add_row(rows: &mut Table, secret: &Secret, versions: Option<&[SecretVersion]>) {
    let Some(versions) = versions else {
        rows.add_row([secret.name.as_str(), secret.logical_id.as_str(), "not deployed", "none"]);
        return;
    };
    let current = secrets::labelled(versions, CURRENT).map_or_else(|| "-".to_owned(), SecretVersion::created);
    let previous = secrets::labelled(versions, PREVIOUS).map_or("none", |_| "readable");
    rows.add_row([secret.name.as_str(), secret.logical_id.as_str(), current.as_str(), previous]);
}

async fn open(target: &SecretSelection, context: &Context) -> miette::Result<(Session, Secret)> {
    let session = Session::open(context.stage(&target.selection.stage)?, context).await?;
    let found = secrets::find(&session.select(target.selection.system.as_deref())?);
    let secret = secrets::select(&found, &target.secret)?;
    Ok((session, secret))
}

fn confirm(session: &Session, secret: &Secret, is_skipped: bool, action: &str) -> Result<(), Refused> {
    let (stage, name) = (&session.stage, &secret.name);
    if !stage.protected || is_skipped {
        return Ok(());
    }
    match session.context.ui.confirm(&format!("{action} {name} in stage {}?", stage.name)) {
        Some(true) => Ok(()),
        Some(false) => Err(Refused::NotConfirmed { name: name.clone() }),
        None => Err(Refused::NoTerminal { name: name.clone(), stage: stage.name.clone() }),
    }
}

async fn revoke(session: &Session, secret: &Secret) -> miette::Result<Exit> {
    let manager = session.clients.secrets(secret.region.as_deref());
    let revoked = secrets::revoke(secret, &session.stage.name, &manager).await?;
    let name = &secret.name;
    session.context.ui.say(match revoked {
        Revoked::Yes => format!("✓ {name}: the previous value is revoked"),
        Revoked::Nothing => format!("✓ {name}: there is no previous value"),
    });
    Ok(Exit::Success)
}
