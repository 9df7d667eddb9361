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

use super::{
    super::build,
    DeployArgs, apply,
    refused::Refused,
    select::Selection,
    snapshot::Snapshot,
    work::{self, Newest},
};
use crate::{
    aws::documents::Documents,
    context::Context,
    deploy::{DeployError, observe::Extent, refuse_stuck, rights},
    lock::{HeldLocks, LockStates},
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

impl Target {
    /// Reads the stage for a plan.
    ///
    /// # Errors
    ///
    /// When a call fails.
    pub(super) async fn snapshot(&self) -> miette::Result<Snapshot> {
        Snapshot::read(extent(&self.args), Snapshot::locks(&self.session).await, &self.session).await
    }
}

/// How much is read before a plan: a plan that is shown or carried out from a file compares all that a person may have changed.
fn extent(args: &DeployArgs) -> Extent {
    if args.dry_run || args.plan.is_some() { Extent::Everything } else { Extent::Changes }
}

/// The plan of a deploy, and what it was made from.
pub(super) struct Prepared {
    pub(super) observed: Observed,
    /// The systems to deploy, without foundation stacks that would only lose permissions.
    pub(super) systems: Vec<RenderedSystem>,
    pub(super) inputs: Inputs,
    pub(super) plan: Plan,
    pub(super) preview: Preview,
    /// The newest release of each system.
    pub(super) newest: Newest,
    /// See [`Snapshot::locks`].
    pub(super) locks: Option<LockStates>,
}

/// Opens the stage and builds; returns a snapshot if one was read. The stage is opened and read first if it is in AWS, if it may lack
/// foundation, or if only some stacks of a system are selected. So an impossible deploy is refused before the build.
///
/// # Errors
///
/// When the stage cannot be opened, it lacks foundation or a stack that a selected one needs, the plan would change foundation, or the build fails.
pub(super) async fn open(selection: Selection, context: &Context) -> miette::Result<(Target, Snapshot)> {
    let Selection { args, stage, file, mut systems, partial, validator } = selection;
    let may_lack_foundation = session::foundation_of(&systems).is_empty();
    let is_opened_first = !stage.is_local() || may_lack_foundation || !partial.is_empty();
    let mut opened = None;
    if is_opened_first {
        let (mut session, locks) = Session::open_and_read(stage.clone(), context, Snapshot::locks).await?;
        if args.bootstrap {
            session.allow_deployed_stacks().await?;
            systems = session.select(Some(foundation::SYSTEM))?;
            validator.check(render::stacks_of(&systems))?;
        }
        let snapshot = Snapshot::read(extent(&args), locks, &session).await?;
        let observed = &snapshot.observation.observed;
        if may_lack_foundation && session.bucket(observed).is_none() {
            systems.splice(0..0, missing_foundation(&args, &partial, &session)?);
            validator.check(render::stacks_of(&systems))?;
        }
        planning::refuse_missing(&systems, &partial, observed, &session)?;
        refuse_foundation(&args, &systems, observed, &session)?;
        opened = Some((session, snapshot));
    }
    let allows_other_sources = args.allow_other_sources;
    let folder = args.artifacts.as_deref().map(|path| build::Folder { path, allows_other_sources });
    let artifacts = build::artifacts(&stage, &systems, folder, context).await?;
    let (session, snapshot) = match opened {
        Some((session, snapshot)) => {
            let fresh = snapshot.fresh(extent(&args), &session).await?;
            (session, fresh)
        }
        None => {
            let (session, locks) = Session::open_and_read(stage, context, Snapshot::locks).await?;
            let snapshot = Snapshot::read(extent(&args), locks, &session).await?;
            (session, snapshot)
        }
    };
    Ok((Target { args, file, session, systems, partial, artifacts }, snapshot))
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
fn refuse_foundation(
    args: &DeployArgs,
    systems: &[RenderedSystem],
    observed: &Observed,
    session: &Session,
) -> Result<(), Refused> {
    let foundation = session::foundation_of(systems);
    if args.dry_run || foundation.is_empty() || session.stage.pipeline.is_none() {
        return Ok(());
    }
    let (foundation, _) = rights::keep_wider_permissions(foundation, observed);
    // Foundation has no functions, so its plan needs no artifacts.
    let plan = plan::plan(&session.stage.name, &foundation, &Artifacts::default(), observed);
    Refused::check_foundation(&plan, args, &session.stage)
}

/// Plans the deploy of some of the target's systems, and prints the plan.
///
/// # Errors
///
/// When a call fails, a stack needs `doctor`, or the inputs are not those of the plan file.
pub(super) async fn prepare(
    target: &Target,
    systems: &[RenderedSystem],
    snapshot: Snapshot,
    draft: &Draft<DeployReport>,
) -> miette::Result<Prepared> {
    let Target { args, session, artifacts, .. } = target;
    let ui = &session.context.ui;
    let observed = &snapshot.observation.observed;
    refuse_stuck(&session.stage, systems, observed)?;
    let systems = if args.bootstrap { systems.to_vec() } else { session.without_narrowing(systems, observed) };
    let inputs = planning::all_inputs(&systems, artifacts, observed, session)?;
    if let (Some(path), Some(file)) = (&args.plan, &target.file) {
        file.check(path, &inputs)?;
    }
    let plan = plan::plan(&session.stage.name, &systems, artifacts, observed);
    let planned = systems.iter().filter(|system| plan.touches(system)).map(|system| system.name.clone());
    draft.update(|report| report.planned = Some(planned.collect()));
    let mut preview = planning::preview(&systems, &plan, observed, session);
    let complete = systems.iter().filter(|system| !target.partial.contains(&system.name));
    let newest = work::newest(complete, snapshot.bucket.as_deref(), session).await?;
    let released = work::published(&newest);
    let selection = args.selection.selection();
    let scope = Scope { selection: &selection, partial: &target.partial, released: &released };
    planning::complete(&mut preview, &systems, &snapshot.observation, scope, session).await;
    planning::accept(&args.allowances.allowances(), &mut preview, ui);
    ui.say_plan(&preview);
    let Snapshot { observation, locks, .. } = snapshot;
    Ok(Prepared { observed: observation.observed, systems, inputs, plan, preview, newest, locks })
}

/// Returns the plan of the systems that are locked now: a new one if another run has held one of the locks since the plan was made.
///
/// # Errors
///
/// When a call fails, or the new plan is refused or not confirmed.
pub(super) async fn again(
    target: &Target,
    systems: &[RenderedSystem],
    prepared: Prepared,
    locks: &HeldLocks<Documents>,
    draft: &Draft<DeployReport>,
) -> miette::Result<Prepared> {
    let is_current = prepared.locks.as_ref().is_some_and(|states| locks.are_next_after(states));
    if is_current || locks.is_empty() {
        return Ok(prepared);
    }
    target.session.context.ui.say("Another run may have changed the stage since this plan was made: planning again");
    let names: Vec<_> = systems.iter().map(|system| system.name.as_str()).collect();
    let systems: Vec<_> =
        target.systems.iter().filter(|system| names.contains(&system.name.as_str())).cloned().collect();
    let again = prepare(target, &systems, target.snapshot().await?, draft).await?;
    if again.plan != prepared.plan || again.preview != prepared.preview {
        apply::accept(target, &again)?;
    }
    Ok(again)
}
