//! The path parameter of the two HTTP functions.

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::request::Parts,
};
use common::ApiError;

use crate::keys::Filename;

/// The `{filename}` of a path.
#[derive(Debug, Clone)]
pub(crate) struct InPath(pub(crate) Filename);

impl<S: Send + Sync> FromRequestParts<S> for InPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let parameters = RawPathParams::from_request_parts(parts, state).await;
        parameters
            .ok()
            .and_then(|parameters| {
                parameters.iter().find(|(name, _)| *name == "filename").and_then(|(_, value)| Filename::parse(value))
            })
            .map(Self)
            .ok_or_else(invalid)
    }
}

fn invalid() -> ApiError {
    invalid_filename("filename")
}

/// Returns the 400 response to a `field` that is not a UUID v4.
pub(crate) fn invalid_filename(field: &str) -> ApiError {
    ApiError::bad_request("InvalidFilename", field, format!("{field} must be a UUID v4"))
}
