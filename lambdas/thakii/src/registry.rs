//! Health checks of registered servers: `GET <url>/health`.

use std::time::{Duration, Instant};

use common::outbound::{Outbound, OutboundError, Settings};
use futures_util::{StreamExt, stream};
use serde::de::IgnoredAny;
use serde_json::Value;
use tables::to_storable;

use crate::{
    aws::AwsError,
    tables::servers::{Health, Server, Servers},
    time,
};

/// The time limit of one server.
const SERVER_TIMEOUT: Duration = Duration::from_secs(5);
/// The time limit of a check of all servers, including the storing of results: one second before the API's own
/// deadline.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(25);
/// The time limit of all calls; the rest of the total time is for storing the results.
const CALLS_TIMEOUT: Duration = Duration::from_secs(22);
/// The number of concurrent checks.
const CONCURRENCY: usize = 10;
/// The description of an answer that makes no sense.
pub(crate) const INVALID_ANSWER: &str = "Invalid health response";
/// How calls to servers and issuers introduce themselves.
pub(crate) const USER_AGENT: &str = "thakii-backend";
/// The largest accepted answer, in bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Creates a client for registered servers; a guarded one calls public addresses only.
pub(crate) fn client(guarded: bool) -> Outbound {
    Outbound::new(if guarded { Settings::guarded(USER_AGENT) } else { Settings::open(USER_AGENT) })
}

/// Describes a failed health check in the API's words.
pub(crate) const fn describe(error: OutboundError) -> &'static str {
    match error {
        OutboundError::Forbidden => "Server URL not allowed",
        OutboundError::Timeout => "Connection timeout",
        OutboundError::Refused => "Connection refused",
        OutboundError::Unreadable
        | OutboundError::Interrupted
        | OutboundError::TooLarge
        | OutboundError::TooManyRedirects => INVALID_ANSWER,
    }
}

/// Returns the address of a server's health check.
pub(crate) fn health_url(url: &str) -> String {
    format!("{}/health", url.trim_end_matches('/'))
}

pub(crate) async fn check_server(outbound: &Outbound, url: &str) -> Health {
    check_with_timeout(SERVER_TIMEOUT, outbound, url).await
}

async fn check_with_timeout(timeout: Duration, outbound: &Outbound, url: &str) -> Health {
    let started = Instant::now();
    let answer = outbound.get(&health_url(url), timeout, MAX_ANSWER_BYTES).await;
    let seconds = started.elapsed().as_secs_f64();
    let mut health = Health {
        healthy: false,
        response_time: None,
        status_code: None,
        server_info: None,
        error: None,
        checked_at: time::now(),
    };
    match answer {
        Ok(answer) => {
            health.response_time = Some((seconds * 1000.0).round() / 1000.0);
            health.status_code = Some(answer.status);
            match serde_json::from_slice::<Value>(&answer.body) {
                _ if answer.status != 200 => health.error = Some(format!("HTTP {}", answer.status)),
                Ok(info) => {
                    health.healthy = true;
                    health.server_info = Some(to_storable(info));
                }
                // JSON with more levels than a value may have. Skipping it has no such limit.
                Err(_) if serde_json::from_slice::<IgnoredAny>(&answer.body).is_ok() => health.healthy = true,
                Err(_) => health.error = Some(INVALID_ANSWER.to_owned()),
            }
        }
        Err(error) => health.error = Some(describe(error).to_owned()),
    }
    health
}

/// The time limits of a check of all servers.
#[derive(Debug, Clone, Copy)]
struct TimeLimits {
    /// One server.
    server: Duration,
    /// All calls. A server without an answer by then counts as timed out.
    calls: Duration,
    /// All calls and the storing of their results.
    total: Duration,
}

const TIME_LIMITS: TimeLimits = TimeLimits { server: SERVER_TIMEOUT, calls: CALLS_TIMEOUT, total: TOTAL_TIMEOUT };

#[derive(Debug)]
pub(crate) struct CheckResults {
    pub(crate) servers: Vec<(Server, Health)>,
    /// The first failure to store a result.
    pub(crate) write_error: Option<AwsError>,
}

impl CheckResults {
    pub(crate) fn healthy(&self) -> usize {
        self.servers.iter().filter(|(_, health)| health.healthy).count()
    }
}

/// Checks all servers and stores each result as it arrives, within the time limits.
pub(crate) async fn check_servers(servers: &Servers, outbound: &Outbound) -> Result<CheckResults, AwsError> {
    check_servers_within(TIME_LIMITS, servers, outbound).await
}

async fn check_servers_within(
    limits: TimeLimits,
    servers: &Servers,
    outbound: &Outbound,
) -> Result<CheckResults, AwsError> {
    let start = tokio::time::Instant::now();
    let (calls_end, end) = (start + limits.calls, start + limits.total);
    let late = |_| AwsError::unexpected("check all servers", "the table took too long");
    let all = tokio::time::timeout_at(end, servers.list()).await.map_err(late)??;
    let checks = all.into_iter().map(|server| async move {
        let check = tokio::time::timeout_at(calls_end, check_with_timeout(limits.server, outbound, &server.url));
        let health = check.await.unwrap_or_else(|_| timed_out());
        let written = tokio::time::timeout_at(end, servers.record_health(&server.id, &health)).await;
        let written = written.map_err(late).and_then(|written| written);
        ((server, health), written)
    });
    let results: Vec<_> = stream::iter(checks).buffer_unordered(CONCURRENCY).collect().await;
    let (servers, written): (Vec<_>, Vec<_>) = results.into_iter().unzip();
    Ok(CheckResults { servers, write_error: written.into_iter().find_map(Result::err) })
}

fn timed_out() -> Health {
    Health {
        healthy: false,
        response_time: None,
        status_code: None,
        server_info: None,
        error: Some(describe(OutboundError::Timeout).to_owned()),
        checked_at: time::now(),
    }
}

#[cfg(test)]
mod tests;
