//! What every command that changes a stage shares: the lock of each system while it works, and the ledger.

use std::{collections::BTreeMap, sync::Arc};

use stacks::rendered::RenderedSystem;

use super::session::{self, Session};
use crate::{
    aws::documents::Documents,
    ledger::{Book, needs},
    lock::{self, Held},
    plan::observed::Observed,
    prune,
    release::Facts,
    sources::git::Git,
    ui::Ui,
    workspace::Workspace,
};

/// Does something while it holds the lock of each system; stops where a lock is lost.
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
    let mut locks = Vec::new();
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
        done = work => done,
        lost = any_lost(&locks) => Err(lost.into()),
    };
    lock::release_all(locks, ui).await;
    done
}

async fn any_lost(locks: &[Held<Documents>]) -> lock::LockError {
    let waiting = locks.iter().map(|held| Box::pin(held.lost()));
    futures_util::future::select_all(waiting).await.0
}

/// The ledger of a system.
pub(super) fn book(session: &Session, bucket: &str, system: &str) -> Book<Documents> {
    Book::new(Arc::new(session.clients.documents(bucket.to_owned())), system)
}

/// The versions that the newest `keep` releases of these systems may return to.
pub(super) async fn released(
    session: &Session,
    systems: &[RenderedSystem],
    bucket: Option<&str>,
    keep: usize,
) -> miette::Result<prune::Released> {
    let mut released = prune::Released::new();
    let Some(bucket) = bucket else { return Ok(released) };
    for system in systems {
        released.extend(prune::released(&book(session, bucket, &system.name).entries().await?, keep));
    }
    Ok(released)
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
        needs,
    }
}

/// The artifact bucket of what is observed.
pub(super) fn bucket(session: &Session, observed: &Observed) -> Option<String> {
    session::bucket(&session.stage, observed)
}
