//! What every command that changes a stage shares: the lock of each system while it works, and the ledger.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use model::{
    rendered::{RenderedSystem, SmokeCheck},
    stage::Strategy,
};
use plan::observed::Observed;

use crate::session::{self, Session};
use crate::{
    aws::documents::Documents,
    deploy::Outputs,
    error::Interrupted,
    ledger::{Ledger, needs_of_stack},
    lock::{HeldLocks, Requester},
    release::{
        CanaryPlan, ReleaseMetadata,
        smoke::{DirectInvocation, SmokeTest},
    },
    sources::git::Git,
    ui::Ui,
    workspace::Workspace,
};

/// Runs `work` while it holds the lock of each system. Stops when a lock is lost or the user interrupts.
///
/// Without an artifact bucket there are no locks: of two first deploys, CloudFormation lets only one create each stack.
pub(super) async fn guarded<T>(
    session: &Session,
    systems: &[RenderedSystem],
    command: &str,
    bucket: Option<String>,
    ui: &Ui,
    work: impl AsyncFnOnce(&HeldLocks<Documents>) -> miette::Result<T>,
) -> miette::Result<T> {
    let Some(bucket) = bucket else { return work(&HeldLocks::none()).await };
    let store = Arc::new(session.clients.documents(bucket));
    let names: Vec<_> = systems.iter().map(|system| system.name.as_str()).collect();
    let requester = Requester { stage: &session.stage.name, identity: &session.caller.arn, command };
    let mut interruption = ui.interruption();
    let locks = HeldLocks::acquire(&store, &names, requester, ui).await?;
    let result = tokio::select! {
        // An interruption and a lost lock come before the next step of the work.
        biased;
        () = interruption.heard() => Err(Interrupted { running: None }.into()),
        lost = locks.lost() => Err(lost.into()),
        result = work(&locks) => result,
    };
    locks.release(ui).await;
    result
}

/// The ledger of a system.
pub(super) fn ledger(session: &Session, bucket: &str, system: &str) -> Ledger<Documents> {
    Ledger::new(Arc::new(session.clients.documents(bucket.to_owned())), system)
}

/// What the ledger keeps of a release of this system, made now.
pub(super) fn metadata(
    session: &Session,
    system: &RenderedSystem,
    observed: &Observed,
    plan: Option<String>,
    workspace: &Workspace,
) -> ReleaseMetadata {
    let templates = system.stacks.iter().filter_map(|stack| {
        let template = observed.stacks.get(&stack.name)?.template.as_ref()?;
        Some((stack.name.as_str(), template))
    });
    let needs: BTreeMap<_, _> = templates.flat_map(|(name, template)| needs_of_stack(name, template)).collect();
    ReleaseMetadata {
        stage: session.stage.name.clone(),
        system: system.name.clone(),
        who: session.caller.arn.clone(),
        commit: Git::around(workspace.root()).ok().and_then(|git| git.describe()),
        plan,
        alarms: session.stage.release.alarms.clone(),
        system_alarms: system_alarms(system),
        needs,
        sites: BTreeMap::new(),
    }
}

/// The alarms of a system's own stacks, by name.
fn system_alarms(system: &RenderedSystem) -> Vec<String> {
    let resources = system.stacks.iter().filter_map(|stack| stack.template["Resources"].as_object()).flatten();
    let alarms = resources.filter(|(_, resource)| {
        matches!(resource["Type"].as_str(), Some("AWS::CloudWatch::Alarm" | "AWS::CloudWatch::CompositeAlarm"))
    });
    alarms.filter_map(|(_, alarm)| alarm["Properties"]["AlarmName"].as_str().map(str::to_owned)).collect()
}

/// What a system must serve, where its APIs are deployed.
pub(super) fn smoke_tests(session: &Session, system: &RenderedSystem, outputs: &Outputs) -> Vec<SmokeTest> {
    let urls = session.urls_of(std::slice::from_ref(system), outputs);
    let direct = |smoke: &SmokeCheck| {
        let apis = system.stacks.iter().flat_map(|stack| &stack.apis);
        let api =
            apis.filter(|api| api.logical_id == smoke.api).find(|api| api.open.contains_key(smoke.path.as_str()))?;
        let function_name = api.open[smoke.path.as_str()].clone();
        Some(DirectInvocation { function_name, path: smoke.path.clone(), stage: api.stage_name.clone() })
    };
    let check = |smoke: &SmokeCheck| {
        let url = format!("{}{}", urls.get(&smoke.api)?.trim_end_matches('/'), smoke.path);
        Some(SmokeTest { url, status: smoke.status, json: smoke.json.clone(), direct: direct(smoke) })
    };
    system.smoke.iter().filter_map(check).collect()
}

/// How a stage moves traffic, unless the command line says otherwise.
pub(super) fn canary(session: &Session, strategy: Option<StrategyName>, bake: Option<u32>) -> Option<CanaryPlan> {
    let release = &session.stage.release;
    let wanted = strategy.map_or(release.strategy, Strategy::from);
    (wanted == Strategy::Canary).then(|| CanaryPlan {
        steps: release.steps.clone(),
        bake: Duration::from_secs(u64::from(bake.unwrap_or(release.bake_seconds))),
        minimum_requests: release.minimum_requests,
    })
}

/// A strategy on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum StrategyName {
    /// Everybody gets the new versions as soon as they have answered their probes.
    AllAtOnce,
    /// A few get them first, and more while they do no worse.
    Canary,
}

impl From<StrategyName> for Strategy {
    fn from(name: StrategyName) -> Self {
        match name {
            StrategyName::AllAtOnce => Self::AllAtOnce,
            StrategyName::Canary => Self::Canary,
        }
    }
}

/// The artifact bucket of what is observed.
pub(super) fn bucket(session: &Session, observed: &Observed) -> Option<String> {
    session::bucket(&session.stage, observed)
}
