//! The worker's health and the depth of its queue.

use std::time::Duration;

use axum::{extract::State, http::StatusCode};
use serde_json::{Value, json};

use super::shared::{Answer, Shared, ok};
use crate::{
    app::App,
    aws::AwsError,
    error::ApiError,
    outbound::{Answer as Heard, OutboundError},
    registry::health_url,
    time,
};

const PATIENCE: Duration = Duration::from_secs(10);
const LARGEST: usize = 64 * 1024;

enum Trouble {
    /// The worker reports an error.
    Unhealthy(String),
    /// The worker does not answer.
    Unavailable(String),
}

pub(crate) async fn health(State(app): Shared) -> Answer {
    let (worker, queue) = tokio::join!(worker(&app), queue(&app));
    let queue = queue?;
    let (status, error) = match worker {
        Ok(response) => {
            return ok(json!({
                "worker_status": "healthy",
                "worker_url": app.worker_url,
                "worker_response": response,
                "timestamp": time::now(),
                "queue": queue,
            }));
        }
        Err(Trouble::Unhealthy(error)) => ("unhealthy", error),
        Err(Trouble::Unavailable(error)) => ("unavailable", error),
    };
    Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, error)
        .with("worker_status", status)
        .with("worker_url", json!(app.worker_url))
        .with("timestamp", time::now())
        .with("queue", queue))
}

async fn worker(app: &App) -> Result<Value, Trouble> {
    let Some(url) = &app.worker_url else {
        return Err(Trouble::Unavailable("Worker service URL is not configured".to_owned()));
    };
    judged(app.trusted.get(&health_url(url), PATIENCE, LARGEST).await)
}

fn judged(heard: Result<Heard, OutboundError>) -> Result<Value, Trouble> {
    match heard {
        Ok(Heard { status: 200, body }) => {
            serde_json::from_slice(&body).map_err(|_| Trouble::Unhealthy(OutboundError::Unreadable.to_string()))
        }
        Ok(Heard { status, .. }) => Err(Trouble::Unhealthy(format!("HTTP {status}"))),
        Err(OutboundError::Unreadable) => Err(Trouble::Unhealthy(OutboundError::Unreadable.to_string())),
        Err(error) => Err(Trouble::Unavailable(error.to_string())),
    }
}

async fn queue(app: &App) -> Result<Value, AwsError> {
    let (waiting, dead) = tokio::try_join!(app.queue.depth(), app.dead.depth())?;
    Ok(json!({"visible": waiting.visible, "in_flight": waiting.in_flight, "dead": dead.visible}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_judged() {
        let heard = |status, body: &str| judged(Ok(Heard { status, body: body.as_bytes().to_vec() }));
        assert!(matches!(heard(200, r#"{"ok": true}"#), Ok(value) if value == json!({"ok": true})));
        assert!(matches!(heard(200, "<html>"), Err(Trouble::Unhealthy(text)) if text == "Invalid health response"));
        assert!(matches!(heard(500, "{}"), Err(Trouble::Unhealthy(text)) if text == "HTTP 500"));
        assert!(
            matches!(judged(Err(OutboundError::Timeout)), Err(Trouble::Unavailable(text)) if text == "Connection timeout")
        );
        assert!(
            matches!(judged(Err(OutboundError::Refused)), Err(Trouble::Unavailable(text)) if text == "Connection refused")
        );
    }
}
