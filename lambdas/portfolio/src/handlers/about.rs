//! Name, health and description of the API.

use axum::{Json, extract::State};
use serde_json::Value;

use crate::{
    answers::{About, Health},
    app::Shared,
    openapi::{self, VERSION},
};

pub(crate) async fn root() -> Json<About> {
    Json(About { message: "Portfolio API", version: VERSION })
}

pub(crate) async fn health(State(app): Shared) -> Json<Health> {
    Json(Health { status: "healthy", environment: app.settings.stage.clone(), version: VERSION })
}

pub(crate) async fn description() -> Json<&'static Value> {
    Json(openapi::document())
}
