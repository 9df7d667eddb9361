//! The worker's health and the depth of its queue.

use std::time::Duration;

use axum::{extract::State, http::StatusCode};
use common::outbound::{OutboundError, Response};
use serde_json::{Value, json};

use super::shared::{Answer, Shared, ok};
use crate::{
    app::App,
    aws::AwsError,
    error::ApiError,
    registry::{INVALID_ANSWER, describe, health_url},
    time,
};

const TIMEOUT: Duration = Duration::from_secs(10);
const MAX_ANSWER_BYTES: usize = 64 * 1024;

enum WorkerError {
    /// The worker reports an error.
    Unhealthy(String),
    /// The worker does not answer.
    Unavailable(String),
}

pub(crate) async fn health(State(app): Shared) -> Answer {
    let (worker, queue) = tokio::join!(worker_health(&app), queue_depths(&app));
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
        Err(WorkerError::Unhealthy(error)) => ("unhealthy", error),
        Err(WorkerError::Unavailable(error)) => ("unavailable", error),
    };
    Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, error)
        .with("worker_status", status)
        .with("worker_url", json!(app.worker_url))
        .with("timestamp", time::now())
        .with("queue", queue))
}

async fn worker_health(app: &App) -> Result<Value, WorkerError> {
    let Some(url) = &app.worker_url else {
        return Err(WorkerError::Unavailable("Worker service URL is not configured".to_owned()));
    };
    parse_health(app.trusted.get(&health_url(url), TIMEOUT, MAX_ANSWER_BYTES).await)
}

fn parse_health(response: Result<Response, OutboundError>) -> Result<Value, WorkerError> {
    match response {
        Ok(Response { status: 200, body }) => {
            serde_json::from_slice(&body).map_err(|_| WorkerError::Unhealthy(INVALID_ANSWER.to_owned()))
        }
        Ok(Response { status, .. }) => Err(WorkerError::Unhealthy(format!("HTTP {status}"))),
        Err(error) => match describe(error) {
            INVALID_ANSWER => Err(WorkerError::Unhealthy(INVALID_ANSWER.to_owned())),
            text => Err(WorkerError::Unavailable(text.to_owned())),
        },
    }
}

async fn queue_depths(app: &App) -> Result<Value, AwsError> {
    let (waiting, dead) = tokio::try_join!(app.queue.depth(), app.dead.depth())?;
    Ok(json!({"visible": waiting.visible, "in_flight": waiting.in_flight, "dead": dead.visible}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worker_answers_are_classified() {
        let response = |status, body: &str| parse_health(Ok(Response { status, body: body.as_bytes().to_vec() }));
        assert!(matches!(response(200, r#"{"ok": true}"#), Ok(value) if value == json!({"ok": true})));
        assert!(
            matches!(response(200, "<html>"), Err(WorkerError::Unhealthy(text)) if text == "Invalid health response")
        );
        assert!(matches!(response(500, "{}"), Err(WorkerError::Unhealthy(text)) if text == "HTTP 500"));
        assert!(
            matches!(parse_health(Err(OutboundError::Timeout)), Err(WorkerError::Unavailable(text)) if text == "Connection timeout")
        );
        assert!(
            matches!(parse_health(Err(OutboundError::Refused)), Err(WorkerError::Unavailable(text)) if text == "Connection refused")
        );
    }
}
