//! The third step: confirmation, stacks and code.

use std::collections::BTreeSet;

use model::rendered::RenderedSystem;
use plan::{
    Plan,
    file::fingerprint,
    observed::{Observed, ObservedStack},
    preview::Preview,
};

use super::{
    prepare::{Prepared, Target},
    refused::Refused,
    routes::{self, ChangedRoutes},
    snapshot::Snapshot,
    work::Newest,
};
use crate::{
    aws::documents::Documents,
    deploy::{self, DeployError, Deployed, Done, Guard, permissions},
    error::one_line,
    lock::HeldLocks,
    planning,
    report::{DeployReport, Draft},
    session::{self, Session},
};

/// The stacks and the code after a deploy; users still get the earlier versions of functions.
pub(super) struct Applied {
    /// The systems that the deploy has work for.
    pub(super) systems: Vec<RenderedSystem>,
    /// The other systems.
    pub(super) settled: Vec<RenderedSystem>,
    pub(super) deployed: Deployed,
    /// The stage after the deploy.
    pub(super) observed: Observed,
    /// The functions that existed before the deploy.
    pub(super) existing: BTreeSet<String>,
    /// The newest release of each system.
    pub(super) newest: Newest,
    /// The sites with files that differed from the workspace's before the deploy.
    pub(super) differing_sites: BTreeSet<String>,
    /// The routes that changed with the stacks.
    pub(super) routes: ChangedRoutes,
    /// The hash of the plan's inputs, for the ledger.
    pub(super) fingerprint: String,
    /// Whether a change of a site is still to be confirmed: a plan without other changes needed no confirmation.
    pub(super) must_confirm_sites: bool,
}

/// Accepts a plan.
///
/// # Errors
///
/// When it is refused or not confirmed.
pub(super) fn accept(target: &Target, prepared: &Prepared) -> miette::Result<()> {
    Refused::check(&prepared.preview)?;
    Refused::check_foundation(&prepared.plan, &target.args, &target.session.stage)?;
    if target.file.is_none() {
        confirm(target, &prepared.plan)?;
    }
    Ok(())
}

/// Applies the part of an accepted plan that concerns some systems.
///
/// # Errors
///
/// When a stack or function fails.
pub(super) async fn apply(
    target: &Target,
    systems: &[RenderedSystem],
    prepared: Prepared,
    locks: &HeldLocks<Documents>,
    draft: &Draft<DeployReport>,
) -> miette::Result<Applied> {
    let Prepared { mut observed, systems: planned, inputs, mut plan, preview, newest, .. } = prepared;
    let (args, session) = (&target.args, &target.session);
    let must_confirm_sites = session.stage.protected && !args.yes && target.file.is_none() && plan.is_empty();
    let (systems, settled): (Vec<_>, Vec<_>) =
        planned.into_iter().partition(|planned| systems.iter().any(|system| system.name == planned.name));
    plan.stacks.retain(|stack| systems.iter().any(|system| system.name == stack.system));
    let step = Step { target, locks, draft };
    let ((), deployed) = tokio::join!(warn_of_permissions(&plan, session), step.carry_out(&plan, &preview, &observed));
    let mut deployed = deployed?;
    let routes = routes::changed(&systems, &observed, &deployed);
    let existing = observed.functions.keys().cloned().collect();
    for stack in plan.stacks {
        if let Some(known) = observed.stacks.get_mut(&stack.name) {
            known.template = Some(stack.template);
        } else {
            let created = ObservedStack { template: Some(stack.template), ..ObservedStack::default() };
            observed.stacks.insert(stack.name, created);
        }
    }
    let unchanged = settled.iter().flat_map(|system| &system.stacks);
    deployed.stacks.extend(unchanged.map(|stack| (stack.name.clone(), Done::None)));
    Ok(Applied {
        systems,
        settled,
        deployed,
        observed,
        existing,
        newest,
        differing_sites: preview.sites.iter().map(|site| site.site.clone()).collect(),
        routes,
        fingerprint: fingerprint(&inputs),
        must_confirm_sites,
    })
}

