//! Credentials of sources: headers in a secret of Secrets Manager, never in a row.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use aws_call::{Call, services::SECRETS_MANAGER};
use aws_config::SdkConfig;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use common::outbound::Credentials;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::ConnectorError;
use crate::shared::ids;

/// How long a secret is kept in memory: a run reads it for each file.
const FRESH: Duration = Duration::from_secs(60);

/// The content of a source's secret.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredCredentials {
    /// Headers of each request to the source's own addresses.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

/// Without the values.
impl std::fmt::Debug for StoredCredentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("StoredCredentials").field("headers", &self.headers.keys()).finish()
    }
}

/// Returns the name of a source's secret.
#[must_use]
pub fn secret_name(stage: &str, source_id: &str) -> String {
    format!("listbackup/{stage}/sources/{}", ids::bare(source_id))
}

/// Checks headers before they are stored.
///
/// # Errors
/// A sentence that names the header, without its value.
pub fn check_headers(headers: &BTreeMap<String, String>) -> Result<(), String> {
    Credentials::new([], headers).map(drop).map_err(|error| error.to_string())
}

/// The last secret.
#[derive(Debug, Default)]
pub(super) struct SecretCache(Option<(String, Instant, StoredCredentials)>);

/// The response of `GetSecretValue`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    secret_string: Option<String>,
}

impl SecretCache {
    /// Returns a source's headers. Without its secret, a source cannot be read.
    pub(super) async fn headers(
        &mut self,
        aws: &SdkConfig,
        stage: &str,
        source_id: &str,
    ) -> Result<BTreeMap<String, String>, ConnectorError> {
        if let Some((known, read, credentials)) = &self.0
            && known == source_id
            && read.elapsed() < FRESH
        {
            return Ok(credentials.headers.clone());
        }
        let credentials = read(aws, &secret_name(stage, source_id)).await?;
        self.0 = Some((source_id.to_owned(), Instant::now(), credentials.clone()));
        Ok(credentials.headers)
    }
}

async fn read(aws: &SdkConfig, name: &str) -> Result<StoredCredentials, ConnectorError> {
    let call = Call::json(SECRETS_MANAGER, "GetSecretValue", &json!({ "SecretId": name }));
    let answer: Result<Answer, _> = call.receive(aws).await;
    match answer {
        Ok(answer) => serde_json::from_str(answer.secret_string.as_deref().unwrap_or("{}"))
            .map_err(|_| ConnectorError::permanent("the source's credentials cannot be read")),
        Err(error)
            if error.as_service_error().and_then(ProvideErrorMetadata::code) == Some("ResourceNotFoundException") =>
        {
            Err(ConnectorError::permanent("the source's credentials are gone"))
        }
        Err(_) => Err(ConnectorError::transient("the source's credentials could not be read")),
    }
}
