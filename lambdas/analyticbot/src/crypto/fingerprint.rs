//! Fingerprints of tokens: they make tokens unique without decrypting any.

use std::fmt;

use common::token::SecretSource;
use ring::hmac;

use super::secrets::{self, UnusableSecret};

/// Derives fingerprints with a secret key, which must never change.
pub struct Fingerprints(hmac::Key);

impl Fingerprints {
    /// Reads the secret.
    ///
    /// # Errors
    /// When it cannot be read or is too short.
    pub async fn start(source: &SecretSource) -> Result<Self, UnusableSecret> {
        let secret = secrets::current(source, "fingerprints", SecretSource::CACHE_TIME).await?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &secret)))
    }

    /// Returns the HMAC-SHA256 of a token in hexadecimal digits.
    #[must_use]
    pub fn of(&self, token: &str) -> String {
        hex::encode(hmac::sign(&self.0, token.as_bytes()))
    }
}

impl fmt::Debug for Fingerprints {
    /// Without the key.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Fingerprints")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::secret;

    #[tokio::test(flavor = "current_thread")]
    async fn a_fingerprint_depends_on_token_and_key() {
        let key = "k".repeat(40);
        let one = Fingerprints::start(&secret(&key)).await.expect("a long secret");
        let two = Fingerprints::start(&secret(&"x".repeat(32))).await.expect("a secret");
        assert_eq!(one.of("1:a"), one.of("1:a"));
        assert!(one.of("1:a") != one.of("1:b") && one.of("1:a") != two.of("1:a"));
        assert_eq!((one.of("1:a").len(), format!("{one:?}")), (64, "Fingerprints".to_owned()));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_short_secret_stops_the_start() {
        let error = Fingerprints::start(&secret(&"x".repeat(31))).await.expect_err("31 bytes");
        assert_eq!(error.to_string(), "the secret of fingerprints has fewer than 32 bytes");
    }
}
