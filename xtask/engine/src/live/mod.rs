//! Looks at a deployed system from outside, as its clients do: health, who is turned away, browsers, and how fast it is.

pub mod sign_in;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use contract::Method;
use model::rendered::{Latency, LiveCheck, LiveKind, RenderedSystem, SignIn};
use serde::Serialize;

use crate::{
    http::{Client, Request},
    release::smoke::SmokeTest,
};

/// How often a check is tried: a stage of API Gateway needs a moment until every one of its machines knows it.
const TRIES: u32 = 3;
/// How long between tries.
const PAUSE: Duration = Duration::from_secs(1);
/// How many requests come before those that are measured: the first may start a function.
const WARM_UPS: usize = 3;
/// How many requests are measured.
const MEASURED: usize = 20;

/// How many connections may be lost while the time is taken: the network's fault, not the system's. More are a failure.
const LOST_AT_MOST: usize = 2;

/// What came of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// The system.
    pub system: String,
    /// `health`, `auth`, `cors`, `served` or `latency`.
    pub kind: &'static str,
    /// What was asked.
    pub what: String,
    /// Was the answer right?
    pub passed: bool,
    /// What was wrong with it, or how fast it came.
    pub detail: String,
    /// What is right, and yet worth a look.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// Asks a system everything that it says of itself. `urls` are its APIs', by logical ID; one that is missing fails.
/// `token` is that of a user, or why there is none; `None` where the system has no users.
pub(crate) async fn check(
    system: &RenderedSystem,
    smoke: &[SmokeTest],
    token: Option<Result<String, String>>,
    urls: &BTreeMap<String, String>,
) -> Vec<Outcome> {
    let visitor = Visitor { client: Client::default(), urls };
    let mut outcomes = Vec::new();
    let outcome = |kind, what: String, result: Result<String, String>| {
        let passed = result.is_ok();
        let detail = result.unwrap_or_else(|wrong| wrong);
        Outcome { system: system.name.clone(), kind, what, passed, detail, warning: None }
    };
    for check in smoke {
        let result = patiently(async || check.run().await.map(|()| check.status.to_string())).await;
        let kind = if check.status == 401 { LiveKind::Auth.as_str() } else { "health" };
        outcomes.push(outcome(kind, format!("GET {}", check.url), result));
    }
    for check in &system.live {
        let result = visitor.patiently(check).await.map(|seen| seen.status.to_string());
        outcomes.push(outcome(check.kind.as_str(), check.title(), result));
    }
    if let (Some(sign_in), Some(token)) = (&system.sign_in, token) {
        for (what, result) in visitor.signed_in(sign_in, token).await {
            outcomes.push(outcome(LiveKind::Auth.as_str(), what, result));
        }
    }
    if let Some(latency) = &system.latency {
        let measured = visitor.measure(latency).await;
        let warning = measured.as_ref().ok().and_then(|measured| measured.warning.clone());
        let found = outcome("latency", latency.check.title(), measured.map(|measured| measured.found));
        outcomes.push(Outcome { warning, ..found });
    }
    outcomes
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

/// Somebody outside.
struct Visitor<'a> {
    client: Client,
    urls: &'a BTreeMap<String, String>,
}

/// A right answer.
struct Seen {
    status: u16,
    elapsed: Duration,
    json: Option<serde_json::Value>,
}

/// Why there is none.
enum Wrong {
    /// Nothing came, for this long.
    Lost(Duration, String),
    /// Another one came, or there is nobody to ask.
    Answer(String),
}

impl From<Wrong> for String {
    fn from(wrong: Wrong) -> Self {
        match wrong {
            Wrong::Lost(_, reason) | Wrong::Answer(reason) => reason,
        }
    }
}

/// How fast it is.
struct Measured {
    found: String,
    warning: Option<String>,
}

