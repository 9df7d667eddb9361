//! The system's own secrets, in Secrets Manager, and secrets in JSON. A secret that is too short stops a function before its first event.

use std::{sync::Arc, time::Duration};

use common::token::{SecretError, SecretSource};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

/// The minimum length of a secret, in bytes: a key of HMAC-SHA256 has at least as many bits as its hash (RFC 7518, section 3.2).
pub const SECRET_BYTES: usize = 32;

/// The reason why a secret is not usable.
#[derive(Debug, thiserror::Error)]
pub enum UnusableSecret {
    /// It cannot be read.
    #[error("failed to read the secret of {0}")]
    Unavailable(&'static str, #[source] SecretError),
    /// It is too short.
    #[error("the secret of {0} has fewer than {SECRET_BYTES} bytes")]
    Short(&'static str),
}

/// Reads the current version of a secret, at most `age` ago.
///
/// # Errors
/// When it cannot be read or is too short.
pub(crate) async fn current(
    source: &SecretSource,
    purpose: &'static str,
    age: Duration,
) -> Result<Arc<[u8]>, UnusableSecret> {
    let secrets = source.get(age).await.map_err(|error| UnusableSecret::Unavailable(purpose, error))?;
    if secrets.current.len() < SECRET_BYTES {
        return Err(UnusableSecret::Short(purpose));
    }
    Ok(secrets.current)
}

/// Deserializes a text into memory that is overwritten when it is dropped.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(deserializer).map(Zeroizing::new)
}

/// Deserializes a text that may be absent or null.
pub(crate) fn optional_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Zeroizing<String>>, D::Error> {
    Option::<String>::deserialize(deserializer).map(|text| text.map(Zeroizing::new))
}
