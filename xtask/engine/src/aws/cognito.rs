//! Cognito: test users that sign in, and the user pools that `destroy --delete-data` deletes.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cognitoidentityprovider::{
    Client,
    types::{AttributeType, AuthFlowType, ChallengeNameType, DeletionProtectionType, MessageActionType},
};
use aws_smithy_types::{DateTime, date_time::Format};
use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::{
    AwsError, Clients,
    error::{ErrorKind, failed, if_found},
    srp::{Challenge, Srp},
};

/// Cognito user pools in the stage's region.
#[derive(Debug)]
pub(crate) struct Cognito {
    client: Client,
}

impl Clients {
    /// Cognito user pools in the stage's region.
    pub(crate) fn cognito(&self) -> Cognito {
        Cognito { client: Client::new(self.config()) }
    }
}

impl Cognito {
    /// The name that the pool gave a user.
    ///
    /// # Errors
    ///
    /// When the call fails, or there is no such user.
    pub(crate) async fn username(&self, pool: &str, user: &str) -> Result<String, AwsError> {
        let get = self.client.admin_get_user().user_pool_id(pool).username(user);
        let found = get.send().await.map_err(|error| failed("cognito-idp:AdminGetUser", error))?;
        Ok(found.username().to_owned())
    }

    /// Creates a user, or gives an existing one this password. The user is not notified.
    pub(crate) async fn provide(
        &self,
        pool: &str,
        user: &str,
        attributes: &[(String, String)],
        password: &str,
    ) -> Result<(), AwsError> {
        let create = self.client.admin_create_user().user_pool_id(pool).username(user);
        // Attributes without a value are left out.
        let attributes =
            attributes.iter().map(|(name, value)| AttributeType::builder().name(name).value(value).build());
        let create = create.set_user_attributes(Some(attributes.flatten().collect()));
        let created = create.message_action(MessageActionType::Suppress).send().await;
        if let Err(error) = created.map_err(|error| failed("cognito-idp:AdminCreateUser", error))
            && error.kind != ErrorKind::Conflict
        {
            return Err(error);
        }
        let set = self.client.admin_set_user_password().user_pool_id(pool).username(user);
        let set = set.password(password).permanent(true).send().await;
        set.map(drop).map_err(|error| failed("cognito-idp:AdminSetUserPassword", error))
    }

    /// Deletes a user, if there is one.
    pub(crate) async fn forget(&self, pool: &str, user: &str) -> Result<(), AwsError> {
        let request = self.client.admin_delete_user().user_pool_id(pool).username(user);
        match request.send().await.map_err(|error| failed("cognito-idp:AdminDeleteUser", error)) {
            Err(error)
                if error.kind != ErrorKind::NotFound && error.code.as_deref() != Some("UserNotFoundException") =>
            {
                Err(error)
            }
            _ => Ok(()),
        }
    }

