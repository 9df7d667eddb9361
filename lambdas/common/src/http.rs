//! Functions behind a REST or HTTP API of API Gateway: converts its events to HTTP requests for an axum router, which is built
//! from the contract's routes.

use std::time::Instant;

use axum::{
    Router,
    extract::{DefaultBodyLimit, RawPathParams, Request, State, rejection::RawPathParamsRejection},
    http::{Method, StatusCode},
    middleware::{Next, from_fn, from_fn_with_state},
    response::Response,
    routing::{MethodFilter, MethodRouter},
};
use contract::{Function, FunctionName, Routes};
use lambda_http::{Adapter, Service};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

use crate::{
    ApiError,
    cors::{self, Origins},
    error::Cause,
    path, payload, probe,
};

/// Additional fields of a request's log line, which a handler adds to the response's extensions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Logged {
    /// The file, unless the path has a `filename`.
    pub filename: Option<String>,
    /// The size of the file, in bytes.
    pub bytes: Option<u64>,
    /// The path of the route, with the names of its parameters.
    pub route: Option<&'static str>,
    /// The role of the caller.
    pub role: Option<&'static str>,
}

/// Builds the router of all routes of `R`, with CORS, log lines, and JSON responses to unknown routes. `handler` matches
/// on the route, so a route without a handler does not compile.
pub fn router<F, R, S>(origins: Origins, state: S, handler: impl Fn(R, MethodFilter) -> MethodRouter<S>) -> Router
where
    F: Function,
    R: Routes,
    S: Clone + Send + Sync + 'static,
{
    let mut router = Router::new();
    for route in R::ALL {
        let contract::Route { method, path } = route.route();
        router = router.route(&path::pattern(path), handler(*route, method_filter(method)));
    }
    router
        .fallback(async || ApiError::not_found("there is no such route"))
        .method_not_allowed_fallback(async || {
            ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "the route does not take this method")
        })
        // Lambda already limits an event to 6 MB: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(origins, cors::layer))
        .layer(from_fn_with_state(F::NAME, log))
        .layer(from_fn(payload::join_headers))
        .with_state(state)
}

/// Converts the contract's method to axum's.
#[must_use]
pub fn method_filter(method: contract::Method) -> MethodFilter {
    match method {
        contract::Method::Delete => MethodFilter::DELETE,
        contract::Method::Get => MethodFilter::GET,
        contract::Method::Head => MethodFilter::HEAD,
        contract::Method::Options => MethodFilter::OPTIONS,
        contract::Method::Patch => MethodFilter::PATCH,
        contract::Method::Post => MethodFilter::POST,
        contract::Method::Put => MethodFilter::PUT,
    }
}

/// Serves requests until the instance ends.
///
/// # Errors
/// When Lambda's runtime interface fails.
pub async fn serve<F: Function>(router: Router) -> Result<(), Error> {
    lambda_runtime::run(service_fn(move |event| answer::<F>(router.clone(), event))).await
}

/// Responds to an event of API Gateway or to a probe.
///
/// # Errors
/// When the event is neither a probe nor a request of a REST or HTTP API.
pub async fn answer<F: Function>(router: Router, event: LambdaEvent<Value>) -> Result<Value, Error> {
    if let Some(ready) = probe::answer::<F>(&event.payload) {
        return Ok(serde_json::to_value(ready)?);
    }
    let event = LambdaEvent::new(payload::parse(event.payload)?, event.context);
    let response = Adapter::from(router).call(event).await?;
    Ok(serde_json::to_value(response)?)
}

/// Writes one line per request.
async fn log(
    State(function): State<FunctionName>,
    parameters: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let method: Method = request.method().clone();
    let in_path = parameters.ok().and_then(|parameters| {
        parameters.iter().find(|(name, _)| *name == "filename").map(|(_, value)| value.to_owned())
    });
    let response = next.run(request).await;
    let logged = response.extensions().get::<Logged>().cloned().unwrap_or_default();
    let filename = in_path.or(logged.filename);
    let status = response.status().as_u16();
    let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (method, filename) = (method.as_str(), filename.as_deref());
    let Logged { bytes, route, role, .. } = logged;
    match response.extensions().get::<Cause>() {
        Some(Cause(cause)) => {
            tracing::error!(
                %function,
                method,
                route,
                filename,
                status,
                ms,
                bytes,
                role,
                error = cause.as_ref(),
                "request"
            );
        }
        None => tracing::info!(%function, method, route, filename, status, ms, bytes, role, "request"),
    }
    response
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "http_api_tests.rs"]
mod http_api_tests;
