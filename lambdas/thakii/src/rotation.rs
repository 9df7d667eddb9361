//! The scheduled rotation of the secret that signs backend tokens. The function that rotates it cannot read it.

use aws_call::{Call, CallError, services::SECRETS_MANAGER};
use aws_config::SdkConfig;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use common::token::is_rotation_due;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use thakii_contract::limits::BACKEND_SECRET_DAYS;

use crate::{
    aws::{self, AwsError},
    ids,
};

/// The bytes of a new secret, written as hexadecimal digits.
const SECRET_BYTES: usize = 32;
/// Another run has replaced the same version (Secrets Manager API reference, `PutSecretValue`: `ClientRequestToken`).
const ALREADY_REPLACED: &str = "ResourceExistsException";

#[derive(Debug)]
pub(crate) struct TokenSecret {
    aws: SdkConfig,
    arn: String,
}

/// The version that signs.
#[derive(Debug, PartialEq, Eq)]
struct Current {
    id: String,
    created: Timestamp,
}

impl TokenSecret {
    pub(crate) fn new(aws: SdkConfig, arn: String) -> Self {
        Self { aws, arn }
    }

    /// Replaces the secret if it is old enough. Returns whether it did.
    pub(crate) async fn rotate_if_due(&self, now: Timestamp) -> Result<bool, AwsError> {
        const LIST: &str = "list the token secret's versions";
        let listed = self.call("ListSecretVersionIds", &json!({"SecretId": self.arn})).await;
        let listed = listed.map_err(|error| AwsError::new(LIST, &error))?;
        let listed = serde_json::from_slice(&listed).map_err(|error| AwsError::new(LIST, &error))?;
        let current = current(&listed).ok_or_else(|| AwsError::unexpected(LIST, "none of them is the current one"))?;
        let interval = SignedDuration::from_hours(24 * i64::from(BACKEND_SECRET_DAYS));
        if !is_rotation_due(current.created, interval, now) {
            return Ok(false);
        }
        self.replace(&current).await
    }

    /// Stores a new version, which becomes the current one. The old one stays the previous one.
    async fn replace(&self, current: &Current) -> Result<bool, AwsError> {
        const REPLACE: &str = "rotate the token secret";
        let mut secret = [0; SECRET_BYTES];
        getrandom::fill(&mut secret).map_err(|error| AwsError::unexpected(REPLACE, error.to_string()))?;
        let input = json!({
            "SecretId": self.arn,
            "SecretString": hex::encode(secret),
            // Equal in all runs that replace the same version, so that concurrent ones store one new version.
            "ClientRequestToken": ids::digest(&current.id, 64),
        });
        match self.call("PutSecretValue", &input).await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some(ALREADY_REPLACED) => Ok(false),
            Err(error) => Err(AwsError::unexpected(REPLACE, aws::error_chain(&error))),
        }
    }

    async fn call(&self, operation: &'static str, input: &Value) -> Result<Vec<u8>, CallError> {
        Call::json(SECRETS_MANAGER, operation, input).send(&self.aws).await
    }
}

/// Returns the current one of the listed versions.
fn current(listed: &Value) -> Option<Current> {
    let labels = |version: &Value| version["VersionStages"].as_array().cloned().unwrap_or_default();
    let versions = listed["Versions"].as_array()?;
    let current = versions.iter().find(|version| labels(version).contains(&json!("AWSCURRENT")))?;
    #[expect(clippy::cast_possible_truncation, reason = "whole seconds are enough")]
    let created = Timestamp::from_second(current["CreatedDate"].as_f64()? as i64).ok()?;
    Some(Current { id: current["VersionId"].as_str()?.to_owned(), created })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Script, error_reply, json_reply};

    const DAY: i64 = 24 * 3600;
    const CREATED: i64 = 1_700_000_000;

    fn versions() -> Value {
        json!({"Versions": [
            {"VersionId": "old", "VersionStages": ["AWSPREVIOUS"], "CreatedDate": 1.0},
            {"VersionId": "new", "VersionStages": ["AWSCURRENT"], "CreatedDate": CREATED as f64 + 0.5},
        ]})
    }

    async fn rotated(script: &Script, days: i64) -> Result<bool, AwsError> {
        let now = Timestamp::from_second(CREATED + days * DAY).expect("a time");
        TokenSecret::new(script.aws(), "secret".to_owned()).rotate_if_due(now).await
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_secret_is_replaced_once_it_is_ninety_days_old() {
        let script = Script::new(|request| match request.action.as_str() {
            "secretsmanager.ListSecretVersionIds" => json_reply(versions()),
            "secretsmanager.PutSecretValue" => json_reply(json!({})),
            _ => None,
        });
        assert_eq!(rotated(&script, 89).await, Ok(false));
        assert!(script.bodies("secretsmanager.PutSecretValue").is_empty());
        for _ in 0..2 {
            assert_eq!(rotated(&script, 90).await, Ok(true));
        }
        let stored = script.bodies("secretsmanager.PutSecretValue");
        assert_ne!(stored[0]["SecretString"], stored[1]["SecretString"]);
        assert_eq!(stored[0]["SecretString"].as_str().map(str::len), Some(64));
        // Both replace the same version, so AWS accepts one of them.
        assert_eq!(stored[0]["ClientRequestToken"], stored[1]["ClientRequestToken"]);
        assert_eq!(stored[0]["ClientRequestToken"].as_str().map(str::len), Some(64));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_concurrent_rotation_is_no_failure_and_a_refused_one_is() {
        for (code, expected) in [("ResourceExistsException", true), ("AccessDeniedException", false)] {
            let script = Script::new(move |request| match request.action.as_str() {
                "secretsmanager.ListSecretVersionIds" => json_reply(versions()),
                _ => error_reply(code),
            });
            let result = rotated(&script, 91).await;
            assert_eq!(result == Ok(false), expected, "{result:?}");
        }
    }

    #[test]
    fn a_secret_without_a_current_version_is_reported() {
        assert_eq!(current(&json!({"Versions": []})), None);
        assert_eq!(current(&json!({})), None);
    }
}
