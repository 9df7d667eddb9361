//! The API's shell: who may call which route, in which order that is checked, what a failure looks like, and what is
//! written down about each request.

mod access;
mod cors;
pub(crate) mod shell;

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRequestParts, Request},
    http::{StatusCode, request::Parts},
    middleware::{from_fn, from_fn_with_state},
    routing::MethodFilter,
};
use contract::{Method, Route, Routes};
pub use cors::Origins;
pub(crate) use shell::Degraded;
use thakii_contract::routes::ApiRoute;

use crate::{api, app::App, auth::identity::Identity, error::ApiError};

/// Every route of the API, with everything around it.
pub fn router(app: App) -> Router {
    let app = Arc::new(app);
    let mut router = Router::new();
    for route in ApiRoute::ALL {
        let Route { method, path } = route.route();
        let handler = api::handler(*route, filter(method));
        router = router.route(path, handler.layer(from_fn_with_state((app.clone(), *route), shell::serve)));
    }
    router
        .fallback(async |request: Request| {
            let message = format!("Endpoint {} not found", request.uri().path());
            ApiError::not_found("Not Found").with("message", message)
        })
        .method_not_allowed_fallback(async || ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed"))
        // The extractors have a limit of their own, with an answer that is contract.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn(shell::record))
        .layer(from_fn_with_state(app.origins.clone(), cors::layer))
        .with_state(app)
}

/// The contract's method as axum's.
fn filter(method: Method) -> MethodFilter {
    match method {
        Method::Delete => MethodFilter::DELETE,
        Method::Get => MethodFilter::GET,
        Method::Head => MethodFilter::HEAD,
        Method::Options => MethodFilter::OPTIONS,
        Method::Patch => MethodFilter::PATCH,
        Method::Post => MethodFilter::POST,
        Method::Put => MethodFilter::PUT,
    }
}

/// The verified caller of a route that wants one.
#[derive(Debug, Clone)]
pub struct Caller(pub Arc<Identity>);

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        // Only a route that is declared open lacks it, and no handler of those asks.
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| ApiError::unauthorized("No Authorization header provided"))
    }
}

#[cfg(test)]
mod tests;