impl Visitor<'_> {
    /// Makes the request; what came, or what is wrong with the answer.
    async fn ask(&self, check: &LiveCheck) -> Result<Seen, Wrong> {
        let base = self.urls.get(&check.api).ok_or_else(|| Wrong::Answer(format!("{} is not deployed", check.api)))?;
        let url = format!("{}{}", base.trim_end_matches('/'), check.path);
        let request = Request::new(check.method.as_str(), &url);
        let request = check.headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        // API Gateway wants a body where there may be one.
        let request = if check.method == Method::Post { request.json(&serde_json::json!({})) } else { request };
        let started = Instant::now();
        let answer = self.client.send(request).await;
        let elapsed = started.elapsed();
        let answer = answer.map_err(|error| Wrong::Lost(elapsed, error.to_string()))?;
        if !check.statuses.contains(&answer.status) {
            let wanted: Vec<_> = check.statuses.iter().map(u16::to_string).collect();
            let wanted = wanted.join(" or ");
            return Err(Wrong::Answer(format!("{url} answers {} instead of {wanted}", answer.status)));
        }
        match &check.response_header {
            Some((name, value)) if answer.headers.get(name) != Some(value) => {
                let found = answer.headers.get(name).map_or("nothing", String::as_str);
                Err(Wrong::Answer(format!("{url} answers {name}: {found} instead of {value}")))
            }
            _ => Ok(Seen { status: answer.status, elapsed, json: answer.json() }),
        }
    }

    async fn patiently(&self, check: &LiveCheck) -> Result<Seen, String> {
        patiently(async || self.ask(check).await.map_err(String::from)).await
    }

    /// Everything that a user who signs in gets.
    async fn signed_in(
        &self,
        sign_in: &SignIn,
        token: Result<String, String>,
    ) -> Vec<(String, Result<String, String>)> {
        let title = |check: &LiveCheck| format!("{}, signed in", check.title());
        let mut token = match token {
            Ok(token) => token,
            Err(reason) => return vec![("sign in".to_owned(), Err(reason))],
        };
        let mut found = Vec::new();
        if let Some(exchange) = &sign_in.exchange {
            let answer = self.patiently(&with(&exchange.check, &token)).await;
            let exchanged =
                answer.and_then(|seen| match seen.json.as_ref().and_then(|json| json[&exchange.token].as_str()) {
                    Some(other) => Ok((seen.status, other.to_owned())),
                    None => Err(format!("{} answers no `{}`", exchange.check.path, exchange.token)),
                });
            found.push((title(&exchange.check), exchanged.clone().map(|(status, _)| status.to_string())));
            match exchanged {
                Ok((_, other)) => token = other,
                // What is behind it cannot be asked.
                Err(_) => return found,
            }
        }
        for check in &sign_in.checks {
            let result = self.patiently(&with(check, &token)).await.map(|seen| seen.status.to_string());
            found.push((title(check), result));
        }
        found
    }

    async fn measure(&self, latency: &Latency) -> Result<Measured, String> {
        let mut times = Vec::with_capacity(WARM_UPS + MEASURED);
        let mut lost = Vec::new();
        while times.len() < WARM_UPS + MEASURED {
            match self.ask(&latency.check).await {
                Ok(seen) => times.push(seen.elapsed),
                // Whoever waits longer than the budget has an answer: too slow.
                Err(Wrong::Lost(waited, reason))
                    if lost.len() < LOST_AT_MOST && waited < Duration::from_millis(u64::from(latency.longest)) =>
                {
                    lost.push(reason);
                }
                Err(wrong) => return Err(wrong.into()),
            }
        }
        judge(times.split_off(WARM_UPS), &lost, latency)
    }
}

/// The check with a user's token.
fn with(check: &LiveCheck, token: &str) -> LiveCheck {
    let mut check = check.clone();
    check.headers.push(("authorization".to_owned(), format!("Bearer {token}")));
    check
}

