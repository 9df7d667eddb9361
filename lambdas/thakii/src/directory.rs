//! The user pool's group `admins`, a copy of the admin rows. The rows are authoritative.

use aws_sdk_cognitoidentityprovider::Client;
use thakii_contract::ADMINS_GROUP;

use crate::aws::AwsError;

#[derive(Debug, Clone)]
pub(crate) struct Directory {
    client: Client,
    pool: String,
}

impl Directory {
    pub(crate) fn new(client: Client, pool: String) -> Self {
        Self { client, pool }
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
        let users = self.client.list_users().user_pool_id(&self.pool).filter(filter).send().await;
        let users = users.map_err(|error| AwsError::new("find a user", &error))?.users.unwrap_or_default();
        for name in users.into_iter().filter_map(|user| user.username) {
            if member {
                let request = self.client.admin_add_user_to_group().user_pool_id(&self.pool).username(name);
                let answer = request.group_name(ADMINS_GROUP).send().await;
                answer.map_err(|error| AwsError::new("add a user to the group of admins", &error))?;
            } else {
                let request = self.client.admin_remove_user_from_group().user_pool_id(&self.pool).username(name);
                let answer = request.group_name(ADMINS_GROUP).send().await;
                answer.map_err(|error| AwsError::new("remove a user from the group of admins", &error))?;
            }
        }
        Ok(())
    }
}
