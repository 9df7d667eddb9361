//! The secret that signs backend tokens: read on first use and cached for a minute. Its previous version still verifies
//! for a limited time, so that a rotation signs no user out.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aws_call::{Call, CallError, services::SECRETS_MANAGER};
use aws_config::SdkConfig;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use common::token::SigningSecrets;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;

use super::error::TokenError;
use crate::aws;

/// The age at which the secret is read again: an instance signs with a leaked secret for this long after its rotation.
pub(crate) const CACHE_TIME: Duration = Duration::from_secs(60);
/// The age at which a token that the current secret did not sign causes a read, so that a revoked secret ends sooner.
pub(crate) const RECHECK_TIME: Duration = Duration::from_secs(10);
/// The age up to which the secret is used while it cannot be read.
const USABLE_TIME: Duration = Duration::from_secs(3600);

#[derive(Debug)]
pub(crate) struct SecretSource {
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

impl SecretSource {
    pub(crate) fn new(config: SdkConfig, arn: String) -> Self {
        Self { config, arn, cache: Mutex::new(None) }
    }

    /// Returns the secret, read at most `age` ago. If it cannot be read, the cached one stays in use for an hour.
    pub(crate) async fn get(&self, age: Duration) -> Result<SigningSecrets, TokenError> {
        let mut cache = self.cache.lock().await;
        if let Some(cached) = cache.as_ref().filter(|cached| cached.attempted.elapsed() < age.min(CACHE_TIME)) {
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
                    tracing::error!(error = %error, "failed to read the token secret; the old one stays in use");
                    cached.attempted = attempted;
                    Ok(cached.secrets.clone())
                }
                None => Err(error),
            },
        }
    }

    async fn read(&self) -> Result<SigningSecrets, TokenError> {
        let missing = || TokenError::Unavailable("the token secret has no value".into());
        let (current, rotated_at) = self.version("AWSCURRENT").await?.ok_or_else(missing)?;
        // Read second: with a rotation in between, it is the version that was read first, not an older one.
        let previous = self.version("AWSPREVIOUS").await?.map(|(previous, _)| previous);
        Ok(SigningSecrets { current, previous, rotated_at })
    }

    /// Returns a version and when it was created.
    async fn version(&self, stage: &str) -> Result<Option<(Arc<[u8]>, Option<Timestamp>)>, TokenError> {
        let input = json!({ "SecretId": self.arn, "VersionStage": stage });
        match Call::json(SECRETS_MANAGER, "GetSecretValue", &input).receive::<Answer>(&self.config).await {
            Ok(answer) => {
                let since_1970 = answer.created_date.and_then(|date| SignedDuration::try_from_secs_f64(date).ok());
                let created = since_1970.and_then(|duration| Timestamp::from_duration(duration).ok());
                let secret = answer.secret_string.filter(|text| !text.is_empty());
                Ok(secret.map(|text| (text.into_bytes().into(), created)))
            }
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(TokenError::Unavailable(aws::error_chain(&error).into())),
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

fn is_absent(error: &CallError) -> bool {
    error.as_service_error().and_then(ProvideErrorMetadata::code) == Some("ResourceNotFoundException")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use serde_json::json;

    use super::*;
    use crate::testing::{Script, error_reply, json_reply};

    /// A source whose previous version is revoked after the first read, and that fails after the second one.
    fn source(reads: &Arc<AtomicUsize>) -> SecretSource {
        let reads = Arc::clone(reads);
        let script = Script::new(move |request| {
            let is_current = request.body["VersionStage"] == "AWSCURRENT";
            let read =
                if is_current { reads.fetch_add(1, Ordering::Relaxed) } else { reads.load(Ordering::Relaxed) - 1 };
            match (read, is_current) {
                (0 | 1, true) => json_reply(json!({"SecretString": "new", "CreatedDate": 1_700_000_000})),
                (0, false) => json_reply(json!({"SecretString": "old", "CreatedDate": 1_600_000_000})),
                (1, false) => error_reply("ResourceNotFoundException"),
                _ => error_reply("InternalServiceError"),
            }
        });
        SecretSource::new(script.aws(), "secret".to_owned())
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_revoked_version_ends_with_the_next_read_and_a_failed_read_changes_nothing() {
        let reads = Arc::default();
        let source = source(&reads);
        for age in [CACHE_TIME, RECHECK_TIME] {
            let secrets = source.get(age).await.expect("read");
            assert_eq!(secrets.previous.as_deref(), Some(b"old".as_slice()));
            assert_eq!(secrets.rotated_at.map(Timestamp::as_second), Some(1_700_000_000));
        }
        assert_eq!(reads.load(Ordering::Relaxed), 1, "the second one is cached");
        for expected in [2, 3] {
            assert_eq!(source.get(Duration::ZERO).await.expect("read or cached").previous, None);
            assert_eq!(reads.load(Ordering::Relaxed), expected);
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn without_a_cached_secret_a_failed_read_is_an_error() {
        let reads = Arc::new(AtomicUsize::new(2));
        assert!(matches!(source(&reads).get(CACHE_TIME).await, Err(TokenError::Unavailable(_))));
    }
}
