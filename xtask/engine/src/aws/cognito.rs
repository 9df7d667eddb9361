//! Cognito: test users that sign in, and the user pools that `destroy --delete-data` deletes.

use std::collections::{BTreeMap, BTreeSet};

use aws_call::{Call, services::COGNITO};
use aws_smithy_types::{DateTime, date_time::Format};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    AwsError, Clients, Resource,
    error::{ErrorKind, failed, if_found, operation_name, read},
    srp::{Challenge, Srp},
};
use crate::surroundings;

/// Cognito user pools in the stage's region.
#[derive(Debug)]
pub(crate) struct Cognito<'a> {
    clients: &'a Clients,
}

impl Clients {
    /// Cognito user pools in the stage's region.
    pub(crate) fn cognito(&self) -> Cognito<'_> {
        Cognito { clients: self }
    }
}

impl Cognito<'_> {
    /// The name that the pool gave a user.
    ///
    /// # Errors
    ///
    /// When the call fails, or there is no such user.
    pub(crate) async fn username(&self, pool: &str, user: &str) -> Result<String, AwsError> {
        const GET: &str = "cognito-idp:AdminGetUser";
        let found = self.call(GET, of_user(pool, user), &json!({ "UserPoolId": pool, "Username": user })).await?;
        Ok(read::<User>(GET, of_user(pool, user), &found)?.username)
    }

    /// Creates a user, or gives an existing one this password. The user is not notified.
    pub(crate) async fn provide(
        &self,
        pool: &str,
        user: &str,
        attributes: &[(String, String)],
        password: &str,
    ) -> Result<(), AwsError> {
        let attributes: Vec<Value> =
            attributes.iter().map(|(name, value)| json!({ "Name": name, "Value": value })).collect();
        let create = json!({
            "UserPoolId": pool, "Username": user, "UserAttributes": attributes, "MessageAction": "SUPPRESS",
        });
        if let Err(error) = self.call("cognito-idp:AdminCreateUser", of_user(pool, user), &create).await
            && error.kind != ErrorKind::Conflict
        {
            return Err(error);
        }
        let set = json!({ "UserPoolId": pool, "Username": user, "Password": password, "Permanent": true });
        self.call("cognito-idp:AdminSetUserPassword", of_user(pool, user), &set).await.map(drop)
    }

    /// Deletes a user, if there is one.
    pub(crate) async fn forget(&self, pool: &str, user: &str) -> Result<(), AwsError> {
        let input = json!({ "UserPoolId": pool, "Username": user });
        match self.call("cognito-idp:AdminDeleteUser", of_user(pool, user), &input).await {
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
        const INITIATE: &str = "cognito-idp:InitiateAuth";
        const RESPOND: &str = "cognito-idp:RespondToAuthChallenge";
        let other = |message: &str| AwsError {
            operation: RESPOND,
            resource: Box::new(of_user(pool, user)),
            kind: ErrorKind::Other,
            code: None,
            message: message.to_owned(),
        };
        let mut random = [0; 128];
        surroundings::fill_random(&mut random).map_err(|error| other(&error.to_string()))?;
        let srp = Srp::new(&random);
        let parameters = json!({ "USERNAME": user, "SRP_A": srp.public() });
        let initiate = json!({ "ClientId": client, "AuthFlow": "USER_SRP_AUTH", "AuthParameters": parameters });
        let initiated: Initiated = self.ask_unsigned(INITIATE, of_user(pool, user), &initiate).await?;
        let field = |name: &str| initiated.challenge_parameters.get(name).cloned().unwrap_or_default();
        let secret_block = field("SECRET_BLOCK");
        let challenge = Challenge {
            user: field("USER_ID_FOR_SRP"),
            salt: field("SALT"),
            public: field("SRP_B"),
            secret_block: BASE64_STANDARD.decode(&secret_block).unwrap_or_default(),
        };
        let time = timestamp(DateTime::from(surroundings::now()));
        let proof = srp.proof(&challenge, pool, password, &time).ok_or_else(|| other("the challenge is invalid"))?;
        let mut respond = json!({
            "ClientId": client,
            "ChallengeName": "PASSWORD_VERIFIER",
            "ChallengeResponses": {
                "USERNAME": challenge.user,
                "PASSWORD_CLAIM_SECRET_BLOCK": secret_block,
                "PASSWORD_CLAIM_SIGNATURE": BASE64_STANDARD.encode(proof),
                "TIMESTAMP": time,
            },
        });
        if let Some(session) = initiated.session {
            respond["Session"] = session.into();
        }
        let responded: Responded = self.ask_unsigned(RESPOND, of_user(pool, user), &respond).await?;
        let token = responded.authentication_result.and_then(|result| result.id_token);
        token.ok_or_else(|| other("there is no token: the pool requires another challenge"))
    }

    /// Reads a user pool; `None` if there is none.
    pub(crate) async fn pool(&self, id: &str) -> Result<Option<Pool>, AwsError> {
        const DESCRIBE: &str = "cognito-idp:DescribeUserPool";
        let found = self.call(DESCRIBE, of_pool(id), &json!({ "UserPoolId": id })).await;
        let Some(body) = if_found(found)? else { return Ok(None) };
        let Described { user_pool } = read(DESCRIBE, of_pool(id), &body)?;
        Ok(Some(Pool {
            id: id.to_owned(),
            name: user_pool.name,
            is_protected: user_pool.deletion_protection.as_deref() == Some("ACTIVE"),
            tags: user_pool.user_pool_tags,
        }))
    }

    /// Lists the IDs of all user pools with one of these names: names are not unique.
    pub(crate) async fn pools_named(&self, names: &BTreeSet<&str>) -> Result<Vec<String>, AwsError> {
        const LIST: &str = "cognito-idp:ListUserPools";
        let (mut pools, mut token) = (Vec::new(), None::<String>);
        loop {
            let mut input = json!({ "MaxResults": 60 });
            if let Some(token) = token {
                input["NextToken"] = token.into();
            }
            let all = || Resource::all("user pools");
            let page: Listed = read(LIST, all(), &self.call(LIST, all(), &input).await?)?;
            let named = page.user_pools.into_iter().filter(|pool| names.contains(&*pool.name));
            pools.extend(named.map(|pool| pool.id));
            token = page.next_token;
            if token.is_none() {
                return Ok(pools);
            }
        }
    }

    /// Deletes a user pool; returns whether it existed.
    pub(crate) async fn delete_pool(&self, id: &str) -> Result<bool, AwsError> {
        let deleted = self.call("cognito-idp:DeleteUserPool", of_pool(id), &json!({ "UserPoolId": id })).await;
        Ok(if_found(deleted)?.is_some())
    }

    async fn call(&self, operation: &'static str, resource: Resource, input: &Value) -> Result<Vec<u8>, AwsError> {
        let call = Call::json(COGNITO, operation_name(operation), input);
        self.clients.send(None, call).await.map_err(failed(operation, resource))
    }

    /// Calls an operation of apps, which have no credentials of AWS.
    async fn ask_unsigned<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        resource: Resource,
        input: &Value,
    ) -> Result<T, AwsError> {
        let call = Call::json(COGNITO, operation_name(operation), input).unsigned();
        let body = self.clients.send(None, call).await.map_err(failed(operation, resource.clone()))?;
        read(operation, resource, &body)
    }
}

fn of_pool(id: &str) -> Resource {
    Resource::named("user pool", id)
}

fn of_user(pool: &str, user: &str) -> Resource {
    Resource::named(&format!("user {user} of user pool"), pool)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct User {
    username: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Initiated {
    #[serde(default)]
    challenge_parameters: BTreeMap<String, String>,
    session: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Responded {
    authentication_result: Option<AuthenticationResult>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AuthenticationResult {
    id_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    user_pool: DescribedPool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribedPool {
    name: String,
    deletion_protection: Option<String>,
    #[serde(default)]
    user_pool_tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    #[serde(default)]
    user_pools: Vec<ListedPool>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListedPool {
    id: String,
    name: String,
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
