//! `doctor`: diagnoses a stage, explains each problem, and repairs it.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use model::{
    foundation,
    rendered::{RenderedStack, RenderedSystem},
};
use plan::observed::Observed;

use super::print_json;
use crate::{
    aws::{documents::Documents, lambda::Readiness},
    context::Context,
    deploy::{DeployError, observe::Extent},
    doctor::{
        Ailment, AilmentKind, FunctionState, OtherRoutes, Place, RepairContext, RepairOptions, Signs, diagnose,
        networks, protection, repair, sms,
    },
    error::{Exit, one_line},
    ledger::Ledger,
    lock::HeldLocks,
    parallel, release,
    render::{self, SelectionError},
    session::{Session, has_functions},
    ui::{Format, Ui},
};

/// Diagnose a stage and show how to repair it.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 no problem, or all repaired; 1 problems remain.")]
pub(crate) struct DoctorArgs {
    /// The stage.
    #[arg(long)]
    stage: String,
    /// Only this system.
    #[arg(long)]
    system: Option<String>,
    /// Repair what can be repaired without losing anything.
    #[arg(long)]
    fix: bool,
    /// Skip this resource in a rollback and leave it as it is; with --fix.
    #[arg(long, value_name = "STACK/ID", requires = "fix")]
    skip: Vec<String>,
    /// Retain this resource when its stack is deleted; with --fix.
    #[arg(long, value_name = "STACK/ID", requires = "fix")]
    retain: Vec<String>,
    /// Cancel the update of this stack and roll it back, instead of waiting; with --fix.
    #[arg(long, value_name = "STACK", requires = "fix")]
    cancel: Vec<String>,
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the command.
///
/// # Errors
///
/// When a call or a repair fails.
pub(crate) async fn run(args: DoctorArgs, context: &Context) -> miette::Result<Exit> {
    let session = Session::open(context.stage(&args.stage)?, context).await?;
    let systems = session.select(args.system.as_deref())?;
    refuse_unknown_stacks(&args, &session.stage.name, &systems)?;
    let bucket = session.artifact_bucket().await?;
    let mut ailments = examine(&systems, bucket.as_deref(), &session).await?;
    let unprotected = match args.system.as_deref() {
        None | Some(foundation::SYSTEM) => protection(&session.stage, &context.ui).await.unwrap_or_default(),
        Some(_) => Vec::new(),
    };
    ailments.extend(unprotected.iter().cloned());
    warn_of_sms(&systems, &session, &context.ui).await;
    warn_of_networks(&systems, &session, &context.ui).await;
    print_capacity(&systems, &session);
    print(&ailments, args.format, &context.ui)?;
    if ailments.is_empty() {
        return Ok(Exit::Success);
    }
    if !args.fix {
        return Ok(Exit::Failure);
    }
    let options = RepairOptions {
        skip: args.skip.into_iter().collect(),
        retain: args.retain.into_iter().collect(),
        cancel: args.cancel.into_iter().collect(),
    };
    let work = async |locks: &HeldLocks<Documents>| {
        let (stage, clients) = (&*session.stage.name, &session.clients);
        let context = RepairContext { stage, clients, locks, options: &options, ui: &context.ui };
        fix(&systems, bucket.as_deref(), context, &session).await
    };
    let bucket_of_locks = match &bucket {
        Some(bucket) => Some(bucket.clone()),
        None => session.bucket_of_locks().await?,
    };
    let result = session.locked(&systems, "doctor", bucket_of_locks, work).await;
    let exit = session.explain(result)?;
    // Only a person changes the rules of an environment.
    Ok(if unprotected.is_empty() { exit } else { Exit::Failure })
}

/// Diagnoses again under the lock, because another command may have caused the first diagnosis, and repairs. A repair that fails does not
/// stop the others, unless the lock is lost.
async fn fix(
    systems: &[RenderedSystem],
    bucket: Option<&str>,
    context: RepairContext<'_>,
    session: &Session,
) -> miette::Result<Exit> {
    let (mut remaining, mut failure) = (0, None);
    for ailment in examine(systems, bucket, session).await? {
        match repair(&ailment, place(&ailment.kind, systems), context).await {
            Ok(repaired) => remaining += usize::from(!repaired),
            Err(lost @ DeployError::Lock(_)) => return Err(lost.into()),
            Err(error) if failure.is_none() => failure = Some(error),
            Err(error) => context.ui.warn(one_line(&error)),
        }
    }
    match failure {
        Some(failure) => Err(failure.into()),
        None if remaining > 0 => Ok(Exit::Failure),
        None => Ok(Exit::Success),
    }
}

/// The system and the region of the stack, or of the function's stack.
fn place<'a>(kind: &AilmentKind, systems: &'a [RenderedSystem]) -> Place<'a> {
    let stack = render::stacks_of(systems).find(|stack| match kind {
        AilmentKind::Stack(name, _) => stack.name == *name,
        AilmentKind::Weights(name, _) | AilmentKind::Pending(name) => {
            stack.functions.iter().any(|function| function.function_name == *name)
        }
        AilmentKind::Manual => false,
    });
    stack.map(|stack| Place { system: &stack.system, region: stack.region.as_deref() }).unwrap_or_default()
}

