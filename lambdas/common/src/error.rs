//! Error responses: `{error, message, statusCode, details: {code, field?, …}}`.
//!
//! Internal errors become a 500 response without details. Only the log line contains the cause.

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

/// An error response.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiError {
    status: StatusCode,
    message: Box<str>,
    details: Map<String, Value>,
    retry_after: Option<u32>,
    cause: Option<Cause>,
}

/// The cause of a failed request, kept in the response's extensions for the log line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cause(pub(crate) Arc<str>);

impl ApiError {
    /// Creates an error with a machine-readable code and a sentence.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let details = Map::from_iter([("code".to_owned(), json!(code))]);
        Self { status, message: message.into().into_boxed_str(), details, retry_after: None, cause: None }
    }

    /// Creates a 400 error that names a field.
    #[must_use]
    pub fn bad_request(code: &'static str, field: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message).detail("field", field)
    }

    /// Creates a 404 error.
    #[must_use]
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NotFound", message)
    }

    /// Creates a 429 error: the client may try again after this many seconds.
    #[must_use]
    pub fn too_many_requests(seconds: u32, message: impl Into<String>) -> Self {
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message);
        Self { retry_after: Some(seconds), ..error }
    }

    /// Adds a detail.
    #[must_use]
    pub fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// Returns the status of the response.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

/// Converts an internal error.
impl<E: std::error::Error> From<E> for ApiError {
    fn from(error: E) -> Self {
        let mut internal =
            Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", "something went wrong; please try again");
        internal.cause = Some(Cause(crate::telemetry::chain(&error).into()));
        internal
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = json!({
            "error": self.status.canonical_reason().unwrap_or("Error"),
            "message": self.message,
            "statusCode": self.status.as_u16(),
            "details": self.details,
        });
        let mut response = (self.status, Json(body)).into_response();
        // Clients poll, and the next response may be a success.
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(cause) = self.cause {
            response.extensions_mut().insert(cause);
        }
        response
    }
}
