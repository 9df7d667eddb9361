//! `release`: the ledger, and what to do about a release that was interrupted.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use comfy_table::{ContentArrangement, Table, presets::UTF8_HORIZONTAL_ONLY};
use miette::{Diagnostic, IntoDiagnostic};
use model::rendered::RenderedSystem;
use plan::observed::Observed;
use thiserror::Error;

use super::{
    guarded::{bucket, canary, guarded, ledger, metadata, smoke_tests},
    sites,
};
use crate::session::{self, Session};
use crate::{
    aws::documents::Documents,
    context::Context,
    deploy::{self, DeployError},
    error::Exit,
    ledger::{Entry, OpenEntry},
    lock::HeldLocks,
    release::{self, ReleaseContext},
    ui::{Format, Ui},
};

/// Releases: what was released, by whom, and what became of it.
#[derive(Debug, Args)]
pub struct ReleaseArgs {
    #[command(subcommand)]
    command: ReleaseCommand,
}

#[derive(Debug, Subcommand)]
enum ReleaseCommand {
    /// Show every release of a stage, newest first.
    List(Selection),
    /// Show one release with everything that happened.
    Show {
        /// Its number.
        number: u32,
        #[command(flatten)]
        selection: Selection,
    },
    /// Finish a release that was interrupted: move every alias to its version.
    Resume(Selection),
    /// Revert a release that was interrupted: move every alias back to what it pointed to.
    Abort(Selection),
}

#[derive(Debug, Args)]
struct Selection {
    /// The stage.
    #[arg(long)]
    stage: String,
    /// Only this system.
    #[arg(long)]
    system: Option<String>,
    /// How it is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Error, Diagnostic)]
enum Nothing {
    #[error("there is no release {number} in stage {stage}")]
    #[diagnostic(help("`cargo xtask release list --stage {stage}` shows them"))]
    Number { number: u32, stage: String },
    #[error("no release of stage {stage} was interrupted; nothing was touched")]
    Open { stage: String },
}

/// Runs the command.
///
/// # Errors
///
/// When the stage cannot be looked at, there is no such release, or an alias cannot be moved.
pub async fn run(args: ReleaseArgs, context: &Context) -> miette::Result<Exit> {
    let (_workspace, ui) = (&context.workspace, &context.ui);
    let (ReleaseCommand::List(selection)
    | ReleaseCommand::Show { selection, .. }
    | ReleaseCommand::Resume(selection)
    | ReleaseCommand::Abort(selection)) = &args.command;
    let session = Session::open(context.stage(&selection.stage)?, context).await?;
    let systems = session.select(selection.system.as_deref(), None)?;
    let systems: Vec<_> = systems.into_iter().filter(has_functions).collect();
    let observed = deploy::observe::observe(&session.systems, &session.clients).await?;
    let Some(bucket) = bucket(&session, &observed) else {
        return Err(DeployError::NoFoundation { stage: session.stage.name.clone() }.into());
    };
    match &args.command {
        ReleaseCommand::List(selection) => list(&entries(&systems, &session, &bucket).await?, selection, ui)?,
        ReleaseCommand::Show { number, selection } => {
            let entries = entries(&systems, &session, &bucket).await?;
            let found: Vec<_> = entries.iter().filter(|entry| entry.number == *number).collect();
            if found.is_empty() {
                return Err(Nothing::Number { number: *number, stage: session.stage.name.clone() }.into());
            }
            show(&found, selection.format, ui)?;
        }
        ReleaseCommand::Resume(_) | ReleaseCommand::Abort(_) => {
            let resume = matches!(args.command, ReleaseCommand::Resume(_));
            let work = async |locks: &HeldLocks<Documents>| {
                settle(&systems, resume, &observed, locks, &session, &bucket, context).await
            };
            guarded(&session, &systems, "release", Some(bucket.clone()), ui, work).await?;
        }
    }
    Ok(Exit::Success)
}

pub(super) fn has_functions(system: &RenderedSystem) -> bool {
    system.stacks.iter().any(|stack| !stack.functions.is_empty())
}

/// Every release of these systems, newest first.
async fn entries(systems: &[RenderedSystem], session: &Session, bucket: &str) -> miette::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for system in systems {
        entries.extend(ledger(session, bucket, &system.name).entries().await?);
    }
    entries.sort_by(|left, right| right.began.cmp(&left.began).then(right.number.cmp(&left.number)));
    Ok(entries)
}

