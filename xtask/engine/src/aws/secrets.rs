//! Secrets Manager: versions of secrets. Values only pass through; none is printed.

use std::fmt;

use aws_call::{Call, services::SECRETS_MANAGER};
use aws_smithy_types::{DateTime, date_time::Format};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    AwsError, Clients, Resource,
    error::{failed, if_found, operation_name, read},
};

/// The label of the version that readers get.
pub(crate) const CURRENT: &str = "AWSCURRENT";
/// The label that Secrets Manager gives to the version before it.
pub(crate) const PREVIOUS: &str = "AWSPREVIOUS";

/// A version of a secret, without its value.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SecretVersion {
    /// Its ID.
    #[serde(rename = "VersionId")]
    pub(crate) id: String,
    /// Its labels.
    #[serde(rename = "VersionStages", default)]
    pub(crate) labels: Vec<String>,
    /// When it was created, in seconds since 1970.
    #[serde(rename = "CreatedDate", default)]
    created: f64,
}

impl SecretVersion {
    /// When it was created, in UTC; empty if it is out of range.
    pub(crate) fn created(&self) -> String {
        DateTime::from_secs_f64(self.created.trunc()).fmt(Format::DateTime).unwrap_or_default()
    }
}

/// A value, which is not printed.
pub(crate) struct SecretValue(String);

impl fmt::Debug for SecretValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretValue")
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    #[serde(default)]
    versions: Vec<SecretVersion>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Password {
    random_password: String,
}

/// Secrets of a region.
#[derive(Debug)]
pub(crate) struct Secrets<'a> {
    clients: &'a Clients,
    region: Option<&'a str>,
}

impl Clients {
    /// Secrets of a region; `None` is the stage's.
    pub(crate) fn secrets<'a>(&'a self, region: Option<&'a str>) -> Secrets<'a> {
        Secrets { clients: self, region }
    }
}

impl Secrets<'_> {
    /// The labelled versions of a secret; `None` if there is no such secret.
    pub(crate) async fn versions(&self, secret: &str) -> Result<Option<Vec<SecretVersion>>, AwsError> {
        const OPERATION: &str = "secretsmanager:ListSecretVersionIds";
        let (mut versions, mut input) = (Vec::new(), json!({ "SecretId": secret }));
        loop {
            let Some(body) = if_found(self.send(OPERATION, secret, &input).await)? else { return Ok(None) };
            let page: Page = read(OPERATION, resource(secret), &body)?;
            versions.extend(page.versions.into_iter().filter(|version| !version.labels.is_empty()));
            let Some(token) = page.next_token else { return Ok(Some(versions)) };
            input["NextToken"] = json!(token);
        }
    }

    /// Generates a value for a secret. `recipe` is the input of the operation.
    pub(crate) async fn generate(&self, secret: &str, recipe: &Value) -> Result<SecretValue, AwsError> {
        const OPERATION: &str = "secretsmanager:GetRandomPassword";
        let password: Password = read(OPERATION, resource(secret), &self.send(OPERATION, secret, recipe).await?)?;
        Ok(SecretValue(password.random_password))
    }

    /// Stores a value as the current version. Of calls with the same token, one stores its value.
    pub(crate) async fn store(&self, secret: &str, value: &SecretValue, token: &str) -> Result<(), AwsError> {
        let input = json!({ "SecretId": secret, "SecretString": value.0, "ClientRequestToken": token });
        self.send("secretsmanager:PutSecretValue", secret, &input).await.map(drop)
    }

    /// Removes a label from a version. A version without labels cannot be read by label, and Secrets Manager deletes it.
    pub(crate) async fn remove_label(&self, secret: &str, label: &str, version: &str) -> Result<(), AwsError> {
        let input = json!({ "SecretId": secret, "VersionStage": label, "RemoveFromVersionId": version });
        self.send("secretsmanager:UpdateSecretVersionStage", secret, &input).await.map(drop)
    }

    async fn send(&self, operation: &'static str, secret: &str, input: &Value) -> Result<Vec<u8>, AwsError> {
        let call = Call::json(SECRETS_MANAGER, operation_name(operation), input);
        self.clients.send(self.region, call).await.map_err(failed(operation, resource(secret)))
    }
}

fn resource(secret: &str) -> Resource {
    Resource::named("secret", secret)
}
