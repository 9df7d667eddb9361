//! ID tokens of the user pool, checked by the function itself: the gateway does not look at tokens on routes that are
//! open to everybody, and a function should not have to trust what calls it.
//!
//! Amazon Cognito Developer Guide, "Verifying JSON web tokens". Tokens are never logged.

pub mod keys;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;

use self::keys::{KeyError, Keys};

/// Who a token was made for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Claims {
    /// The user's unchanging id.
    pub sub: String,
    /// The user's name in the pool.
    #[serde(rename = "cognito:username", default)]
    pub username: String,
    /// The user's address.
    #[serde(default)]
    pub email: String,
    /// The user's name.
    #[serde(default)]
    pub name: String,
    /// What the user may do: `owner`, or nothing in particular.
    #[serde(rename = "custom:role", default)]
    pub role: Option<String>,
    /// Has the address been verified? Cognito says so as a boolean or as a text.
    #[serde(default, deserialize_with = "truth")]
    pub email_verified: bool,
}

impl Claims {
    /// Is this the site's owner?
    #[must_use]
    pub fn is_owner(&self) -> bool {
        self.role.as_deref() == Some("owner")
    }
}

fn truth<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(value == true || value == "true")
}

/// Why a token does not count.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It is no signed token of the one algorithm Cognito uses.
    #[error("the token is malformed: {0}")]
    Malformed(&'static str),
    /// The pool has no such key.
    #[error("the token is signed with a key the user pool does not have")]
    UnknownKey,
    /// The signature is somebody else's, or the token was changed.
    #[error("the token's signature is wrong")]
    Signature,
    /// It was made by or for somebody else, or to be used otherwise.
    #[error("the token's {0} is wrong")]
    Claim(&'static str),
    /// It was good once.
    #[error("the token has expired")]
    Expired,
    /// Nobody can tell.
    #[error("failed to check the token")]
    Keys(#[from] KeyError),
}

#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    kid: String,
}

/// What every token must say, whoever it is for.
#[derive(Debug, Deserialize)]
struct Terms {
    iss: String,
    #[serde(default)]
    aud: String,
    #[serde(default)]
    token_use: String,
    exp: i64,
}

/// Checks tokens of one user pool for one client.
#[derive(Debug)]
pub struct Verifier {
    issuer: String,
    audience: String,
    keys: Keys,
}

impl Verifier {
    /// Takes tokens that `issuer` made for `audience` and signed with one of `keys`.
    #[must_use]
    pub fn new(issuer: &str, audience: &str, keys: Keys) -> Self {
        Self { issuer: issuer.to_owned(), audience: audience.to_owned(), keys }
    }

    /// Who the token was made for.
    ///
    /// # Errors
    /// Why it does not count.
    pub async fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, TokenError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed("it has no signature"))?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::Malformed("it has no payload"))?;
        let Header { alg, kid } = decode(header)?;
        if alg != "RS256" {
            return Err(TokenError::Malformed("its algorithm is not RS256"));
        }
        let key = self.keys.find(&kid, now).await?.ok_or(TokenError::UnknownKey)?;
        let signature = bytes(signature)?;
        RsaPublicKeyComponents { n: &key.modulus, e: &key.exponent }
            .verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature)
            .map_err(|_| TokenError::Signature)?;
        self.check(&decode(payload)?, now)?;
        decode(payload)
    }

    fn check(&self, terms: &Terms, now: Timestamp) -> Result<(), TokenError> {
        for (claim, right) in [
            ("issuer", terms.iss == self.issuer),
            ("audience", terms.aud == self.audience),
            ("use", terms.token_use == "id"),
        ] {
            if !right {
                return Err(TokenError::Claim(claim));
            }
        }
        if terms.exp <= now.as_second() { Err(TokenError::Expired) } else { Ok(()) }
    }
}

/// The claims of a token that has just come from the user pool itself.
///
/// # Errors
/// When it is no token.
pub fn claims(token: &str) -> Result<Claims, TokenError> {
    decode(token.split('.').nth(1).ok_or(TokenError::Malformed("it has no payload"))?)
}

fn decode<T: DeserializeOwned>(part: &str) -> Result<T, TokenError> {
    serde_json::from_slice(&bytes(part)?)
        .map_err(|_| TokenError::Malformed("a part of it is not the JSON it should be"))
}

fn bytes(part: &str) -> Result<Vec<u8>, TokenError> {
    BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed("a part of it is not base64"))
}

#[cfg(test)]
mod tests;
