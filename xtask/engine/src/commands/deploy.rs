//! `deploy`: the whole way of the data.

mod refused;
mod releasing;

use std::collections::BTreeSet;

use camino::Utf8PathBuf;
use clap::Args;
use miette::IntoDiagnostic;
use model::{foundation, rendered::RenderedSystem};
use plan::artifacts::Artifacts;
use plan::{
    Plan,
    file::{PlanFile, fingerprint, inputs},
};
use refused::Refused;
use releasing::{Made, release};
use serde_json::json;

use super::AllowanceArgs;
use super::{
    build,
    guarded::{StrategyName, guarded},
    sites, status,
};
use crate::session::{self, Session};
use crate::{
    aws::documents::Documents,
    context::Context,
    deploy::{self, DeployContext, Deployed, Done, Guard},
    error::{self, Exit},
    lock::HeldLocks,
    plan_file, prune,
    release::Released,
    render::{self, validate::Validator},
    site::Published,
    ui::{Format, Ui},
};

/// How many versions besides the live one stay after a deploy.
const KEEP: usize = 5;

/// Build, render, plan, apply, release, publish and prune: take a stage to what the workspace says.
#[derive(Debug, Args)]
pub struct DeployArgs {
    /// The stage.
    #[arg(long)]
    stage: String,
    /// Only this system.
    #[arg(long)]
    system: Option<String>,
    /// Only this stack, `api` or `photos-api-dev`; functions are not released.
    #[arg(long)]
    stack: Option<String>,
    /// Carry out this plan, written by `plan --out`, and only if nothing it was made from has changed; asks nothing.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["system", "stack", "dry_run", "replace", "delete", "other"])]
    plan: Option<Utf8PathBuf>,
    /// Deploy what was built into this folder by `build --out`, and build nothing.
    #[arg(long, value_name = "FOLDER")]
    artifacts: Option<Utf8PathBuf>,
    #[command(flatten)]
    allowances: AllowanceArgs,
    /// How the new versions get their traffic, other than the stage file says.
    #[arg(long, value_enum)]
    strategy: Option<StrategyName>,
    /// How many seconds each step of a canary is watched, other than the stage file says.
    #[arg(long, value_name = "SECONDS")]
    bake: Option<u32>,
    /// Stop after the plan.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask, not even for a protected stage.
    #[arg(long)]
    yes: bool,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// May this change foundation of a stage that workflows deploy? Only `bootstrap` does.
    #[arg(skip)]
    bootstrap: bool,
}

impl DeployArgs {
    /// Foundation alone, for `bootstrap`.
    pub(super) fn foundation(
        stage: String,
        allowances: AllowanceArgs,
        dry_run: bool,
        yes: bool,
        format: Format,
    ) -> Self {
        Self {
            stage,
            system: Some(foundation::SYSTEM.to_owned()),
            stack: None,
            plan: None,
            artifacts: None,
            allowances,
            strategy: None,
            bake: None,
            dry_run,
            yes,
            format,
            bootstrap: true,
        }
    }
}

