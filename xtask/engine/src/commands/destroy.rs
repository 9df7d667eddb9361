//! `destroy`: deletes a stage's stacks, and keeps stateful resources unless asked otherwise.

use clap::Args;
use miette::Diagnostic;
use model::{foundation, rendered::RenderedSystem};
use thiserror::Error;

use crate::{
    aws::documents::Documents,
    context::Context,
    deploy::{
        destroy::{self, Destroyed, StatefulResource, Survey},
        observe::Extent,
    },
    error::Exit,
    lock::HeldLocks,
    render,
    session::Session,
};

/// Delete a stage's stacks; stateful resources are kept unless asked otherwise.
#[derive(Debug, Args)]
pub(crate) struct DestroyArgs {
    /// The stage.
    #[arg(long)]
    stage: String,
    /// Only this system.
    #[arg(long)]
    system: Option<String>,
    /// Also delete buckets and user pools with their contents; tables and secrets are kept.
    #[arg(long)]
    delete_data: bool,
    /// Skip the confirmation.
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Error, Diagnostic)]
enum Refused {
    #[error("there is no terminal to confirm the destruction of stage {stage}; nothing was touched")]
    #[diagnostic(help("run the command again with --yes"))]
    NoTerminal { stage: String },
    #[error("stacks of stage {stage} still need foundation: {stacks}; nothing was touched")]
    #[diagnostic(help(
        "destroy the whole stage with `cargo xtask destroy --stage {stage}`, or the other systems first"
    ))]
    Needed { stage: String, stacks: String },
    #[error("failed to delete stage {stage}: {}; nothing was deleted", refusals.join("; "))]
    #[diagnostic(help(
        "empty the bucket, turn off the protection of a pool or table with a deploy, or that of a stack with `aws cloudformation \
         update-termination-protection --no-enable-termination-protection --stack-name STACK`; then run the same command again. \
         Without --delete-data, `destroy` keeps stateful resources"
    ))]
    Protected { stage: String, refusals: Vec<String> },
    #[error("the destruction was not confirmed; nothing was touched")]
    #[diagnostic(help("run the command again and confirm it"))]
    NotConfirmed,
}

/// Runs the command.
///
/// # Errors
///
/// When it is not confirmed, or something cannot be deleted; the same command resumes from there.
pub(crate) async fn run(args: DestroyArgs, context: &Context) -> miette::Result<Exit> {
    let session = Session::open(context.stage(&args.stage)?, context).await?;
    let selected = session.select(args.system.as_deref())?;
    refuse_needed_foundation(&selected, &session).await?;
    let survey = destroy::survey(&session.clients, &session.stage, &selected, args.delete_data).await?;
    let Survey { resources, foreign, refusals } = survey;
    if !refusals.is_empty() {
        return Err(Refused::Protected { stage: session.stage.name, refusals }.into());
    }
    for resource in &resources {
        let is_deleted = args.delete_data && resource.is_deletable();
        let fate = if is_deleted { "deleted with its contents" } else { resource.when_kept() };
        context.ui.say(format_args!("{resource}: {fate}"));
    }
    for foreign in &foreign {
        context.ui.say(foreign);
    }
    if !args.yes {
        confirm(&session)?;
    }
    let work = async |locks: &HeldLocks<Documents>| destroy(&args, &selected, &resources, locks, &session).await;
    session.locked(&selected, "destroy", session.bucket_of_locks().await?, work).await
}

/// Refuses to destroy foundation while other stacks need it.
async fn refuse_needed_foundation(selected: &[RenderedSystem], session: &Session) -> miette::Result<()> {
    let selects_all = selected.len() == session.systems.len();
    if selects_all || !selected.iter().any(|system| system.name == foundation::SYSTEM) {
        return Ok(());
    }
    let observed = session.observe(Extent::Stacks).await?;
    let others = render::stacks_of(&session.systems).filter(|stack| stack.system != foundation::SYSTEM);
    let deployed = others.filter(|stack| observed.stacks.contains_key(&stack.name));
    let stacks: Vec<_> = deployed.map(|stack| stack.name.as_str()).collect();
    if stacks.is_empty() {
        return Ok(());
    }
    Err(Refused::Needed { stage: session.stage.name.clone(), stacks: stacks.join(", ") }.into())
}

fn confirm(session: &Session) -> Result<(), Refused> {
    let stage = &session.stage;
    match session.context.ui.confirm(&format!("Destroy stage {} in account {}?", stage.name, stage.account)) {
        Some(true) => Ok(()),
        Some(false) => Err(Refused::NotConfirmed),
        None => Err(Refused::NoTerminal { stage: stage.name.clone() }),
    }
}

async fn destroy(
    args: &DestroyArgs,
    selected: &[RenderedSystem],
    data: &[StatefulResource],
    locks: &HeldLocks<Documents>,
    session: &Session,
) -> miette::Result<Exit> {
    let ui = &session.context.ui;
    let context = session.deploy_context(locks, &|_| {});
    let deletable = if args.delete_data { data } else { &[] };
    let Destroyed { stacks, resources, failure } =
        destroy::destroy(context, session.stage.deletion(), selected, deletable).await?;
    ui.say(format_args!("✓ Deleted {stacks} stacks, and {resources} buckets and user pools"));
    if let Some(failure) = failure {
        return Err(failure.into());
    }
    if session.clients.endpoint().is_some() && !args.delete_data && !data.is_empty() {
        let stage = &session.stage.name;
        ui.warn(format_args!(
            "the emulator cannot import the kept buckets into a new stack: before the next deploy, run `cargo xtask destroy \
             --stage {stage} --delete-data` or `cargo xtask local reset`"
        ));
    }
    Ok(Exit::Success)
}
