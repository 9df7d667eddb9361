//! Who calls: identity tokens of the stage's issuers, backend tokens of our own, and what their holders may do.
//!
//! There is no way past a signature here; tests sign with an issuer of their own.

pub mod backend;
pub mod error;
pub mod header;
pub mod identity;
pub mod issuers;
pub mod jwks;
pub mod role;
pub mod secret;
pub mod token;

use jiff::Timestamp;

pub use self::error::TokenError;
use self::{
    backend::BackendTokens,
    identity::{Identity, TokenKind},
    issuers::Issuers,
    token::Unverified,
};

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