/// Runs the command.
///
/// # Errors
///
/// When any step fails. What was done until then stays, and the same command goes on from there.
pub async fn run(mut args: DeployArgs, context: &Context) -> miette::Result<Exit> {
    let (workspace, ui) = (&context.workspace, &context.ui);
    let stage = context.stage(&args.stage)?;
    let file = args.plan.as_deref().map(|path| plan_file::read(path, &stage.name)).transpose()?;
    if let Some(file) = &file {
        args.system.clone_from(&file.system);
        args.stack.clone_from(&file.stack);
        args.allowances = file.allowances.clone().into();
    }
    // Everything that can be wrong without AWS is found before AWS is asked.
    let selected = render::select(&stage, context.render(&stage)?, args.system.as_deref(), args.stack.as_deref())?;
    let validator = Validator::remembering(workspace.target().join("validated"));
    validator.check(render::stacks_of(&selected))?;
    // Whoever may not deploy should not have to wait for the build to hear it.
    let mut opened = if stage.is_local() { None } else { Some(Session::open(stage.clone(), context).await?) };
    let selected = match &mut opened {
        Some(session) if args.bootstrap => {
            session.keep_what_runs(context).await?;
            let wider = session.select(args.system.as_deref(), None)?;
            validator.check(render::stacks_of(&wider))?;
            wider
        }
        Some(session) => {
            check_foundation(&args, &selected, session).await?;
            selected
        }
        None => selected,
    };
    let artifacts = build::artifacts(&stage, &selected, args.artifacts.as_deref(), context).await?;
    let session = match opened {
        Some(session) => session,
        None => Session::open(stage, context).await?,
    };
    let work = async |locks: &HeldLocks<Documents>| {
        deploy(&args, file.as_ref(), &selected, &artifacts, locks, &session, context).await
    };
    let result = if args.dry_run {
        work(&HeldLocks::none()).await
    } else {
        let bucket = match session.artifact_bucket().await? {
            None if file.is_none() && args.stack.is_none() => found(&args, &selected, &artifacts, &session, ui).await?,
            bucket => bucket,
        };
        guarded(&session, &selected, "deploy", bucket, ui, work).await
    };
    session.explain(result)
}

/// Refuses early, before anything is built, what changes foundation of a stage that workflows deploy.
async fn check_foundation(args: &DeployArgs, selected: &[RenderedSystem], session: &Session) -> miette::Result<()> {
    let own = session::foundation_of(selected);
    if args.dry_run || own.is_empty() || session.stage.pipeline.is_none() {
        return Ok(());
    }
    let observed = deploy::observe::observe(&own, &session.clients).await?;
    let (own, _) = deploy::rights::keep_wider_permissions(own, &observed);
    // Nothing of foundation is built.
    let plan = plan::plan(&session.stage.name, &own, &Artifacts::default(), &observed);
    Ok(Refused::check_foundation(&plan, args, &session.stage)?)
}

/// Makes the artifact bucket, which holds the locks, before anything that somebody else could be at too; returns it.
async fn found(
    args: &DeployArgs,
    selected: &[RenderedSystem],
    artifacts: &Artifacts,
    session: &Session,
    ui: &Ui,
) -> miette::Result<Option<String>> {
    let first = session::foundation_of(selected);
    if first.is_empty() || first.len() == selected.len() {
        return Ok(None);
    }
    let stage = &session.stage;
    let observed = deploy::observe::observe(&first, &session.clients).await?;
    let plan = plan::plan(&stage.name, &first, artifacts, &observed);
    let mut preview = super::plan::deployed(&first, &plan, &observed, session);
    let _told_with_the_rest = args.allowances.allowances().apply(&mut preview);
    Refused::check(&preview)?;
    Refused::check_foundation(&plan, args, stage)?;
    ui.say(format_args!("Stage {} has no artifact bucket yet, where it is locked: foundation goes first", stage.name));
    ui.say_plan(&preview);
    confirm(args, &plan, session, ui)?;
    let locks = &HeldLocks::none();
    let guard = Guard { preview: &preview, allowances: &args.allowances.allowances() };
    let known = session::outputs(&observed);
    let deploy_context = DeployContext { stage: &stage.name, clients: &session.clients, locks, ui };
    deploy::apply(deploy_context, &plan, artifacts, known, guard).await?;
    session.artifact_bucket().await
}

