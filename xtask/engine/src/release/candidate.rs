//! Publishing a function's new version, and probing it by its number.

use contract::probe::{Probe, Question, Ready};
use futures_util::future::join_all;
use model::rendered::RenderedFunction;

use super::{
    Known, ReleaseContext, ReleaseError, Settling, Traffic,
    alias::Recorded,
    context::failed,
    smoke::{DirectInvocation, SmokeTest, with_retries},
};
use crate::{
    aws::lambda::{Invocation, Readiness, Version},
    deploy::{self, DeployError},
    ledger::{LedgerError, SettledVersion},
};

/// A function and the version that may be released.
pub(super) struct Candidate {
    pub(super) function: RenderedFunction,
    pub(super) version: String,
    pub(super) code_sha256: String,
    /// The version that `live` points to.
    pub(super) before: Option<String>,
    pub(super) needs_probe: bool,
    /// Whether no earlier version is known to work: the function was just created, or the ledger does not know what is live.
    pub(super) is_new: bool,
    /// Whether `live` sends another version a share of the traffic.
    pub(super) is_weighted: bool,
    /// How many versions the function has, as far as they were counted.
    pub(super) versions: usize,
}

/// The description of every published version.
const DESCRIPTION: &str = concat!("xtask ", env!("CARGO_PKG_VERSION"));

/// Publishes `$LATEST`, which must have the expected code, unless `live` points to the same code and configuration already.
pub(super) async fn prepare_candidate(
    context: &ReleaseContext<'_>,
    function: &RenderedFunction,
    is_created: bool,
    recorded: Recorded<'_>,
) -> Result<Candidate, ReleaseError> {
    let name = &function.function_name;
    if recorded.open.is_none()
        && let Some(candidate) = unchanged(context, function, recorded.settled)
    {
        return Ok(candidate);
    }
    let lambda = context.clients.lambda();
    let settled = recorded.settled;
    // A new function may have the name of a deleted one, which the ledger knows.
    let expected = if is_created { Recorded::default() } else { recorded };
    let live = context.read_live(name, expected);
    let versions = lambda.versions(name);
    let (live, versions) = tokio::try_join!(live, versions).map_err(failed(name))?;
    let live = live.ok_or_else(|| ReleaseError::NotDeployed { function: name.clone() })?;
    let is_restored = end_killed_recording(context, name).await?;
    let latest = match context.known.get(name) {
        Some(Known::Updated(latest)) if !is_restored => latest.clone(),
        _ => ready(context, name, "$LATEST").await?,
    };
    check_code(context, name, &latest)?;
    let current = versions.iter().find(|version| version.version == live.version);
    let mut candidate = Candidate {
        function: function.clone(),
        version: live.version.clone(),
        code_sha256: latest.code_sha256.clone(),
        before: Some(live.version.clone()),
        needs_probe: true,
        is_new: is_created || settled.is_none(),
        is_weighted: !live.weights.is_empty(),
        versions: versions.len(),
    };
    if let Some(current) = current.filter(|current| current.does_the_same(&latest) && live.weights.is_empty()) {
        // A function that was deleted and created again numbers from 1: entries about its predecessor do not count.
        let is_settled = settled.is_some_and(|settled| settled.matches(&live.version, Some(&current.code_sha256)));
        candidate.is_new = is_created || !is_settled;
        candidate.needs_probe = candidate.is_new;
        if candidate.needs_probe && context.settling != Settling::Settled {
            // CloudFormation has published it, and has not waited until it can be invoked.
            ready(context, name, &candidate.version).await?;
        }
        return Ok(candidate);
    }
    // A killed run may have published the version.
    candidate.version = match versions.iter().rev().find(|version| version.does_the_same(&latest)) {
        Some(version) => ready(context, name, &version.version).await?.version,
        None => {
            candidate.versions += 1;
            publish(context, name, &latest).await?
        }
    };
    Ok(candidate)
}

/// Returns the candidate of a function that this run has not changed and whose last release is live: nothing is asked again.
fn unchanged(
    context: &ReleaseContext<'_>,
    function: &RenderedFunction,
    settled: Option<&SettledVersion>,
) -> Option<Candidate> {
    let Known::Unchanged(known) = context.known.get(&function.function_name)? else { return None };
    let version = known.live.clone().filter(|_| !known.is_unreleased && known.weights.is_empty())?;
    settled.filter(|settled| settled.matches(&version, known.live_code_sha256.as_deref()))?;
    Some(Candidate {
        function: function.clone(),
        before: Some(version.clone()),
        version,
        code_sha256: known.code_sha256.clone(),
        needs_probe: false,
        is_new: false,
        is_weighted: false,
        versions: 0,
    })
}

/// Puts back the variables of `$LATEST` that a killed `check-rights` has changed: a published version would call a proxy that is gone.
/// Functions are only recorded on an emulator. Returns whether there were any.
async fn end_killed_recording(context: &ReleaseContext<'_>, function: &str) -> Result<bool, ReleaseError> {
    if context.clients.endpoint().is_none() {
        return Ok(false);
    }
    let lambda = context.clients.lambda();
    let before = lambda.variables_before_recording(function).await.map_err(failed(function))?;
    let Some(before) = before else { return Ok(false) };
    context.locks.ensure_held(&context.system.name).await.map_err(LedgerError::from)?;
    lambda.set_environment(function, &before).await.map_err(failed(function))?;
    context.ui.say(format_args!("· {function}: variables that a killed `check-rights` had changed were put back"));
    Ok(true)
}