    /// Signs a user in by SRP, as an app does; returns the ID token.
    ///
    /// # Errors
    ///
    /// When the password is wrong, the pool's client does not offer `ALLOW_USER_SRP_AUTH`, or a call fails.
    pub(crate) async fn sign_in_by_srp(
        &self,
        pool: &str,
        client: &str,
        user: &str,
        password: &str,
    ) -> Result<String, AwsError> {
        const RESPOND: &str = "cognito-idp:RespondToAuthChallenge";
        let other = |message: &str| AwsError {
            operation: RESPOND,
            kind: ErrorKind::Other,
            code: None,
            message: message.to_owned(),
        };
        let mut random = [0; 128];
        getrandom::fill(&mut random).map_err(|error| other(&error.to_string()))?;
        let srp = Srp::new(&random);
        let initiate = self.client.initiate_auth().client_id(client).auth_flow(AuthFlowType::UserSrpAuth);
        let initiate = initiate.auth_parameters("USERNAME", user).auth_parameters("SRP_A", srp.public());
        let initiated = initiate.send().await.map_err(|error| failed("cognito-idp:InitiateAuth", error))?;
        let field = |name: &str| {
            let value = initiated.challenge_parameters().and_then(|parameters| parameters.get(name));
            value.cloned().unwrap_or_default()
        };
        let secret_block = field("SECRET_BLOCK");
        let challenge = Challenge {
            user: field("USER_ID_FOR_SRP"),
            salt: field("SALT"),
            public: field("SRP_B"),
            secret_block: BASE64_STANDARD.decode(&secret_block).unwrap_or_default(),
        };
        let time = timestamp(DateTime::from(std::time::SystemTime::now()));
        let proof = srp.proof(&challenge, pool, password, &time).ok_or_else(|| other("the challenge is invalid"))?;
        let respond = self.client.respond_to_auth_challenge().client_id(client).set_session(initiated.session.clone());
        let respond = respond
            .challenge_name(ChallengeNameType::PasswordVerifier)
            .challenge_responses("USERNAME", challenge.user)
            .challenge_responses("PASSWORD_CLAIM_SECRET_BLOCK", secret_block)
            .challenge_responses("PASSWORD_CLAIM_SIGNATURE", BASE64_STANDARD.encode(proof))
            .challenge_responses("TIMESTAMP", time);
        let response = respond.send().await.map_err(|error| failed(RESPOND, error))?;
        let token = response.authentication_result().and_then(|result| result.id_token());
        token.map(str::to_owned).ok_or_else(|| other("there is no token: the pool requires another challenge"))
    }

    /// Reads a user pool; `None` if there is none.
    pub(crate) async fn pool(&self, id: &str) -> Result<Option<Pool>, AwsError> {
        let request = self.client.describe_user_pool().user_pool_id(id);
        let found = if_found(request.send().await.map_err(|error| failed("cognito-idp:DescribeUserPool", error)))?;
        let pool = found.and_then(|found| found.user_pool);
        Ok(pool.map(|pool| Pool {
            id: id.to_owned(),
            name: pool.name().unwrap_or_default().to_owned(),
            is_protected: pool.deletion_protection() == Some(&DeletionProtectionType::Active),
            tags: pool.user_pool_tags.unwrap_or_default().into_iter().collect(),
        }))
    }

    /// Lists the IDs of all user pools with one of these names: names are not unique.
    pub(crate) async fn pools_named(&self, names: &BTreeSet<&str>) -> Result<Vec<String>, AwsError> {
        let pools = self.client.list_user_pools().max_results(60).into_paginator().items().send().try_collect().await;
        let pools = pools.map_err(|error| failed("cognito-idp:ListUserPools", error))?.into_iter();
        let named = pools.filter(|pool| pool.name().is_some_and(|name| names.contains(name)));
        Ok(named.filter_map(|pool| pool.id).collect())
    }

    /// Deletes a user pool; returns whether it existed.
    pub(crate) async fn delete_pool(&self, id: &str) -> Result<bool, AwsError> {
        let request = self.client.delete_user_pool().user_pool_id(id);
        let deleted = request.send().await.map_err(|error| failed("cognito-idp:DeleteUserPool", error));
        Ok(if_found(deleted)?.is_some())
    }
}

/// A user pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pool {
    pub(crate) id: String,
    pub(crate) name: String,
    /// Whether Cognito refuses to delete it.
    pub(crate) is_protected: bool,
    pub(crate) tags: BTreeMap<String, String>,
}

/// A time in the format that Cognito verifies: `Sat Nov 7 09:05:03 UTC 2026`.
fn timestamp(time: DateTime) -> String {
    // "Sat, 07 Nov 2026 09:05:03 GMT"
    let http = time.fmt(Format::HttpDate).unwrap_or_default();
    let words: Vec<_> = http.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    let [weekday, day, month, year, clock, _] = words[..] else { return http };
    let clock = clock.split('.').next().unwrap_or_default();
    format!("{weekday} {month} {} {clock} UTC {year}", day.trim_start_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_has_no_leading_zero() {
        // date -u -d @1794042303
        assert_eq!(timestamp(DateTime::from_secs(1_794_042_303)), "Sat Nov 7 09:05:03 UTC 2026");
        assert_eq!(timestamp(DateTime::from_secs_f64(1_794_042_303.25)), "Sat Nov 7 09:05:03 UTC 2026");
    }
}
