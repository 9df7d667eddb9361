//! `prune`: versions, layer versions, artifacts and files of sites that nothing needs.

use clap::Args;
use model::rendered::RenderedSystem;

use super::guarded::{guarded, ledger};
use crate::session::{self, Session};
use crate::{
    context::Context,
    deploy,
    error::Exit,
    prune::{
        self, Mark, Scope,
        leftovers::{self, Leftover},
    },
    ui::{Format, Ui},
};

/// Delete versions, layer versions, artifacts and files of sites that nothing needs.
#[derive(Debug, Args)]
pub struct PruneArgs {
    /// The stage.
    #[arg(long)]
    stage: String,
    /// Only this system.
    #[arg(long)]
    system: Option<String>,
    /// How many of each function's newest versions stay, besides those an alias points to, and what so many releases need.
    #[arg(long, default_value_t = 5)]
    keep: usize,
    /// Look for these leftovers too; all of a kind that no stack, function or other tool needs go.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "LEFTOVER")]
    also: Vec<Leftover>,
    /// Delete nothing; say why each thing stays or goes.
    #[arg(long)]
    dry_run: bool,
    /// How it is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the command.
///
/// # Errors
///
/// When the stage cannot be looked at, or something cannot be deleted.
pub async fn run(args: PruneArgs, context: &Context) -> miette::Result<Exit> {
    let (_workspace, ui) = (&context.workspace, &context.ui);
    let stage = context.stage(&args.stage)?;
    let session = Session::open(stage, context).await?;
    let selected = session.select(args.system.as_deref(), None)?;
    let work = prune(&args, &selected, &session, ui);
    if args.dry_run {
        return work.await;
    }
    guarded(&session, &selected, "prune", session.artifact_bucket().await?, ui, async |_| work.await).await
}

/// What of these systems stays and what goes, and the artifact bucket.
pub(super) async fn marked(
    selected: &[RenderedSystem],
    keep: usize,
    session: &Session,
) -> miette::Result<(Vec<Mark>, Option<String>)> {
    let observed = deploy::observe::observe(&session.systems, &session.clients).await?;
    let (outputs, parameters) = (session::outputs(&observed), session::parameters(&observed));
    let bucket = session::bucket(&session.stage, &observed);
    let (mut released, mut of_sites) = (prune::ReleasedVersions::new(), Vec::new());
    if let Some(bucket) = &bucket {
        for system in selected {
            let entries = ledger(session, bucket, &system.name).entries().await?;
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
    Ok((marks, bucket))
}

async fn prune(args: &PruneArgs, selected: &[RenderedSystem], session: &Session, ui: &Ui) -> miette::Result<Exit> {
    let (mut verdicts, bucket) = marked(selected, args.keep, session).await?;
    let also = args.also.iter().copied().collect();
    verdicts.extend(leftovers::mark(&session.clients, &also, selected, &session.stage.name).await?);
    if args.format == Format::Json {
        ui.result(serde_json::json!({ "dryRun": args.dry_run, "verdicts": verdicts }));
    } else {
        for verdict in verdicts.iter().filter(|verdict| args.dry_run || !verdict.keep) {
            let does = if verdict.keep { "stays" } else { "goes" };
            ui.result(format_args!("{}: {does}, {}", verdict.what, verdict.why));
        }
    }
    if args.dry_run {
        return Ok(Exit::Success);
    }
    ui.note("pruned", verdicts.iter().filter(|verdict| !verdict.keep).count());
    let count = prune::sweep(&session.clients, &verdicts, bucket.as_deref()).await?;
    ui.say(if count == 0 { "Nothing to prune".to_owned() } else { format!("✓ Pruned {count}") });
    Ok(Exit::Success)
}
