//! The secret that signs backend tokens: read when first needed, kept for five minutes, and its predecessor with it, so
//! that rotating it signs nobody out.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aws_sdk_secretsmanager::{Client, error::SdkError, operation::get_secret_value::GetSecretValueError};
use tokio::sync::Mutex;

use super::error::TokenError;
use crate::aws;

const KEPT: Duration = Duration::from_secs(300);

/// The secret in both its versions.
#[derive(Debug, Clone)]
pub struct Secrets {
    /// Signs and verifies.
    pub current: Arc<[u8]>,
    /// Only verifies; there is none before the first rotation.
    pub previous: Option<Arc<[u8]>>,
}

/// Where the secret comes from.
#[derive(Debug)]
pub struct SecretSource {
    client: Client,
    arn: String,
    kept: Mutex<Option<(Instant, Secrets)>>,
}

impl SecretSource {
    /// The secret with this ARN.
    #[must_use]
    pub fn new(client: Client, arn: String) -> Self {
        Self { client, arn, kept: Mutex::new(None) }
    }

    /// The secret. When it cannot be read, the one last read will do.
    ///
    /// # Errors
    /// When it cannot be read and never was.
    pub async fn get(&self) -> Result<Secrets, TokenError> {
        let mut kept = self.kept.lock().await;
        if let Some((read, secrets)) = kept.as_ref().filter(|(read, _)| read.elapsed() < KEPT) {
            let _ = read;
            return Ok(secrets.clone());
        }
        match self.read().await {
            Ok(secrets) => {
                *kept = Some((Instant::now(), secrets.clone()));
                Ok(secrets)
            }
            Err(error) => match kept.as_ref() {
                Some((_, secrets)) => {
                    tracing::error!(error = %error, "an old token secret is used on");
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
            Err(error) => Err(TokenError::Unavailable(aws::cause(&error).into())),
        }
    }
}

fn is_absent<R>(error: &SdkError<GetSecretValueError, R>) -> bool {
    error.as_service_error().is_some_and(GetSecretValueError::is_resource_not_found_exception)
}
