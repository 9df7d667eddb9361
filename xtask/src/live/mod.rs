//! Looks at a deployed system from outside, as its clients do: health, who is turned away, browsers, and how fast it is.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use contract::Method;
use serde::Serialize;
use stacks::rendered::{Latency, LiveCheck, RenderedSystem};

use crate::{
    http::{Client, Request},
    release::smoke::Check,
};

/// How often a check is tried: a stage of API Gateway needs a moment until every one of its machines knows it.
const TRIES: u32 = 3;
/// How long between tries.
const PAUSE: Duration = Duration::from_secs(1);
/// How many requests come before those that are measured: the first may start a function.
const WARM_UPS: usize = 3;
/// How many requests are measured.
const MEASURED: usize = 20;

/// What came of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// The system.
    pub system: String,
    /// `health`, `auth`, `cors` or `latency`.
    pub kind: &'static str,
    /// What was asked.
    pub what: String,
    /// Was the answer right?
    pub passed: bool,
    /// What was wrong with it, or how fast it came.
    pub detail: String,
}

/// Asks a system everything that it says of itself. `urls` are its APIs', by logical ID; one that is missing fails.
/// `token` is that of a user, or why there is none; `None` where the system has no users.
pub async fn check(
    system: &RenderedSystem,
    smoke: &[Check],
    token: Option<Result<String, String>>,
    urls: &BTreeMap<String, String>,
) -> Vec<Outcome> {
    let client = Client::default();
    let mut outcomes = Vec::new();
    let outcome = |kind, what: String, result: Result<String, String>| {
        let passed = result.is_ok();
        let detail = result.unwrap_or_else(|wrong| wrong);
        Outcome { system: system.name.clone(), kind, what, passed, detail }
    };
    for check in smoke {
        let result = patiently(async || check.run().await.map(|()| check.status.to_string())).await;
        outcomes.push(outcome("health", format!("GET {}", check.url), result));
    }
    for check in &system.live {
        let result = patiently(async || ask(check, &client, urls).await.map(|(status, _)| status.to_string())).await;
        outcomes.push(outcome(check.kind.as_str(), title(check), result));
    }
    if let (Some(sign_in), Some(token)) = (&system.sign_in, token) {
        let title = format!("{} {}, signed in", sign_in.check.method.as_str(), sign_in.check.path);
        let result = match token {
            Ok(token) => {
                let mut check = sign_in.check.clone();
                check.headers.push(("authorization", format!("Bearer {token}")));
                patiently(async || ask(&check, &client, urls).await.map(|(status, _)| status.to_string())).await
            }
            Err(reason) => Err(reason),
        };
        outcomes.push(outcome("auth", title, result));
    }
    if let Some(latency) = &system.latency {
        outcomes.push(outcome("latency", title(&latency.check), measure(latency, &client, urls).await));
    }
    outcomes
}

fn title(check: &LiveCheck) -> String {
    let with = if check.headers.iter().any(|(name, _)| *name == "authorization") { ", token forged" } else { "" };
    format!("{} {}{with}", check.method.as_str(), check.path)
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

/// Makes the request; its status and how long it took, or what is wrong with the answer.
async fn ask(check: &LiveCheck, client: &Client, urls: &BTreeMap<String, String>) -> Result<(u16, Duration), String> {
    let base = urls.get(&check.api).ok_or_else(|| format!("{} is not deployed", check.api))?;
    let url = format!("{}{}", base.trim_end_matches('/'), check.path);
    let request = Request::new(check.method.as_str(), &url);
    let request = check.headers.iter().fold(request, |request, (name, value)| request.header(name, value));
    // API Gateway wants a body where there may be one.
    let request = if check.method == Method::Post { request.json(&serde_json::json!({})) } else { request };
    let started = Instant::now();
    let answer = client.send(request).await.map_err(|error| error.to_string())?;
    let elapsed = started.elapsed();
    if !check.statuses.contains(&answer.status) {
        let wanted: Vec<_> = check.statuses.iter().map(u16::to_string).collect();
        return Err(format!("{url} answers {} instead of {}", answer.status, wanted.join(" or ")));
    }
    match &check.answers {
        Some((name, value)) if answer.headers.get(*name) != Some(value) => {
            let found = answer.headers.get(*name).map_or("nothing", String::as_str);
            Err(format!("{url} answers {name}: {found} instead of {value}"))
        }
        _ => Ok((answer.status, elapsed)),
    }
}

async fn measure(latency: &Latency, client: &Client, urls: &BTreeMap<String, String>) -> Result<String, String> {
    for _ in 0..WARM_UPS {
        ask(&latency.check, client, urls).await?;
    }
    let mut times = Vec::with_capacity(MEASURED);
    for _ in 0..MEASURED {
        times.push(ask(&latency.check, client, urls).await?.1);
    }
    judge(times, latency)
}

/// Is it as fast as it must be?
fn judge(mut times: Vec<Duration>, latency: &Latency) -> Result<String, String> {
    times.sort_unstable();
    let at =
        |share: usize| times.get((times.len() * share).div_ceil(100).saturating_sub(1)).map_or(0, Duration::as_millis);
    let (p95, longest) = (at(95), at(100));
    let found = format!("p95 {p95} ms of at most {}, longest {longest} ms of at most {}", latency.p95, latency.longest);
    let fast = p95 <= u128::from(latency.p95) && longest <= u128::from(latency.longest);
    if fast { Ok(found) } else { Err(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(times: &[u64]) -> Result<String, String> {
        let check = LiveCheck::preflight("Api", Method::Get, "/", "https://example.com");
        let latency = Latency { check, p95: 100, longest: 1_000 };
        judge(times.iter().copied().map(Duration::from_millis).collect(), &latency)
    }

    #[test]
    fn one_of_twenty_may_be_slow_and_none_too_slow() {
        let mut times = vec![50; 19];
        times.push(900);
        assert_eq!(judged(&times).expect("fast"), "p95 50 ms of at most 100, longest 900 ms of at most 1000");
        times[0] = 900;
        assert!(judged(&times).expect_err("slow").starts_with("p95 900 ms"));
        let mut times = vec![50; 19];
        times.push(1_001);
        assert!(judged(&times).is_err());
    }

    #[tokio::test]
    async fn what_is_not_deployed_fails() {
        let check = LiveCheck::refuses_strangers("Api", Method::Get, "/");
        let error = ask(&check, &Client::default(), &BTreeMap::new()).await.expect_err("nothing there");
        assert_eq!(error, "Api is not deployed");
    }
}
