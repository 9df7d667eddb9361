//! A verified caller.

use serde::{Deserialize, Serialize};

use super::{error::TokenError, token::Claims};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TokenKind {
    Cognito,
    Firebase,
    /// A backend token.
    CustomBackend,
}

/// A verified caller, as described by the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) uid: String,
    /// In lower case.
    pub(crate) email: String,
    /// Empty if unknown.
    pub(crate) name: String,
    /// Empty if unknown.
    pub(crate) picture: String,
    pub(crate) email_verified: bool,
    /// The groups of a Cognito token; empty for other tokens.
    pub(crate) groups: Vec<String>,
    pub(crate) kind: TokenKind,
    /// The sign-in method: `cognito`, `password`, `google.com`, ….
    pub(crate) provider: String,
    /// In seconds since 1970.
    pub(crate) auth_time: i64,
    /// In seconds since 1970.
    pub(crate) issued_at: i64,
    /// In seconds since 1970.
    pub(crate) expires_at: i64,
}

impl Identity {
    /// Reads the claims that all kinds of tokens have.
    pub(super) fn from_claims(claims: Claims<'_>, kind: TokenKind, now: i64) -> Result<Self, TokenError> {
        let (issued_at, expires_at) = claims.lifetime(now)?;
        let uid = claims.text("user_id").or_else(|| claims.text("sub")).ok_or(TokenError::NoIdentity)?;
        let email = claims.text("email").map(normalized).filter(|email| !email.is_empty());
        let provider = match kind {
            TokenKind::Cognito => "cognito",
            TokenKind::Firebase => claims.within("firebase", "sign_in_provider").unwrap_or("firebase"),
            TokenKind::CustomBackend => claims.text("firebase_provider").unwrap_or("custom"),
        };
        Ok(Self {
            uid: uid.to_owned(),
            email: email.ok_or(TokenError::NoIdentity)?,
            name: claims.text("name").unwrap_or_default().to_owned(),
            picture: claims.text("picture").unwrap_or_default().to_owned(),
            email_verified: claims.truth("email_verified"),
            groups: if kind == TokenKind::Cognito { claims.texts("cognito:groups") } else { Vec::new() },
            kind,
            provider: provider.to_owned(),
            auth_time: claims.time("auth_time").unwrap_or(issued_at),
            issued_at,
            expires_at,
        })
    }
}

/// Normalizes an e-mail address for comparison.
pub(crate) fn normalized(email: &str) -> String {
    email.trim().to_lowercase()
}
