//! `prune`: deletes versions, layer versions, artifacts and site files that no release needs.

use clap::Args;
use miette::Diagnostic;
use model::rendered::RenderedSystem;
use plan::artifacts::Artifacts;
use thiserror::Error;

use crate::{
    aws::documents::Documents,
    context::Context,
    deploy::{Outputs, artifact_bucket, observe::Extent},
    error::Exit,
    ledger::{Entry, Ledger, LedgerError},
    lock::HeldLocks,
    prune::{
        self, Marks, References, Scope, Sweep, Swept,
        leftovers::{self, Leftover},
    },
    report::{Draft, PruneReport},
    session::{self, Session},
    ui::{Format, Ui},
};

/// Delete versions, layer versions, artifacts and site files that no release needs.
#[derive(Debug, Args)]
pub(crate) struct PruneArgs {
    /// The stage.
    #[arg(long)]
    stage: String,
    /// Only this system.
    #[arg(long)]
    system: Option<String>,
    /// Keep this many of the newest versions of each function, and the versions of as many releases. Versions with an alias
    /// are always kept.
    #[arg(long, default_value_t = KEEP)]
    keep: usize,
    /// Also delete these leftovers, unless a stack, a function or another tool needs them.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "LEFTOVER")]
    also: Vec<Leftover>,
    /// Delete nothing; print why each item is kept or deleted.
    #[arg(long)]
    dry_run: bool,
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How many releases a deploy keeps.
pub(super) const KEEP: usize = 5;

/// What is kept and what is deleted.
struct Marked {
    marks: Marks,
    bucket: Option<String>,
}

#[derive(Debug, Error, Diagnostic)]
#[error("failed to delete {}; everything else was pruned", .0.join("; "))]
#[diagnostic(help("fix the cause, then run the same command again"))]
struct Incomplete(Vec<String>);

/// Runs the command.
///
/// # Errors
///
/// When a call fails, or an item cannot be deleted. Every other item is deleted.
pub(crate) async fn run(args: PruneArgs, context: &Context, draft: &Draft<PruneReport>) -> miette::Result<Exit> {
    let session = Session::open(context.stage(&args.stage)?, context).await?;
    let selected = session.select(args.system.as_deref())?;
    if args.dry_run {
        print(&args, &marked_with_leftovers(&args, &selected, &session).await?, context);
        return Ok(Exit::Success);
    }
    let work = async |locks: &HeldLocks<Documents>| {
        let mut marked = marked_with_leftovers(&args, &selected, &session).await?;
        let swept = marked.sweep(locks, &session).await?;
        print(&args, &marked, context);
        draft.update(|report| report.pruned = swept.deleted);
        let (count, ui) = (swept.deleted, &context.ui);
        ui.say(if count == 0 { "Nothing to prune".to_owned() } else { format!("✓ Pruned {count}") });
        warn_of_kept(&swept, ui);
        if swept.failed.is_empty() { Ok(Exit::Success) } else { Err(Incomplete(swept.failed).into()) }
    };
    session.locked(&selected, "prune", session.bucket_of_locks().await?, work).await
}

/// Prunes what a deploy has changed of systems, and prints how much. Items that cannot be deleted are warnings. `parameters` are those of the
/// stacks before the deploy.
///
/// # Errors
///
/// When a call fails, or a lock is lost.
pub(super) async fn after_deploy(
    changed: &[RenderedSystem],
    artifacts: &Artifacts,
    (outputs, parameters): (&Outputs, &Outputs),
    locks: &HeldLocks<Documents>,
    session: &Session,
) -> miette::Result<()> {
    let mut references = References::default();
    references.add_artifacts(artifacts);
    let marking = Marking { systems: changed, keep: KEEP, references, outputs, parameters, knows_latest: true };
    let swept = marking.mark(session).await?.sweep(locks, session).await?;
    let ui = &session.context.ui;
    if swept.deleted > 0 {
        ui.say(format_args!("✓ Pruned {} old versions, artifacts and files", swept.deleted));
    }
    warn_of_kept(&swept, ui);
    for failed in &swept.failed {
        ui.warn(format_args!("failed to prune {failed}"));
    }
    Ok(())
}

impl Marked {
    async fn sweep(&mut self, locks: &HeldLocks<Documents>, session: &Session) -> miette::Result<Swept> {
        let sweep = Sweep { clients: &session.clients, locks, bucket: self.bucket.as_deref() };
        Ok(sweep.run(&mut self.marks).await?)
    }
}

fn warn_of_kept(swept: &Swept, ui: &Ui) {
    for kept in &swept.kept {
        ui.warn(format_args!("kept {kept}"));
    }
}

/// Adds marks to those of the same systems.
fn add(marks: &mut Marks, more: Marks) {
    for (system, more) in more {
        marks.entry(system).or_default().extend(more);
    }
}

/// What is marked, and from which state.
struct Marking<'a> {
    systems: &'a [RenderedSystem],
    keep: usize,
    references: References,
    outputs: &'a Outputs,
    parameters: &'a Outputs,
    knows_latest: bool,
}

