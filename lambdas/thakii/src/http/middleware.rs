//! The middleware of every route: authorization, deadline, error texts, metrics and the log line.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};
use contract::Routes;
use lambda_http::RequestExt;
use serde_json::{Map, Value, json};
use thakii_contract::{
    limits::{DEADLINE_SECONDS, TIMEOUT},
    metrics::{AUTH_FAILURES, FAST_ROUTE_MS, LIST_DEGRADED},
    routes::ApiRoute,
};

use super::{access::authorize, caller::Caller};
use crate::{
    app::App,
    error::Failure,
    metrics::{self, Metric},
};

/// Marks an empty list whose table failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Degraded;

/// The fields of a response's log line.
#[derive(Debug, Clone, Default)]
struct LogFields {
    route: Option<&'static str>,
    uid: Option<String>,
}

/// Serves one route around its handler.
pub(crate) async fn serve_route(
    State((app, route)): State<(Arc<App>, ApiRoute)>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let request_id = request_id(&request);
    let mut log_fields = LogFields { route: Some(route.route().path), uid: None };
    let served = async {
        // The request is not `Sync`, so only its headers are borrowed across the await.
        let headers = std::mem::take(request.headers_mut());
        let authorized = authorize(&app, route, &headers).await;
        *request.headers_mut() = headers;
        match authorized {
            Ok(None) => next.run(request).await,
            Ok(Some(identity)) => {
                log_fields.uid = Some(identity.uid.clone());
                request.extensions_mut().insert(Caller(Arc::new(identity)));
                next.run(request).await.rewrite_failure(|body| mark_unsuccessful(route, body))
            }
            Err(error) => error.into_response(),
        }
    };
    let served = tokio::time::timeout(Duration::from_secs(DEADLINE_SECONDS), served).await;
    let mut response = served.unwrap_or_else(|_| timed_out());
    response = with_fixed_text(response, route, &request_id);
    emit_metrics(&app.stage, route, &response, started);
    response.extensions_mut().insert(log_fields);
    response
}

trait RewriteFailure {
    fn rewrite_failure(self, change: impl FnOnce(&mut Map<String, Value>)) -> Self;
}

impl RewriteFailure for Response {
    fn rewrite_failure(mut self, change: impl FnOnce(&mut Map<String, Value>)) -> Self {
        let Some(mut failure) = self.extensions_mut().remove::<Failure>() else { return self };
        change(&mut failure.body);
        let mut response = (self.status(), self.headers().clone(), Json(&failure.body)).into_response();
        // The length was that of the old body.
        response.headers_mut().remove(axum::http::header::CONTENT_LENGTH);
        *response.extensions_mut() = std::mem::take(self.extensions_mut());
        response.extensions_mut().insert(failure);
        response
    }
}

/// Adds `success: false` to failed writes of admins and servers, which is part of the contract.
fn mark_unsuccessful(route: ApiRoute, body: &mut Map<String, Value>) {
    let reports_success = matches!(
        route,
        ApiRoute::AddServer
            | ApiRoute::UpdateServer
            | ApiRoute::DeleteServer
            | ApiRoute::AddAdmin
            | ApiRoute::UpdateAdmin
            | ApiRoute::RemoveAdmin
    );
    if reports_success {
        body.insert("success".to_owned(), json!(false));
    }
}

/// Replaces the text of a server error by a fixed one, and adds the request ID.
fn with_fixed_text(response: Response, route: ApiRoute, request_id: &str) -> Response {
    if !response.status().is_server_error() {
        return response;
    }
    response.rewrite_failure(|body| {
        body.entry("error").or_insert_with(|| json!(failure_text(route)));
        body.insert("request_id".to_owned(), json!(request_id));
    })
}

/// The error text of a route for failures that are not the client's.
const fn failure_text(route: ApiRoute) -> &'static str {
    match route {
        ApiRoute::Health => "Failed to check health",
        ApiRoute::Login => "Failed to log in",
        ApiRoute::ExchangeToken => "Failed to exchange token",
        ApiRoute::User => "Failed to get user",
        ApiRoute::Upload => "Failed to upload file",
        ApiRoute::UploadChunk => "Failed to upload chunk",
        ApiRoute::AssembleFile => "Failed to assemble file",
        ApiRoute::List => "Failed to list videos",
        ApiRoute::Status => "Failed to get video status",
        ApiRoute::Download => "Failed to get download URL",
        ApiRoute::Notifications => "Failed to list notifications",
        ApiRoute::MarkNotification => "Failed to update notification",
        ApiRoute::Stats => "Failed to get statistics",
        ApiRoute::Videos => "Failed to list videos",
        ApiRoute::DeleteVideo => "Failed to delete video",
        ApiRoute::TestNotification => "Failed to send test notification",
        ApiRoute::Servers => "Failed to list servers",
        ApiRoute::AddServer => "Failed to add server",
        ApiRoute::UpdateServer => "Failed to update server",
        ApiRoute::DeleteServer => "Failed to delete server",
        ApiRoute::CheckServers => "Failed to check servers",
        ApiRoute::Admins => "Failed to list admins",
        ApiRoute::AddAdmin => "Failed to add admin",
        ApiRoute::UpdateAdmin => "Failed to update admin",
        ApiRoute::RemoveAdmin => "Failed to remove admin",
        ApiRoute::AdminStats => "Failed to get admin statistics",
        ApiRoute::WorkerHealth => "Failed to check worker health",
    }
}

fn timed_out() -> Response {
    let body = serde_json::from_str(TIMEOUT).unwrap_or_default();
    let mut response = (StatusCode::GATEWAY_TIMEOUT, TIMEOUT).into_response();
    response.extensions_mut().insert(Failure { body, cause: Some("the deadline passed".into()) });
    response
}

fn emit_metrics(stage: &str, route: ApiRoute, response: &Response, started: Instant) {
    let mut values = Vec::new();
    if route.is_fast() {
        values.push(Metric::milliseconds(FAST_ROUTE_MS, started.elapsed().as_secs_f64() * 1000.0));
    }
    if response.status() == StatusCode::UNAUTHORIZED {
        values.push(Metric::count(AUTH_FAILURES, 1));
    }
    if response.extensions().get::<Degraded>().is_some() {
        values.push(Metric::count(LIST_DEGRADED, 1));
    }
    metrics::emit(stage, None, &values);
}

/// Logs one line per request, without tokens, bodies or links.
pub(crate) async fn log_request(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let request_id = request_id(&request);
    let method = request.method().clone();
    let response = next.run(request).await;
    let log_fields = response.extensions().get::<LogFields>().cloned().unwrap_or_default();
    let (method, status) = (method.as_str(), response.status().as_u16());
    let (route, uid) = (log_fields.route, log_fields.uid.as_deref());
    let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let cause = response.extensions().get::<Failure>().and_then(|failure| failure.cause.as_deref());
    if response.status().is_server_error() {
        tracing::error!(request_id, method, route, uid, status, ms, error = cause, "request");
    } else {
        tracing::info!(request_id, method, route, uid, status, ms, reason = cause, "request");
    }
    response
}

/// Returns Lambda's request ID, or an empty string outside Lambda.
fn request_id(request: &Request) -> String {
    request.lambda_context_ref().map(|context| context.request_id.clone()).unwrap_or_default()
}
