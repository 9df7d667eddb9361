//! The credentials of sources: secrets of Secrets Manager, one for each source that has any. They are never logged.

use std::{collections::BTreeMap, fmt};

use aws_call::{Call, CallError, services::SECRETS_MANAGER};
use aws_config::SdkConfig;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tables::AwsError;

use super::ids;

/// Replaces the value of every credential in responses.
pub const HIDDEN: &str = "***";

/// What a source needs to sign in.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// Headers of requests to an HTTP source.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

impl fmt::Debug for Credentials {
    /// Without the values.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Credentials").field("headers", &self.headers.keys()).finish()
    }
}

/// The secrets of a stage's sources: `listbackup/<stage>/sources/<uuid of the source>`. Names of secrets cannot contain a colon.
#[derive(Debug, Clone)]
pub struct Vault {
    aws: SdkConfig,
    stage: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Secret {
    secret_string: String,
}

impl Vault {
    /// Uses the secrets of a stage.
    #[must_use]
    pub fn new(aws: SdkConfig, stage: String) -> Self {
        Self { aws, stage }
    }

    /// Returns the name of a source's secret.
    #[must_use]
    pub fn name(&self, source_id: &str) -> String {
        format!("listbackup/{}/sources/{}", self.stage, ids::bare(source_id))
    }

    /// Creates a source's secret.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn create(&self, source_id: &str, credentials: &Credentials) -> Result<(), AwsError> {
        let input = json!({ "Name": self.name(source_id), "SecretString": text(credentials)? });
        self.call("CreateSecret", &input).await.map_err(|error| AwsError::new("create a source's secret", &error))
    }

    /// Replaces a source's secret.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn replace(&self, source_id: &str, credentials: &Credentials) -> Result<(), AwsError> {
        let input = json!({ "SecretId": self.name(source_id), "SecretString": text(credentials)? });
        self.call("PutSecretValue", &input).await.map_err(|error| AwsError::new("change a source's secret", &error))
    }

    /// Deletes a source's secret at once: customers' credentials are not kept. An absent one is no error.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn delete(&self, source_id: &str) -> Result<(), AwsError> {
        let input = json!({ "SecretId": self.name(source_id), "ForceDeleteWithoutRecovery": true });
        match self.call("DeleteSecret", &input).await {
            Err(error) if !is_absent(&error) => Err(AwsError::new("delete a source's secret", &error)),
            _ => Ok(()),
        }
    }

    /// Reads a source's secret, if it has one.
    ///
    /// # Errors
    /// When the call fails, or when the secret has another form.
    pub async fn read(&self, source_id: &str) -> Result<Option<Credentials>, AwsError> {
        const ACTION: &str = "read a source's secret";
        let input = json!({ "SecretId": self.name(source_id) });
        match Call::json(SECRETS_MANAGER, "GetSecretValue", &input).receive::<Secret>(&self.aws).await {
            Ok(secret) => {
                let credentials = serde_json::from_str(&secret.secret_string);
                // The error of the parser may quote the secret.
                credentials.map(Some).map_err(|_| AwsError::unexpected(ACTION, "it has another form"))
            }
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(AwsError::new(ACTION, &error)),
        }
    }

    async fn call(&self, operation: &'static str, input: &Value) -> Result<(), CallError> {
        Call::json(SECRETS_MANAGER, operation, input).send(&self.aws).await.map(drop)
    }
}

fn text(credentials: &Credentials) -> Result<String, AwsError> {
    serde_json::to_string(credentials).map_err(|error| AwsError::new("serialize credentials", &error))
}

fn is_absent(error: &CallError) -> bool {
    error.as_service_error().and_then(ProvideErrorMetadata::code) == Some("ResourceNotFoundException")
}
