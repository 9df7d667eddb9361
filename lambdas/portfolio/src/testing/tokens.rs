//! Tokens like those of the user pool, signed with a key for tests.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::{
    rand::SystemRandom,
    rsa::{KeyPair, PublicKeyComponents},
    signature::RSA_PKCS1_SHA256,
};
use serde_json::{Value, json};

use super::NOW;

/// The ID of the pool's key.
pub(crate) const KEY_ID: &str = "key-1";
pub(crate) const ISSUER: &str = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_test";
/// The address of the pool's keys.
pub(crate) const KEYS_URL: &str =
    "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_test/.well-known/jwks.json";

fn key() -> KeyPair {
    KeyPair::from_pkcs8(include_bytes!("key.pk8")).expect("a key")
}

/// The published keys of the pool.
pub(crate) fn published() -> Value {
    let PublicKeyComponents::<Vec<u8>> { n, e } = key().public().into();
    json!({"keys": [
        {"kty": "EC", "kid": "elliptic", "crv": "P-256"},
        {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": KEY_ID, "n": encode(&n), "e": encode(&e)},
    ]})
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Signs a token with this header and these claims.
pub(crate) fn signed(header: &Value, claims: &Value) -> String {
    let signed = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
    let key = key();
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).expect("a signature");
    format!("{signed}.{}", encode(&signature))
}

/// The owner's claims.
pub(crate) fn claims() -> Value {
    json!({
        "sub": "sub-1", "cognito:username": "owner-1", "email": "owner@example.com", "name": "Site Owner",
        "custom:role": "owner", "email_verified": true, "iss": ISSUER, "aud": "client", "token_use": "id",
        "iat": NOW.as_second() - 60, "exp": NOW.as_second() + 3600,
    })
}

/// A token with some of the owner's claims replaced, or removed if null.
pub(crate) fn token(changes: &Value) -> String {
    let mut claims = claims();
    for (name, value) in changes.as_object().expect("an object") {
        let fields = claims.as_object_mut().expect("an object");
        if value.is_null() {
            fields.remove(name)
        } else {
            fields.insert(name.clone(), value.clone())
        };
    }
    signed(&json!({"alg": "RS256", "kid": KEY_ID}), &claims)
}

/// The owner's token.
pub(crate) fn owner() -> String {
    token(&json!({}))
}

/// The token of a user without a role.
pub(crate) fn stranger() -> String {
    token(&json!({"sub": "sub-2", "cognito:username": "stranger", "custom:role": null, "email_verified": null}))
}
