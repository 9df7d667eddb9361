//! `plan`: what a deploy would change, compared with a commit or with what is deployed.

use std::collections::BTreeSet;

use ::plan::{
    Plan,
    allow::Allowances,
    drift::drift,
    file::{Inputs, PlanFile, inputs},
    observed::Observed,
    preview::{self, Baseline, BaselineStack, CodeChange, Preview},
    show,
};
use camino::{Utf8Path, Utf8PathBuf};
use clap::{Args, ValueEnum};
use miette::{Diagnostic, IntoDiagnostic};
use model::{parts::cdn, rendered::RenderedSystem, stage::Stage};
use serde_json::json;
use thiserror::Error;

use super::{AllowanceArgs, build};
use crate::session::{self, Session};
use crate::{
    aws::drift::Drift,
    context::Context,
    deploy::{self, DeployContext},
    error::Exit,
    github,
    lock::HeldLocks,
    plan_file,
    render::{self, Difference, validate::Validator},
    sources::{self, git::Git},
    stage,
    ui::Ui,
};

/// Show what a deploy would change: resource by resource, without touching anything.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "Offline, the rendered templates are compared with those committed at another commit: no account, \
                        no credentials. With --online, and always for stage local, they are compared with what is deployed."
)]
pub struct PlanArgs {
    /// The stage, or several; without it every stage but local.
    #[arg(long)]
    stage: Vec<String>,
    /// Only this system.
    #[arg(long)]
    system: Option<String>,
    /// Only this stack, `api` or `photos-api-dev`.
    #[arg(long)]
    stack: Option<String>,
    /// Compare with the templates committed here [default: the merge base with main].
    #[arg(long, value_name = "COMMIT", conflicts_with_all = ["online", "drift", "out"])]
    against: Option<String>,
    /// Compare with what is deployed, and ask CloudFormation for its own change sets.
    #[arg(long)]
    online: bool,
    /// Online, and also let CloudFormation detect what was changed by hand; takes minutes.
    #[arg(long)]
    drift: bool,
    /// Online, and write the plan, with the hash of all it was made from, for `deploy --plan`.
    #[arg(long, value_name = "FILE")]
    out: Option<Utf8PathBuf>,
    /// Online, and with what was built into this folder by `build --out`.
    #[arg(long, value_name = "FOLDER")]
    artifacts: Option<Utf8PathBuf>,
    /// How the plan is printed.
    #[arg(long, value_enum, default_value_t)]
    format: PlanFormat,
    /// Exit 0 when nothing would change, 2 when something would, 3 when the plan is refused.
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    allowances: AllowanceArgs,
}

/// How a plan is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum PlanFormat {
    /// For people.
    #[default]
    Text,
    /// For machines.
    Json,
    /// For a pull request's comment, and a job's summary where GITHUB_STEP_SUMMARY is set.
    Markdown,
}

#[derive(Debug, Error, Diagnostic)]
enum PlanError {
    #[error("stage local has no committed templates to compare with")]
    #[diagnostic(help("leave out --against: local is compared with what is deployed"))]
    LocalHasNoCommits,
    #[error("--out writes the plan of one stage, and {0} are asked for")]
    #[diagnostic(help("name the one with --stage"))]
    OneStage(usize),
}

/// Runs the command.
///
/// # Errors
///
/// When a stage is wrong, the history cannot be read, or, online, a call fails.
pub async fn run(args: PlanArgs, context: &Context) -> miette::Result<Exit> {
    let (_workspace, ui) = (&context.workspace, &context.ui);
    let previews = previews(&args, context).await?;
    print(&previews, args.format, ui)?;
    Ok(if args.exit_code { verdict(&previews) } else { Exit::Success })
}

/// What the workspace changes in every stage but local, compared with a commit.
pub(super) async fn offline_everywhere(against: Option<String>, context: &Context) -> miette::Result<Vec<Preview>> {
    let (_workspace, _ui) = (&context.workspace, &context.ui);
    previews(&PlanArgs { against, ..PlanArgs::default() }, context).await
}

async fn previews(args: &PlanArgs, context: &Context) -> miette::Result<Vec<Preview>> {
    let (workspace, ui) = (&context.workspace, &context.ui);
    let names = match args.stage.as_slice() {
        [] => stage::names(workspace)?.into_iter().filter(|name| name != "local").collect(),
        named => named.to_vec(),
    };
    if args.out.is_some() && names.len() != 1 {
        return Err(PlanError::OneStage(names.len()).into());
    }
    let mut previews = Vec::new();
    for name in &names {
        let stage = context.stage(name)?;
        let systems = context.render(&stage)?;
        let selected = render::select(&stage, systems, args.system.as_deref(), args.stack.as_deref())?;
        if stage.is_local() && args.against.is_some() {
            return Err(PlanError::LocalHasNoCommits.into());
        }
        let mut preview = if args.online || args.drift || args.out.is_some() || stage.is_local() {
            online(stage, &selected, args, context).await?
        } else {
            offline(&stage, &selected, args, context)?
        };
        allow(&args.allowances.allowances(), &mut preview, ui);
        previews.push(preview);
    }
    Ok(previews)
}

