//! Cognito: a signed-in user for the demo and the tests, and user pools that `destroy --delete-data` deletes.

use aws_sdk_cognitoidentityprovider::{
    Client,
    types::{AuthFlowType, MessageActionType},
};

use super::{
    AwsError, Clients,
    error::{Kind, failed},
};

/// A user who has just signed in.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The user's `cognito:username`.
    pub username: String,
    /// The ID token.
    pub id_token: String,
}

/// Cognito user pools in the stage's region.
#[derive(Debug)]
pub struct Cognito {
    client: Client,
}

impl Clients {
    /// Cognito user pools in the stage's region.
    #[must_use]
    pub fn cognito(&self) -> Cognito {
        Cognito { client: Client::new(self.config()) }
    }
}

impl Cognito {
    /// Signs `user` in; makes the user first where there is none.
    ///
    /// # Errors
    ///
    /// When a call fails, or the pool's client does not offer `ALLOW_ADMIN_USER_PASSWORD_AUTH`.
    pub async fn sign_in(&self, pool: &str, client: &str, user: &str, password: &str) -> Result<SignedIn, AwsError> {
        let create = self.client.admin_create_user().user_pool_id(pool).username(user);
        let created = create.message_action(MessageActionType::Suppress).send().await;
        if let Err(error) = created.map_err(|error| failed("cognito-idp:AdminCreateUser", error))
            && error.kind != Kind::Conflict
        {
            return Err(error);
        }
        let set = self.client.admin_set_user_password().user_pool_id(pool).username(user);
        set.password(password)
            .permanent(true)
            .send()
            .await
            .map_err(|error| failed("cognito-idp:AdminSetUserPassword", error))?;
        let authenticate = self.client.admin_initiate_auth().user_pool_id(pool).client_id(client);
        let answer = authenticate
            .auth_flow(AuthFlowType::AdminUserPasswordAuth)
            .auth_parameters("USERNAME", user)
            .auth_parameters("PASSWORD", password)
            .send()
            .await
            .map_err(|error| failed("cognito-idp:AdminInitiateAuth", error))?;
        let get = self.client.admin_get_user().user_pool_id(pool).username(user);
        let found = get.send().await.map_err(|error| failed("cognito-idp:AdminGetUser", error))?;
        let token = answer.authentication_result().and_then(|result| result.id_token());
        let Some(token) = token else {
            return Err(AwsError {
                operation: "cognito-idp:AdminInitiateAuth",
                kind: Kind::Other,
                code: None,
                message: format!("no token was given; another challenge is asked: {:?}", answer.challenge_name()),
            });
        };
        Ok(SignedIn { username: found.username().to_owned(), id_token: token.to_owned() })
    }

    /// Deletes the user pool of this name; returns how many there were.
    ///
    /// # Errors
    ///
    /// When a call fails, or there are several of that name: names are not unique, and the others may be somebody else's.
    pub async fn delete_pools(&self, name: &str) -> Result<usize, AwsError> {
        let mut deleted = 0;
        let mut token = None;
        let mut ids = Vec::new();
        loop {
            let request = self.client.list_user_pools().max_results(60).set_next_token(token);
            let page = request.send().await.map_err(|error| failed("cognito-idp:ListUserPools", error))?;
            ids.extend(
                page.user_pools()
                    .iter()
                    .filter(|pool| pool.name() == Some(name))
                    .filter_map(|pool| pool.id().map(str::to_owned)),
            );
            token = page.next_token().map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
        if ids.len() > 1 {
            return Err(AwsError {
                operation: "cognito-idp:DeleteUserPool",
                kind: Kind::Conflict,
                code: None,
                message: format!(
                    "{} user pools are named {name} ({}); delete yours by hand",
                    ids.len(),
                    ids.join(", ")
                ),
            });
        }
        for id in ids {
            let request = self.client.delete_user_pool().user_pool_id(id);
            request.send().await.map_err(|error| failed("cognito-idp:DeleteUserPool", error))?;
            deleted += 1;
        }
        Ok(deleted)
    }
}
