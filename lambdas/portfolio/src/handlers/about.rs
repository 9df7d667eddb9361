//! What this is, whether it is up, and what it can do.

use axum::{Json, extract::State};
use serde_json::Value;

use crate::{
    answers::{About, Health},
    app::Shared,
    openapi::{self, VERSION},
};

/// What this is.
pub(crate) async fn root() -> Json<About> {
    Json(About { message: "Portfolio API", version: VERSION })
}

/// It is up.
pub(crate) async fn health(State(app): Shared) -> Json<Health> {
    Json(Health { status: "healthy", environment: app.settings.stage.clone(), version: VERSION })
}

/// The API's description.
pub(crate) async fn description() -> Json<&'static Value> {
    Json(openapi::document())
}
