//! Function `meta`: the system's health, and the description of the API as a document and as a page.

mod docs;
mod health;
pub mod openapi;

use std::sync::Arc;

use analyticbot_contract::{Meta, routes::MetaRoute};
use aws_config::SdkConfig;
use axum::{
    Json, Router,
    extract::State,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
    routing::on,
};
use common::{Error, Started};

use self::health::Parts;
use crate::{http::router, wire::HealthStatus};

/// Serves the function.
///
/// # Errors
/// When Lambda's runtime interface fails.
pub async fn serve(Started { environment, aws }: Started<Meta>) -> Result<(), Error> {
    common::http::serve::<Meta>(router(environment, &aws)).await
}

fn router(environment: Meta, aws: &SdkConfig) -> Router {
    let parts = Arc::new(Parts::new(environment, aws));
    router::router::<Meta, MetaRoute, _>(parts, |route, method| match route {
        MetaRoute::Health => on(method, health),
        MetaRoute::OpenApi => on(method, async || Json(openapi::document())),
        MetaRoute::Docs => on(method, page),
    })
}

async fn health(State(parts): State<Arc<Parts>>) -> Response {
    let health = parts.health().await;
    let status = match health.status {
        HealthStatus::Healthy => StatusCode::OK,
        HealthStatus::Degraded => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, [(CACHE_CONTROL, "no-store")], Json(health)).into_response()
}

async fn page() -> Response {
    let (page, policy) = docs::page();
    let headers = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, policy)];
    (headers, page).into_response()
}

#[cfg(test)]
mod tests;
