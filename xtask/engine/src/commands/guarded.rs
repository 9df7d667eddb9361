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
    ledger::{Book, needs},
    lock::{self, Held},
    release::{
        Facts, canary,
        smoke::{Check, Direct},
    },
    sources::git::Git,
    ui::Ui,
    workspace::Workspace,
};

/// Does something while it holds the lock of each system; stops where a lock is lost, or the user interrupts.
///
/// Without an artifact bucket there is nowhere to lock, and nothing that somebody else could be at but the same first deploy,
/// which CloudFormation lets only one of make each stack.
pub(super) async fn guarded<T>(
    session: &Session,
    systems: &[RenderedSystem],
    command: &str,
    bucket: Option<String>,
    ui: &Ui,
    work: impl Future<Output = miette::Result<T>>,
) -> miette::Result<T> {
    let Some(bucket) = bucket else { return work.await };
    let store = Arc::new(session.clients.documents(bucket));
    // In one order for everybody, so that two never wait for each other's.
    let mut names: Vec<_> = systems.iter().map(|system| system.name.as_str()).collect();
    names.sort_unstable();
    let (mut locks, mut interruption) = (Vec::new(), ui.interruption());
    for name in names {
        let owner = (session.caller.arn.as_str(), command);
        match lock::acquire(&store, &session.stage.name, name, owner, ui).await {
            Ok(held) => locks.push(held),
            Err(error) => {
                lock::release_all(locks, ui).await;
                return Err(error.into());
            }
        }
    }
    let done = tokio::select! {
        // Whoever is to stop takes no further step.
        biased;
        () = interruption.heard() => Err(Interrupted { running: None }.into()),
        lost = any_lost(&locks) => Err(lost.into()),
        done = lock::holding(&locks, work) => done,
    };
    lock::release_all(locks, ui).await;
    done
}

async fn any_lost(locks: &[Held<Documents>]) -> lock::LockError {
    if locks.is_empty() {
        // Nothing is locked for systems without functions, and nothing is lost.
        return std::future::pending().await;
    }
    let waiting = locks.iter().map(|held| Box::pin(held.lost()));
    futures_util::future::select_all(waiting).await.0
}

/// The ledger of a system.
pub(super) fn book(session: &Session, bucket: &str, system: &str) -> Book<Documents> {
    Book::new(Arc::new(session.clients.documents(bucket.to_owned())), system)
}

/// What the ledger keeps of a release of this system, made now.
pub(super) fn facts(
    session: &Session,
    system: &RenderedSystem,
    observed: &Observed,
    plan: Option<String>,
    workspace: &Workspace,
) -> Facts {
    let templates = system.stacks.iter().filter_map(|stack| {
        let template = observed.stacks.get(&stack.name)?.template.as_ref()?;
        Some((stack.name.as_str(), template))
    });
    let needs: BTreeMap<_, _> = templates.flat_map(|(name, template)| needs(name, template)).collect();
    Facts {
        stage: session.stage.name.clone(),
        system: system.name.clone(),
        who: session.caller.arn.clone(),
        commit: Git::around(workspace.root()).ok().and_then(|git| git.describe()),
        plan,
        alarms: session.stage.release.alarms.clone(),
        own_alarms: own_alarms(system),
        needs,
        sites: BTreeMap::new(),
    }
}

/// The alarms of a system's own stacks, by name.
fn own_alarms(system: &RenderedSystem) -> Vec<String> {
    let resources = system.stacks.iter().filter_map(|stack| stack.template["Resources"].as_object()).flatten();
    let alarms = resources.filter(|(_, resource)| {
        matches!(resource["Type"].as_str(), Some("AWS::CloudWatch::Alarm" | "AWS::CloudWatch::CompositeAlarm"))
    });
    alarms.filter_map(|(_, alarm)| alarm["Properties"]["AlarmName"].as_str().map(str::to_owned)).collect()
}

/// What a system must serve, where its APIs are deployed.
pub(super) fn checks(session: &Session, system: &RenderedSystem, outputs: &Outputs) -> Vec<Check> {
    let urls = session.urls_of(std::slice::from_ref(system), outputs);
    let direct = |smoke: &SmokeCheck| {
        let apis = system.stacks.iter().flat_map(|stack| &stack.apis);
        let api =
            apis.filter(|api| api.logical_id == smoke.api).find(|api| api.open.contains_key(smoke.path.as_str()))?;
        let function_name = api.open[smoke.path.as_str()].clone();
        Some(Direct { function_name, path: smoke.path.clone(), stage: api.stage_name.clone() })
    };
    let check = |smoke: &SmokeCheck| {
        let url = format!("{}{}", urls.get(&smoke.api)?.trim_end_matches('/'), smoke.path);
        Some(Check { url, status: smoke.status, json: smoke.json.clone(), direct: direct(smoke) })
    };
    system.smoke.iter().filter_map(check).collect()
}

/// How a stage moves traffic, unless the command line says otherwise.
pub(super) fn canary(session: &Session, strategy: Option<StrategyName>, bake: Option<u32>) -> Option<canary::Plan> {
    let release = &session.stage.release;
    let wanted = strategy.map_or(release.strategy, Strategy::from);
    (wanted == Strategy::Canary).then(|| canary::Plan {
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
