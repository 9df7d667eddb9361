//! Publishing what changed, and probing it by its number.

use contract::probe::{Probe, Question, Ready};
use model::rendered::RenderedFunction;

use super::{
    ReleaseContext, ReleaseError,
    shift::again,
    smoke::{Check, Direct, tried},
};
use crate::{
    aws::lambda::Answer,
    deploy::{self, observe::LIVE},
    ledger::Left,
    store::Store,
};

/// One function on its way.
pub(super) struct Candidate {
    pub(super) function: RenderedFunction,
    pub(super) version: String,
    pub(super) code_sha256: String,
    /// What `live` points to.
    pub(super) before: Option<String>,
    pub(super) probe: bool,
    /// Nothing good was before it: it came into being with its stack, or nobody knows that what is live was ever released.
    pub(super) created: bool,
    /// `live` gives another version a share.
    pub(super) weighted: bool,
}

/// What versions are described with.
const DESCRIPTION: &str = concat!("xtask ", env!("CARGO_PKG_VERSION"));

/// Publishes `$LATEST`, which must be of the wanted code, unless `live` is the same already. `created` says whether it has just
/// come into being, and `left` what the ledger says that `live` was left at.
pub(super) async fn candidate<S: Store>(
    function: &RenderedFunction,
    created: bool,
    left: Option<&Left>,
    context: &ReleaseContext<'_, S>,
) -> Result<Candidate, ReleaseError> {
    let name = &function.function_name;
    let (clients, ui) = (context.clients, context.ui);
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
    if let Some(wanted) = context.code.get(name).filter(|wanted| **wanted != latest.code_sha256) {
        let (function, wanted, found) = (name.clone(), wanted.clone(), latest.code_sha256);
        return Err(ReleaseError::AnotherCode { function, wanted, found });
    }
    if current.as_ref().is_some_and(|current| current.does_the_same(&latest)) && live.weights.is_empty() {
        // A function that was deleted and made again counts from 1, and its earlier life says nothing about it.
        let code = current.as_ref().map(|current| current.code_sha256.as_str());
        let created = created || !left.is_some_and(|left| left.is(&live.version, code));
        let (function, version, code_sha256) = (function.clone(), live.version, latest.code_sha256);
        return Ok(Candidate { function, version, code_sha256, before, probe: created, created, weighted: false });
    }
    // A run that was killed after publishing has left the version that is wanted.
    let published = lambda.versions(name).await.map_err(aws)?;
    let version = match published.iter().rev().find(|version| version.does_the_same(&latest)) {
        Some(found) => found.version.clone(),
        None => {
            let version = lambda.publish(name, &latest.code_sha256, DESCRIPTION).await.map_err(aws)?;
            ui.say(format_args!("· {name}: version {version} published"));
            version
        }
    };
    deploy::ready(name, &version, clients).await.map_err(not_ready)?;
    let (function, code_sha256, created) = (function.clone(), latest.code_sha256, created || left.is_none());
    let weighted = !live.weights.is_empty();
    Ok(Candidate { function, version, code_sha256, before, probe: true, created, weighted })
}

/// Invokes a version by its number: with its probe event, and with the requests of the system's smoke checks that it is to answer.
pub(super) async fn probe<S: Store>(
    function: &RenderedFunction,
    version: &str,
    context: &ReleaseContext<'_, S>,
) -> Result<(), ReleaseError> {
    let name = &function.function_name;
    let step = context.ui.step(format!("Probe {name} version {version}"));
    let wrong = |answer| ReleaseError::Probe {
        function: name.clone(),
        version: version.to_owned(),
        answer,
        traffic: "no traffic was moved to it",
    };
    let answer = invoke(name, version, &Probe { probe: Question::Ready }, context).await?;
    // Functions may share a binary, so the response names the function.
    judge(&answer, &format!("{}-{}", function.id.system, function.id.function)).map_err(wrong)?;
    for check in &context.checks {
        if let Some(direct) = check.direct.as_ref().filter(|direct| direct.function_name == *name) {
            ask(check, direct, version, context).await?.map_err(wrong)?;
        }
    }
    step.done("ready");
    Ok(())
}

/// Asks a version directly what a check asks, until the answer is right; what was wrong with the last.
async fn ask<S: Store>(
    check: &Check,
    direct: &Direct,
    version: &str,
    context: &ReleaseContext<'_, S>,
) -> Result<Result<(), String>, ReleaseError> {
    let event = direct.event();
    let ask = async || Ok(check.judge(direct, &invoke(&direct.function_name, version, &event, context).await?));
    tried(again(context), ask).await
}

async fn invoke<S: Store>(
    function: &str,
    version: &str,
    event: &impl serde::Serialize,
    context: &ReleaseContext<'_, S>,
) -> Result<Answer, ReleaseError> {
    let event = serde_json::to_vec(event).unwrap_or_default();
    let answer = context.clients.lambda().invoke(function, version, event).await;
    answer.map_err(|source| ReleaseError::Aws { function: function.to_owned(), source })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(payload: &str, error: Option<&str>) -> Answer {
        Answer { payload: payload.as_bytes().to_vec(), error: error.map(str::to_owned) }
    }

    #[test]
    fn only_the_right_binary_that_is_ready_passes() {
        let good = r#"{"ready":true,"function":"photos-upload"}"#;
        assert_eq!(judge(&answer(good, None), "photos-upload"), Ok(()));
        assert!(judge(&answer(good, None), "photos-image").is_err_and(|why| why.contains("not photos-image")));
        let failed = answer(r#"{"errorMessage":"RAW_MEDIA_BUCKET is missing"}"#, Some("Unhandled"));
        assert!(judge(&failed, "x").is_err_and(|why| why.contains("RAW_MEDIA_BUCKET")));
        assert!(judge(&answer("null", None), "x").is_err());
    }
}
