//! Who calls, by the Cognito authorizer's word. No token is read here: API Gateway has already checked it.

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
};
use lambda_http::request::RequestContext;

use crate::ApiError;

/// A signed-in user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The user's name in the user pool.
    pub username: String,
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts
            .extensions
            .get::<RequestContext>()
            .and_then(RequestContext::authorizer)
            .and_then(|authorizer| authorizer.fields.get("claims")?.get("cognito:username")?.as_str())
            .filter(|username| !username.is_empty())
            .map(|username| Self { username: username.to_owned() })
            .ok_or_else(|| {
                ApiError::new(StatusCode::UNAUTHORIZED, "Unauthorized", "a signed-in user's ID token is needed")
            })
    }
}
