//! Types in the signatures of all handlers.

use std::sync::Arc;

use axum::{
    Json,
    extract::{FromRequestParts, Path, State},
    http::request::Parts,
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{app::App, error::ApiError};

pub(super) type Shared = State<Arc<App>>;
pub(super) type Answer = Result<Response, ApiError>;

/// The only parameter of a path. An unreadable one is answered with 404.
#[derive(Debug)]
pub(crate) struct Id(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::from_request_parts(parts, state).await;
        path.map(|Path(id)| Self(id)).map_err(|_| ApiError::not_found("Not Found"))
    }
}

/// Answers 200 with JSON.
#[expect(clippy::unnecessary_wraps, reason = "every handler ends with it")]
pub(super) fn ok(body: impl Serialize) -> Answer {
    Ok(Json(body).into_response())
}
