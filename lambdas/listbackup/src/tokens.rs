//! Access and refresh tokens: JSON web tokens, signed with HS256 and one secret for each kind.
//!
//! A token is accepted for one kind (`typ`), one stage (`aud`), one secret and a limited time. A verified token proves no more than
//! its issue: whether the user may still act is decided by the user's row, which callers read.

#[cfg(test)]
mod tests;

use common::token::{Claims, Lifetime, ParseError, SecretError, SecretSource, Unverified, VerifyError, sign_hs256};
use jiff::Timestamp;
use listbackup_contract::limits::{ACCESS_SECONDS, REFRESH_SECONDS};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::shared::identity::Role;

/// The `typ` claim of access tokens.
const ACCESS: &str = "access";
/// The `typ` claim of refresh tokens.
const REFRESH: &str = "refresh";
/// The shortest secret, in bytes: a key of HS256 has at least as many bits as its hash (RFC 7518, section 3.2).
const SECRET_BYTES: usize = 32;

/// The claims of an access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The user's ID.
    pub user_id: String,
    /// The account.
    pub account_id: String,
    /// The role at the time of issue.
    pub role: Role,
    /// The e-mail address.
    pub email: String,
    /// The family of refresh tokens that it was issued with.
    pub family: String,
}

/// The claims of a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refresh {
    /// The user's ID.
    pub user_id: String,
    /// The family.
    pub family: String,
    /// The token's ID: only the newest one of a family is accepted.
    pub jti: String,
    /// When it expires, in seconds since 1970.
    pub expires_at: i64,
}

impl Refresh {
    /// The next token of a family.
    #[must_use]
    pub fn next(user_id: &str, family: &str, now: Timestamp) -> Self {
        Self {
            user_id: user_id.to_owned(),
            family: family.to_owned(),
            jti: random_id(),
            expires_at: now.as_second().saturating_add(REFRESH_SECONDS),
        }
    }
}

/// Why a token is refused.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It is no token, or its algorithm, signature, kind, audience, age or a claim is wrong.
    #[error("the token's {0} is wrong")]
    Refused(&'static str),
    /// The secret cannot be read, so the token was not verified.
    #[error("the secret of tokens is unavailable")]
    Unavailable(#[source] SecretError),
    /// The secret is too short to sign with.
    #[error("the secret of tokens has fewer than {SECRET_BYTES} bytes")]
    ShortSecret,
}

impl TokenError {
    /// Whether the token was refused, in contrast to not verified.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}

impl From<ParseError> for TokenError {
    fn from(_: ParseError) -> Self {
        Self::Refused("form")
    }
}

impl From<VerifyError> for TokenError {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Algorithm => Self::Refused("algorithm"),
            VerifyError::Signature(_) => Self::Refused("signature"),
            VerifyError::Secret(error) => Self::Unavailable(error),
        }
    }
}

/// Returns an ID for a family or a token.
#[must_use]
pub fn random_id() -> String {
    Uuid::new_v4().hyphenated().to_string()
}

/// Issues an access token.
///
/// # Errors
/// When the secret is unavailable or too short.
pub async fn issue_access(
    secret: &SecretSource,
    stage: &str,
    access: &Access,
    now: Timestamp,
) -> Result<String, TokenError> {
    let claims = json!({
        "sub": access.user_id,
        "accountId": access.account_id,
        "role": access.role,
        "email": access.email,
        "fid": access.family,
    });
    let expires_at = now.as_second().saturating_add(ACCESS_SECONDS);
    sign(secret, claims, Stamp { kind: ACCESS, stage, jti: &random_id(), expires_at, now }).await
}

/// Issues a refresh token.
///
/// # Errors
/// When the secret is unavailable or too short.
pub async fn issue_refresh(
    secret: &SecretSource,
    stage: &str,
    refresh: &Refresh,
    now: Timestamp,
) -> Result<String, TokenError> {
    let claims = json!({ "sub": refresh.user_id, "fid": refresh.family });
    let stamp = Stamp { kind: REFRESH, stage, jti: &refresh.jti, expires_at: refresh.expires_at, now };
    sign(secret, claims, stamp).await
}

