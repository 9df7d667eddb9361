//! `release`: the ledger, and what to do with an interrupted release.

use clap::{Args, Subcommand};
use miette::Diagnostic;
use model::rendered::RenderedSystem;
use plan::observed::Observed;
use thiserror::Error;

use super::print_json;
use crate::{
    aws::documents::Documents,
    context::Context,
    deploy::observe::Extent,
    error::Exit,
    ledger::Entry,
    lock::HeldLocks,
    release,
    report::{Draft, ReleasesReport},
    session::{self, Session, has_functions},
    table,
    ui::{Format, Ui},
};

/// List releases: commit, deployer, outcome; resume or abort an interrupted one.
#[derive(Debug, Args)]
pub(crate) struct ReleaseArgs {
    #[command(subcommand)]
    command: ReleaseCommand,
}

#[derive(Debug, Subcommand)]
enum ReleaseCommand {
    /// List the releases of a stage, newest first.
    List(Selection),
    /// Show one release and its steps.
    Show {
        /// The release's number.
        number: u32,
        #[command(flatten)]
        selection: Selection,
    },
    /// Finish an interrupted release: shift each alias to its new version.
    Resume(Selection),
    /// Revert an interrupted release: shift each alias back to its earlier version.
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
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Error, Diagnostic)]
enum NoRelease {
    #[error("there is no release {number} in stage {stage}")]
    #[diagnostic(help("list the releases with `cargo xtask release list --stage {stage}`"))]
    Number { number: u32, stage: String },
    #[error("no release of stage {stage} was interrupted; nothing was touched")]
    #[diagnostic(help("list the releases with `cargo xtask release list --stage {stage}`"))]
    Interrupted { stage: String },
}

/// Runs the command.
///
/// # Errors
///
/// When a call fails, there is no such release, or an alias cannot be shifted.
pub(crate) async fn run(args: ReleaseArgs, context: &Context, draft: &Draft<ReleasesReport>) -> miette::Result<Exit> {
    let (ReleaseCommand::List(selection)
    | ReleaseCommand::Show { selection, .. }
    | ReleaseCommand::Resume(selection)
    | ReleaseCommand::Abort(selection)) = &args.command;
    let session = Session::open(context.stage(&selection.stage)?, context).await?;
    let systems = session.select(selection.system.as_deref())?;
    let systems: Vec<_> = systems.into_iter().filter(has_functions).collect();
    let observed = session.observe(Extent::Templates).await?;
    let bucket = session.require_bucket(&observed)?;
    let settle = Settle { session: &session, observed: &observed, bucket: &bucket, draft };
    match &args.command {
        ReleaseCommand::List(selection) => list(&entries(&systems, &session, &bucket).await?, selection, &context.ui)?,
        ReleaseCommand::Show { number, selection } => {
            let mut entries = entries(&systems, &session, &bucket).await?;
            entries.retain(|entry| entry.number == *number);
            if entries.is_empty() {
                return Err(NoRelease::Number { number: *number, stage: session.stage.name.clone() }.into());
            }
            show(&entries, selection.format, &context.ui)?;
        }
        ReleaseCommand::Resume(_) => {
            let work = async |locks: &HeldLocks<Documents>| settle.run(&systems, true, locks).await;
            session.locked(&systems, "release", Some(bucket.clone()), work).await?;
        }
        ReleaseCommand::Abort(_) => {
            let work = async |locks: &HeldLocks<Documents>| settle.run(&systems, false, locks).await;
            session.locked(&systems, "release", Some(bucket.clone()), work).await?;
        }
    }
    Ok(Exit::Success)
}

/// The releases of some systems, newest first.
async fn entries(systems: &[RenderedSystem], session: &Session, bucket: &str) -> miette::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for system in systems {
        entries.extend(session.ledger(bucket, &system.name).entries().await?);
    }
    entries.sort_by(|left, right| right.began.cmp(&left.began).then(right.number.cmp(&left.number)));
    Ok(entries)
}

fn list(entries: &[Entry], selection: &Selection, ui: &Ui) -> miette::Result<()> {
    if selection.format == Format::Json {
        return print_json(&entries, ui);
    }
    if entries.is_empty() {
        ui.say("There are no releases yet.");
        return Ok(());
    }
    let mut table = table::terminal(&["system", "release", "type", "began", "commit", "deployer", "outcome"]);
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

/// A commit's short hash, with `-dirty` where the working tree differed.
fn short(commit: &str) -> String {
    let (hash, dirty) = commit.strip_suffix("-dirty").map_or((commit, ""), |hash| (hash, "-dirty"));
    format!("{}{dirty}", hash.get(..9).unwrap_or(hash))
}

fn show(entries: &[Entry], format: Format, ui: &Ui) -> miette::Result<()> {
    if format == Format::Json {
        return print_json(&entries, ui);
    }
    for entry in entries {
        let (system, number) = (&entry.system, entry.number);
        ui.result(format_args!("{system} release {number}: {}, {}", entry.kind_text(), entry.outcome_text()));
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

/// The end of interrupted releases.
struct Settle<'a> {
    session: &'a Session,
    observed: &'a Observed,
    bucket: &'a str,
    draft: &'a Draft<ReleasesReport>,
}

impl Settle<'_> {
    /// Resumes or aborts the open release of each system.
    async fn run(&self, systems: &[RenderedSystem], resume: bool, locks: &HeldLocks<Documents>) -> miette::Result<()> {
        let ui = &self.session.context.ui;
        let outputs = session::outputs(self.observed);
        let on_close = |entry: &Entry| self.draft.update(|report| report.releases.push(entry.into()));
        let mut settled = false;
        for system in systems {
            let mut release = self.session.release_of(system, self.observed, &outputs, self.bucket);
            let Some(open) = release.ledger.newest().await?.filter(|open| open.entry.is_open()) else { continue };
            release.canary = self.session.canary(None, None);
            let context = release.context(locks, &on_close);
            let closed = if resume {
                release::resume(&context, open).await?
            } else {
                release::abort(&context, open, "it was aborted by hand").await?
            };
            let (number, outcome) = (closed.entry.number, closed.entry.outcome_text());
            ui.say(format_args!("✓ {} release {number}: {outcome}", system.name));
            settled = true;
        }
        if settled { Ok(()) } else { Err(NoRelease::Interrupted { stage: self.session.stage.name.clone() }.into()) }
    }
}
