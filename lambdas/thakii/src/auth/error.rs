//! Reasons for rejecting a token, and their HTTP responses.

use std::sync::Arc;

use crate::error::ApiError;

/// Why a token is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is no token at all.
    #[error("the token is no JSON web token")]
    Malformed,
    /// It was one, once.
    #[error("the token has expired")]
    Expired,
    /// Its signature, its issuer or a claim is wrong.
    #[error("the token's {0} is not accepted")]
    Refused(&'static str),
    /// It does not say whose it is.
    #[error("the token names no user or no e-mail address")]
    Anonymous,
    /// The keys to verify it cannot be had.
    #[error("keys to verify tokens are unavailable: {0}")]
    Unavailable(Arc<str>),
}

impl TokenError {
    /// The message of a 401.
    #[must_use]
    pub fn message(&self) -> &'static str {
        match self {
            Self::Expired => "Token has expired",
            _ => "Token verification failed",
        }
    }

    /// A 503 where the token is not to blame.
    #[must_use]
    pub fn unavailable(&self) -> Option<ApiError> {
        let unavailable = || ApiError::new(axum::http::StatusCode::SERVICE_UNAVAILABLE, "Authentication unavailable");
        matches!(self, Self::Unavailable(_)).then(|| unavailable().because(self))
    }

    /// Returns the response of a route that requires a token.
    #[must_use]
    pub fn response(&self) -> ApiError {
        self.unavailable().unwrap_or_else(|| ApiError::unauthorized(self.message()).because(self))
    }
}
