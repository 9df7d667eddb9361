//! Authentication and roles: identity tokens of the stage's issuers, and backend tokens of the API itself.
//!
//! Every token's signature is verified, without exception; tests sign with an issuer of their own.

pub(crate) mod backend;
pub(crate) mod error;
pub(crate) mod header;
pub(crate) mod identity;
pub(crate) mod issuers;
pub(crate) mod role;

use common::token::Unverified;
use jiff::Timestamp;

pub(crate) use self::error::TokenError;
use self::{
    backend::BackendTokens,
    identity::{Identity, TokenKind},
    issuers::Issuers,
};

/// Verifies all accepted kinds of tokens.
#[derive(Debug)]
pub(crate) struct Authentication {
    pub(crate) issuers: Issuers,
    pub(crate) backend: BackendTokens,
}

impl Authentication {
    pub(crate) async fn verify(&self, token: &str) -> Result<Identity, TokenError> {
        let now = Timestamp::now();
        let token = Unverified::parse(token)?;
        // The unverified issuer only selects the verifier.
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
