//! A verified caller.

use common::token::Claims;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::TokenError;

/// The tolerated difference between clocks, in seconds.
const LEEWAY: i64 = 60;

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
    pub(super) fn from_claims(claims: Claims<'_>, kind: TokenKind, now: Timestamp) -> Result<Self, TokenError> {
        let (issued_at, expires_at) = lifetime(claims, now.as_second())?;
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

/// Checks the validity period. Returns the times of issue and of expiry, which are both required.
fn lifetime(claims: Claims<'_>, now: i64) -> Result<(i64, i64), TokenError> {
    let expires = claims.time("exp").ok_or(TokenError::Invalid("expiry"))?;
    let issued = claims.time("iat").ok_or(TokenError::Invalid("time of issue"))?;
    if expires.saturating_add(LEEWAY) <= now {
        return Err(TokenError::Expired);
    }
    let earliest = claims.time("nbf").unwrap_or(issued).max(issued);
    if earliest > now.saturating_add(LEEWAY) {
        return Err(TokenError::Invalid("time of issue"));
    }
    Ok((issued, expires))
}

/// Normalizes an e-mail address for comparison.
pub(crate) fn normalized(email: &str) -> String {
    email.trim().to_lowercase()
}
