//! Routers: every route of a function's contract with its handler, error responses for all others, and one log line per request.

use std::time::Instant;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::HeaderValue,
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::{MethodFilter, MethodRouter},
};
use common::http::method_filter;
use contract::{Function, FunctionName, Route, Routes};

use super::{
    caller::LoggedUser,
    error::{ApiError, Code, Failed},
};

/// The path of a response's route, with the names of its parameters.
#[derive(Debug, Clone, Copy)]
struct Served(&'static str);

/// Builds the router of all routes of `R`. `handler` matches on the route, so a route without a handler does not compile.
///
/// API Gateway answers preflights and adds the headers of CORS.
pub fn router<F, R, S>(state: S, handler: impl Fn(R, MethodFilter) -> MethodRouter<S>) -> Router
where
    F: Function,
    R: Routes,
    S: Clone + Send + Sync + 'static,
{
    let mut router = Router::new();
    for route in R::ALL {
        let Route { method, path } = route.route();
        router = router.route(path, handler(*route, method_filter(method)).layer(from_fn_with_state(path, label)));
    }
    router
        .fallback(async || ApiError::new(Code::NotFound, "There is no such route"))
        .method_not_allowed_fallback(async || {
            ApiError::new(Code::MethodNotAllowed, "The route does not support this method")
        })
        // Bodies have a limit of their own, with an error of this API.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(F::NAME, log))
        .with_state(state)
}

async fn label(State(path): State<&'static str>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.extensions_mut().insert(Served(path));
    response
}

/// Writes one line per request: no header, body, query or parameter of a path. The runtime adds the request's ID.
async fn log(State(function): State<FunctionName>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let user = LoggedUser::default();
    request.extensions_mut().insert(user.clone());
    let mut response = next.run(request).await;
    response.headers_mut().insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    let route = response.extensions().get::<Served>().map(|Served(path)| *path);
    let (method, user_id, status) = (method.as_str(), user.get(), response.status().as_u16());
    let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let failed = response.extensions().get::<Failed>();
    let (code, cause) = (failed.map(|failed| failed.code), failed.and_then(|failed| failed.cause.as_deref()));
    if response.status().is_server_error() {
        tracing::error!(%function, method, route, user_id, status, ms, code, error = cause, "request");
    } else {
        tracing::info!(%function, method, route, user_id, status, ms, code, reason = cause, "request");
    }
    response
}

#[cfg(test)]
mod tests;
