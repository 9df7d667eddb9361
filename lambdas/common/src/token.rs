//! JSON web tokens: parsing, signatures, and the claims that issuers spell differently. Which issuers, audiences and
//! uses are accepted is each system's policy.
//!
//! Claims are accessible only once a signature is verified: <https://www.rfc-editor.org/rfc/rfc7519>. Tokens are never
//! logged.

mod jwks;
mod rotation;
mod secret;
mod validity;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::hmac;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

pub use self::{
    jwks::{CountedFrom, Fetch, FetchError, KeySet, PublicKey, Refresh},
    rotation::{Overlap, SignedBy, SigningSecrets, is_rotation_due},
    secret::{SecretError, SecretSource, VerifyError},
    validity::{CLOCK_SKEW, Lifetime, Validity, ValidityError},
};

/// A token before its signature is verified.
#[derive(Debug, Clone)]
pub struct Unverified<'a> {
    algorithm: String,
    key_id: Option<String>,
    /// Header and claims, as signed.
    signed: &'a str,
    signature: Vec<u8>,
    claims: Map<String, Value>,
}

/// Not a JSON web token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// It does not have three parts.
    #[error("it does not have three parts")]
    Parts,
    /// A part is not base64.
    #[error("a part of it is not base64")]
    Base64,
    /// A part is not the expected JSON.
    #[error("a part of it is not the expected JSON")]
    Json,
}

/// The signature belongs to another key, or the token was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token's signature is wrong")]
pub struct SignatureError;

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
}

impl<'a> Unverified<'a> {
    /// Parses a signed token.
    ///
    /// # Errors
    /// When it is malformed.
    pub fn parse(token: &'a str) -> Result<Self, ParseError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(ParseError::Parts)?;
        let (header, claims) = signed.split_once('.').ok_or(ParseError::Parts)?;
        let Header { alg, kid } = decode(header)?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).map_err(|_| ParseError::Base64)?;
        Ok(Self { algorithm: alg, key_id: kid, signed, signature, claims: decode(claims)? })
    }

    /// The algorithm that the header names.
    #[must_use]
    pub fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// The ID of the key that the header names.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The issuer that the token names, to select who verifies it.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.claims.get("iss")?.as_str()
    }

    /// Verifies a signature made with RS256, whichever algorithm the header names.
    ///
    /// # Errors
    /// When the signature is not this key's.
    pub fn verify_rs256(&self, key: &PublicKey) -> Result<Claims<'_>, SignatureError> {
        key.verify(self.signed.as_bytes(), &self.signature)?;
        Ok(Claims(&self.claims))
    }

    /// Verifies a signature made with HS256 and one of these secrets, whichever algorithm the header names.
    ///
    /// # Errors
    /// When the signature was made with none of them.
    pub fn verify_hs256<'s>(&self, secrets: impl IntoIterator<Item = &'s [u8]>) -> Result<Claims<'_>, SignatureError> {
        let is_signed = secrets.into_iter().any(|secret| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
            hmac::verify(&key, self.signed.as_bytes(), &self.signature).is_ok()
        });
        if is_signed { Ok(Claims(&self.claims)) } else { Err(SignatureError) }
    }

    /// Returns the claims of a token that was received from its issuer itself, over TLS.
    #[must_use]
    pub fn from_issuer(&self) -> Claims<'_> {
        Claims(&self.claims)
    }
}

fn decode<T: DeserializeOwned>(part: &str) -> Result<T, ParseError> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| ParseError::Base64)?;
    serde_json::from_slice(&bytes).map_err(|_| ParseError::Json)
}

/// Signs claims with HS256.
#[must_use]
pub fn sign_hs256(secret: &[u8], claims: &Value) -> String {
    let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let header = serde_json::json!({"alg": "HS256", "typ": "JWT"});
    let signed = format!("{}.{}", encode(&header), encode(claims));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

/// The claims of a token whose signature is verified.
#[derive(Debug, Clone, Copy)]
pub struct Claims<'a>(&'a Map<String, Value>);

