//! Deletes resources that nothing refers to. First a pure mark, which says why each stays or goes; then a sweep.

mod artifacts;
pub(crate) mod leftovers;
pub(crate) mod sites;
mod sweep;
mod versions;

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

pub(crate) use artifacts::References;
use artifacts::{artifact_names, is_artifact};
use model::rendered::RenderedSystem;
use serde::Serialize;
pub(crate) use sweep::{Sweep, Swept};
pub(crate) use versions::has_releases;
pub(crate) use versions::{ReleasedVersions, released_code, released_versions};
use versions::{completed_and_open, mark_versions};

use crate::{
    aws::{AwsError, Clients},
    deploy::Outputs,
    parallel,
};

/// The age below which an artifact stays: far longer than any description lags behind.
const RECENT: Duration = Duration::from_secs(15 * 60);

/// The marks of each system.
pub(crate) type Marks = BTreeMap<String, Vec<Mark>>;

/// Whether one resource stays, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Mark {
    /// The resource, in words.
    pub(crate) what: String,
    pub(crate) keep: bool,
    pub(crate) why: String,
    #[serde(skip)]
    target: Target,
}

/// What a sweep deletes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Version { function: String, version: String },
    Layer { layer: String, version: i64 },
    Artifact { key: String },
    SiteFile { region: Option<String>, bucket: String, key: String },
    ChangeSet { region: Option<String>, stack: String, name: String },
    EmptyStack { region: Option<String>, stack: String },
    LogGroup { name: String },
}

/// What is marked, and how much of it stays.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) systems: &'a [RenderedSystem],
    /// The parameters of the deployed stacks.
    pub(crate) parameters: &'a Outputs,
    /// Whether `$LATEST` of each function is in the references already.
    pub(crate) knows_latest: bool,
    /// The artifact bucket, if foundation is deployed.
    pub(crate) bucket: Option<&'a str>,
    /// The versions of kept releases.
    pub(crate) released: &'a ReleasedVersions,
    /// What refers to artifacts besides the versions and stacks, whose descriptions may be earlier ones.
    pub(crate) references: &'a References,
    /// How many of each function's newest versions stay.
    pub(crate) keep: usize,
}

/// Marks the versions, layers and artifacts of these systems.
pub(crate) async fn mark(clients: &Clients, scope: Scope<'_>) -> Result<Marks, AwsError> {
    let lambda = clients.lambda();
    let mut marks = Marks::new();
    let mut references = scope.references.clone();
    let stacks = || scope.systems.iter().flat_map(|system| &system.stacks);
    let functions: Vec<_> = stacks().flat_map(|stack| stack.functions.iter().map(move |of| (stack, of))).collect();
    let read = functions.iter().map(async |(_, function)| {
        let name = &function.function_name;
        let latest = async { if scope.knows_latest { Ok(None) } else { lambda.version(name, "$LATEST").await } };
        tokio::try_join!(lambda.versions(name), lambda.aliases(name), latest)
    });
    let read = parallel::each(read).await?;
    for ((stack, function), (versions, aliases, latest)) in functions.iter().zip(read) {
        let marked = mark_versions(&function.function_name, &versions, &aliases, scope.released, scope.keep);
        let kept = versions.iter().zip(&marked).filter(|(_, mark)| mark.keep).map(|(version, _)| version);
        references.add_versions(kept);
        references.add_versions(latest.iter());
        marks.entry(stack.system.clone()).or_default().extend(marked);
    }
    for stack in stacks() {
        references.add_parameters(scope.parameters.get(&stack.name));
    }
    for stack in stacks() {
        for layer in &stack.layers {
            let versions = lambda.layer_versions(&layer.layer_name).await?;
            let marked = references.mark_layer(&layer.layer_name, versions);
            marks.entry(stack.system.clone()).or_default().extend(marked);
        }
    }
    if let Some(bucket) = scope.bucket {
        for system in scope.systems {
            let prefix = plan::artifacts::prefix(&system.name);
            let artifacts = artifact_names(system);
            let keys = clients.s3().keys_with_times(bucket, &prefix).await?;
            let own = keys.into_iter().filter(|(key, _)| is_artifact(key, &prefix, &artifacts));
            let marked = own.map(|(key, written)| references.mark_artifact(key, is_recent(written, clients)));
            marks.entry(system.name.clone()).or_default().extend(marked);
        }
    }
    Ok(marks)
}

/// Whether an artifact was just uploaded: descriptions may not show yet what refers to it. An emulator's always do.
fn is_recent(written: Option<SystemTime>, clients: &Clients) -> bool {
    let age = written.map(|written| clients.now().duration_since(written).unwrap_or_default());
    clients.endpoint().is_none() && age.is_some_and(|age| age < RECENT)
}

#[cfg(test)]
mod tests;
