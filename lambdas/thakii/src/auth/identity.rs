//! A verified caller.

use serde::{Deserialize, Serialize};

use super::{error::TokenError, token::Claims};

/// What kind of token a caller came with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// A Cognito ID token.
    Cognito,
    /// A Firebase ID token.
    Firebase,
    /// A token of our own.
    CustomBackend,
}

/// A verified caller, as the token describes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub uid: String,
    /// Their e-mail address, lower case.
    pub email: String,
    /// Their name, or nothing.
    pub name: String,
    /// The address of their picture, or nothing.
    pub picture: String,
    /// Has the issuer verified the e-mail address?
    pub email_verified: bool,
    /// The Cognito groups; of other tokens none.
    pub groups: Vec<String>,
    /// The token's kind.
    pub kind: TokenKind,
    /// How the user signed in: `cognito`, `password`, `google.com`, ….
    pub provider: String,
    /// When the user signed in, in seconds since 1970.
    pub auth_time: i64,
    /// When the token was issued, in seconds since 1970.
    pub issued_at: i64,
    /// When the token expires, in seconds since 1970.
    pub expires_at: i64,
}

impl Identity {
    /// What all kinds of tokens say of their holder.
    pub(super) fn of(claims: Claims<'_>, kind: TokenKind, now: i64) -> Result<Self, TokenError> {
        let (issued_at, expires_at) = claims.lifetime(now)?;
        let uid = claims.text("user_id").or_else(|| claims.text("sub")).ok_or(TokenError::Anonymous)?;
        let email = claims.text("email").map(normalized).filter(|email| !email.is_empty());
        let provider = match kind {
            TokenKind::Cognito => "cognito",
            TokenKind::Firebase => claims.within("firebase", "sign_in_provider").unwrap_or("firebase"),
            TokenKind::CustomBackend => claims.text("firebase_provider").unwrap_or("custom"),
        };
        Ok(Self {
            uid: uid.to_owned(),
            email: email.ok_or(TokenError::Anonymous)?,
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

/// An e-mail address as it is compared.
#[must_use]
pub fn normalized(email: &str) -> String {
    email.trim().to_lowercase()
}