async fn deploy(
    args: &DeployArgs,
    file: Option<&PlanFile>,
    selected: &[RenderedSystem],
    artifacts: &Artifacts,
    locks: &HeldLocks<Documents>,
    session: &Session,
    context: &Context,
) -> miette::Result<Exit> {
    let (workspace, ui) = (&context.workspace, &context.ui);
    let (stage, clients) = (&session.stage, &session.clients);
    let observed = deploy::observe::observe(&session.systems, clients).await?;
    deploy::refuse_stuck(selected, &observed)?;
    let left;
    let selected = if args.bootstrap {
        selected
    } else {
        left = session.leave_what_narrows(selected, &observed, ui);
        &left
    };
    let mut made_from = inputs(stage, selected, artifacts, &observed);
    made_from.extend(sites::inputs(selected, workspace)?);
    if let (Some(path), Some(file)) = (&args.plan, file) {
        file.check(path, &made_from)?;
    }
    let plan = plan::plan(&stage.name, selected, artifacts, &observed);
    let touched = selected.iter().filter(|system| plan.touches(system)).map(|system| system.name.as_str());
    ui.note("planned", json!(touched.collect::<Vec<_>>()));
    let mut preview = super::plan::deployed(selected, &plan, &observed, session);
    super::plan::add_left(&mut preview, (args.system.as_deref(), args.stack.as_deref()), session, ui).await;
    if args.stack.is_none() {
        sites::add(&mut preview, selected, &observed, session, context).await;
    }
    super::plan::allow(&args.allowances.allowances(), &mut preview, ui);
    ui.say_plan(&preview);
    if args.dry_run {
        if args.format == Format::Json {
            print(&json!({ "stage": stage.name, "changed": !plan.is_empty(), "plan": preview }), ui)?;
        }
        return Ok(Exit::Success);
    }
    Refused::check(&preview)?;
    Refused::check_foundation(&plan, args, stage)?;
    if file.is_none() {
        confirm(args, &plan, session, ui)?;
    }
    check_permissions(&plan, session, ui).await;
    let guard = Guard { preview: &preview, allowances: &args.allowances.allowances() };
    let known = session::outputs(&observed);
    let deploy_context = DeployContext { stage: &stage.name, clients, locks, ui };
    let existed: BTreeSet<_> = observed.functions.keys().cloned().collect();
    let deployed = deploy::apply(deploy_context, &plan, artifacts, known, guard).await?;
    // One stack of several may lack what its functions and pages need; the whole system's next deploy releases them.
    let (released, published) = if args.stack.is_some() {
        (Vec::new(), Vec::new())
    } else {
        let fingerprint = fingerprint(&made_from);
        let untouched = deployed.code.is_empty() && deployed.stacks.values().all(|done| *done == Done::None);
        let now = if untouched { observed } else { deploy::observe::observe(&session.systems, clients).await? };
        let asks = stage.protected && !args.yes && file.is_none() && plan.is_empty();
        let made = Made { deployed: &deployed, observed: &now, existed: &existed, artifacts, plan: fingerprint, asks };
        release(args, selected, made, locks, session, context).await?
    };
    // What users get is decided: what follows can fail without taking that back.
    warn_of_failure(
        "the routes that are served are not known",
        check_routes(selected, &deployed, session, ui).await,
        ui,
    );
    let changed = !deployed.code.is_empty()
        || deployed.stacks.values().any(|done| *done != Done::None)
        || released.iter().any(|released| released.before.is_some())
        || published.iter().any(|site| !site.uploaded.is_empty());
    if changed {
        warn_of_failure("old versions were not pruned", clean_up(selected, session, ui).await, ui);
    }
    finish(args, changed, selected, &deployed, (&released, &published), session, context).await
}

/// Warns of what the caller may not do, where the caller may find that out. Emulators do not simulate.
async fn check_permissions(plan: &Plan, session: &Session, ui: &Ui) {
    if session.clients.endpoint().is_some() {
        return;
    }
    let identity = session.caller.identity();
    for needed in deploy::permissions::needed(plan, &session.stage.account, &session.stage.region) {
        match session.clients.denied(&identity, needed.actions, &needed.resources).await {
            Ok(denied) => {
                for denied in denied {
                    ui.warn(format_args!("{identity} does not seem to be allowed {denied}"));
                }
            }
            Err(error) => tracing::debug!(%error, "permissions are not known beforehand"),
        }
    }
}

