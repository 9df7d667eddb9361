//! The second step: opens the stage, builds, and plans.

use std::collections::BTreeSet;

use model::{foundation, rendered::RenderedSystem};
use plan::{
    Plan,
    artifacts::Artifacts,
    file::{Inputs, PlanFile},
    observed::Observed,
    preview::Preview,
};

use super::{super::build, DeployArgs, refused::Refused, select::Selection};
use crate::{
    context::Context,
    deploy::{DeployError, refuse_stuck, rights},
    planning::{self, Scope},
    render,
    report::{DeployReport, Draft},
    session::{self, Session},
};

/// An opened stage, and what is to be deployed to it.
pub(super) struct Target {
    pub(super) args: DeployArgs,
    pub(super) file: Option<PlanFile>,
    pub(super) session: Session,
    pub(super) systems: Vec<RenderedSystem>,
    /// The names of the systems of which only some stacks are selected. They are not released.
    pub(super) partial: BTreeSet<String>,
    pub(super) artifacts: Artifacts,
}

/// The plan of a deploy, and what it was made from.
pub(super) struct Prepared {
    pub(super) observed: Observed,
    /// The systems to deploy, without foundation stacks that would only lose permissions.
    pub(super) systems: Vec<RenderedSystem>,
    pub(super) inputs: Inputs,
    pub(super) plan: Plan,
    pub(super) preview: Preview,
}

/// Opens the stage and builds. The stage is opened first if it is in AWS, if it may lack foundation, or if only some stacks of a system
/// are selected. So an impossible deploy is refused before the build.
///
/// # Errors
///
/// When the stage cannot be opened, it lacks foundation or a stack that a selected one needs, the plan would change foundation, or the build fails.
pub(super) async fn open(selection: Selection, context: &Context) -> miette::Result<Target> {
    let Selection { args, stage, file, mut systems, partial, validator } = selection;
    let may_lack_foundation = session::foundation_of(&systems).is_empty();
    let is_opened_first = !stage.is_local() || may_lack_foundation || !partial.is_empty();
    let mut opened = if is_opened_first { Some(Session::open(stage.clone(), context).await?) } else { None };
    match &mut opened {
        Some(session) if args.bootstrap => {
            session.allow_deployed_stacks().await?;
            systems = session.select(Some(foundation::SYSTEM))?;
            validator.check(render::stacks_of(&systems))?;
        }
        Some(session) => {
            if may_lack_foundation && session.artifact_bucket().await?.is_none() {
                systems.splice(0..0, missing_foundation(&args, &partial, session)?);
                validator.check(render::stacks_of(&systems))?;
            }
            planning::refuse_missing(&systems, &partial, session).await?;
            refuse_foundation(&args, &systems, session).await?;
        }
        None => {}
    }
    let allows_other_sources = args.allow_other_sources;
    let folder = args.artifacts.as_deref().map(|path| build::Folder { path, allows_other_sources });
    let artifacts = build::artifacts(&stage, &systems, folder, context).await?;
    let session = match opened {
        Some(session) => session,
        None => Session::open(stage, context).await?,
    };
    Ok(Target { args, file, session, systems, partial, artifacts })
}

/// Returns foundation, for a deploy of a system to a stage without it. A deploy of some stacks or of a plan file deploys no more than it names.
fn missing_foundation(
    args: &DeployArgs,
    partial: &BTreeSet<String>,
    session: &Session,
) -> miette::Result<Vec<RenderedSystem>> {
    let stage = &session.stage;
    if !partial.is_empty() || args.plan.is_some() || stage.pipeline.is_some() {
        return Err(DeployError::NoFoundation { stage: stage.name.clone() }.into());
    }
    session.context.ui.say(format_args!("Stage {} has no foundation yet; this run deploys it first", stage.name));
    Ok(session::foundation_of(&session.systems))
}

/// Refuses a change of foundation before the build, in a stage that workflows deploy.
async fn refuse_foundation(args: &DeployArgs, systems: &[RenderedSystem], session: &Session) -> miette::Result<()> {
    let foundation = session::foundation_of(systems);
    if args.dry_run || foundation.is_empty() || session.stage.pipeline.is_none() {
        return Ok(());
    }
    let observed = session.observe_only(&foundation).await?;
    let (foundation, _) = rights::keep_wider_permissions(foundation, &observed);
    // Foundation has no functions, so its plan needs no artifacts.
    let plan = plan::plan(&session.stage.name, &foundation, &Artifacts::default(), &observed);
    Ok(Refused::check_foundation(&plan, args, &session.stage)?)
}

/// Plans the deploy, and prints the plan.
///
/// # Errors
///
/// When a call fails, a stack needs `doctor`, or the inputs are not those of the plan file.
pub(super) async fn prepare(target: &Target, draft: &Draft<DeployReport>) -> miette::Result<Prepared> {
    let Target { args, session, artifacts, .. } = target;
    let ui = &session.context.ui;
    let observed = session.observe().await?;
    refuse_stuck(&session.stage, &target.systems, &observed)?;
    let systems =
        if args.bootstrap { target.systems.clone() } else { session.without_narrowing(&target.systems, &observed) };
    let inputs = planning::all_inputs(&systems, artifacts, &observed, session)?;
    if let (Some(path), Some(file)) = (&args.plan, &target.file) {
        file.check(path, &inputs)?;
    }
    let plan = plan::plan(&session.stage.name, &systems, artifacts, &observed);
    let planned = systems.iter().filter(|system| plan.touches(system)).map(|system| system.name.clone());
    draft.update(|report| report.planned = Some(planned.collect()));
    let mut preview = planning::preview(&systems, &plan, &observed, session);
    let selection = args.selection.selection();
    let scope = Scope { selection: &selection, partial: &target.partial };
    planning::complete(&mut preview, &systems, &observed, scope, session).await;
    planning::accept(&args.allowances.allowances(), &mut preview, ui);
    ui.say_plan(&preview);
    Ok(Prepared { observed, systems, inputs, plan, preview })
}
