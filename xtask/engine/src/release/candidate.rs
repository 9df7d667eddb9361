//! Publishing a function's new version, and probing it by its number.

use contract::probe::{Probe, Question, Ready};
use model::rendered::RenderedFunction;

use super::{
    ReleaseContext, ReleaseError, Settling, Traffic,
    alias::Recorded,
    context::failed,
    smoke::{DirectInvocation, SmokeTest, with_retries},
};
use crate::{
    aws::lambda::{Invocation, Version},
    deploy::{self, DeployError},
    ledger::LedgerError,
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
    let lambda = context.clients.lambda();
    let settled = recorded.settled;
    // A new function may have the name of a deleted one, which the ledger knows.
    let expected = if is_created { Recorded::default() } else { recorded };
    let live = context.read_live(name, expected).await.map_err(failed(name))?;
    let live = live.ok_or_else(|| ReleaseError::NotDeployed { function: name.clone() })?;
    end_killed_recording(context, name).await?;
    let latest = ready(context, name, "$LATEST").await?;
    let current = lambda.version(name, &live.version).await.map_err(failed(name))?;
    check_code(context, name, &latest)?;
    let mut candidate = Candidate {
        function: function.clone(),
        version: live.version.clone(),
        code_sha256: latest.code_sha256.clone(),
        before: Some(live.version.clone()),
        needs_probe: true,
        is_new: is_created || settled.is_none(),
        is_weighted: !live.weights.is_empty(),
    };
    if current.as_ref().is_some_and(|current| current.does_the_same(&latest)) && !candidate.is_weighted {
        // A function that was deleted and created again numbers from 1: entries about its predecessor do not count.
        let code = current.as_ref().map(|current| current.code_sha256.as_str());
        candidate.is_new = is_created || !settled.is_some_and(|settled| settled.matches(&live.version, code));
        candidate.needs_probe = candidate.is_new;
        if candidate.needs_probe && context.settling != Settling::Settled {
            // CloudFormation has published it, and has not waited until it can be invoked.
            ready(context, name, &candidate.version).await?;
        }
        return Ok(candidate);
    }
    candidate.version = publish(context, name, &latest).await?;
    ready(context, name, &candidate.version).await?;
    Ok(candidate)
}

/// Puts back the variables of `$LATEST` that a killed `check-rights` has changed: a published version would call a proxy that is gone.
/// Functions are only recorded on an emulator.
async fn end_killed_recording(context: &ReleaseContext<'_>, function: &str) -> Result<(), ReleaseError> {
    if context.clients.endpoint().is_none() {
        return Ok(());
    }
    let lambda = context.clients.lambda();
    let before = lambda.variables_before_recording(function).await.map_err(failed(function))?;
    let Some(before) = before else { return Ok(()) };
    context.locks.ensure_held(&context.system.name).await.map_err(LedgerError::from)?;
    lambda.set_environment(function, &before).await.map_err(failed(function))?;
    context.ui.say(format_args!("· {function}: variables that a killed `check-rights` had changed were put back"));
    Ok(())
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

/// Publishes `$LATEST`, or returns the version that a killed run published of it.
async fn publish(context: &ReleaseContext<'_>, function: &str, latest: &Version) -> Result<String, ReleaseError> {
    let lambda = context.clients.lambda();
    let versions = lambda.versions(function).await.map_err(failed(function))?;
    if let Some(version) = versions.into_iter().rev().find(|version| version.does_the_same(latest)) {
        return Ok(version.version);
    }
    let version = lambda.publish(function, &latest.code_sha256, DESCRIPTION).await.map_err(failed(function))?;
    context.ui.say(format_args!("· {function}: version {version} published"));
    Ok(version)
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
    with_retries(context.attempts_of_probes(), attempt).await?.map_err(probe_failed)?;
    for test in &context.smoke_tests {
        if let Some(direct) = test.direct.as_ref().filter(|direct| direct.function_name == *name) {
            invoke_with_retries(context, test, direct, version).await?.map_err(probe_failed)?;
        }
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