fn confirm(args: &DeployArgs, plan: &Plan, session: &Session, ui: &Ui) -> Result<(), Refused> {
    if !session.stage.protected || args.yes || plan.is_empty() {
        return Ok(());
    }
    match ui.confirm(&format!("Deploy this to {}?", session.stage.name)) {
        Some(true) => Ok(()),
        Some(false) => Err(Refused::No),
        None => Err(Refused::NobodyToAsk(session.stage.name.clone())),
    }
}

fn warn_of_failure(what: &str, result: miette::Result<()>, ui: &Ui) {
    if let Err(report) = result {
        ui.warn(format_args!("{what}: {}", error::chain(report.as_ref()).join(": ")));
    }
}

/// An API that changed without a new deployment serves its old routes; the emulator's summary is not looked at.
async fn check_routes(
    selected: &[RenderedSystem],
    deployed: &Deployed,
    session: &Session,
    ui: &Ui,
) -> miette::Result<()> {
    if session.clients.endpoint().is_some() {
        return Ok(());
    }
    for stack in render::stacks_of(selected) {
        for api in &stack.apis {
            let Some(id) = deployed.outputs.get(&stack.name).and_then(|outputs| outputs.get(&api.id_output)) else {
                continue;
            };
            let served = session.clients.deployed_routes(id, &api.stage_name).await?;
            for route in &api.routes {
                let route = format!("{} {}", route.method.as_str(), route.path);
                if !served.contains(&route) {
                    ui.warn(format_args!("{} does not serve {route} yet: its stage has an old deployment", stack.name));
                }
            }
        }
    }
    Ok(())
}

async fn clean_up(selected: &[RenderedSystem], session: &Session, ui: &Ui) -> miette::Result<()> {
    let (verdicts, bucket) = super::prune::marked(selected, KEEP, session).await?;
    let pruned = prune::sweep(&session.clients, &verdicts, bucket.as_deref()).await?;
    if pruned > 0 {
        ui.say(format_args!("✓ Pruned {pruned} old versions, artifacts and files"));
    }
    Ok(())
}

async fn finish(
    args: &DeployArgs,
    changed: bool,
    selected: &[RenderedSystem],
    deployed: &Deployed,
    (released, published): (&[Released], &[Published]),
    session: &Session,
    context: &Context,
) -> miette::Result<Exit> {
    let ui = &context.ui;
    let urls = session.urls(&deployed.outputs);
    let stacks: Vec<_> = deployed.stacks.iter().map(|(name, done)| json!({ "name": name, "action": done })).collect();
    ui.note("changed", changed);
    ui.note("stacks", stacks.clone());
    ui.note("functions", json!(released));
    ui.note("sites", json!(published));
    ui.note("urls", json!(urls));
    if args.format == Format::Json {
        let report = json!({
            "stage": session.stage.name,
            "changed": changed,
            "stacks": stacks,
            "code": deployed.code,
            "uploaded": deployed.uploaded,
            "functions": released,
            "sites": published,
            "urls": urls,
        });
        print(&report, ui)?;
        return Ok(Exit::Success);
    }
    if !released.is_empty() {
        ui.result(status::functions_table(
            released.iter().map(|released| (released.function_name.as_str(), released.version.as_str())),
        ));
    }
    for (name, url) in &urls {
        ui.result(format_args!("{name}: {url}"));
    }
    if session.stage.is_local() && changed {
        let is_selected = |name: &str| selected.iter().any(|system| system.name == name);
        for demo in context.application.demos.iter().filter(|demo| is_selected(demo.system())) {
            demo.run(session, &deployed.outputs, context).await?;
        }
    }
    Ok(Exit::Success)
}

fn print(report: &serde_json::Value, ui: &Ui) -> miette::Result<()> {
    ui.result(serde_json::to_string_pretty(report).into_diagnostic()?);
    Ok(())
}
