//! Decides what users get: publish, probe by version number, then move `live`. All functions of a system, or none.

use contract::probe::{Probe, Question, Ready};
use miette::Diagnostic;
use serde::Serialize;
use stacks::rendered::{RenderedFunction, RenderedSystem};
use thiserror::Error;

use crate::{
    aws::{
        AwsError, Clients,
        lambda::{Answer, Version},
    },
    deploy::{self, DeployError, observe::LIVE},
    ui::Ui,
};

/// A release failed; `live` points to what it did before.
#[derive(Debug, Error, Diagnostic)]
pub enum ReleaseError {
    /// A call failed.
    #[error("failed to release {function}")]
    Aws {
        /// The function.
        function: String,
        /// The call.
        #[source]
        #[diagnostic_source]
        source: AwsError,
    },
    /// The function never became ready.
    #[error("failed to release {function}")]
    NotReady {
        /// The function.
        function: String,
        /// Why.
        #[source]
        source: Box<DeployError>,
    },
    /// A new version does not answer its probe.
    #[error("version {version} of {function} does not answer its probe: {answer}; no traffic was moved to it")]
    #[diagnostic(help("look at the function's log, mend it and deploy again"))]
    Probe {
        /// The function.
        function: String,
        /// The version.
        version: String,
        /// What came instead of `ready`.
        answer: String,
    },
    /// There is nothing to release.
    #[error("function {function} is not deployed")]
    #[diagnostic(help("deploy the whole system: leave out --stack"))]
    Missing {
        /// The function.
        function: String,
    },
}

/// What became of one function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Released {
    /// The function's name in Lambda.
    pub function_name: String,
    /// The version `live` points to now.
    pub version: String,
    /// The version it pointed to before; `None` when there was none, or it is the same.
    pub before: Option<String>,
}

/// One function on its way.
struct Candidate {
    function: RenderedFunction,
    version: String,
    before: Option<String>,
    probe: bool,
}

/// Releases every function of a system: publishes what changed, probes it, moves `live`.
///
/// `created` says which functions have just come into being with their stack: their version 1 is probed as well.
///
/// # Errors
///
/// When anything fails; aliases that were already moved are moved back.
pub async fn release(
    system: &RenderedSystem,
    created: impl Fn(&str) -> bool,
    description: &str,
    clients: &Clients,
    ui: &Ui,
) -> Result<Vec<Released>, ReleaseError> {
    let functions: Vec<_> = system.stacks.iter().flat_map(|stack| &stack.functions).collect();
    let mut candidates = Vec::new();
    for function in functions {
        candidates.push(candidate(function, created(&function.function_name), description, clients, ui).await?);
    }
    for candidate in candidates.iter().filter(|candidate| candidate.probe) {
        probe(candidate, clients, ui).await?;
    }
    shift(&candidates, clients, ui).await?;
    Ok(candidates
        .into_iter()
        .map(|candidate| Released {
            before: candidate.before.filter(|before| *before != candidate.version),
            version: candidate.version,
            function_name: candidate.function.function_name,
        })
        .collect())
}

/// Publishes `$LATEST` unless `live` is the same already.
async fn candidate(
    function: &RenderedFunction,
    created: bool,
    description: &str,
    clients: &Clients,
    ui: &Ui,
) -> Result<Candidate, ReleaseError> {
    let name = &function.function_name;
    let aws = |source| ReleaseError::Aws { function: name.clone(), source };
    let not_ready = |source| ReleaseError::NotReady { function: name.clone(), source: Box::new(source) };
    let lambda = clients.lambda();
    let aliases = lambda.aliases(name).await.map_err(aws)?;
    let Some(live) = aliases.into_iter().find(|alias| alias.name == LIVE) else {
        return Err(ReleaseError::Missing { function: name.clone() });
    };
    let latest = deploy::ready(name, "$LATEST", clients).await.map_err(not_ready)?;
    let current = lambda.version(name, &live.version).await.map_err(aws)?;
    let before = Some(live.version.clone());
    if current.as_ref().is_some_and(|current| same(current, &latest)) && live.weights.is_empty() {
        return Ok(Candidate { function: function.clone(), version: live.version, before, probe: created });
    }
    // A run that was killed after publishing has left the version that is wanted.
    let published = lambda.versions(name).await.map_err(aws)?;
    let version = match published.iter().rev().find(|version| same(version, &latest)) {
        Some(found) => found.version.clone(),
        None => lambda.publish(name, &latest.code_sha256, description).await.map_err(aws)?,
    };
    ui.say(format_args!("· {name}: version {version} published"));
    deploy::ready(name, &version, clients).await.map_err(not_ready)?;
    Ok(Candidate { function: function.clone(), version, before, probe: true })
}

