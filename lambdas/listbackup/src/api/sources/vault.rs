//! The secrets that hold sources' credentials, one for each source that has any. This service writes them and never reads them.

use aws_call::{Call, CallError, services::SECRETS_MANAGER};
use aws_config::SdkConfig;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use serde_json::{Value, json};
use tables::AwsError;
use uuid::Uuid;

use crate::connectors::credentials::{StoredCredentials, secret_name};

/// The secrets of a stage's sources.
#[derive(Debug, Clone)]
pub(super) struct Vault {
    aws: SdkConfig,
    stage: String,
}

impl Vault {
    pub(super) fn new(aws: SdkConfig, stage: String) -> Self {
        Self { aws, stage }
    }

    /// Creates a source's secret.
    pub(super) async fn create(&self, source_id: &str, credentials: &StoredCredentials) -> Result<(), AwsError> {
        let name = secret_name(&self.stage, source_id);
        let input = json!({ "Name": name, "SecretString": text(credentials)?, "ClientRequestToken": token() });
        match self.call("CreateSecret", &input).await {
            // An earlier request wrote the secret, but not the row.
            Err(error) if is_code(&error, "ResourceExistsException") => self.replace(source_id, credentials).await,
            answer => answer.map_err(|error| AwsError::new("create a source's secret", &error)),
        }
    }

    /// Replaces a source's secret.
    pub(super) async fn replace(&self, source_id: &str, credentials: &StoredCredentials) -> Result<(), AwsError> {
        let name = secret_name(&self.stage, source_id);
        let input = json!({ "SecretId": name, "SecretString": text(credentials)?, "ClientRequestToken": token() });
        self.call("PutSecretValue", &input).await.map_err(|error| AwsError::new("change a source's secret", &error))
    }

    /// Deletes a source's secret at once: customers' credentials are not kept. An absent one is no error.
    pub(super) async fn delete(&self, source_id: &str) -> Result<(), AwsError> {
        let input = json!({ "SecretId": secret_name(&self.stage, source_id), "ForceDeleteWithoutRecovery": true });
        match self.call("DeleteSecret", &input).await {
            Err(error) if !is_code(&error, "ResourceNotFoundException") => {
                Err(AwsError::new("delete a source's secret", &error))
            }
            _ => Ok(()),
        }
    }

    async fn call(&self, operation: &'static str, input: &Value) -> Result<(), CallError> {
        Call::json(SECRETS_MANAGER, operation, input).send(&self.aws).await.map(drop)
    }
}

/// The ID of a new version: a repetition of a call whose answer was lost makes no second one. Requests that no SDK builds must have it
/// (Secrets Manager API reference, `CreateSecret`).
fn token() -> String {
    Uuid::new_v4().hyphenated().to_string()
}

fn text(credentials: &StoredCredentials) -> Result<String, AwsError> {
    serde_json::to_string(credentials).map_err(|error| AwsError::new("serialize credentials", &error))
}

fn is_code(error: &CallError, code: &str) -> bool {
    error.as_service_error().and_then(ProvideErrorMetadata::code) == Some(code)
}
