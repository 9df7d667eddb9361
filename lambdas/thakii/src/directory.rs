//! The user pool's group `admins`, a copy of the admin rows. The rows are authoritative.

use aws_call::{Call, services::COGNITO};
use aws_config::SdkConfig;
use serde::Deserialize;
use serde_json::json;
use thakii_contract::ADMINS_GROUP;

use crate::aws::AwsError;

#[derive(Debug, Clone)]
pub(crate) struct Directory {
    config: SdkConfig,
    pool: String,
}

/// A response of `ListUsers` (Cognito user pools API reference).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Users {
    #[serde(default)]
    users: Vec<User>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct User {
    username: String,
}

impl Directory {
    pub(crate) fn new(config: SdkConfig, pool: String) -> Self {
        Self { config, pool }
    }

    /// Adds the users with this e-mail address to the group, or removes them. Failures are only logged.
    pub(crate) async fn mirror(&self, email: &str, member: bool) {
        if let Err(error) = self.try_mirror(email, member).await {
            tracing::warn!(%error, member, "failed to update the group of admins");
        }
    }

    async fn try_mirror(&self, email: &str, member: bool) -> Result<(), AwsError> {
        // Quotes are rejected when an admin is added.
        let filter = format!("email = \"{}\"", email.replace(['"', '\\'], ""));
        let call = Call::json(COGNITO, "ListUsers", &json!({ "UserPoolId": self.pool, "Filter": filter }));
        let found: Users = call.receive(&self.config).await.map_err(|error| AwsError::new("find a user", &error))?;
        let (operation, action) = if member {
            ("AdminAddUserToGroup", "add a user to the group of admins")
        } else {
            ("AdminRemoveUserFromGroup", "remove a user from the group of admins")
        };
        for User { username } in found.users {
            let input = json!({ "UserPoolId": self.pool, "Username": username, "GroupName": ADMINS_GROUP });
            let sent = Call::json(COGNITO, operation, &input).send(&self.config).await;
            sent.map_err(|error| AwsError::new(action, &error))?;
        }
        Ok(())
    }
}