/// Do two versions do the same?
fn same(left: &Version, right: &Version) -> bool {
    left.code_sha256 == right.code_sha256 && left.settings == right.settings
}

async fn probe(candidate: &Candidate, clients: &Clients, ui: &Ui) -> Result<(), ReleaseError> {
    let name = &candidate.function.function_name;
    let step = ui.step(format!("Probe {name} version {}", candidate.version));
    let event = serde_json::to_vec(&Probe { probe: Question::Ready }).unwrap_or_default();
    let answer = clients
        .lambda()
        .invoke(name, &candidate.version, event)
        .await
        .map_err(|source| ReleaseError::Aws { function: name.clone(), source })?;
    judge(&answer, candidate.function.name.binary).map_err(|answer| ReleaseError::Probe {
        function: name.clone(),
        version: candidate.version.clone(),
        answer,
    })?;
    step.done("ready");
    Ok(())
}

/// Is this the answer of a version that is ready, and of the right binary? If not, what is it.
fn judge(answer: &Answer, binary: &str) -> Result<(), String> {
    let text = || String::from_utf8_lossy(&answer.payload).chars().take(500).collect::<String>();
    if answer.error.is_some() {
        return Err(format!("it failed with {}", text()));
    }
    match serde_json::from_slice::<Ready>(&answer.payload) {
        Ok(ready) if ready.ready && ready.function == binary => Ok(()),
        Ok(ready) => Err(format!("it is {}, not {binary}", ready.function)),
        Err(_) => Err(format!("it answered {}", text())),
    }
}

/// Moves every alias, or, if one cannot be moved, those already moved back.
async fn shift(candidates: &[Candidate], clients: &Clients, ui: &Ui) -> Result<(), ReleaseError> {
    let lambda = clients.lambda();
    let moving: Vec<_> =
        candidates.iter().filter(|candidate| candidate.before.as_ref() != Some(&candidate.version)).collect();
    for (index, candidate) in moving.iter().enumerate() {
        let name = &candidate.function.function_name;
        let Err(source) = lambda.point(name, LIVE, &candidate.version).await else { continue };
        for moved in &moving[..index] {
            let Some(before) = &moved.before else { continue };
            if let Err(error) = lambda.point(&moved.function.function_name, LIVE, before).await {
                ui.warn(format_args!("{} could not be moved back to {before}: {error}", moved.function.function_name));
            }
        }
        return Err(ReleaseError::Aws { function: name.clone(), source });
    }
    for candidate in moving {
        let before = candidate.before.as_deref().unwrap_or("nothing");
        ui.say(format_args!("✓ {}: live {before} → {}", candidate.function.function_name, candidate.version));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(payload: &str, error: Option<&str>) -> Answer {
        Answer { payload: payload.as_bytes().to_vec(), error: error.map(str::to_owned) }
    }

    #[test]
    fn only_the_right_binary_that_is_ready_passes() {
        let good = r#"{"ready":true,"function":"media-uploader-upload"}"#;
        assert_eq!(judge(&answer(good, None), "media-uploader-upload"), Ok(()));
        assert!(
            judge(&answer(good, None), "media-uploader-image")
                .is_err_and(|why| why.contains("not media-uploader-image"))
        );
        let failed = answer(r#"{"errorMessage":"RAW_MEDIA_BUCKET is missing"}"#, Some("Unhandled"));
        assert!(judge(&failed, "x").is_err_and(|why| why.contains("RAW_MEDIA_BUCKET")));
        assert!(judge(&answer("null", None), "x").is_err());
    }
}