impl<'a> Claims<'a> {
    /// Deserializes the claims.
    ///
    /// # Errors
    /// When they have another shape.
    pub fn deserialize<T: Deserialize<'a>>(self) -> Result<T, serde_json::Error> {
        T::deserialize(self.0)
    }

    /// Returns a string that is not empty.
    #[must_use]
    pub fn text(self, name: &str) -> Option<&'a str> {
        self.0.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// Returns a time in whole seconds since 1970.
    #[must_use]
    pub fn time(self, name: &str) -> Option<i64> {
        let value = self.0.get(name)?;
        #[expect(clippy::cast_possible_truncation, reason = "as many seconds as an i64 holds are enough")]
        value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64))
    }

    /// Returns a boolean, which some issuers write as a string.
    #[must_use]
    pub fn truth(self, name: &str) -> bool {
        match self.0.get(name) {
            Some(Value::Bool(truth)) => *truth,
            Some(Value::String(text)) => text == "true",
            _ => false,
        }
    }

    /// Returns the strings of a list.
    #[must_use]
    pub fn texts(self, name: &str) -> Vec<String> {
        let list = self.0.get(name).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// Returns a string from an object among the claims.
    #[must_use]
    pub fn within(self, outer: &str, name: &str) -> Option<&'a str> {
        self.0.get(outer)?.get(name)?.as_str()
    }

    /// Checks the audience, which may be a string or a list.
    #[must_use]
    pub fn is_for(self, audience: &str) -> bool {
        match self.0.get("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(several)) => several.iter().any(|one| one == audience),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn encoded(text: &str) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(text)
    }

    #[test]
    fn malformed_tokens_are_rejected() {
        let header = encoded(r#"{"alg":"HS256"}"#);
        for (token, expected) in [
            (String::new(), ParseError::Parts),
            ("a.b".to_owned(), ParseError::Parts),
            (format!("!.{header}."), ParseError::Base64),
            (format!("{header}.{}.", encoded("[]")), ParseError::Json),
            (format!("{}.{header}.", encoded("{}")), ParseError::Json),
            (format!("{header}.{header}.!"), ParseError::Base64),
        ] {
            assert_eq!(Unverified::parse(&token).expect_err("malformed"), expected, "{token}");
        }
    }

    #[test]
    fn a_token_is_verified_with_any_of_several_secrets() {
        let token = sign_hs256(b"old", &json!({"iss": "notes", "sub": "ana"}));
        let token = Unverified::parse(&token).expect("a token");
        assert_eq!((token.algorithm(), token.key_id(), token.issuer()), ("HS256", None, Some("notes")));
        let secrets: [&[u8]; 2] = [b"new", b"old"];
        assert_eq!(token.verify_hs256(secrets).expect("signed").text("sub"), Some("ana"));
        assert_eq!(token.verify_hs256([b"new".as_slice()]).expect_err("another secret"), SignatureError);
        assert!(token.verify_hs256([]).is_err());
    }

    #[test]
    fn claims_are_read_in_any_spelling() {
        let token = sign_hs256(
            b"",
            &json!({
                "aud": ["a", "b"], "exp": 7.9, "iat": 5, "yes": "true", "true": true, "no": 1, "groups": ["x", 1],
                "outer": {"inner": "y"}, "empty": "",
            }),
        );
        let token = Unverified::parse(&token).expect("a token");
        let claims = token.from_issuer();
        assert_eq!(["a", "b", "c"].map(|audience| claims.is_for(audience)), [true, true, false]);
        assert_eq!(["exp", "iat", "yes"].map(|name| claims.time(name)), [Some(7), Some(5), None]);
        assert_eq!(["yes", "true", "no", "missing"].map(|name| claims.truth(name)), [true, true, false, false]);
        assert_eq!((claims.texts("groups"), claims.within("outer", "inner")), (vec!["x".to_owned()], Some("y")));
        assert_eq!(claims.text("empty"), None);
    }
}