impl Marking<'_> {
    async fn mark(mut self, session: &Session) -> miette::Result<Marked> {
        let bucket = artifact_bucket(&session.stage.name, self.outputs);
        let (mut released, mut of_sites) = (prune::ReleasedVersions::new(), Marks::new());
        if let Some(bucket) = &bucket {
            for system in self.systems {
                let entries = self.entries(system, &session.ledger(bucket, &system.name)).await?;
                released.extend(prune::released_versions(&entries, self.keep));
                self.references.add_code(prune::released_code(&entries, self.keep));
                let kept = prune::sites::KeptEntries { entries: &entries, keep: self.keep };
                let of_system = prune::sites::mark(&session.clients, system, self.outputs, bucket, kept).await?;
                of_sites.insert(system.name.clone(), of_system);
            }
        }
        let scope = Scope {
            systems: self.systems,
            parameters: self.parameters,
            knows_latest: self.knows_latest,
            bucket: bucket.as_deref(),
            released: &released,
            references: &self.references,
            keep: self.keep,
        };
        let mut marks = prune::mark(&session.clients, scope).await?;
        add(&mut marks, of_sites);
        Ok(Marked { marks, bucket })
    }

    /// Returns the entries that decide. Those with the releases of a site may be far behind.
    async fn entries(&self, system: &RenderedSystem, ledger: &Ledger<Documents>) -> Result<Vec<Entry>, LedgerError> {
        if system.sites.is_empty() {
            ledger
                .recent(u32::try_from(self.keep).unwrap_or(u32::MAX), |entries| prune::has_releases(entries, self.keep))
                .await
        } else {
            ledger.entries().await
        }
    }
}

async fn marked_with_leftovers(
    args: &PruneArgs,
    selected: &[RenderedSystem],
    session: &Session,
) -> miette::Result<Marked> {
    let observed = session.observe(Extent::Stacks).await?;
    let marking = Marking {
        systems: selected,
        keep: args.keep,
        references: References::default(),
        outputs: &session::outputs(&observed),
        parameters: &session::parameters(&observed),
        knows_latest: false,
    };
    let mut marked = marking.mark(session).await?;
    let also = args.also.iter().copied().collect();
    let leftovers = leftovers::mark(&session.clients, &also, selected, &session.stage.name).await?;
    add(&mut marked.marks, leftovers);
    Ok(marked)
}

fn print(args: &PruneArgs, marked: &Marked, context: &Context) {
    let ui = &context.ui;
    if args.format == Format::Json {
        ui.result(serde_json::json!({ "dryRun": args.dry_run, "verdicts": marked.marks.values().flatten().collect::<Vec<_>>() }));
        return;
    }
    for mark in marked.marks.values().flatten().filter(|mark| args.dry_run || !mark.keep) {
        let fate = if mark.keep { "kept" } else { "deleted" };
        ui.result(format_args!("{}: {fate}, {}", mark.what, mark.why));
    }
}
