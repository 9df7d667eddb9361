//! The extractor of a verified caller.

use std::sync::Arc;

use axum::{extract::FromRequestParts, http::request::Parts};

use crate::{auth::identity::Identity, error::ApiError};

/// The verified caller of a route that wants one.
#[derive(Debug, Clone)]
pub struct Caller(pub Arc<Identity>);

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        // Only a route that is declared open lacks it, and no handler of those asks.
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| ApiError::unauthorized("No Authorization header provided"))
    }
}
