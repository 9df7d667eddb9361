//! Responses: `{"success":true,"data":…}` and `{"success":false,"error":…,"code":…}`, each with the time and the request's ID.

use axum::http::StatusCode;
use serde_json::{Map, Value};

/// An error response.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// The status.
    pub status: StatusCode,
    /// The machine-readable code, for example `JOB_NOT_FOUND`.
    pub code: &'static str,
    /// A sentence for people.
    pub message: Box<str>,
    /// Further fields of the response.
    pub fields: Map<String, Value>,
    /// The cause of an internal error, for the log only.
    pub cause: Option<Box<str>>,
}

impl Problem {
    /// Creates an error response.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into().into_boxed_str();
        Self { status, code, message, fields: Map::new(), cause: None }
    }
}
