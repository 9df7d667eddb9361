//! The third step: confirmation, stacks and code.

use std::collections::BTreeSet;

use model::rendered::RenderedSystem;
use plan::{Plan, file::fingerprint, observed::Observed, preview::Preview};

use super::{
    prepare::{Prepared, Target},
    refused::Refused,
    routes::{self, ChangedRoutes},
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
    pub(super) systems: Vec<RenderedSystem>,
    pub(super) deployed: Deployed,
    /// The stage after the deploy.
    pub(super) observed: Observed,
    /// The functions that existed before the deploy.
    pub(super) existing: BTreeSet<String>,
    /// The routes that changed with the stacks.
    pub(super) routes: ChangedRoutes,
    /// The hash of the plan's inputs, for the ledger.
    pub(super) fingerprint: String,
    /// Whether a change of a site is still to be confirmed: a plan without other changes needed no confirmation.
    pub(super) must_confirm_sites: bool,
}

/// Applies a plan.
///
/// # Errors
///
/// When the plan is refused or not confirmed, or a stack or function fails.
pub(super) async fn apply(
    target: &Target,
    prepared: Prepared,
    locks: &HeldLocks<Documents>,
    draft: &Draft<DeployReport>,
) -> miette::Result<Applied> {
    let Prepared { observed, systems, inputs, plan, preview } = prepared;
    let (args, session) = (&target.args, &target.session);
    Refused::check(&preview)?;
    Refused::check_foundation(&plan, args, &session.stage)?;
    if target.file.is_none() {
        confirm(target, &plan)?;
    }
    warn_of_permissions(&plan, session).await;
    let deployed = Step { target, locks, draft }.carry_out(&plan, &preview, &observed).await?;
    let routes = routes::changed(&systems, &observed, &deployed);
    let existing = observed.functions.keys().cloned().collect();
    let is_unchanged = deployed.code.is_empty() && deployed.stacks.values().all(|done| *done == Done::None);
    let is_released = systems.iter().any(|system| !target.partial.contains(&system.name));
    let needs_observation = is_released && !is_unchanged;
    let observed = if needs_observation { session.observe().await? } else { observed };
    let must_confirm_sites = session.stage.protected && !args.yes && target.file.is_none() && plan.is_empty();
    let fingerprint = fingerprint(&inputs);
    Ok(Applied { systems, deployed, observed, existing, routes, fingerprint, must_confirm_sites })
}

/// Returns the artifact bucket, which holds the locks. Deploys foundation first where there is none, so that everything else is
/// deployed under locks. Without locks, only foundation is deployed, or a plan that was made before there was a bucket.
///
/// # Errors
///
/// When a call fails, or foundation cannot be deployed.
pub(super) async fn lock_bucket(target: &Target, draft: &Draft<DeployReport>) -> miette::Result<Option<String>> {
    let Target { args, file, session, systems, partial, .. } = target;
    let bucket = session.bucket_of_locks().await?;
    let foundation = session::foundation_of(systems);
    let is_alone = foundation.len() == systems.len();
    if bucket.is_some() || file.is_some() || !partial.is_empty() || foundation.is_empty() || is_alone {
        return Ok(bucket);
    }
    let stage = &session.stage;
    let observed = session.observe_only(&foundation).await?;
    let plan = plan::plan(&stage.name, &foundation, &target.artifacts, &observed);
    let mut preview = planning::preview(&foundation, &plan, &observed, session);
    // The plan of all systems, which follows, warns of unmet allowances.
    let _unmet = args.allowances.allowances().apply(&mut preview.findings);
    Refused::check(&preview)?;
    Refused::check_foundation(&plan, args, stage)?;
    let ui = &session.context.ui;
    ui.say(format_args!("Stage {} has no artifact bucket for its locks yet: deploying foundation first", stage.name));
    ui.say_plan(&preview);
    confirm(target, &plan)?;
    let locks = &HeldLocks::none();
    let deployed = Step { target, locks, draft }.carry_out(&plan, &preview, &observed).await?;
    let bucket = deploy::artifact_bucket(&stage.name, &deployed.outputs);
    bucket.map(Some).ok_or_else(|| DeployError::NoFoundation { stage: stage.name.clone() }.into())
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
        let deployed = deploy::apply(context, plan, &target.artifacts, session::outputs(observed), guard).await?;
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