async fn examine(systems: &[RenderedSystem], bucket: Option<&str>, session: &Session) -> miette::Result<Vec<Ailment>> {
    let observed = session.observe_only(systems, Extent::Everything).await?;
    let region = |stack: &RenderedStack| stack.region.clone().unwrap_or_else(|| session.stage.region.clone());
    let regions = render::stacks_of(systems).map(|stack| (stack.name.clone(), region(stack)));
    let mut signs = Signs { regions: regions.collect(), ..Signs::default() };
    let functions: Vec<_> = render::stacks_of(systems).flat_map(|stack| &stack.functions).collect();
    let lambda = session.clients.lambda();
    let latest = functions.iter().map(|function| lambda.version(&function.function_name, "$LATEST"));
    for (function, latest) in functions.iter().zip(parallel::each(latest).await?) {
        let name = &function.function_name;
        let state = match latest.map(|latest| latest.readiness) {
            Some(Readiness::Pending) => FunctionState::Pending,
            Some(Readiness::Failed(why)) => FunctionState::Failed(why),
            Some(Readiness::Ready) | None => continue,
        };
        signs.functions.push((name.clone(), state));
    }
    for system in systems.iter().filter(|system| has_functions(system)) {
        let Some(bucket) = bucket else { continue };
        let ledger = session.ledger(bucket, &system.name);
        match ledger.newest().await?.filter(|open| open.entry.is_open()) {
            Some(open) => signs.open_releases.push((system.name.clone(), open.entry.number)),
            None => {
                signs.unreleased.extend(unreleased(system, &observed, &ledger).await?);
                signs.routes.extend(other_routes(system, &observed, &ledger).await?);
            }
        }
    }
    Ok(diagnose(&session.stage.name, &observed, &signs))
}

/// Prints how full the deploy roles are, and warns from 80 % on.
fn print_capacity(systems: &[RenderedSystem], session: &Session) {
    let ui = &session.context.ui;
    for usage in render::stacks_of(systems).flat_map(|stack| foundation::usages(stack, &session.stage.region)) {
        if usage.is_nearly_full() {
            ui.warn(format_args!("{usage}; shorten the policies, or request a higher quota, before you add systems"));
        } else {
            ui.say(format_args!("· {usage}"));
        }
    }
}

/// Warns of the cost of SMS. The limit is the account's decision, so it is no problem of the stage, and a role that may not
/// read it can still diagnose the stage.
async fn warn_of_sms(systems: &[RenderedSystem], session: &Session, ui: &Ui) {
    for (region, stacks) in sms::senders(systems, &session.stage) {
        match session.clients.sms_spend_limit(region).await {
            Ok(limit) => {
                ui.warn(sms::warning(&stacks, region.unwrap_or(&session.stage.region), limit.as_deref()));
            }
            Err(error) => ui.warn(format_args!("failed to read the spend limit of SMS: {}", one_line(&error))),
        }
    }
}

/// Warns of networks that functions cannot be attached to. Emulators attach none.
async fn warn_of_networks(systems: &[RenderedSystem], session: &Session, ui: &Ui) {
    if session.clients.endpoint().is_some() {
        return;
    }
    for (region, network) in networks::networks(systems) {
        match session.clients.existing_network(region, (&network.subnets, &network.security_groups)).await {
            Ok(existing) => networks::warnings(&network, &existing).iter().for_each(|warning| ui.warn(warning)),
            Err(error) => ui.warn(format_args!("failed to read the networks of functions: {}", one_line(&error))),
        }
    }
}

/// The functions whose `live` version is not the one of their last release, each with that version.
async fn unreleased(
    system: &RenderedSystem,
    observed: &Observed,
    ledger: &Ledger<Documents>,
) -> miette::Result<Vec<(String, String)>> {
    let functions = system.stacks.iter().flat_map(|stack| &stack.functions);
    let names: BTreeSet<_> = functions.map(|function| function.function_name.clone()).collect();
    let released = ledger.settled_versions(names.clone()).await?;
    let unreleased = names.into_iter().filter_map(|name| {
        let function = observed.functions.get(&name)?;
        let live = function.live.clone()?;
        let code = function.live_code_sha256.as_deref();
        let is_released = released.get(&name).is_some_and(|released| released.matches(&live, code));
        (!is_released).then_some((name, live))
    });
    Ok(unreleased.collect())
}

/// The APIs whose routes are not those of the last release.
async fn other_routes(
    system: &RenderedSystem,
    observed: &Observed,
    ledger: &Ledger<Documents>,
) -> miette::Result<Vec<OtherRoutes>> {
    let Some(last) = ledger.last_released(None).await? else { return Ok(Vec::new()) };
    let templates = system.stacks.iter().filter_map(|stack| {
        let template = observed.stacks.get(&stack.name)?.template.as_ref()?;
        Some(plan::api::deployments(&stack.name, template))
    });
    let present: BTreeMap<_, _> = templates.flatten().collect();
    let others = release::other_routes(&last.apis, &present).into_iter().map(|api| OtherRoutes {
        system: system.name.clone(),
        api: api.to_owned(),
        release: last.number,
    });
    Ok(others.collect())
}

/// Refuses stack names that do not exist: they are most likely mistyped.
fn refuse_unknown_stacks(args: &DoctorArgs, stage: &str, systems: &[RenderedSystem]) -> Result<(), SelectionError> {
    let known: Vec<_> = render::stacks_of(systems).map(|stack| stack.name.clone()).collect();
    let resources = args.skip.iter().chain(&args.retain);
    let mut named =
        resources.map(|name| name.split('/').next().unwrap_or_default()).chain(args.cancel.iter().map(String::as_str));
    match named.find(|name| !known.iter().any(|stack| stack == name)) {
        None => Ok(()),
        Some(stack) => {
            let (stage, stack) = (stage.to_owned(), stack.to_owned());
            Err(SelectionError::UnknownStack { stage, stack, known, groups: Vec::new() })
        }
    }
}

fn print(ailments: &[Ailment], format: Format, ui: &Ui) -> miette::Result<()> {
    if format == Format::Json {
        return print_json(&ailments, ui);
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
