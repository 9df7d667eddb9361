//! The router of the API: the handler of each route.

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    http::StatusCode,
    middleware::{from_fn, from_fn_with_state},
    routing::{MethodFilter, MethodRouter, on},
};
use common::{
    cors::{self, Origins, Policy},
    http::method_filter,
};
use contract::{Route, Routes};
use thakii_contract::{limits::CORS_MAX_AGE, routes::ApiRoute};

use crate::{
    api::{
        admin_videos, admins, assemble, chunks, health, notifications, servers, sign_in, statistics, test_notification,
        upload, videos, worker,
    },
    app::App,
    error::ApiError,
    http::middleware,
};

const CORS: Policy = Policy {
    methods: "GET, POST, PUT, DELETE, OPTIONS",
    headers: "Content-Type, Authorization",
    exposed: "X-Next-Token, Retry-After",
    max_age: CORS_MAX_AGE,
    credentials: true,
    preflight_status: StatusCode::OK,
    first_without_origin: true,
};

/// Returns the router of all routes, with their middleware.
pub fn router(app: App) -> Router {
    let origins = Origins::parse(&app.allowed_origins).policy(CORS);
    let app = Arc::new(app);
    let mut router = Router::new();
    for route in ApiRoute::ALL {
        let Route { method, path } = route.route();
        let handler = handler(*route, method_filter(method));
        router = router.route(path, handler.layer(from_fn_with_state((app.clone(), *route), middleware::serve_route)));
    }
    router
        .fallback(async |request: Request| {
            let message = format!("Endpoint {} not found", request.uri().path());
            ApiError::not_found("Not Found").with("message", message)
        })
        .method_not_allowed_fallback(async || ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed"))
        // The extractors enforce a limit of their own, whose answer is part of the contract.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn(middleware::log_request))
        .layer(from_fn_with_state(origins, cors::layer))
        .with_state(app)
}

/// Returns the handler of a route. A route without a handler does not compile.
fn handler(route: ApiRoute, method: MethodFilter) -> MethodRouter<Arc<App>> {
    match route {
        ApiRoute::Health => on(method, health::get),
        ApiRoute::Login => on(method, sign_in::login),
        ApiRoute::ExchangeToken => on(method, sign_in::exchange),
        ApiRoute::User => on(method, sign_in::user),
        ApiRoute::Upload => on(method, upload::post),
        ApiRoute::UploadChunk => on(method, chunks::post),
        ApiRoute::AssembleFile => on(method, assemble::post),
        ApiRoute::List => on(method, videos::list),
        ApiRoute::Status => on(method, videos::status),
        ApiRoute::Download => on(method, videos::download),
        ApiRoute::Notifications => on(method, notifications::list),
        ApiRoute::MarkNotification => on(method, notifications::mark),
        ApiRoute::Stats => on(method, statistics::get),
        ApiRoute::Videos => on(method, admin_videos::list),
        ApiRoute::DeleteVideo => on(method, admin_videos::delete),
        ApiRoute::TestNotification => on(method, test_notification::post),
        ApiRoute::Servers => on(method, servers::list),
        ApiRoute::AddServer => on(method, servers::add),
        ApiRoute::UpdateServer => on(method, servers::update),
        ApiRoute::DeleteServer => on(method, servers::delete),
        ApiRoute::CheckServers => on(method, servers::check),
        ApiRoute::Admins => on(method, admins::list),
        ApiRoute::AddAdmin => on(method, admins::add),
        ApiRoute::UpdateAdmin => on(method, admins::update),
        ApiRoute::RemoveAdmin => on(method, admins::remove),
        ApiRoute::AdminStats => on(method, admins::statistics),
        ApiRoute::WorkerHealth => on(method, worker::health),
    }
}
