//! The secret that signs backend tokens: read on first use and cached for five minutes. Its previous version still
//! verifies, so that a rotation signs no user out.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aws_sdk_secretsmanager::{Client, error::SdkError, operation::get_secret_value::GetSecretValueError};
use tokio::sync::Mutex;

use super::error::TokenError;
use crate::aws;

const CACHE_TIME: Duration = Duration::from_secs(300);

#[derive(Debug, Clone)]
pub(crate) struct Secrets {
    pub(crate) current: Arc<[u8]>,
    /// Only verifies; absent before the first rotation.
    pub(crate) previous: Option<Arc<[u8]>>,
}

#[derive(Debug)]
pub(crate) struct SecretSource {
    client: Client,
    arn: String,
    cache: Mutex<Option<(Instant, Secrets)>>,
}

impl SecretSource {
    pub(crate) fn new(client: Client, arn: String) -> Self {
        Self { client, arn, cache: Mutex::new(None) }
    }

    /// Returns the secret. If it cannot be read, the cached one stays in use.
    pub(crate) async fn get(&self) -> Result<Secrets, TokenError> {
        let mut cache = self.cache.lock().await;
        if let Some((_, secrets)) = cache.as_ref().filter(|(read, _)| read.elapsed() < CACHE_TIME) {
            return Ok(secrets.clone());
        }
        match self.read().await {
            Ok(secrets) => {
                *cache = Some((Instant::now(), secrets.clone()));
                Ok(secrets)
            }
            Err(error) => match cache.as_ref() {
                Some((_, secrets)) => {
                    tracing::error!(error = %error, "failed to read the token secret; the old one stays in use");
                    Ok(secrets.clone())
                }
                None => Err(error),
            },
        }
    }

    async fn read(&self) -> Result<Secrets, TokenError> {
        let (current, previous) = tokio::join!(self.version("AWSCURRENT"), self.version("AWSPREVIOUS"));
        let missing = || TokenError::Unavailable("the token secret has no value".into());
        Ok(Secrets { current: current?.ok_or_else(missing)?, previous: previous? })
    }

    async fn version(&self, stage: &str) -> Result<Option<Arc<[u8]>>, TokenError> {
        let request = self.client.get_secret_value().secret_id(&self.arn).version_stage(stage);
        match request.send().await {
            Ok(answer) => Ok(answer.secret_string.filter(|text| !text.is_empty()).map(|text| text.into_bytes().into())),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(TokenError::Unavailable(aws::error_chain(&error).into())),
        }
    }
}

fn is_absent<R>(error: &SdkError<GetSecretValueError, R>) -> bool {
    error.as_service_error().is_some_and(GetSecretValueError::is_resource_not_found_exception)
}