/// Deploys foundation where there is none, so that everything else is deployed under locks; returns whether it did. Without locks, only
/// foundation is deployed, or a plan that was made before there was a bucket.
///
/// # Errors
///
/// When foundation cannot be deployed.
pub(super) async fn deploy_missing_foundation(
    target: &Target,
    snapshot: &Snapshot,
    draft: &Draft<DeployReport>,
) -> miette::Result<bool> {
    let Target { args, file, session, systems, partial, .. } = target;
    let foundation = session::foundation_of(systems);
    let is_alone = foundation.len() == systems.len();
    if snapshot.bucket.is_some() || file.is_some() || !partial.is_empty() || foundation.is_empty() || is_alone {
        return Ok(false);
    }
    let stage = &session.stage;
    let observed = &snapshot.observation.observed;
    let plan = plan::plan(&stage.name, &foundation, &target.artifacts, observed);
    let mut preview = planning::preview(&foundation, &plan, observed, session);
    // The plan of all systems, which follows, warns of unmet allowances.
    let _unmet = args.allowances.allowances().apply(&mut preview.findings);
    Refused::check(&preview)?;
    Refused::check_foundation(&plan, args, stage)?;
    let ui = &session.context.ui;
    ui.say(format_args!("Stage {} has no artifact bucket for its locks yet: deploying foundation first", stage.name));
    ui.say_plan(&preview);
    confirm(target, &plan)?;
    let locks = &HeldLocks::none();
    let deployed = Step { target, locks, draft }.carry_out(&plan, &preview, observed).await?;
    let bucket = deploy::artifact_bucket(&stage.name, &deployed.outputs);
    bucket.map(|_| true).ok_or_else(|| DeployError::NoFoundation { stage: stage.name.clone() }.into())
}

struct Step<'a> {
    target: &'a Target,
    locks: &'a HeldLocks<Documents>,
    draft: &'a Draft<DeployReport>,
}

impl Step<'_> {
    async fn carry_out(&self, plan: &Plan, preview: &Preview, observed: &Observed) -> miette::Result<Deployed> {
        let Self { target, locks, draft } = self;
        let session = &target.session;
        let guard = Guard { preview, allowances: &target.args.allowances.allowances() };
        let on_change = |stack: &str| draft.update(|report| report.changed_stacks.push(stack.to_owned()));
        let context = session.deploy_context(locks, &on_change);
        let deployed = deploy::apply(context, plan, &target.artifacts, observed, guard).await?;
        deploy::settle(context, &target.systems, &deployed).await?;
        Ok(deployed)
    }
}

/// Asks for confirmation of a plan that changes a protected stage.
fn confirm(target: &Target, plan: &Plan) -> Result<(), Refused> {
    let stage = &target.session.stage;
    if !stage.protected || target.args.yes || plan.is_empty() {
        return Ok(());
    }
    match target.session.context.ui.confirm(&format!("Deploy this plan to {}?", stage.name)) {
        Some(true) => Ok(()),
        Some(false) => Err(Refused::NotConfirmed),
        None => Err(Refused::NoTerminal { stage: stage.name.clone() }),
    }
}

/// Warns of permissions that the caller lacks, as far as IAM can be called. Emulators do not simulate policies.
async fn warn_of_permissions(plan: &Plan, session: &Session) {
    if session.clients.endpoint().is_some() {
        return;
    }
    let identity = session.caller.identity();
    for needed in permissions::needed(plan, &session.stage.account, &session.stage.region) {
        match session.clients.denied(&identity, needed.actions, &needed.resources).await {
            Ok(denied) => {
                for denied in denied {
                    session.context.ui.warn(format_args!("{identity} does not seem to be allowed {denied}"));
                }
            }
            Err(error) => tracing::debug!(error = %one_line(&error), "the caller's permissions cannot be simulated"),
        }
    }
}
