//! The user pool's group `admins`, which mirrors the admin rows as far as it can: the rows decide.

use aws_sdk_cognitoidentityprovider::Client;
use thakii_contract::ADMINS_GROUP;

use crate::aws::AwsError;

/// The user pool.
#[derive(Debug, Clone)]
pub struct Directory {
    client: Client,
    pool: String,
}

impl Directory {
    /// The pool with this id.
    #[must_use]
    pub fn new(client: Client, pool: String) -> Self {
        Self { client, pool }
    }

    /// Puts the users with this e-mail address into the group, or takes them out. What fails is logged and forgotten.
    pub async fn mirror(&self, email: &str, member: bool) {
        if let Err(error) = self.try_mirror(email, member).await {
            tracing::warn!(%error, member, "the group of admins does not mirror a change");
        }
    }

    async fn try_mirror(&self, email: &str, member: bool) -> Result<(), AwsError> {
        // Addresses with quotes are refused long before.
        let filter = format!("email = \"{}\"", email.replace(['"', '\\'], ""));
        let users = self.client.list_users().user_pool_id(&self.pool).filter(filter).send().await;
        let users = users.map_err(|error| AwsError::new("look for a user", &error))?.users.unwrap_or_default();
        for name in users.into_iter().filter_map(|user| user.username) {
            if member {
                let request = self.client.admin_add_user_to_group().user_pool_id(&self.pool).username(name);
                let answer = request.group_name(ADMINS_GROUP).send().await;
                answer.map_err(|error| AwsError::new("add a user to the group", &error))?;
            } else {
                let request = self.client.admin_remove_user_from_group().user_pool_id(&self.pool).username(name);
                let answer = request.group_name(ADMINS_GROUP).send().await;
                answer.map_err(|error| AwsError::new("remove a user from the group", &error))?;
            }
        }
        Ok(())
    }
}
