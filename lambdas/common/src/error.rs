//! What a client gets when something is wrong: `{error, message, statusCode, details: {code, field?, …}}`.
//!
//! Whatever is ours to fix becomes a 500 without internals; the cause goes to the log line only.

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
    message: String,
    details: Map<String, Value>,
    cause: Option<Cause>,
}

/// Why a request failed, kept beside its response for the log line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cause(pub(crate) Arc<str>);

impl ApiError {
    /// An error with a code for programs and a sentence for people.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let details = Map::from_iter([("code".to_owned(), json!(code))]);
        Self { status, message: message.into(), details, cause: None }
    }

    /// A 400 that names the field it is about.
    #[must_use]
    pub fn bad_request(code: &'static str, field: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message).detail("field", field)
    }

    /// A 404.
    #[must_use]
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NotFound", message)
    }

    /// Adds to the details.
    #[must_use]
    pub fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// The response's status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

/// An error that is not the client's fault.
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
        // What is wrong now may be right in a second: clients poll.
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(cause) = self.cause {
            response.extensions_mut().insert(cause);
        }
        response
    }
}
