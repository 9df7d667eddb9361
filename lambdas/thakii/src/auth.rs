//! Who calls: identity tokens of the stage's issuers, backend tokens of our own, and what their holders may do.
//!
//! There is no way past a signature here; tests sign with an issuer of their own.

pub mod backend;
pub mod header;
pub mod identity;
pub mod issuers;
pub mod jwks;
pub mod role;
pub mod secret;
pub mod token;

use std::sync::Arc;

use jiff::Timestamp;

use self::{
    backend::BackendTokens,
    identity::{Identity, TokenKind},
    issuers::Issuers,
    token::Unverified,
};
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
}

/// What the routes that want a token answer.
impl TokenError {
    /// As a response.
    #[must_use]
    pub fn response(&self) -> ApiError {
        self.unavailable().unwrap_or_else(|| ApiError::unauthorized(self.message()).because(self))
    }
}

/// Verifies every kind of token that is accepted.
#[derive(Debug)]
pub struct Authentication {
    /// Identity tokens.
    pub issuers: Issuers,
    /// Our own.
    pub backend: BackendTokens,
}

impl Authentication {
    /// Whose token it is.
    ///
    /// # Errors
    /// When it is not accepted.
    pub async fn verify(&self, token: &str) -> Result<Identity, TokenError> {
        let now = Timestamp::now().as_second();
        let token = Unverified::parse(token)?;
        // The unverified issuer only selects who verifies.
        let identity = if token.issuer() == Some(backend::ISSUER) {
            self.backend.verify(&token, now).await?
        } else {
            self.issuers.verify(&token, now).await?
        };
        debug_assert!(identity.kind != TokenKind::CustomBackend || identity.groups.is_empty());
        Ok(identity)
    }
}

#[cfg(test)]
mod tests;
