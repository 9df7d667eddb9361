//! Tests deployed systems from outside, as their clients use them: health, authorization, CORS, latency.
//!
//! `check_systems` makes the checks; `rollback` decides which systems a failed check returns to their earlier release.

mod latency;
pub(crate) mod rollback;
pub mod sign_in;
mod visitor;

use std::{collections::BTreeMap, time::Duration};

use model::{parts::function::LIVE, rendered::RenderedSystem};

use crate::{
    aws::lambda::Described,
    deploy::{Outputs, observe::Extent},
    release::smoke::SmokeTest,
    report::{CheckKind, CheckResult},
    session::Session,
};

/// How often a check is tried: a new API Gateway deployment reaches its hosts one after another.
const TRIES: u32 = 3;
/// The pause between tries.
const PAUSE: Duration = Duration::from_secs(1);

/// The endpoints of a deployed stage.
#[derive(Debug)]
pub(crate) struct Endpoints {
    outputs: Outputs,
    /// The URL of each API and site.
    pub(crate) urls: BTreeMap<String, String>,
}

impl Endpoints {
    /// Reads where the stage's APIs and sites are.
    ///
    /// # Errors
    ///
    /// When a call fails.
    pub(crate) async fn of(session: &Session) -> miette::Result<Self> {
        let outputs = crate::session::outputs(&session.observe(Extent::Stacks).await?);
        let urls = session.urls(&outputs);
        Ok(Self { outputs, urls })
    }
}

/// Makes every check of the systems. Prints how many passed, system by system.
pub(crate) async fn check_systems(
    systems: &[RenderedSystem],
    endpoints: &Endpoints,
    session: &Session,
) -> Vec<CheckResult> {
    let mut results = Vec::new();
    for system in systems.iter().filter(|system| !system.smoke.is_empty() || !system.live.is_empty()) {
        let step = session.context.ui.step(format!("Check {} from outside", system.name));
        let token = sign_in::token(system, session, &endpoints.outputs).await;
        let smoke = session.smoke_checks(system, &endpoints.outputs);
        let of_system = check(system, &smoke, token, &endpoints.urls).await;
        let passed = of_system.iter().filter(|result| result.passed).count();
        step.done(format_args!("{passed} of {} passed", of_system.len()));
        results.extend(of_system);
    }
    results
}

/// Describes the live version of each function. A function that cannot be described is left out with a warning, because no
/// check depends on it.
pub(crate) async fn live_versions(systems: &[RenderedSystem], session: &Session) -> BTreeMap<String, Described> {
    let lambda = session.clients.lambda();
    let mut versions = BTreeMap::new();
    for function in systems.iter().flat_map(|system| &system.stacks).flat_map(|stack| &stack.functions) {
        let name = &function.function_name;
        match lambda.describe(name, LIVE).await {
            Ok(described) => versions.extend(described.map(|described| (name.clone(), described))),
            Err(error) => {
                let error = crate::error::one_line(&error.below(name));
                session.context.ui.warn(format_args!("failed to describe the live version of {name}: {error}"));
            }
        }
    }
    versions
}

/// Makes every check that a system declares. `urls` are those of its APIs, by logical ID; a missing one fails. `token` is the
/// ID token of the test user, or the reason why there is none; `None` where the system has no users.
async fn check(
    system: &RenderedSystem,
    smoke: &[SmokeTest],
    token: Option<Result<String, String>>,
    urls: &BTreeMap<String, String>,
) -> Vec<CheckResult> {
    let visitor = visitor::Visitor::new(urls);
    let mut results = Vec::new();
    let result = |kind, request: String, result: Result<String, String>| {
        let passed = result.is_ok();
        let detail = result.unwrap_or_else(|wrong| wrong);
        CheckResult { system: system.name.clone(), kind, request, passed, detail, warning: None }
    };
    for check in smoke {
        let outcome = patiently(async || check.run().await.map(|()| check.status.to_string())).await;
        let kind = if check.status == 401 { CheckKind::Auth } else { CheckKind::Health };
        let place = check.url.as_deref().unwrap_or("an API that is not deployed");
        results.push(result(kind, format!("GET {place}"), outcome));
    }
    for check in &system.live {
        let outcome = visitor.patiently(check).await.map(|response| response.status.to_string());
        results.push(result(check.kind.into(), check.title(), outcome));
    }
    if let (Some(sign_in), Some(token)) = (&system.sign_in, token) {
        for (request, outcome) in visitor.signed_in(sign_in, token).await {
            results.push(result(CheckKind::Auth, request, outcome));
        }
    }
    if let Some(budget) = &system.latency {
        let measured = latency::measure(&visitor, budget).await;
        let warning = measured.as_ref().ok().and_then(|measured| measured.warning.clone());
        let measured = measured.map(|measured| measured.summary);
        let latency = result(CheckKind::Latency, budget.check.title(), measured);
        results.push(CheckResult { warning, ..latency });
    }
    results
}

async fn patiently<T>(attempt: impl AsyncFn() -> Result<T, String>) -> Result<T, String> {
    for _ in 1..TRIES {
        if let Ok(done) = attempt().await {
            return Ok(done);
        }
        tokio::time::sleep(PAUSE).await;
    }
    attempt().await
}
