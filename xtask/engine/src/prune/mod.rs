//! Deletes resources that nothing refers to. First a pure mark, which says why each stays or goes; then a sweep.

mod artifacts;
pub(crate) mod leftovers;
pub(crate) mod sites;
mod versions;

use std::collections::BTreeMap;

use artifacts::{References, artifact_names, is_artifact};
use model::rendered::RenderedSystem;
use serde::Serialize;
pub(crate) use versions::{ReleasedVersions, released_versions};
use versions::{completed_and_open, mark_versions};

use crate::{
    aws::{AwsError, Clients},
    deploy::Outputs,
};

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
    /// The artifact bucket, if foundation is deployed.
    pub(crate) bucket: Option<&'a str>,
    /// The versions of kept releases.
    pub(crate) released: &'a ReleasedVersions,
    /// How many of each function's newest versions stay.
    pub(crate) keep: usize,
}

/// Marks the versions, layers and artifacts of these systems.
pub(crate) async fn mark(clients: &Clients, scope: Scope<'_>) -> Result<Vec<Mark>, AwsError> {
    let lambda = clients.lambda();
    let mut marks = Vec::new();
    let mut references = References::default();
    let stacks = || scope.systems.iter().flat_map(|system| &system.stacks);
    for function in stacks().flat_map(|stack| &stack.functions) {
        let name = &function.function_name;
        let (versions, aliases) = (lambda.versions(name).await?, lambda.aliases(name).await?);
        let marked = mark_versions(name, &versions, &aliases, scope.released, scope.keep);
        let kept = versions.iter().zip(&marked).filter(|(_, mark)| mark.keep).map(|(version, _)| version);
        references.add_versions(kept);
        references.add_versions(lambda.version(name, "$LATEST").await?.iter());
        marks.extend(marked);
    }
    for stack in stacks() {
        references.add_parameters(scope.parameters.get(&stack.name));
    }
    for layer in stacks().flat_map(|stack| &stack.layers) {
        let versions = lambda.layer_versions(&layer.layer_name).await?;
        marks.extend(references.mark_layer(&layer.layer_name, versions));
    }
    if let Some(bucket) = scope.bucket {
        for system in scope.systems {
            let prefix = format!("artifacts/{}-", system.name);
            let artifacts = artifact_names(system);
            let keys = clients.s3().keys(bucket, &prefix).await?;
            let own = keys.into_iter().filter(|key| is_artifact(key, &prefix, &artifacts));
            marks.extend(own.map(|key| references.mark_artifact(key)));
        }
    }
    Ok(marks)
}

/// Deletes everything that is not kept; returns how many resources. After a failure, the next run deletes the rest.
pub(crate) async fn sweep(clients: &Clients, marks: &[Mark], bucket: Option<&str>) -> Result<usize, AwsError> {
    let lambda = clients.lambda();
    let mut keys = Vec::new();
    let mut site_keys: BTreeMap<(&Option<String>, &str), Vec<String>> = BTreeMap::new();
    let mut count = 0;
    for mark in marks.iter().filter(|mark| !mark.keep) {
        match &mark.target {
            Target::Version { function, version } => lambda.delete_version(function, version).await?,
            Target::Layer { layer, version } => lambda.delete_layer_version(layer, *version).await?,
            Target::Artifact { key } => keys.push(key.clone()),
            Target::SiteFile { region, bucket, key } => {
                site_keys.entry((region, bucket)).or_default().push(key.clone());
            }
            Target::ChangeSet { region, stack, name } => {
                clients.cloudformation(region.as_deref()).delete_change_set(stack, name).await?;
            }
            Target::EmptyStack { region, stack } => clients.cloudformation(region.as_deref()).delete(stack).await?,
            Target::LogGroup { name } => clients.logs().delete(name).await?,
        }
        count += 1;
    }
    if let (Some(bucket), false) = (bucket, keys.is_empty()) {
        clients.s3().delete(bucket, &keys).await?;
    }
    for ((region, bucket), keys) in site_keys {
        clients.s3_in(region.as_deref()).delete(bucket, &keys).await?;
    }
    Ok(count)
}

#[cfg(test)]
mod tests;