fn list(entries: &[Entry], selection: &Selection, ui: &Ui) -> miette::Result<()> {
    if selection.format == Format::Json {
        ui.result(serde_json::to_string_pretty(entries).into_diagnostic()?);
        return Ok(());
    }
    if entries.is_empty() {
        ui.say("Nothing was released yet.");
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["system", "release", "what", "began", "commit", "who", "outcome"]);
    for entry in entries {
        table.add_row([
            entry.system.clone(),
            entry.number.to_string(),
            entry.kind_text(),
            entry.began.clone(),
            entry.commit.as_deref().map_or_else(|| "-".to_owned(), short),
            entry.who.clone(),
            entry.outcome_text(),
        ]);
    }
    ui.result(table);
    Ok(())
}

/// A commit as people write it, with what says that it was changed.
fn short(commit: &str) -> String {
    let (hash, dirty) = commit.strip_suffix("-dirty").map_or((commit, ""), |hash| (hash, "-dirty"));
    format!("{}{dirty}", hash.get(..9).unwrap_or(hash))
}

fn show(entries: &[&Entry], format: Format, ui: &Ui) -> miette::Result<()> {
    if format == Format::Json {
        ui.result(serde_json::to_string_pretty(entries).into_diagnostic()?);
        return Ok(());
    }
    for entry in entries {
        ui.result(format_args!(
            "{} release {}: {}, {}",
            entry.system,
            entry.number,
            entry.kind_text(),
            entry.outcome_text()
        ));
        ui.result(format_args!("  began {} by {}", entry.began, entry.who));
        if let Some(ended) = &entry.ended {
            ui.result(format_args!("  ended {ended}"));
        }
        if let Some(commit) = &entry.commit {
            ui.result(format_args!("  commit {commit}"));
        }
        for (function, moved) in &entry.functions {
            let before = moved.before.as_deref().unwrap_or("nothing");
            ui.result(format_args!("  {function}: {before} → {}", moved.after));
        }
        for (site, manifest) in &entry.sites {
            ui.result(format_args!("  {site}: {}", &manifest[..manifest.len().min(16)]));
        }
        for step in &entry.steps {
            ui.result(format_args!("  {} {}", step.at, step.what));
        }
    }
    Ok(())
}

/// Finishes or reverts whatever is open.
async fn settle(
    systems: &[RenderedSystem],
    resume: bool,
    observed: &Observed,
    locks: &HeldLocks<Documents>,
    session: &Session,
    bucket: &str,
    context: &Context,
) -> miette::Result<()> {
    let (workspace, ui) = (&context.workspace, &context.ui);
    let mut settled = false;
    for system in systems {
        let ledger = ledger(session, bucket, &system.name);
        let Some(open) = ledger.newest().await?.filter(|open: &OpenEntry| open.entry.is_open()) else { continue };
        let metadata = metadata(session, system, observed, None, workspace);
        let outputs = session::outputs(observed);
        let (canary, smoke_tests) = (canary(session, None, None), smoke_tests(session, system, &outputs));
        let (code, clients) = (BTreeMap::new(), &session.clients);
        let pages = &sites::pages(system, &outputs, bucket, session, ui);
        let context =
            ReleaseContext { system, ledger: &ledger, locks, canary, smoke_tests, code, metadata, pages, clients, ui };
        let closed = if resume {
            release::resume(&context, open).await?
        } else {
            release::abort(&context, open, "it was aborted by hand").await?
        };
        ui.say(format_args!("✓ {} release {}: {}", system.name, closed.entry.number, closed.entry.outcome_text()));
        settled = true;
    }
    if settled { Ok(()) } else { Err(Nothing::Open { stage: session.stage.name.clone() }.into()) }
}
