//! An issuer's public keys: cached for an hour, fetched again for an unknown key ID, and used for up to a day while the
//! issuer is unreachable.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::error::TokenError;
use crate::outbound::Outbound;

const FETCH_TIMEOUT: Duration = Duration::from_secs(10);
const FRESH: Duration = Duration::from_secs(3600);
const USABLE: Duration = Duration::from_secs(24 * 3600);
/// The shortest time between two optional fetches. Key IDs can be made up, and an unreachable issuer must not slow down
/// every request.
const OPTIONAL_FETCH_INTERVAL: Duration = Duration::from_secs(60);
/// Keys take a few kilobytes.
const MAX_DOCUMENT_BYTES: usize = 256 * 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicKey {
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

impl PublicKey {
    /// Verifies a signature (RS256).
    pub(crate) fn verify(&self, signed: &[u8], signature: &[u8]) -> Result<(), TokenError> {
        RsaPublicKeyComponents { n: &self.modulus, e: &self.exponent }
            .verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature)
            .map_err(|_| TokenError::Invalid("signature"))
    }
}

type Keys = Arc<BTreeMap<String, PublicKey>>;

/// The last fetched keys.
#[derive(Debug, Default)]
struct Cache {
    keys: Option<(Instant, Keys)>,
    /// The time of the last optional fetch.
    last_optional_fetch: Option<Instant>,
}

/// The keys of one issuer.
#[derive(Debug)]
pub(crate) struct KeySet {
    url: String,
    outbound: Outbound,
    cache: Mutex<Cache>,
}

impl KeySet {
    /// Creates a set without fetching the keys.
    pub(crate) fn new(url: String, outbound: Outbound) -> Self {
        Self { url, outbound, cache: Mutex::new(Cache::default()) }
    }

    /// Returns the key with this ID, if the issuer has one.
    pub(crate) async fn get(&self, key_id: &str) -> Result<Option<PublicKey>, TokenError> {
        let mut cache = self.cache.lock().await;
        let age = cache.keys.as_ref().map(|(fetched, _)| fetched.elapsed());
        let is_required = age.is_none_or(|age| age >= USABLE);
        let fetch = is_required || (age.is_none_or(|age| age >= FRESH) && cache.allow_optional_fetch());
        if fetch {
            self.refresh(&mut cache, age).await?;
        }
        if let Some(key) = cache.find(key_id) {
            return Ok(Some(key));
        }
        if !fetch && cache.allow_optional_fetch() {
            self.refresh(&mut cache, age).await?;
        }
        Ok(cache.find(key_id))
    }

    /// Fetches the keys. On failure, keys younger than [`USABLE`] stay in use.
    async fn refresh(&self, cache: &mut Cache, age: Option<Duration>) -> Result<(), TokenError> {
        match self.fetch().await {
            Ok(keys) => {
                cache.keys = Some((Instant::now(), Arc::new(keys)));
                Ok(())
            }
            Err(cause) if age.is_some_and(|age| age < USABLE) => {
                tracing::error!(url = self.url, error = cause, "failed to fetch keys; old ones stay in use");
                Ok(())
            }
            Err(cause) => Err(TokenError::Unavailable(cause.into())),
        }
    }

    async fn fetch(&self) -> Result<BTreeMap<String, PublicKey>, String> {
        let answer =
            self.outbound.get(&self.url, FETCH_TIMEOUT, MAX_DOCUMENT_BYTES).await.map_err(|error| error.to_string())?;
        if answer.status != 200 {
            return Err(format!("{} answered HTTP {}", self.url, answer.status));
        }
        parse(&answer.body).map_err(|error| format!("{} contains no keys: {error}", self.url))
    }
}

impl Cache {
    /// Checks whether an optional fetch is allowed, and counts it if so.
    fn allow_optional_fetch(&mut self) -> bool {
        let is_allowed = self.last_optional_fetch.is_none_or(|fetched| fetched.elapsed() >= OPTIONAL_FETCH_INTERVAL);
        if is_allowed {
            self.last_optional_fetch = Some(Instant::now());
        }
        is_allowed
    }

    fn find(&self, key_id: &str) -> Option<PublicKey> {
        self.keys.as_ref().and_then(|(_, keys)| keys.get(key_id).cloned())
    }
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Jwk>,
}

/// A published key: <https://www.rfc-editor.org/rfc/rfc7517>.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

/// Parses the RSA signature keys of a document.
fn parse(document: &[u8]) -> Result<BTreeMap<String, PublicKey>, serde_json::Error> {
    let document: Document = serde_json::from_slice(document)?;
    Ok(document.keys.into_iter().filter_map(key).collect())
}

fn key(jwk: Jwk) -> Option<(String, PublicKey)> {
    let suits = |value: Option<String>, wanted: &str| value.is_none_or(|value| value == wanted);
    if jwk.kty != "RSA" || !suits(jwk.usage, "sig") || !suits(jwk.alg, "RS256") {
        return None;
    }
    // Padding is not allowed but occurs; `ring` rejects leading zeros.
    let number = |text: &str| {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        Some(bytes[zeros..].to_vec())
    };
    Some((jwk.kid?, PublicKey { modulus: number(&jwk.n?)?, exponent: number(&jwk.e?)? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rsa_signature_keys_are_used() {
        let document = br#"{"keys": [
            {"kty": "RSA", "kid": "good", "use": "sig", "alg": "RS256", "n": "AAEC", "e": "AQAB"},
            {"kty": "RSA", "kid": "bare", "n": "AQI=", "e": "AQAB"},
            {"kty": "EC", "kid": "curve", "n": "AQI", "e": "AQAB"},
            {"kty": "RSA", "kid": "encrypts", "use": "enc", "n": "AQI", "e": "AQAB"},
            {"kty": "RSA", "kid": "other", "alg": "RS512", "n": "AQI", "e": "AQAB"},
            {"kty": "RSA", "n": "AQI", "e": "AQAB"},
            {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"}
        ]}"#;
        let keys = parse(document).expect("keys");
        assert_eq!(keys.keys().collect::<Vec<_>>(), ["bare", "good"]);
        assert_eq!(keys["good"], PublicKey { modulus: vec![1, 2], exponent: vec![1, 0, 1] });
        assert_eq!(keys["bare"].modulus, [1, 2]);
        assert!(parse(b"<html>").is_err());
    }

    /// Keys that were fetched some hours ago, from an issuer that is now unreachable.
    async fn fetched_hours_ago(hours: u64) -> KeySet {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        drop(listener);
        let set = KeySet::new(url, Outbound::new(false));
        let fetched = Instant::now().checked_sub(Duration::from_secs(hours * 3600)).expect("a time");
        let key = PublicKey { modulus: vec![1], exponent: vec![1, 0, 1] };
        set.cache.lock().await.keys = Some((fetched, Arc::new(BTreeMap::from([("good".to_owned(), key)]))));
        set
    }

    #[tokio::test(flavor = "current_thread")]
    async fn old_keys_are_used_for_a_day() {
        for hours in [2, 23] {
            let set = fetched_hours_ago(hours).await;
            assert!(set.get("good").await.expect("cached keys").is_some(), "{hours}");
            assert!(set.cache.lock().await.last_optional_fetch.is_some(), "{hours}: a fetch was attempted");
        }
        for hours in [24, 48] {
            let error = fetched_hours_ago(hours).await.get("good").await.expect_err("too old");
            assert!(matches!(error, TokenError::Unavailable(_)), "{hours}: {error}");
        }
    }
}
