//! The API's handlers, a file per subject. Each is called only once its caller is admitted.

mod admins;
mod assemble;
mod chunks;
mod form;
mod health;
mod notifications;
mod page;
mod pieces;
mod servers;
mod sign_in;
mod statistics;
mod test_notification;
mod upload;
mod videos;
mod videos_of_all;
mod worker;

use std::sync::Arc;

use axum::{
    Json,
    extract::{FromRequestParts, Path, State},
    http::request::Parts,
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, on},
};
use serde::Serialize;
use thakii_contract::routes::ApiRoute;

use crate::{app::App, error::ApiError};

/// What handlers are given.
type Shared = State<Arc<App>>;
/// What handlers give.
type Answer = Result<Response, ApiError>;

/// The handler of a route: one that nobody serves does not compile.
pub(crate) fn handler(route: ApiRoute, method: MethodFilter) -> MethodRouter<Arc<App>> {
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
        ApiRoute::Videos => on(method, videos_of_all::list),
        ApiRoute::DeleteVideo => on(method, videos_of_all::delete),
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

/// The one parameter of a path. What cannot be read names nothing.
#[derive(Debug)]
struct Id(String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::from_request_parts(parts, state).await;
        path.map(|Path(id)| Self(id)).map_err(|_| ApiError::not_found("Not Found"))
    }
}

/// A 200 with JSON.
#[expect(clippy::unnecessary_wraps, reason = "every handler ends with it")]
fn ok(body: impl Serialize) -> Answer {
    Ok(Json(body).into_response())
}

#[cfg(test)]
mod tests;
