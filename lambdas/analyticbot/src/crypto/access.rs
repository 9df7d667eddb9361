//! Access tokens: JSON web tokens, signed with HS256.
//!
//! A token proves which user signed in. The user's role and whether the user is active are read from the stored user on every request.

use common::token::{SecretSource, Unverified, VerifyError, sign_hs256};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::secrets::{self, UnusableSecret};
use crate::domain::{names, ulid, user::User};

/// The `typ` claim.
const KIND: &str = "access";
/// The purpose of the secret, for errors.
const PURPOSE: &str = "access tokens";
/// The maximum length of a token, in characters, so that no long text is parsed.
const MOST_CHARACTERS: usize = 4096;

/// Issues and verifies access tokens.
#[derive(Debug)]
pub struct AccessTokens {
    secret: SecretSource,
    /// In seconds.
    lifetime: i64,
}

/// The reason why a token is refused or not verified.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// Its form, algorithm, signature, age, kind or user is wrong.
    #[error("the token's {0} is wrong")]
    Refused(&'static str),
    /// The secret is not usable, so the token was not verified.
    #[error(transparent)]
    Secret(#[from] UnusableSecret),
    /// The operating system returned no random bytes.
    #[error("failed to generate the ID of a token")]
    Random(#[from] getrandom::Error),
}

impl AccessError {
    /// Whether the token was refused, in contrast to not verified.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}

/// The claims that decide. Times must be integers: a text or a fraction is refused.
#[derive(Deserialize)]
struct Times {
    exp: i64,
}

#[derive(Deserialize)]
struct Subject {
    typ: String,
    sub: String,
}

impl AccessTokens {
    /// Reads the secret, which must be long enough.
    ///
    /// # Errors
    /// When the secret cannot be read or is too short.
    pub async fn start(secret: SecretSource, minutes: u32) -> Result<Self, UnusableSecret> {
        secrets::current(&secret, PURPOSE, SecretSource::CACHE_TIME).await?;
        Ok(Self { secret, lifetime: i64::from(minutes) * 60 })
    }

    /// The lifetime of a token, in seconds.
    #[must_use]
    pub const fn lifetime(&self) -> i64 {
        self.lifetime
    }

    /// Issues a token.
    ///
    /// # Errors
    /// When the secret is not usable.
    pub async fn issue(&self, user: &User, now: Timestamp) -> Result<String, AccessError> {
        let secret = secrets::current(&self.secret, PURPOSE, SecretSource::CACHE_TIME).await?;
        let claims = json!({
            "sub": user.id.to_string(),
            "email": user.email,
            "username": user.username,
            // For clients; functions read the stored role.
            "role": user.role,
            "typ": KIND,
            "iat": now.as_second(),
            "exp": now.as_second().saturating_add(self.lifetime),
            "jti": ulid::generate(now)?,
        });
        Ok(sign_hs256(&secret, &claims))
    }

    /// Verifies a token: its form, algorithm, signature, age, kind and subject, in this order. Returns the user's ID.
    ///
    /// # Errors
    /// When the token is refused, or when the secret is not usable.
    pub async fn verify(&self, token: &str, now: Timestamp) -> Result<u64, AccessError> {
        let refused = AccessError::Refused;
        let parsed = Some(token).filter(|token| token.len() <= MOST_CHARACTERS);
        let token = parsed.and_then(|token| Unverified::parse(token).ok()).ok_or(refused("form"))?;
        if token.algorithm() != "HS256" {
            return Err(refused("algorithm"));
        }
        // A secret that became too short since the start signs nothing.
        secrets::current(&self.secret, PURPOSE, SecretSource::CACHE_TIME).await?;
        let claims = self.secret.verify(&token, self.lifetime, now).await.map_err(|error| match error {
            VerifyError::Algorithm => refused("algorithm"),
            VerifyError::Signature(_) => refused("signature"),
            VerifyError::Secret(error) => UnusableSecret::Unavailable(PURPOSE, error).into(),
        })?;
        let times: Times = claims.deserialize().map_err(|_| refused("age"))?;
        if times.exp <= now.as_second() {
            return Err(refused("age"));
        }
        let subject: Subject = claims.deserialize().map_err(|_| refused("subject"))?;
        if subject.typ != KIND {
            return Err(refused("kind"));
        }
        names::user_id(&subject.sub).ok_or(refused("subject"))
    }
}

#[cfg(test)]
mod tests;
