//! The password in an SSM parameter, which is used once.

use aws_call::{Call, CallError, services::SYSTEMS_MANAGER};
use aws_config::SdkConfig;
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::OperationError;
use crate::crypto::{password, secrets};

/// The type of parameters that are encrypted (Systems Manager API reference, `Parameter`).
const SECURE: &str = "SecureString";

/// The parameter.
#[derive(Debug)]
pub(super) struct Parameter {
    aws: SdkConfig,
    name: String,
}

/// The reason why no password was taken.
#[derive(Debug, thiserror::Error)]
pub enum ParameterError {
    /// The event names another parameter.
    #[error("no user was changed: `password_param` must be {0} or absent")]
    Other(String),
    /// The parameter is not encrypted.
    #[error("no user was changed: the parameter {0} is not a {SECURE}; delete it and store the password as {SECURE}")]
    Plain(String),
    /// The call failed. Boxed, because the SDK's error is large.
    #[error("failed to {0} the parameter with the password; no user was changed")]
    Call(&'static str, #[source] Box<CallError>),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    parameter: Found,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Found {
    r#type: String,
    #[serde(deserialize_with = "secrets::text")]
    value: Zeroizing<String>,
}

impl Parameter {
    pub(super) fn new(aws: SdkConfig, name: String) -> Self {
        Self { aws, name }
    }

    /// Reads the password, deletes the parameter, and returns the password's hash.
    ///
    /// A refused password stays in the parameter, because no account has it.
    pub(super) async fn take_hash(&self, named: Option<&str>) -> Result<String, OperationError> {
        if named.is_some_and(|name| name != self.name) {
            return Err(ParameterError::Other(self.name.clone()).into());
        }
        let input = json!({ "Name": self.name, "WithDecryption": true });
        let read = Call::json(SYSTEMS_MANAGER, "GetParameter", &input).receive::<Answer>(&self.aws).await;
        let Found { r#type, value } = read.map_err(|error| ParameterError::Call("read", Box::new(error)))?.parameter;
        if r#type != SECURE {
            return Err(ParameterError::Plain(self.name.clone()).into());
        }
        let hash = password::hash(&value)?;
        let input = json!({ "Name": self.name });
        let deleted = Call::json(SYSTEMS_MANAGER, "DeleteParameter", &input).send(&self.aws).await;
        deleted.map_err(|error| ParameterError::Call("delete", Box::new(error)))?;
        Ok(hash)
    }
}
