//! `destroy`: a stage's stacks away; what holds data stays unless asked otherwise.

use clap::Args;
use miette::Diagnostic;
use model::foundation;
use thiserror::Error;

use super::guarded::guarded;
use crate::session::Session;
use crate::{
    aws::documents::Documents,
    context::Context,
    deploy::{self, DeployContext, destroy},
    error::Exit,
    lock::HeldLocks,
    render,
};

/// Delete a stage's stacks; what holds data is kept unless asked otherwise.
#[derive(Debug, Args)]
pub struct DestroyArgs {
    /// The stage.
    #[arg(long)]
    stage: String,
    /// Only this system.
    #[arg(long)]
    system: Option<String>,
    /// Delete buckets and user pools too, with everything in them; tables and secrets are kept.
    #[arg(long)]
    delete_data: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Error, Diagnostic)]
enum Refused {
    #[error("nobody is at a terminal to confirm that stage {0} is to be destroyed; nothing was touched")]
    #[diagnostic(help("run the command with --yes"))]
    NobodyToAsk(String),
    #[error("stacks of stage {stage} still need foundation: {stacks}; nothing was touched")]
    #[diagnostic(help("destroy their systems first, or the whole stage: leave out --system"))]
    Needed { stage: String, stacks: String },
    #[error("it was not confirmed; nothing was touched")]
    No,
}

/// Runs the command.
///
/// # Errors
///
/// When it is not confirmed, or something cannot be deleted; the same command goes on from there.
pub async fn run(args: DestroyArgs, context: &Context) -> miette::Result<Exit> {
    let (_workspace, ui) = (&context.workspace, &context.ui);
    let stage = context.stage(&args.stage)?;
    let session = Session::open(stage, context).await?;
    let selected = session.select(args.system.as_deref(), None)?;
    let selects_all = selected.len() == session.systems.len();
    if !selects_all && selected.iter().any(|system| system.name == foundation::SYSTEM) {
        let observed = deploy::observe::observe(&session.systems, &session.clients).await?;
        let others = render::stacks_of(&session.systems).filter(|stack| stack.system != foundation::SYSTEM);
        let left: Vec<_> =
            others.filter(|stack| observed.stacks.contains_key(&stack.name)).map(|stack| stack.name.clone()).collect();
        if !left.is_empty() {
            return Err(Refused::Needed { stage: session.stage.name, stacks: left.join(", ") }.into());
        }
    }
    let data = destroy::stateful_resources(&selected, &session.stage.account, &session.stage.region);
    for thing in &data {
        let goes = args.delete_data && thing.is_deletable();
        let fate = if goes { "deleted with everything in it" } else { thing.when_kept() };
        ui.say(format_args!("{thing}: {fate}"));
    }
    if !args.yes {
        let question = format!("Destroy stage {} in account {}?", session.stage.name, session.stage.account);
        match ui.confirm(&question) {
            Some(true) => {}
            Some(false) => return Err(Refused::No.into()),
            None => return Err(Refused::NobodyToAsk(session.stage.name).into()),
        }
    }
    let work = async |locks: &HeldLocks<Documents>| {
        let (stage, clients) = (session.stage.name.as_str(), &session.clients);
        let deploy_context = DeployContext { stage, clients, locks, ui };
        let stacks = destroy::delete_stacks(deploy_context, &selected).await?;
        let deleted =
            if args.delete_data { destroy::delete_resources(deploy_context, &data).await? } else { Vec::new() };
        ui.say(format_args!("✓ {stacks} stacks deleted, {} buckets and user pools", deleted.len()));
        if session.clients.endpoint().is_some() && !args.delete_data && !data.is_empty() {
            let again = "the emulator cannot give a new stack the buckets that were kept: before the next deploy run";
            let name = &session.stage.name;
            ui.warn(format_args!(
                "{again} `cargo xtask destroy --stage {name} --delete-data`, or `cargo xtask local reset`"
            ));
        }
        Ok(Exit::Success)
    };
    guarded(&session, &selected, "destroy", session.artifact_bucket().await?, ui, work).await
}
