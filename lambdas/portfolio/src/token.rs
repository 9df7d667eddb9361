//! ID tokens of the user pool, verified by the function itself: the gateway does not check tokens on public routes, and
//! a function should not have to trust its caller.
//!
//! Amazon Cognito Developer Guide, "Verifying JSON web tokens". Tokens are never logged.

mod fetch;

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use common::token::{
    CountedFrom, FetchError, KeySet, Lifetime, ParseError, Refresh, SignatureError, Unverified, ValidityError,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use self::fetch::Http;

/// The pool's keys are kept until a token names an unknown one.
const REFRESH: Refresh = Refresh {
    fresh: SignedDuration::MAX,
    usable: SignedDuration::MAX,
    interval: SignedDuration::from_secs(60),
    counted_from: CountedFrom::Success,
};

/// The longest lifetime of an ID token, in seconds, whichever a client configures: one day (Cognito user pools API reference,
/// `CreateUserPoolClient`: `IdTokenValidity`).
const LIFETIME: Lifetime = Lifetime { longest: 24 * 3600, grace: 0 };

/// The claims of a token.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Claims {
    /// The user's permanent ID.
    pub(crate) sub: String,
    /// The user's name in the pool.
    #[serde(rename = "cognito:username", default)]
    pub(crate) username: String,
    #[serde(default)]
    pub(crate) email: String,
    #[serde(default)]
    pub(crate) name: String,
    /// `owner`, or any other value.
    #[serde(rename = "custom:role", default)]
    pub(crate) role: Option<String>,
    /// Cognito writes it as a boolean or as a string.
    #[serde(default, deserialize_with = "truth")]
    pub(crate) email_verified: bool,
}

impl Claims {
    /// Checks whether the user is the site's owner.
    pub(crate) fn is_owner(&self) -> bool {
        self.role.as_deref() == Some("owner")
    }
}

fn truth<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(value == true || value == "true")
}

/// Why a token is not accepted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("the token is malformed: {0}")]
    Malformed(&'static str),
    #[error("the token is signed with a key that the user pool does not have")]
    UnknownKey,
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The token was issued by or for another party, or for another use.
    #[error("the token's {0} is wrong")]
    Claim(&'static str),
    #[error("the token has expired")]
    Expired,
    /// The keys are not available.
    #[error("failed to verify the token")]
    Keys(#[from] FetchError),
}

impl From<ParseError> for TokenError {
    fn from(error: ParseError) -> Self {
        Self::Malformed(match error {
            ParseError::Parts => "it does not have three parts",
            ParseError::Base64 => "a part of it is not base64",
            ParseError::Json => "a part of it is not the expected JSON",
        })
    }
}

impl From<ValidityError> for TokenError {
    fn from(error: ValidityError) -> Self {
        match error {
            ValidityError::Expired => Self::Expired,
            ValidityError::Missing(_) => Self::Malformed("it does not say when it was issued and when it expires"),
            ValidityError::NotYet => Self::Claim("time of issue"),
            ValidityError::TooLong => Self::Claim("lifetime"),
        }
    }
}

impl From<serde_json::Error> for TokenError {
    fn from(_: serde_json::Error) -> Self {
        ParseError::Json.into()
    }
}

/// The claims that a token is verified by.
#[derive(Debug, Deserialize)]
struct Terms {
    iss: String,
    #[serde(default)]
    aud: String,
    #[serde(default)]
    token_use: String,
}

/// Verifies tokens of one user pool for one client.
#[derive(Debug)]
pub(crate) struct Verifier {
    issuer: String,
    audience: String,
    keys: KeySet<Http>,
}

impl Verifier {
    /// Accepts tokens that `issuer` issued for `audience` and signed with one of the keys at `keys_url`.
    pub(crate) fn new(issuer: &str, audience: &str, keys_url: &str, http: SharedHttpClient) -> Self {
        let keys = KeySet::new(keys_url, Http(http), REFRESH);
        Self { issuer: issuer.to_owned(), audience: audience.to_owned(), keys }
    }

    pub(crate) async fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, TokenError> {
        let token = Unverified::parse(token)?;
        if token.algorithm() != "RS256" {
            return Err(TokenError::Malformed("its algorithm is not RS256"));
        }
        let key_id = token.key_id().ok_or(TokenError::Malformed("it names no key"))?;
        let key = self.keys.get(key_id, now).await?.ok_or(TokenError::UnknownKey)?;
        let claims = token.verify_rs256(&key)?;
        self.check(&claims.deserialize()?)?;
        claims.validity(LIFETIME, now)?;
        Ok(claims.deserialize()?)
    }

    fn check(&self, terms: &Terms) -> Result<(), TokenError> {
        for (claim, is_right) in [
            ("issuer", terms.iss == self.issuer),
            ("audience", terms.aud == self.audience),
            ("use", terms.token_use == "id"),
        ] {
            if !is_right {
                return Err(TokenError::Claim(claim));
            }
        }
        Ok(())
    }
}

/// Returns the claims of a token that the user pool itself has just sent.
pub(crate) fn claims(token: &str) -> Result<Claims, TokenError> {
    Ok(Unverified::parse(token)?.from_issuer().deserialize()?)
}

#[cfg(test)]
mod tests;
