//! Reasons for rejecting a token, and their HTTP responses.

use std::sync::Arc;

use common::token::{FetchError, ParseError, SecretError, SignatureError, VerifyError};

use crate::error::ApiError;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    /// Not a JSON web token.
    #[error("the token is not a JSON web token")]
    Malformed,
    #[error("the token has expired")]
    Expired,
    /// The signature, the issuer or a claim is invalid.
    #[error("the token's {0} is invalid")]
    Invalid(&'static str),
    /// The token names no user or no e-mail address.
    #[error("the token names no user or no e-mail address")]
    NoIdentity,
    /// The keys or the secret are unavailable.
    #[error("keys to verify tokens are unavailable: {0}")]
    Unavailable(Arc<str>),
}

impl From<ParseError> for TokenError {
    fn from(_: ParseError) -> Self {
        Self::Malformed
    }
}

impl From<SignatureError> for TokenError {
    fn from(_: SignatureError) -> Self {
        Self::Invalid("signature")
    }
}

impl From<FetchError> for TokenError {
    fn from(error: FetchError) -> Self {
        Self::Unavailable(common::telemetry::chain(&error).into())
    }
}

impl From<SecretError> for TokenError {
    fn from(error: SecretError) -> Self {
        Self::Unavailable(common::telemetry::chain(&error).into())
    }
}

impl From<VerifyError> for TokenError {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Algorithm => Self::Invalid("algorithm"),
            VerifyError::Signature(error) => error.into(),
            VerifyError::Secret(error) => error.into(),
        }
    }
}

impl TokenError {
    /// The `message` of a 401 response.
    pub(crate) fn message(&self) -> &'static str {
        match self {
            Self::Expired => "Token has expired",
            _ => "Token verification failed",
        }
    }

    /// Returns a 503 response if the keys or the secret are unavailable.
    pub(crate) fn unavailable(&self) -> Option<ApiError> {
        let unavailable = || ApiError::new(axum::http::StatusCode::SERVICE_UNAVAILABLE, "Authentication unavailable");
        matches!(self, Self::Unavailable(_)).then(|| unavailable().with_cause(self))
    }

    /// Returns the response of a route that requires a token.
    pub(crate) fn response(&self) -> ApiError {
        self.unavailable().unwrap_or_else(|| ApiError::unauthorized(self.message()).with_cause(self))
    }
}