fn check_code(context: &ReleaseContext<'_>, function: &str, latest: &Version) -> Result<(), ReleaseError> {
    match context.code.get(function).filter(|expected| **expected != latest.code_sha256) {
        None => Ok(()),
        Some(expected) => Err(ReleaseError::CodeDiffers {
            function: function.to_owned(),
            expected: expected.clone(),
            actual: latest.code_sha256.clone(),
        }),
    }
}

/// Publishes `$LATEST`, and waits until the version can be invoked.
async fn publish(context: &ReleaseContext<'_>, function: &str, latest: &Version) -> Result<String, ReleaseError> {
    let lambda = context.clients.lambda();
    let published = lambda.publish(function, &latest.code_sha256, DESCRIPTION).await.map_err(failed(function))?;
    context.ui.say(format_args!("· {function}: version {} published", published.version));
    match published.readiness {
        Readiness::Ready => Ok(published.version),
        Readiness::Pending | Readiness::Failed(_) => Ok(ready(context, function, &published.version).await?.version),
    }
}

async fn ready(context: &ReleaseContext<'_>, function: &str, version: &str) -> Result<Version, ReleaseError> {
    deploy::ready(function, version, context.clients).await.map_err(|error| match error {
        DeployError::Aws { source, .. } => failed(function)(source),
        other => ReleaseError::NotReady(Box::new(other)),
    })
}

/// Invokes a version by its number: with its probe event, and with the requests of the smoke tests that it serves.
pub(super) async fn probe(
    context: &ReleaseContext<'_>,
    function: &RenderedFunction,
    version: &str,
) -> Result<(), ReleaseError> {
    let name = &function.function_name;
    let step = context.ui.step(format!("Probe {name} version {version}"));
    let probe_failed = |cause| ReleaseError::Probe {
        function: name.clone(),
        version: version.to_owned(),
        cause,
        traffic: Traffic::NotShifted,
    };
    // Functions may share a binary, so the response names the function.
    let expected = format!("{}-{}", function.id.system, function.id.function);
    let attempt = async || {
        let response = invoke(context, name, version, &Probe { probe: Question::Ready }).await?;
        Ok::<_, ReleaseError>(verify_ready(&response, &expected))
    };
    // The requests are of use only if the version answers its probe, but they need not wait for that.
    let direct = context.smoke_tests.iter().filter_map(|test| Some((test, test.direct.as_ref()?)));
    let direct = direct.filter(|(_, direct)| direct.function_name == *name);
    let tested = direct.map(|(test, direct)| invoke_with_retries(context, test, direct, version));
    let (ready, tested) = tokio::join!(with_retries(context.attempts_of_probes(), attempt), join_all(tested));
    ready?.map_err(probe_failed)?;
    for tested in tested {
        tested?.map_err(probe_failed)?;
    }
    step.done("ready");
    Ok(())
}

/// Sends the request of a smoke test to a version until it passes; the inner error describes the last failure.
async fn invoke_with_retries(
    context: &ReleaseContext<'_>,
    test: &SmokeTest,
    direct: &DirectInvocation,
    version: &str,
) -> Result<Result<(), String>, ReleaseError> {
    let event = direct.event();
    let attempt = async || {
        let response = invoke(context, &direct.function_name, version, &event).await?;
        Ok(test.verify_invocation(direct, &response))
    };
    with_retries(context.attempts(), attempt).await
}

async fn invoke(
    context: &ReleaseContext<'_>,
    function: &str,
    version: &str,
    event: &impl serde::Serialize,
) -> Result<Invocation, ReleaseError> {
    let event = serde_json::to_vec(event).unwrap_or_default();
    context.clients.lambda().invoke(function, version, event).await.map_err(failed(function))
}

/// Verifies that a probe's response comes from the right binary, which is ready; describes it otherwise.
fn verify_ready(response: &Invocation, binary: &str) -> Result<(), String> {
    let text = || String::from_utf8_lossy(&response.payload).chars().take(500).collect::<String>();
    if response.error.is_some() {
        return Err(format!("it failed with {}", text()));
    }
    match serde_json::from_slice::<Ready>(&response.payload) {
        Ok(ready) if ready.ready && ready.function == binary => Ok(()),
        Ok(ready) => Err(format!("the zip contains {}, not {binary}", ready.function)),
        Err(_) => Err(format!("it responded with {}", text())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(payload: &str, error: Option<&str>) -> Invocation {
        Invocation { payload: payload.as_bytes().to_vec(), error: error.map(str::to_owned) }
    }

    #[test]
    fn only_the_right_binary_that_is_ready_passes() {
        let ready = r#"{"ready":true,"function":"photos-upload"}"#;
        assert_eq!(verify_ready(&response(ready, None), "photos-upload"), Ok(()));
        let other = verify_ready(&response(ready, None), "photos-image");
        assert!(other.is_err_and(|why| why.contains("not photos-image")));
        let failed = response(r#"{"errorMessage":"RAW_MEDIA_BUCKET is missing"}"#, Some("Unhandled"));
        assert!(verify_ready(&failed, "x").is_err_and(|why| why.contains("RAW_MEDIA_BUCKET")));
        assert!(verify_ready(&response("null", None), "x").is_err());
    }
}
