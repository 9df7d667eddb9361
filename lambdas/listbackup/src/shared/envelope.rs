//! Responses: `{"success":true,"data":…}` and `{"success":false,"error":…,"code":…}`, each with the time and the request's ID.

use axum::http::StatusCode;
use common::telemetry;
use serde_json::{Map, Value, json};

use super::ids::Kind;

/// An error response.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// The status.
    pub status: StatusCode,
    /// The machine-readable code, for example `JOB_NOT_FOUND`.
    pub code: &'static str,
    /// A sentence for people.
    pub message: Box<str>,
    /// Further fields of the response. Boxed, because errors are kept small.
    pub fields: Box<Map<String, Value>>,
    /// The cause of an internal error, for the log only.
    pub cause: Option<Box<str>>,
}

impl Problem {
    /// Creates an error response.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into().into_boxed_str();
        Self { status, code, message, fields: Box::default(), cause: None }
    }

    /// A 400 response that names a field.
    #[must_use]
    pub fn invalid(field: &str, reason: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "VALIDATION_FAILED", format!("{field} {reason}"))
            .with("details", json!({ "field": field }))
    }

    /// A 403 response about an object of another account.
    #[must_use]
    pub fn access_denied() -> Self {
        Self::new(StatusCode::FORBIDDEN, "ACCESS_DENIED", "the object belongs to another account")
    }

    /// A 404 response about an unknown object.
    #[must_use]
    pub fn not_found(kind: Kind) -> Self {
        Self::new(StatusCode::NOT_FOUND, kind.not_found(), format!("there is no such {}", kind.prefix()))
    }

    /// Adds a field to the response.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }
}

/// Converts an internal error to a 500 response without details. The log contains the cause.
impl<E: std::error::Error + 'static> From<E> for Problem {
    fn from(error: E) -> Self {
        let message = "something went wrong; please try again";
        let problem = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", message);
        Self { cause: Some(telemetry::chain(&error).into()), ..problem }
    }
}
