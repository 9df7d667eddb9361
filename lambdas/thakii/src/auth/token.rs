//! A JSON web token taken apart, and the checks that all kinds share. Nothing here trusts a claim before its signature
//! is verified: <https://www.rfc-editor.org/rfc/rfc7519>.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::error::TokenError;

/// How far clocks may differ, in seconds.
pub const LEEWAY: i64 = 60;

/// A token whose signature nobody has looked at.
#[derive(Debug, Clone)]
pub struct Unverified<'a> {
    /// The algorithm it claims to be signed with.
    pub algorithm: String,
    /// The key it claims to be signed with.
    pub key_id: Option<String>,
    /// Header and claims, as signed.
    pub signed: &'a str,
    /// The signature.
    pub signature: Vec<u8>,
    claims: Map<String, Value>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
}

impl<'a> Unverified<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(token: &'a str) -> Result<Self, TokenError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError::Malformed);
        let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| TokenError::Malformed)?;
        let claims = serde_json::from_slice(&decode(claims)?).map_err(|_| TokenError::Malformed)?;
        let signature = decode(signature)?;
        Ok(Self { algorithm: header.alg, key_id: header.kid, signed, signature, claims })
    }

    /// The issuer it claims.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.claims.get("iss")?.as_str()
    }

    /// The claims, once the signature is verified.
    pub(super) fn trusted(&self) -> Claims<'_> {
        Claims(&self.claims)
    }
}

/// Claims of a token whose signature is verified.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claims<'a>(&'a Map<String, Value>);

impl<'a> Claims<'a> {
    /// A claim's text.
    pub(super) fn text(self, name: &str) -> Option<&'a str> {
        self.0.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// A claim's time, in seconds since 1970. Fractions are cut off.
    pub(super) fn time(self, name: &str) -> Option<i64> {
        let value = self.0.get(name)?;
        #[expect(clippy::cast_possible_truncation, reason = "as many seconds as an i64 holds are enough")]
        value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64))
    }

    /// A claim's truth value; some issuers spell it as a text.
    pub(super) fn truth(self, name: &str) -> bool {
        match self.0.get(name) {
            Some(Value::Bool(truth)) => *truth,
            Some(Value::String(text)) => text == "true",
            _ => false,
        }
    }

    /// A claim's texts.
    pub(super) fn texts(self, name: &str) -> Vec<String> {
        let list = self.0.get(name).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// A claim within a claim.
    pub(super) fn within(self, outer: &str, name: &str) -> Option<&'a str> {
        self.0.get(outer)?.get(name)?.as_str()
    }

    /// Is it meant for `audience`?
    pub(super) fn is_for(self, audience: &str) -> bool {
        match self.0.get("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(several)) => several.iter().any(|one| one == audience),
            _ => false,
        }
    }

    /// When it was issued, and when it expires; both must be there.
    pub(super) fn lifetime(self, now: i64) -> Result<(i64, i64), TokenError> {
        let expires = self.time("exp").ok_or(TokenError::Refused("expiry"))?;
        let issued = self.time("iat").ok_or(TokenError::Refused("time of issue"))?;
        if expires.saturating_add(LEEWAY) <= now {
            return Err(TokenError::Expired);
        }
        let earliest = self.time("nbf").unwrap_or(issued).max(issued);
        if earliest > now.saturating_add(LEEWAY) {
            return Err(TokenError::Refused("time of issue"));
        }
        Ok((issued, expires))
    }
}
