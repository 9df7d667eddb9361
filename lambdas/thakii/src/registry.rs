//! Checks of registered servers: `GET <url>/health`, and what its answer means.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use serde_json::Value;

use crate::{
    aws::AwsError,
    outbound::{Outbound, OutboundError},
    tables::servers::{Health, Server, Servers},
    time,
};

/// How long a server may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long all servers may take together.
const BUDGET: Duration = Duration::from_secs(25);
/// How many are asked at once.
const AT_ONCE: usize = 10;
/// The most bytes of an answer.
const LARGEST: usize = 64 * 1024;

/// Where a server tells how it is.
#[must_use]
pub fn health_url(url: &str) -> String {
    format!("{}/health", url.trim_end_matches('/'))
}

/// Asks a server how it is.
pub async fn check(outbound: &Outbound, url: &str) -> Health {
    let started = Instant::now();
    let answer = outbound.get(&health_url(url), PATIENCE, LARGEST).await;
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

/// Asks all servers, and notes what they say. Those not heard within the budget count as too slow.
///
/// # Errors
/// When the table fails.
pub async fn check_all(servers: &Servers, outbound: &Outbound) -> Result<Vec<(Server, Health)>, AwsError> {
    let deadline = tokio::time::Instant::now() + BUDGET;
    let asked = servers.all().await?.into_iter().map(|server| async move {
        let check = tokio::time::timeout_at(deadline, check(outbound, &server.url));
        let health = check.await.unwrap_or_else(|_| timed_out());
        (server, health)
    });
    let heard: Vec<(Server, Health)> = stream::iter(asked).buffer_unordered(AT_ONCE).collect().await;
    for (server, health) in &heard {
        servers.checked(&server.id, health).await?;
    }
    Ok(heard)
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