/// Lets pass what was named, and says what names nothing.
pub(super) fn allow(allowances: &Allowances, preview: &mut Preview, ui: &Ui) {
    for unmet in allowances.apply(preview) {
        ui.warn(format_args!("{unmet} names nothing that this plan is refused for"));
    }
}

fn verdict(previews: &[Preview]) -> Exit {
    if previews.iter().any(|preview| preview.refused().next().is_some()) {
        Exit::Refused
    } else if previews.iter().any(|preview| !preview.is_empty()) {
        Exit::Changes
    } else {
        Exit::Success
    }
}

fn print(previews: &[Preview], format: PlanFormat, ui: &Ui) -> miette::Result<()> {
    match format {
        PlanFormat::Text => previews.iter().for_each(|preview| ui.plan_result(preview)),
        PlanFormat::Markdown => {
            let plans: Vec<_> = previews.iter().map(show::markdown).collect();
            plans.iter().for_each(|plan| ui.result(plan.trim_end()));
            github::add_summary(&plans.concat())?;
        }
        PlanFormat::Json => {
            let report = json!({ "formatVersion": preview::FORMAT, "stages": previews });
            ui.result(serde_json::to_string_pretty(&report).into_diagnostic()?);
        }
    }
    Ok(())
}

fn offline(stage: &Stage, selected: &[RenderedSystem], args: &PlanArgs, context: &Context) -> miette::Result<Preview> {
    let (workspace, ui) = (&context.workspace, &context.ui);
    let git = Git::around(workspace.root())?;
    let commit = match &args.against {
        Some(reference) => git.commit(reference)?,
        None => git.merge_base_with_main()?,
    };
    let templates = sources::templates::at(&git, &commit, &stage.name)?;
    if templates.is_empty() {
        ui.say(format_args!("There are no templates of {} at {}: everything is new.", stage.name, commit.short()));
    }
    let changed = sources::code::changed(&git, &commit, workspace.root())?;
    let stacks = templates
        .into_iter()
        .map(|(name, template)| (name, BaselineStack { template, ..BaselineStack::default() }))
        .collect();
    let baseline = Baseline { name: format!("{} ({})", commit.name, commit.short()), stacks };
    let code = code(selected, &baseline, &changed);
    let mut preview = preview::preview(stage, selected, &baseline, None, code);
    if args.system.is_none() && args.stack.is_none() {
        preview::add_orphans(&mut preview, &baseline);
        warn_of_stale(stage, selected, context)?;
    }
    Ok(preview)
}

/// The functions, of stacks that exist, whose code differs from the commit's.
fn code(selected: &[RenderedSystem], baseline: &Baseline, changed: &sources::code::Changed) -> Vec<CodeChange> {
    let known = render::stacks_of(selected).filter(|stack| baseline.stacks.contains_key(&stack.name));
    let change = |function: &model::rendered::RenderedFunction| {
        let reason = changed.get(&function.id.binary)?.clone();
        Some(CodeChange { function: function.function_name.clone(), reason })
    };
    known.flat_map(|stack| &stack.functions).filter_map(change).collect()
}

/// What is planned is what the workspace renders; a committed template that says otherwise misleads its reader.
fn warn_of_stale(stage: &Stage, systems: &[RenderedSystem], context: &Context) -> miette::Result<()> {
    let (workspace, ui) = (&context.workspace, &context.ui);
    let files = render::files(stage, systems);
    for (path, difference) in render::differences(&workspace.templates(), std::slice::from_ref(&stage.name), &files)? {
        let what = match difference {
            Difference::Missing => "is not there",
            Difference::Orphaned => "is of no stack any more",
            Difference::Stale(_) => "is stale, or was edited by hand",
        };
        ui.warn(format_args!("templates/{path} {what}; the plan is made from what the workspace renders"));
    }
    Ok(())
}

