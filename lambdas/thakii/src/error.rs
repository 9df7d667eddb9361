//! What a client gets when something is wrong: `{"error": …}` with what the error is about beside it. The short texts
//! are contract: clients compare them.
//!
//! Whatever is ours to fix becomes a fixed text with the request's id; the cause goes to the log line only.

use std::sync::Arc;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::CACHE_CONTROL},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

/// An error response.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiError {
    status: StatusCode,
    body: Map<String, Value>,
    cause: Option<Arc<str>>,
}

/// An error response's content, kept beside it until the route that failed is known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Failure {
    /// The body, without `error` where the route says what failed.
    pub(crate) body: Map<String, Value>,
    /// For the log line.
    pub(crate) cause: Option<Arc<str>>,
}

impl ApiError {
    /// An error with its text.
    #[must_use]
    pub fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, body: Map::from_iter([("error".to_owned(), json!(error.into()))]), cause: None }
    }

    /// A 400.
    #[must_use]
    pub fn bad_request(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }

    /// A 403.
    #[must_use]
    pub fn forbidden(error: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, error)
    }

    /// A 404.
    #[must_use]
    pub fn not_found(error: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, error)
    }

    /// A 409.
    #[must_use]
    pub fn conflict(error: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, error)
    }

    /// A 401 of the routes that want a token.
    #[must_use]
    pub fn unauthorized(message: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Authentication required").with("message", message)
    }

    /// A 400: a field is not of its type.
    #[must_use]
    pub fn field(name: &str, expected: &str) -> Self {
        Self::bad_request(format!("Field \"{name}\" must be {expected}"))
    }

    /// Adds to the body.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.body.insert(name.to_owned(), value.into());
        self
    }

    /// Adds what the log line shall say.
    #[must_use]
    pub fn because(mut self, cause: &dyn std::error::Error) -> Self {
        self.cause = Some(common::telemetry::chain(cause).into());
        self
    }

    /// The response's status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.body.get("error").and_then(Value::as_str).unwrap_or_default()
    }
}

/// An error that is not the client's fault. Its text is the route's.
impl<E: std::error::Error> From<E> for ApiError {
    fn from(error: E) -> Self {
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, body: Map::new(), cause: None }.because(&error)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(&self.body)).into_response();
        // What is wrong now may be right in a second: clients poll.
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response.extensions_mut().insert(Failure { body: self.body, cause: self.cause });
        response
    }
}
