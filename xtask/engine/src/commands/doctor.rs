//! `doctor`: what is wrong with a stage, what it means, and its repair.

use std::collections::BTreeSet;

use clap::Args;
use miette::IntoDiagnostic;
use model::rendered::RenderedSystem;
use plan::observed::Observed;

use super::{
    guarded::{guarded, ledger},
    release::has_functions,
};
use crate::session::Session;
use crate::{
    aws::{documents::Documents, lambda::Readiness},
    context::Context,
    deploy,
    doctor::{Ailment, AilmentKind, FunctionState, RepairOptions, Signs, diagnose, repair},
    error::Exit,
    ledger::Ledger,
    lock::HeldLocks,
    render::{self, RenderError},
    ui::{Format, Ui},
};

/// Say what is wrong with a stage, what it means and how to repair it.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 all is well, or was repaired; 1 something is left to repair.")]
pub struct DoctorArgs {
    /// The stage.
    #[arg(long)]
    stage: String,
    /// Only this system.
    #[arg(long)]
    system: Option<String>,
    /// Repair what can be repaired without losing anything.
    #[arg(long)]
    fix: bool,
    /// Let a rollback leave this resource as it is; with --fix.
    #[arg(long, value_name = "STACK/ID", requires = "fix")]
    skip: Vec<String>,
    /// Let a deletion leave this resource where it is; with --fix.
    #[arg(long, value_name = "STACK/ID", requires = "fix")]
    retain: Vec<String>,
    /// Stop the update of this stack instead of waiting for it, so that it goes back; with --fix.
    #[arg(long, value_name = "STACK", requires = "fix")]
    cancel: Vec<String>,
    /// How it is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the command.
///
/// # Errors
///
/// When the stage cannot be looked at, or a repair fails.
pub async fn run(args: DoctorArgs, context: &Context) -> miette::Result<Exit> {
    let (_workspace, ui) = (&context.workspace, &context.ui);
    let session = Session::open(context.stage(&args.stage)?, context).await?;
    let systems = session.select(args.system.as_deref(), None)?;
    known(&args, &session.stage.name, &systems)?;
    let bucket = session.artifact_bucket().await?;
    let ailments = examine(&systems, bucket.as_deref(), &session).await?;
    report(&ailments, args.format, ui)?;
    if ailments.is_empty() {
        return Ok(Exit::Success);
    }
    if !args.fix {
        return Ok(Exit::Failure);
    }
    let names = RepairOptions {
        skip: args.skip.into_iter().collect(),
        retain: args.retain.into_iter().collect(),
        cancel: args.cancel.into_iter().collect(),
    };
    let work = async |_: &HeldLocks<Documents>| {
        let mut left = 0;
        // Looked at again with the lock in hand: what was ill may have been somebody's work.
        for ailment in examine(&systems, bucket.as_deref(), &session).await? {
            let region = match &ailment.kind {
                AilmentKind::Stack(name, _) => {
                    let mut stacks = render::stacks_of(&systems);
                    stacks.find(|stack| stack.name == *name).and_then(|stack| stack.region.clone())
                }
                _ => None,
            };
            let repaired = repair(&ailment, region.as_deref(), &names, &session.clients, ui).await?;
            left += usize::from(!repaired);
        }
        Ok(if left == 0 { Exit::Success } else { Exit::Failure })
    };
    let result = guarded(&session, &systems, "doctor", bucket.clone(), ui, work).await;
    session.explain(result)
}

/// Looks at a stage, and says what is wrong with it.
async fn examine(systems: &[RenderedSystem], bucket: Option<&str>, session: &Session) -> miette::Result<Vec<Ailment>> {
    let observed = deploy::observe::observe(systems, &session.clients).await?;
    let mut signs = Signs::default();
    for function in render::stacks_of(systems).flat_map(|stack| &stack.functions) {
        let name = &function.function_name;
        let readiness = session.clients.lambda().version(name, "$LATEST").await?.map(|latest| latest.readiness);
        let state = match readiness {
            Some(Readiness::Pending) => FunctionState::Pending,
            Some(Readiness::Failed(why)) => FunctionState::Failed(why),
            Some(Readiness::Ready) | None => continue,
        };
        signs.functions.push((name.clone(), state));
    }
    for system in systems.iter().filter(|system| has_functions(system)) {
        let Some(bucket) = bucket else { continue };
        let ledger = ledger(session, bucket, &system.name);
        match ledger.newest().await?.filter(|open| open.entry.is_open()) {
            Some(open) => signs.open_releases.push((system.name.clone(), open.entry.number)),
            None => signs.unreleased.extend(unreleased(system, &observed, &ledger).await?),
        }
    }
    Ok(diagnose(&session.stage.name, &observed, &signs))
}

/// The functions of a system whose `live` is not what the ledger says that it was left at.
async fn unreleased(
    system: &RenderedSystem,
    observed: &Observed,
    ledger: &Ledger<Documents>,
) -> miette::Result<Vec<(String, String)>> {
    let names: BTreeSet<_> = system
        .stacks
        .iter()
        .flat_map(|stack| &stack.functions)
        .map(|function| function.function_name.clone())
        .collect();
    let settled = ledger.settled_versions(names.clone()).await?;
    let strange = names.into_iter().filter_map(|name| {
        let function = observed.functions.get(&name)?;
        let live = function.live.clone()?;
        let is_settled =
            settled.get(&name).is_some_and(|settled| settled.matches(&live, function.live_code_sha256.as_deref()));
        (!is_settled).then_some((name, live))
    });
    Ok(strange.collect())
}

/// Are the stacks that were named there? A name that nothing has is most likely mistyped.
fn known(args: &DoctorArgs, stage: &str, systems: &[RenderedSystem]) -> Result<(), RenderError> {
    let known: Vec<_> = render::stacks_of(systems).map(|stack| stack.name.clone()).collect();
    let resources = args.skip.iter().chain(&args.retain);
    let mut named =
        resources.map(|name| name.split('/').next().unwrap_or_default()).chain(args.cancel.iter().map(String::as_str));
    match named.find(|name| !known.iter().any(|stack| stack == name)) {
        None => Ok(()),
        Some(stack) => Err(RenderError::UnknownStack { stage: stage.to_owned(), stack: stack.to_owned(), known }),
    }
}

fn report(ailments: &[Ailment], format: Format, ui: &Ui) -> miette::Result<()> {
    if format == Format::Json {
        ui.result(serde_json::to_string_pretty(ailments).into_diagnostic()?);
        return Ok(());
    }
    if ailments.is_empty() {
        ui.say("All is well.");
    }
    for ailment in ailments {
        ui.result(format_args!("{}: {}: {}", ailment.what, ailment.state, ailment.meaning));
        ui.result(format_args!("  {}", ailment.remedy));
    }
    Ok(())
}