async fn online(
    stage: Stage,
    selected: &[RenderedSystem],
    args: &PlanArgs,
    context: &Context,
) -> miette::Result<Preview> {
    let (workspace, ui) = (&context.workspace, &context.ui);
    Validator::remembering(workspace.target().join("validated")).check(render::stacks_of(selected))?;
    let artifacts = build::artifacts(&stage, selected, args.artifacts.as_deref(), context).await?;
    let session = Session::open(stage, context).await?;
    let result = async {
        let observed = deploy::observe::observe(&session.systems, &session.clients).await?;
        let selected = &session.leave_what_narrows(selected, &observed, ui);
        let plan = plan::plan(&session.stage.name, selected, &artifacts, &observed);
        let mut preview = deployed(selected, &plan, &observed, &session);
        add_left(&mut preview, (args.system.as_deref(), args.stack.as_deref()), &session, ui).await;
        if args.stack.is_none() {
            super::sites::add(&mut preview, selected, &observed, &session, context).await;
        }
        add_change_sets(&mut preview, &plan, &observed, &session, ui).await;
        if args.drift {
            add_drift(&mut preview, selected, &observed, &session, ui).await?;
        }
        if let Some(path) = &args.out {
            let mut inputs = inputs(&session.stage, selected, &artifacts, &observed);
            inputs.extend(super::sites::inputs(selected, workspace)?);
            write(path, args, inputs, preview.clone(), ui)?;
        }
        Ok(preview)
    };
    session.explain(result.await)
}

/// The plan against what is deployed.
pub(super) fn deployed(selected: &[RenderedSystem], plan: &Plan, observed: &Observed, session: &Session) -> Preview {
    let baseline = Baseline::of(session.place(), observed);
    let mut preview = preview::preview(&session.stage, selected, &baseline, Some(plan), preview::code(plan));
    preview.drift = drift(observed);
    preview
}

/// Adds what nothing defines any longer, of the selected system; one stack alone has nothing to do with others. It is for the eye,
/// so where it cannot be looked for, that is told and no more.
pub(super) async fn add_left(
    preview: &mut Preview,
    (system, stack): (Option<&str>, Option<&str>),
    session: &Session,
    ui: &Ui,
) {
    if stack.is_some() {
        return;
    }
    // Where a stage's stacks can be: in its region, and in the one whose certificates CloudFront takes.
    let regions = BTreeSet::from([session.clients.region(), cdn::REGION]);
    match deploy::observe::listed(&regions, &session.clients).await {
        Ok(listed) => {
            preview::add_orphaned_stacks(
                preview,
                &plan::orphaned::orphaned_stacks(&session.stage, &session.systems, system, &listed),
            );
        }
        Err(error) => {
            let chain = crate::error::chain(&error).join(": ");
            ui.warn(format_args!("stacks that nothing defines any longer were not looked for: {chain}"));
        }
    }
}

fn write(path: &Utf8Path, args: &PlanArgs, inputs: Inputs, mut preview: Preview, ui: &Ui) -> miette::Result<()> {
    let _told_later = args.allowances.allowances().apply(&mut preview);
    let selection = (args.system.clone(), args.stack.clone());
    let stage = preview.stage.clone();
    plan_file::write(&PlanFile::new(selection, args.allowances.allowances(), inputs, preview), path)?;
    ui.say(format_args!("Wrote {path}; `cargo xtask deploy --stage {stage} --plan {path}` carries out exactly this."));
    Ok(())
}

/// CloudFormation's own view is a second opinion: without it there is still the first.
async fn add_change_sets(preview: &mut Preview, plan: &Plan, observed: &Observed, session: &Session, ui: &Ui) {
    let outputs = session::outputs(observed);
    let bucket = session::bucket(&session.stage, observed);
    let locks = &HeldLocks::none();
    let deploy_context = DeployContext { stage: &session.stage.name, clients: &session.clients, locks, ui };
    match deploy::preview_change_sets(deploy_context, plan, &outputs, bucket.as_deref()).await {
        Ok(change_sets) => preview::add_change_sets(preview, &change_sets),
        Err(error) => {
            let chain = crate::error::chain(&error).join(": ");
            ui.warn(format_args!("CloudFormation's own change sets are not shown: {chain}"));
        }
    }
}

async fn add_drift(
    preview: &mut Preview,
    selected: &[RenderedSystem],
    observed: &Observed,
    session: &Session,
    ui: &Ui,
) -> miette::Result<()> {
    for stack in render::stacks_of(selected).filter(|stack| observed.stacks.contains_key(&stack.name)) {
        let step = ui.step(format!("Detect drift of {}", stack.name));
        match session.clients.cloudformation(stack.region.as_deref()).drift(&stack.name).await? {
            Drift::Detected(found) => {
                step.done(format_args!("{} found", found.len()));
                preview.drift.extend(found);
            }
            Drift::Unknown(reason) => {
                step.done("unknown");
                ui.warn(format_args!("CloudFormation cannot tell what drifted in {}: {reason}", stack.name));
            }
        }
    }
    Ok(())
}