/// Is it as fast as it must be?
fn judge(mut times: Vec<Duration>, lost: &[String], latency: &Latency) -> Result<Measured, String> {
    times.sort_unstable();
    let at =
        |share: usize| times.get((times.len() * share).div_ceil(100).saturating_sub(1)).map_or(0, Duration::as_millis);
    let (p95, longest) = (at(95), at(100));
    let found = format!("p95 {p95} ms of at most {}, longest {longest} ms of at most {}", latency.p95, latency.longest);
    if p95 > u128::from(latency.p95) || longest > u128::from(latency.longest) {
        return Err(found);
    }
    let mut warnings = Vec::new();
    if p95 > u128::from(latency.expected) {
        warnings.push(format!("p95 should be at most {} ms", latency.expected));
    }
    if let Some(last) = lost.last() {
        warnings.push(format!("{} of {} connections lost: {last}", lost.len(), WARM_UPS + MEASURED + lost.len()));
    }
    Ok(Measured { found, warning: (!warnings.is_empty()).then(|| warnings.join("; ")) })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    fn latency() -> Latency {
        let check = LiveCheck::responds("Api", Method::Get, "/health", &[200]);
        Latency { check, expected: 60, p95: 100, longest: 1_000 }
    }

    fn judged(times: &[u64]) -> Result<Measured, String> {
        judge(times.iter().copied().map(Duration::from_millis).collect(), &[], &latency())
    }

    #[test]
    fn one_of_twenty_may_be_slow_and_none_too_slow() {
        let mut times = vec![50; 19];
        times.push(900);
        let measured = judged(&times).unwrap_or_else(|slow| panic!("{slow}"));
        assert_eq!(measured.found, "p95 50 ms of at most 100, longest 900 ms of at most 1000");
        assert_eq!(measured.warning, None);
        times[0] = 900;
        assert!(judged(&times).is_err_and(|slow| slow.starts_with("p95 900 ms")));
        let mut times = vec![50; 19];
        times.push(1_001);
        assert!(judged(&times).is_err());
        let slower = judged(&[70; 20]).unwrap_or_else(|slow| panic!("{slow}"));
        assert_eq!(slower.warning.as_deref(), Some("p95 should be at most 60 ms"));
    }

    #[tokio::test]
    async fn what_is_not_deployed_fails() {
        let check = LiveCheck::requires_token("Api", Method::Get, "/");
        let visitor = Visitor { client: Client::default(), urls: &BTreeMap::new() };
        let wrong = visitor.ask(&check).await.map(|seen| seen.status).map_err(String::from);
        assert_eq!(wrong.expect_err("nothing there"), "Api is not deployed");
    }

    /// A server that closes the first connections of these numbers without a word, and answers the others.
    fn server(loses: impl Fn(usize) -> bool + Send + 'static) -> BTreeMap<String, String> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("its address");
        std::thread::spawn(move || {
            for (number, connection) in listener.incoming().enumerate() {
                let mut connection = connection.expect("a connection");
                if loses(number) {
                    continue;
                }
                let _request = connection.read(&mut [0; 4096]).expect("a request");
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                connection.write_all(answer).expect("written");
            }
        });
        BTreeMap::from([("Api".to_owned(), format!("http://{address}"))])
    }

    #[tokio::test]
    async fn a_lost_connection_is_told_and_many_are_a_failure() {
        let urls = server(|number| number == 5);
        let visitor = Visitor { client: Client::default(), urls: &urls };
        let measured = visitor.measure(&Latency { expected: 900, p95: 900, ..latency() }).await;
        let warning = measured.map(|measured| measured.warning).unwrap_or_else(|slow| panic!("{slow}"));
        assert!(warning.as_deref().is_some_and(|told| told.starts_with("1 of 24 connections lost")), "{warning:?}");
        let urls = server(|number| number % 2 == 1);
        let visitor = Visitor { client: Client::default(), urls: &urls };
        let failed = visitor.measure(&Latency { expected: 900, p95: 900, ..latency() }).await;
        assert!(failed.is_err_and(|reason| reason.contains("no response from")));
    }
}
