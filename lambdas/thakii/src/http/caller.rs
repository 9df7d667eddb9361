//! The extractor of a verified caller.

use std::sync::Arc;

use axum::{extract::FromRequestParts, http::request::Parts};

use crate::{auth::identity::Identity, error::ApiError};

/// The verified caller of a route that requires a token.
#[derive(Debug, Clone)]
pub(crate) struct Caller(pub(crate) Arc<Identity>);

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        // Only public routes have no caller, and their handlers do not extract one.
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| ApiError::unauthorized("No Authorization header provided"))
    }
}
