//! The health check. It calls no other service.

use axum::extract::State;
use serde_json::json;

use super::shared::{Answer, Shared, ok};
use crate::time;

pub(crate) async fn get(State(app): Shared) -> Answer {
    ok(json!({
        "service": "Thakii Lecture2PDF Service",
        "status": "healthy",
        "database": "DynamoDB",
        "storage": "S3",
        "timestamp": time::now(),
        "version": env!("CARGO_PKG_VERSION"),
        "stage": app.stage,
    }))
}
