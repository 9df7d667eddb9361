//! JSON web tokens: parsing, and the checks that all kinds share. Claims are accessible only after the signature is
//! verified: <https://www.rfc-editor.org/rfc/rfc7519>.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::error::TokenError;

/// The tolerated difference between clocks, in seconds.
pub(crate) const LEEWAY: i64 = 60;

/// A token before its signature is verified.
#[derive(Debug, Clone)]
pub(crate) struct Unverified<'a> {
    pub(crate) algorithm: String,
    pub(crate) key_id: Option<String>,
    /// Header and claims, as signed.
    pub(crate) signed: &'a str,
    pub(crate) signature: Vec<u8>,
    claims: Map<String, Value>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
}

impl<'a> Unverified<'a> {
    pub(crate) fn parse(token: &'a str) -> Result<Self, TokenError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError::Malformed);
        let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| TokenError::Malformed)?;
        let claims = serde_json::from_slice(&decode(claims)?).map_err(|_| TokenError::Malformed)?;
        let signature = decode(signature)?;
        Ok(Self { algorithm: header.alg, key_id: header.kid, signed, signature, claims })
    }

    pub(crate) fn issuer(&self) -> Option<&str> {
        self.claims.get("iss")?.as_str()
    }

    /// Returns the claims. Only to be called once the signature is verified.
    pub(super) fn trusted(&self) -> Claims<'_> {
        Claims(&self.claims)
    }
}

/// The claims of a token whose signature is verified.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claims<'a>(&'a Map<String, Value>);

impl<'a> Claims<'a> {
    /// Returns a string that is not empty.
    pub(super) fn text(self, name: &str) -> Option<&'a str> {
        self.0.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// Returns a time in whole seconds since 1970.
    pub(super) fn time(self, name: &str) -> Option<i64> {
        let value = self.0.get(name)?;
        #[expect(clippy::cast_possible_truncation, reason = "as many seconds as an i64 holds are enough")]
        value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64))
    }

    /// Returns a boolean, which some issuers write as a string.
    pub(super) fn truth(self, name: &str) -> bool {
        match self.0.get(name) {
            Some(Value::Bool(truth)) => *truth,
            Some(Value::String(text)) => text == "true",
            _ => false,
        }
    }

    pub(super) fn texts(self, name: &str) -> Vec<String> {
        let list = self.0.get(name).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// Returns a string from an object among the claims.
    pub(super) fn within(self, outer: &str, name: &str) -> Option<&'a str> {
        self.0.get(outer)?.get(name)?.as_str()
    }

    /// Checks the audience.
    pub(super) fn is_for(self, audience: &str) -> bool {
        match self.0.get("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(several)) => several.iter().any(|one| one == audience),
            _ => false,
        }
    }

    /// Checks the validity period. Returns the times of issue and of expiry, which are both required.
    pub(super) fn lifetime(self, now: i64) -> Result<(i64, i64), TokenError> {
        let expires = self.time("exp").ok_or(TokenError::Invalid("expiry"))?;
        let issued = self.time("iat").ok_or(TokenError::Invalid("time of issue"))?;
        if expires.saturating_add(LEEWAY) <= now {
            return Err(TokenError::Expired);
        }
        let earliest = self.time("nbf").unwrap_or(issued).max(issued);
        if earliest > now.saturating_add(LEEWAY) {
            return Err(TokenError::Invalid("time of issue"));
        }
        Ok((issued, expires))
    }
}
