//! Error responses: `{"error": …}` and details beside it. The short texts are part of the contract: clients compare
//! them.
//!
//! A failure that is not the client's gets a fixed text and the request ID; its cause is only logged.

use std::sync::Arc;

use axum::{
    Json,
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};
use thakii_contract::limits::TOO_MANY_REQUESTS;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ApiError {
    status: StatusCode,
    body: Map<String, Value>,
    retry_after: Option<u32>,
    cause: Option<Arc<str>>,
}

/// The content of an error response, kept in its extensions until the route's text is known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Failure {
    /// Lacks `error` where the route supplies it.
    pub(crate) body: Map<String, Value>,
    /// Logged, never sent.
    pub(crate) cause: Option<Arc<str>>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, error: impl Into<String>) -> Self {
        let body = Map::from_iter([("error".to_owned(), json!(error.into()))]);
        Self { status, body, retry_after: None, cause: None }
    }

    pub(crate) fn bad_request(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }

    pub(crate) fn forbidden(error: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, error)
    }

    pub(crate) fn not_found(error: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, error)
    }

    pub(crate) fn conflict(error: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, error)
    }

    pub(crate) fn unauthorized(message: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Authentication required").with("message", message)
    }

    /// A 429 response with the gateway's body: the client may try again after this many seconds.
    pub(crate) fn too_many_requests(seconds: u32) -> Self {
        let body = serde_json::from_str(TOO_MANY_REQUESTS).unwrap_or_default();
        Self { status: StatusCode::TOO_MANY_REQUESTS, body, retry_after: Some(seconds), cause: None }
    }

    /// A 400 response for a field of the wrong type.
    pub(crate) fn field(name: &str, expected: &str) -> Self {
        Self::bad_request(format!("Field \"{name}\" must be {expected}"))
    }

    /// Adds a field to the body.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.body.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a cause for the log line.
    pub(crate) fn with_cause(mut self, cause: &dyn std::error::Error) -> Self {
        self.cause = Some(common::telemetry::chain(cause).into());
        self
    }

    #[cfg(test)]
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    #[cfg(test)]
    pub(crate) fn text(&self) -> &str {
        self.body.get("error").and_then(Value::as_str).unwrap_or_default()
    }
}

/// A failure that is not the client's. The route supplies its text.
impl<E: std::error::Error> From<E> for ApiError {
    fn from(error: E) -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self { status, body: Map::new(), retry_after: None, cause: None }.with_cause(&error)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(&self.body)).into_response();
        // Clients poll, and the error may be gone a second later.
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(Failure { body: self.body, cause: self.cause });
        response
    }
}
