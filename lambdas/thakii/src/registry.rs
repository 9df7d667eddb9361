//! Health checks of registered servers: `GET <url>/health`.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use serde_json::Value;

use crate::{
    aws::AwsError,
    outbound::{Outbound, OutboundError},
    tables::servers::{Health, Server, Servers},
    time,
};

/// The time limit of one server.
const PATIENCE: Duration = Duration::from_secs(5);
/// The time limit of a check of all servers, including the storing of results: one second before the API's own
/// deadline.
const BUDGET: Duration = Duration::from_secs(25);
/// The time limit of all calls; the rest of the budget is for storing the results.
const ASKING: Duration = Duration::from_secs(22);
/// The number of concurrent checks.
const AT_ONCE: usize = 10;
/// The largest accepted answer, in bytes.
const LARGEST: usize = 64 * 1024;

/// Returns the address of a server's health check.
pub(crate) fn health_url(url: &str) -> String {
    format!("{}/health", url.trim_end_matches('/'))
}

pub(crate) async fn check(outbound: &Outbound, url: &str) -> Health {
    check_for(PATIENCE, outbound, url).await
}

async fn check_for(patience: Duration, outbound: &Outbound, url: &str) -> Health {
    let started = Instant::now();
    let answer = outbound.get(&health_url(url), patience, LARGEST).await;
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
                    health.server_info = Some(info);
                }
                Err(_) => health.error = Some(OutboundError::Unreadable.to_string()),
            }
        }
        Err(error) => health.error = Some(error.to_string()),
    }
    health
}

/// The time limits of a check of all servers.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// One server.
    patience: Duration,
    /// All calls. A server without an answer by then counts as timed out.
    asking: Duration,
    /// All calls and the storing of their results.
    budget: Duration,
}

const PACE: Pace = Pace { patience: PATIENCE, asking: ASKING, budget: BUDGET };

#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) servers: Vec<(Server, Health)>,
    /// The first failure to store a result.
    pub(crate) unnoted: Option<AwsError>,
}

impl Checked {
    pub(crate) fn healthy(&self) -> usize {
        self.servers.iter().filter(|(_, health)| health.healthy).count()
    }
}

/// Checks all servers and stores each result as it arrives, within the time limits.
pub(crate) async fn check_all(servers: &Servers, outbound: &Outbound) -> Result<Checked, AwsError> {
    check_within(PACE, servers, outbound).await
}

async fn check_within(pace: Pace, servers: &Servers, outbound: &Outbound) -> Result<Checked, AwsError> {
    let start = tokio::time::Instant::now();
    let (asking, end) = (start + pace.asking, start + pace.budget);
    let late = |_| AwsError::odd("check all servers", "the table took too long");
    let all = tokio::time::timeout_at(end, servers.all()).await.map_err(late)??;
    let asked = all.into_iter().map(|server| async move {
        let check = tokio::time::timeout_at(asking, check_for(pace.patience, outbound, &server.url));
        let health = check.await.unwrap_or_else(|_| timed_out());
        let noted = tokio::time::timeout_at(end, servers.checked(&server.id, &health)).await;
        let noted = noted.map_err(late).and_then(|noted| noted);
        ((server, health), noted)
    });
    let heard: Vec<_> = stream::iter(asked).buffer_unordered(AT_ONCE).collect().await;
    let (servers, noted): (Vec<_>, Vec<_>) = heard.into_iter().unzip();
    Ok(Checked { servers, unnoted: noted.into_iter().find_map(Result::err) })
}

fn timed_out() -> Health {
    Health {
        healthy: false,
        response_time: None,
        status_code: None,
        server_info: None,
        error: Some(OutboundError::Timeout.to_string()),
        checked_at: time::now(),
    }
}

#[cfg(test)]
mod tests;
