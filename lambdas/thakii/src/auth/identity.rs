//! A verified caller.

use common::token::{Claims, Lifetime, Validity, ValidityError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::TokenError;

/// The seconds after its expiry during which a token is accepted, because clocks differ.
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
    ///
    /// `longest` is the longest lifetime of such a token, in seconds.
    pub(super) fn from_claims(
        claims: Claims<'_>,
        kind: TokenKind,
        longest: i64,
        now: Timestamp,
    ) -> Result<Self, TokenError> {
        let Validity { issued_at, expires_at } = claims.validity(Lifetime { longest, grace: LEEWAY }, now)?;
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

impl From<ValidityError> for TokenError {
    fn from(error: ValidityError) -> Self {
        match error {
            ValidityError::Expired => Self::Expired,
            ValidityError::Missing("exp") => Self::Invalid("expiry"),
            ValidityError::Missing(_) | ValidityError::NotYet => Self::Invalid("time of issue"),
            ValidityError::TooLong => Self::Invalid("lifetime"),
        }
    }
}

/// Normalizes an e-mail address for comparison.
pub(crate) fn normalized(email: &str) -> String {
    email.trim().to_lowercase()
}
