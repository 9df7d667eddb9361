//! The secret that signs tokens, in Secrets Manager: read on first use and cached for a minute. Its previous version
//! still verifies for a limited time, so that a rotation signs no user out.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aws_call::{Call, CallError, services::SECRETS_MANAGER};
use aws_config::SdkConfig;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;

use super::{Claims, Overlap, SignatureError, SignedBy, SigningSecrets, Unverified};
use crate::telemetry;

/// The age up to which the secret is used while it cannot be read.
const USABLE_TIME: Duration = Duration::from_secs(3600);

/// Reads and caches the versions of a secret that sign tokens.
#[derive(Debug)]
pub struct SecretSource {
    config: SdkConfig,
    arn: String,
    cache: Mutex<Option<Cached>>,
}

#[derive(Debug)]
struct Cached {
    read: Instant,
    /// Of the last read, also if it failed.
    attempted: Instant,
    secrets: SigningSecrets,
}

/// Why a secret is unavailable.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The secret has no current version, or an empty one.
    #[error("the token secret has no value")]
    NoValue,
    /// The call failed. Boxed, because the SDK's error is large.
    #[error("failed to read the token secret")]
    Call(#[source] Box<CallError>),
}

/// Why a token is refused.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Its header names another algorithm.
    #[error("the token's algorithm is not HS256")]
    Algorithm,
    /// No accepted version of the secret signed it.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The secret is unavailable, so the token could not be verified.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

impl SecretSource {
    /// The age at which the secret is read again: an instance signs with a leaked secret for this long after its rotation.
    pub const CACHE_TIME: Duration = Duration::from_secs(60);
    /// The age at which a token that the current version did not sign causes a read, so that a revoked one ends sooner.
    pub const RECHECK_TIME: Duration = Duration::from_secs(10);

    /// Creates a source that reads the secret on first use.
    #[must_use]
    pub fn new(config: SdkConfig, arn: String) -> Self {
        Self { config, arn, cache: Mutex::new(None) }
    }

    /// Returns the secret, read at most `age` ago. If it cannot be read, the cached one stays in use for an hour.
    ///
    /// # Errors
    /// When the secret cannot be read and none is cached.
    pub async fn get(&self, age: Duration) -> Result<SigningSecrets, SecretError> {
        let mut cache = self.cache.lock().await;
        if let Some(cached) = cache.as_ref().filter(|cached| cached.attempted.elapsed() < age.min(Self::CACHE_TIME)) {
            return Ok(cached.secrets.clone());
        }
        let attempted = Instant::now();
        match self.read().await {
            Ok(secrets) => {
                *cache = Some(Cached { read: attempted, attempted, secrets: secrets.clone() });
                Ok(secrets)
            }
            Err(error) => match cache.as_mut().filter(|cached| cached.read.elapsed() < USABLE_TIME) {
                Some(cached) => {
                    let error = telemetry::chain(&error);
                    tracing::error!(error, "failed to read the token secret; the old one stays in use");
                    cached.attempted = attempted;
                    Ok(cached.secrets.clone())
                }
                None => Err(error),
            },
        }
    }

    /// Verifies a token that lives for at most `lifetime` seconds. Its claims are not checked.
    ///
    /// The algorithm is checked before the secret is read: a key of another algorithm must never be used with it.
    ///
    /// # Errors
    /// When the token is refused, or when the secret is unavailable.
    pub async fn verify<'a>(
        &self,
        token: &'a Unverified<'_>,
        lifetime: i64,
        now: Timestamp,
    ) -> Result<Claims<'a>, VerifyError> {
        if token.algorithm() != "HS256" {
            return Err(VerifyError::Algorithm);
        }
        let unaware = i64::try_from(Self::CACHE_TIME.as_secs()).unwrap_or(i64::MAX);
        let overlap = Overlap { unaware, lifetime };
        let cached = self.get(Self::CACHE_TIME).await?;
        if let Ok((claims, SignedBy::Current)) = cached.verify(token, overlap, now) {
            return Ok(claims);
        }
        // The secret may have been rotated or revoked since it was read.
        let (claims, _) = self.get(Self::RECHECK_TIME).await?.verify(token, overlap, now)?;
        Ok(claims)
    }

    async fn read(&self) -> Result<SigningSecrets, SecretError> {
        let (current, rotated_at) = self.version("AWSCURRENT").await?.ok_or(SecretError::NoValue)?;
        // Read second: with a rotation in between, it is the version that was read first, not an older one.
        let previous = self.version("AWSPREVIOUS").await?.map(|(previous, _)| previous);
        Ok(SigningSecrets { current, previous, rotated_at })
    }

    /// Returns a version and when it was created.
    async fn version(&self, stage: &str) -> Result<Option<(Arc<[u8]>, Option<Timestamp>)>, SecretError> {
        let input = json!({ "SecretId": self.arn, "VersionStage": stage });
        match Call::json(SECRETS_MANAGER, "GetSecretValue", &input).receive::<Answer>(&self.config).await {
            Ok(answer) => {
                let since_1970 = answer.created_date.and_then(|date| SignedDuration::try_from_secs_f64(date).ok());
                let created = since_1970.and_then(|duration| Timestamp::from_duration(duration).ok());
                let secret = answer.secret_string.filter(|text| !text.is_empty());
                Ok(secret.map(|text| (text.into_bytes().into(), created)))
            }
            Err(error) if error.code() == Some("ResourceNotFoundException") => Ok(None),
            Err(error) => Err(SecretError::Call(Box::new(error))),
        }
    }
}

/// A response of `GetSecretValue` (Secrets Manager API reference).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    /// In seconds since 1970.
    created_date: Option<f64>,
    secret_string: Option<String>,
}

#[cfg(test)]
mod tests;
