//! `prune`: deletes versions, layer versions, artifacts and site files that no release needs.

use clap::Args;
use model::rendered::RenderedSystem;

use crate::{
    aws::documents::Documents,
    context::Context,
    error::Exit,
    lock::HeldLocks,
    prune::{
        self, Mark, Scope,
        leftovers::{self, Leftover},
    },
    report::{Draft, PruneReport},
    session::{self, Session},
    ui::Format,
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
    #[arg(long, default_value_t = 5)]
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

/// What is kept and what is deleted.
struct Marked {
    marks: Vec<Mark>,
    bucket: Option<String>,
}

/// Runs the command.
///
/// # Errors
///
/// When a call fails.
pub(crate) async fn run(args: PruneArgs, context: &Context, draft: &Draft<PruneReport>) -> miette::Result<Exit> {
    let session = Session::open(context.stage(&args.stage)?, context).await?;
    let selected = session.select(args.system.as_deref(), None)?;
    if args.dry_run {
        print(&args, &marked_with_leftovers(&args, &selected, &session).await?, context);
        return Ok(Exit::Success);
    }
    let work = async |_: &HeldLocks<Documents>| {
        let marked = marked_with_leftovers(&args, &selected, &session).await?;
        print(&args, &marked, context);
        draft.update(|report| report.pruned = marked.marks.iter().filter(|mark| !mark.keep).count());
        let count = prune::sweep(&session.clients, &marked.marks, marked.bucket.as_deref()).await?;
        context.ui.say(if count == 0 { "Nothing to prune".to_owned() } else { format!("✓ Pruned {count}") });
        Ok(Exit::Success)
    };
    session.locked(&selected, "prune", session.artifact_bucket().await?, work).await
}

/// Prunes after a deploy, and prints how much.
///
/// # Errors
///
/// When a call fails.
pub(super) async fn after_deploy(systems: &[RenderedSystem], keep: usize, session: &Session) -> miette::Result<()> {
    let Marked { marks, bucket } = marked(systems, keep, session).await?;
    let pruned = prune::sweep(&session.clients, &marks, bucket.as_deref()).await?;
    if pruned > 0 {
        session.context.ui.say(format_args!("✓ Pruned {pruned} old versions, artifacts and files"));
    }
    Ok(())
}

async fn marked(selected: &[RenderedSystem], keep: usize, session: &Session) -> miette::Result<Marked> {
    let observed = session.observe().await?;
    let (outputs, parameters) = (session::outputs(&observed), session::parameters(&observed));
    let bucket = session.bucket(&observed);
    let (mut released, mut of_sites) = (prune::ReleasedVersions::new(), Vec::new());
    if let Some(bucket) = &bucket {
        for system in selected {
            let entries = session.ledger(bucket, &system.name).entries().await?;
            released.extend(prune::released_versions(&entries, keep));
            let kept = prune::sites::KeptEntries { entries: &entries, keep };
            let of_system = prune::sites::mark(&session.clients, system, &outputs, bucket, kept);
            of_sites.extend(of_system.await?);
        }
    }
    let scope =
        Scope { systems: selected, parameters: &parameters, bucket: bucket.as_deref(), released: &released, keep };
    let mut marks = prune::mark(&session.clients, scope).await?;
    marks.extend(of_sites);
    Ok(Marked { marks, bucket })
}

async fn marked_with_leftovers(
    args: &PruneArgs,
    selected: &[RenderedSystem],
    session: &Session,
) -> miette::Result<Marked> {
    let mut marked = marked(selected, args.keep, session).await?;
    let also = args.also.iter().copied().collect();
    marked.marks.extend(leftovers::mark(&session.clients, &also, selected, &session.stage.name).await?);
    Ok(marked)
}

fn print(args: &PruneArgs, marked: &Marked, context: &Context) {
    let ui = &context.ui;
    if args.format == Format::Json {
        ui.result(serde_json::json!({ "dryRun": args.dry_run, "verdicts": marked.marks }));
        return;
    }
    for mark in marked.marks.iter().filter(|mark| args.dry_run || !mark.keep) {
        let fate = if mark.keep { "kept" } else { "deleted" };
        ui.result(format_args!("{}: {fate}, {}", mark.what, mark.why));
    }
}
