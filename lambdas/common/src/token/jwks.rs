//! An issuer's published keys, fetched when a token first needs them and cached.

use std::{collections::BTreeMap, fmt, sync::Arc};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::SignatureError;

/// A public RSA key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

impl PublicKey {
    pub(super) fn verify(&self, signed: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        RsaPublicKeyComponents { n: &self.modulus, e: &self.exponent }
            .verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature)
            .map_err(|_| SignatureError)
    }
}

/// Fetches the document in which an issuer publishes its keys.
pub trait Fetch: fmt::Debug + Send + Sync {
    /// Returns the body of a successful response.
    ///
    /// # Errors
    /// When there is none.
    fn fetch(
        &self,
        url: &str,
    ) -> impl Future<Output = Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>>> + Send;
}

/// When cached keys are fetched again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refresh {
    /// Older keys are fetched again.
    pub fresh: SignedDuration,
    /// Older keys are not used, even if the issuer is unreachable.
    pub usable: SignedDuration,
    /// The shortest time before an optional fetch: of stale keys, or for an unknown key ID. Key IDs can be made up, and an
    /// unreachable issuer must not slow down every request.
    pub interval: SignedDuration,
    /// What the interval is counted from.
    pub counted_from: CountedFrom,
}

/// The start of the interval before an optional fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountedFrom {
    /// The last successful fetch. A failed fetch is an error.
    Success,
    /// The last optional fetch. If it failed, the cached keys stay in use.
    Attempt,
}

/// The keys are not available.
#[derive(Debug, Clone, thiserror::Error)]
#[error("failed to fetch the keys at {url}")]
pub struct FetchError {
    /// The address of the keys.
    pub url: String,
    /// Why no keys were read from there.
    #[source]
    pub source: Arc<dyn std::error::Error + Send + Sync>,
}

type Keys = BTreeMap<String, PublicKey>;

#[derive(Debug, Default)]
struct Cache {
    keys: Keys,
    fetched: Option<Timestamp>,
    last_optional_fetch: Option<Timestamp>,
}

/// The keys of one issuer.
#[derive(Debug)]
pub struct KeySet<F> {
    url: String,
    fetch: F,
    refresh: Refresh,
    cache: Mutex<Cache>,
}

impl<F: Fetch> KeySet<F> {
    /// Creates the set of the keys at `url` without fetching them.
    #[must_use]
    pub fn new(url: impl Into<String>, fetch: F, refresh: Refresh) -> Self {
        Self { url: url.into(), fetch, refresh, cache: Mutex::default() }
    }

    /// Returns the key with this ID, if the issuer has one.
    ///
    /// # Errors
    /// When the keys cannot be fetched and no usable ones are cached.
    pub async fn get(&self, key_id: &str, now: Timestamp) -> Result<Option<PublicKey>, FetchError> {
        let mut cache = self.cache.lock().await;
        let age = cache.fetched.map(|fetched| now.duration_since(fetched));
        let is_required = age.is_none_or(|age| age >= self.refresh.usable);
        let is_stale = age.is_none_or(|age| age >= self.refresh.fresh);
        let is_fetched = is_required || (is_stale && self.allows_optional_fetch(&mut cache, now));
        if is_fetched {
            self.update(&mut cache, is_required, now).await?;
        }
        if let Some(key) = cache.keys.get(key_id) {
            return Ok(Some(key.clone()));
        }
        if !is_fetched && self.allows_optional_fetch(&mut cache, now) {
            self.update(&mut cache, is_required, now).await?;
        }
        Ok(cache.keys.get(key_id).cloned())
    }

    /// Checks whether an optional fetch is allowed, and counts it if so.
    fn allows_optional_fetch(&self, cache: &mut Cache, now: Timestamp) -> bool {
        let start = match self.refresh.counted_from {
            CountedFrom::Success => cache.fetched,
            CountedFrom::Attempt => cache.last_optional_fetch,
        };
        let elapsed = start.map(|start| now.duration_since(start));
        let is_allowed = elapsed.is_none_or(|elapsed| elapsed >= self.refresh.interval);
        if is_allowed {
            cache.last_optional_fetch = Some(now);
        }
        is_allowed
    }

    /// Fetches the keys. On failure, cached keys stay in use unless the fetch is required.
    async fn update(&self, cache: &mut Cache, is_required: bool, now: Timestamp) -> Result<(), FetchError> {
        let document = self.fetch.fetch(&self.url).await;
        match document.and_then(|document| Ok(parse(&document)?)) {
            Ok(keys) => {
                cache.keys = keys;
                cache.fetched = Some(now);
                Ok(())
            }
            Err(source) if !is_required && self.refresh.counted_from == CountedFrom::Attempt => {
                let error = crate::telemetry::chain(source.as_ref());
                tracing::error!(url = self.url, error, "failed to fetch keys; cached ones stay in use");
                Ok(())
            }
            Err(source) => Err(FetchError { url: self.url.clone(), source: source.into() }),
        }
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
fn parse(document: &[u8]) -> Result<Keys, serde_json::Error> {
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
mod tests;
