//! New connections: the authorizer verifies the access token, then the route records the connection.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use common::{
    Error, Started,
    token::SecretSource,
    web_socket::{self, ConnectRequest, Decision, Event},
};
use jiff::Timestamp;
use listbackup_contract::{
    live::{ACCOUNT, Connect as Environment, TOKEN, USER},
    tables::USERS,
};
use tables::{AwsError, Database, from_item, strings};

use super::connections::{Connection, Connections};
use crate::{
    shared::rows::{User, user::UserStatus},
    tokens::{self, Access},
};

/// The statuses of a new connection.
const ACCEPTED: u16 = 200;
const FORBIDDEN: u16 = 403;
const TOO_MANY: u16 = 429;

/// The state of the function.
#[derive(Debug)]
pub(super) struct Connect {
    stage: String,
    secret: SecretSource,
    database: Database,
    users_table: String,
    connections: Connections,
}

/// Accepts connections until the instance ends.
///
/// # Errors
/// When Lambda's runtime interface fails.
pub async fn connect(started: Started<Environment>) -> Result<(), Error> {
    let app = Connect::new(started.environment, &started.aws);
    let now = Timestamp::now;
    web_socket::serve_with_authorizer::<Environment>(
        async |request| app.decide(&request, now()).await,
        async |event| app.accept(&event, now()).await,
    )
    .await
}

impl Connect {
    pub(super) fn new(environment: Environment, aws: &SdkConfig) -> Self {
        Self {
            stage: environment.stage,
            secret: SecretSource::new(aws.clone(), environment.access_secret_arn),
            database: Database::new(aws_sdk_dynamodb::Client::new(aws)),
            users_table: environment.users_table,
            connections: Connections::new(aws, environment.connections_table),
        }
    }

    /// Decides about a new connection. An error, for example of a table, refuses it with status 500.
    pub(super) async fn decide(&self, request: &ConnectRequest, now: Timestamp) -> Result<Decision, Error> {
        let token = request.query.get(TOKEN).map_or("", String::as_str);
        let access = match tokens::verify_access(&self.secret, &self.stage, token, now).await {
            Ok(access) => access,
            Err(error) if error.is_refusal() => return Ok(Decision::Deny),
            Err(error) => return Err(error.into()),
        };
        let user = self.user(&access.user_id).await?.filter(|user| still_holds(user, &access, now.as_second()));
        Ok(user.map_or(Decision::Deny, |user| {
            let context = [(ACCOUNT, user.account_id), (USER, user.user_id.clone())];
            let context = context.map(|(name, value)| (name.to_owned(), value));
            Decision::Allow { principal: user.user_id, context: BTreeMap::from(context) }
        }))
    }

    /// Records a connection of the client that was authorized; returns the status of the response.
    pub(super) async fn accept(&self, event: &Event, now: Timestamp) -> Result<u16, Error> {
        let (Some(account_id), Some(user_id)) = (event.authorized(ACCOUNT), event.authorized(USER)) else {
            tracing::error!("a connection has no account: the route has no authorizer");
            return Ok(FORBIDDEN);
        };
        let connection = Connection::new(&event.connection_id, account_id, user_id, now);
        if self.connections.add(&connection, now.as_second()).await? {
            return Ok(ACCEPTED);
        }
        tracing::warn!(account_id, "an account has too many connections");
        Ok(TOO_MANY)
    }

    async fn user(&self, user_id: &str) -> Result<Option<User>, AwsError> {
        let key = strings([(USERS.partition, user_id)]);
        self.database.get(&self.users_table, key).await?.map(from_item).transpose()
    }
}

/// Checks that a user still has what its token claims: status, account, role, and the family of the sign-in.
fn still_holds(user: &User, access: &Access, now: i64) -> bool {
    let has_family = user.families.get(&access.family).is_some_and(|family| family.exp > now);
    user.status == UserStatus::Active && user.account_id == access.account_id && user.role == access.role && has_family
}
