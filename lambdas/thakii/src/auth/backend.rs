//! Backend tokens: signed with a shared secret (HS256), so that the front end signs in once and stays signed in for
//! days.

use common::{
    limits::Subjects,
    token::{Claims, SecretSource, Unverified, sign_hs256},
};
use jiff::Timestamp;
use serde_json::json;

use super::{
    error::TokenError,
    identity::{Identity, TokenKind},
};
use crate::ids;

/// The `iss` claim of backend tokens.
pub(crate) const ISSUER: &str = "thakii-backend";
const AUDIENCE: &str = "thakii-frontend";
const TOKEN_TYPE: &str = "custom_backend";

#[derive(Debug)]
pub(crate) struct BackendTokens {
    secret: SecretSource,
    /// The lifetime of a token, in hours.
    pub(crate) hours: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Issued {
    pub(crate) token: String,
    /// In seconds since 1970.
    pub(crate) expires_at: i64,
}

impl BackendTokens {
    pub(crate) fn new(secret: SecretSource, hours: u64) -> Self {
        Self { secret, hours }
    }

    /// Issues a token for a caller. Its `is_admin` claim is informational: the role is computed on every request.
    pub(crate) async fn issue(&self, identity: &Identity, is_admin: bool) -> Result<Issued, TokenError> {
        let secrets = self.secret.get(SecretSource::CACHE_TIME).await?;
        Ok(sign(&secrets.current, identity, is_admin, Timestamp::now().as_second(), self.lifetime()))
    }

    /// The lifetime of a token, in seconds.
    fn lifetime(&self) -> i64 {
        i64::try_from(self.hours).unwrap_or(i64::MAX).saturating_mul(3600)
    }

    /// Returns the pseudonyms of addresses and accounts in counters. They change with the secret.
    pub(crate) async fn subjects(&self) -> Result<Subjects, TokenError> {
        Ok(Subjects::new(&self.secret.get(SecretSource::CACHE_TIME).await?.current))
    }

    pub(crate) async fn verify(&self, token: &Unverified<'_>, now: Timestamp) -> Result<Identity, TokenError> {
        let claims = self.secret.verify(token, self.lifetime(), now).await?;
        self.identity(claims, now)
    }

    /// Reads the claims of a backend token.
    fn identity(&self, claims: Claims<'_>, now: Timestamp) -> Result<Identity, TokenError> {
        let identity = Identity::from_claims(claims, TokenKind::CustomBackend, self.lifetime(), now)?;
        if claims.text("iss") != Some(ISSUER) {
            return Err(TokenError::Invalid("issuer"));
        }
        if !claims.is_for(AUDIENCE) {
            return Err(TokenError::Invalid("audience"));
        }
        if claims.text("token_type") != Some(TOKEN_TYPE) || claims.text("user_id").is_none() {
            return Err(TokenError::Invalid("type"));
        }
        Ok(identity)
    }
}

fn sign(secret: &[u8], identity: &Identity, is_admin: bool, now: i64, lifetime: i64) -> Issued {
    let expires_at = now.saturating_add(lifetime);
    let claims = json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": now,
        "nbf": now,
        "exp": expires_at,
        "user_id": identity.uid,
        "email": identity.email,
        "name": identity.name,
        "picture": identity.picture,
        "email_verified": identity.email_verified,
        "token_type": TOKEN_TYPE,
        "token_version": "1.0",
        "is_admin": is_admin,
        "firebase_provider": identity.provider,
        "auth_time": identity.auth_time,
        "token_hash": ids::digest(&format!("{}:{}:{now}", identity.uid, identity.email), 16),
    });
    Issued { token: sign_hs256(secret, &claims), expires_at }
}