/// Verifies an access token.
///
/// # Errors
/// When the token is refused, or when the secret is unavailable.
pub async fn verify_access(
    secret: &SecretSource,
    stage: &str,
    token: &str,
    now: Timestamp,
) -> Result<Access, TokenError> {
    let token = Unverified::parse(token)?;
    let claims = verify(secret, &token, Expected { kind: ACCESS, stage, lifetime: ACCESS_SECONDS }, now).await?;
    let role = claims.text("role").and_then(|role| serde_json::from_value(Value::from(role)).ok());
    Ok(Access {
        user_id: text(claims, "sub")?,
        account_id: text(claims, "accountId")?,
        role: role.ok_or(TokenError::Refused("role"))?,
        email: text(claims, "email")?,
        family: text(claims, "fid")?,
    })
}

/// Verifies a refresh token.
///
/// # Errors
/// When the token is refused, or when the secret is unavailable.
pub async fn verify_refresh(
    secret: &SecretSource,
    stage: &str,
    token: &str,
    now: Timestamp,
) -> Result<Refresh, TokenError> {
    let token = Unverified::parse(token)?;
    let claims = verify(secret, &token, Expected { kind: REFRESH, stage, lifetime: REFRESH_SECONDS }, now).await?;
    Ok(Refresh {
        user_id: text(claims, "sub")?,
        family: text(claims, "fid")?,
        jti: text(claims, "jti")?,
        expires_at: claims.time("exp").ok_or(TokenError::Refused("age"))?,
    })
}

/// The claims that every issued token has.
struct Stamp<'a> {
    kind: &'static str,
    stage: &'a str,
    jti: &'a str,
    expires_at: i64,
    now: Timestamp,
}

/// The claims that a token must have.
struct Expected<'a> {
    kind: &'static str,
    stage: &'a str,
    lifetime: i64,
}

async fn sign(secret: &SecretSource, mut claims: Value, stamp: Stamp<'_>) -> Result<String, TokenError> {
    let secrets = secret.get(SecretSource::CACHE_TIME).await.map_err(TokenError::Unavailable)?;
    if secrets.current.len() < SECRET_BYTES {
        return Err(TokenError::ShortSecret);
    }
    claims["typ"] = json!(stamp.kind);
    claims["aud"] = json!(stamp.stage);
    claims["jti"] = json!(stamp.jti);
    claims["iat"] = json!(stamp.now.as_second());
    claims["exp"] = json!(stamp.expires_at);
    Ok(sign_hs256(&secrets.current, &claims))
}

async fn verify<'a>(
    secret: &SecretSource,
    token: &'a Unverified<'_>,
    expected: Expected<'_>,
    now: Timestamp,
) -> Result<Claims<'a>, TokenError> {
    let claims = secret.verify(token, expected.lifetime, now).await?;
    let secrets = secret.get(SecretSource::CACHE_TIME).await.map_err(TokenError::Unavailable)?;
    if secrets.current.len() < SECRET_BYTES {
        return Err(TokenError::ShortSecret);
    }
    if claims.text("typ") != Some(expected.kind) {
        return Err(TokenError::Refused("type"));
    }
    // A list of audiences is refused: no issued token has one.
    if claims.text("aud") != Some(expected.stage) {
        return Err(TokenError::Refused("audience"));
    }
    let lifetime = Lifetime { longest: expected.lifetime, grace: 0 };
    claims.validity(lifetime, now).map_err(|_| TokenError::Refused("age"))?;
    Ok(claims)
}

fn text(claims: Claims<'_>, name: &'static str) -> Result<String, TokenError> {
    claims.text(name).map(str::to_owned).ok_or(TokenError::Refused(name))
}
