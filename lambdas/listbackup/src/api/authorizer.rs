//! The authorizer of the API: `Bearer <access token>` or `ApiKey lbk_<uuid>_<secret>`.
//!
//! Nothing is cached: each decision reads the user or the key again, so signing out and deleting a key take effect at once.

use std::hint::black_box;

use common::{
    Error, Started,
    authorizer::{self, AuthorizerRequest, Decision},
    token::SecretSource,
};
use jiff::Timestamp;
use listbackup_contract::{
    api as contract,
    tables::{API_KEYS, USERS},
};
use sha2::{Digest, Sha256};
use tables::{AwsError, Change, Database, from_item};

use super::call::database;
use crate::{
    shared::{
        identity::{Identity, Role},
        ids::Kind,
        rows::{ApiKey, User, api_key::Scope, user::UserStatus},
        store::key,
        time,
    },
    tokens::{self, Access},
};

/// The authorizer's tables and secret.
#[derive(Debug)]
pub(super) struct Authorizer {
    stage: String,
    database: Database,
    users_table: String,
    api_keys_table: String,
    secret: SecretSource,
}

pub(super) async fn serve(started: Started<contract::Authorizer>) -> Result<(), Error> {
    let app = Authorizer::new(started.environment, &started.aws);
    authorizer::serve::<contract::Authorizer>(async |request| app.decide(&request).await).await
}

impl Authorizer {
    pub(super) fn new(environment: contract::Authorizer, aws: &aws_config::SdkConfig) -> Self {
        Self {
            stage: environment.stage,
            database: database(aws),
            users_table: environment.users_table,
            api_keys_table: environment.api_keys_table,
            secret: SecretSource::new(aws.clone(), environment.access_secret_arn),
        }
    }

    /// Decides about a request. An error, for example of a table, is a 500 response of the gateway.
    pub(super) async fn decide(&self, request: &AuthorizerRequest) -> Result<Decision, Error> {
        let header = request.header("authorization").unwrap_or_default();
        let identity = match header.trim().split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => self.bearer(token.trim()).await?,
            Some((scheme, key)) if scheme.eq_ignore_ascii_case("apikey") => self.api_key(key.trim()).await?,
            _ => None,
        };
        match identity {
            Some(identity) => Decision::allow(&identity),
            None => Ok(Decision::Deny),
        }
    }

    /// Returns the caller of an access token. What the token claims must still hold.
    async fn bearer(&self, token: &str) -> Result<Option<Identity>, Error> {
        let now = Timestamp::now();
        let access = match tokens::verify_access(&self.secret, &self.stage, token, now).await {
            Ok(access) => access,
            Err(error) if error.is_refusal() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let item = self.database.get(&self.users_table, key(USERS, &access.user_id)).await?;
        let user: Option<User> = item.map(from_item).transpose()?;
        Ok(user.filter(|user| still_holds(user, &access, now.as_second())).map(|user| Identity {
            user_id: user.user_id,
            account_id: user.account_id,
            can_write: user.role.can_write().to_string(),
            role: user.role,
            email: user.email,
            family: access.family,
        }))
    }

    /// Returns the caller of an API key. The use is recorded only if the key still exists, so a deleted key stays deleted.
    async fn api_key(&self, text: &str) -> Result<Option<Identity>, Error> {
        let Some((key_id, secret)) = parse_key(text) else { return Ok(None) };
        let Some(api_key) = self.read_key(&key_id).await? else { return Ok(None) };
        let now = Timestamp::now();
        if !is_secret_of(&api_key, secret) || !is_current(&api_key, now) {
            return Ok(None);
        }
        let change = Change::new()
            .set("lastUsedAt", time::text(now))
            .when(|at| at.compare("secretHash", "=", &api_key.secret_hash));
        let used = self.database.update(&self.api_keys_table, key(API_KEYS, &key_id), change).await?;
        Ok(used.map(|_| identity_of(api_key)))
    }

    async fn read_key(&self, key_id: &str) -> Result<Option<ApiKey>, AwsError> {
        self.database.get(&self.api_keys_table, key(API_KEYS, key_id)).await?.map(from_item).transpose()
    }
}

/// Checks that a user still has what its token claims: status, account, role, and the family of the sign-in.
fn still_holds(user: &User, access: &Access, now: i64) -> bool {
    let has_family = user.families.get(&access.family).is_some_and(|family| family.exp > now);
    user.status == UserStatus::Active && user.account_id == access.account_id && user.role == access.role && has_family
}

/// Splits `lbk_<uuid>_<secret>` into the key's ID and its secret.
fn parse_key(text: &str) -> Option<(String, &str)> {
    let (uuid, secret) = text.strip_prefix("lbk_")?.split_once('_')?;
    Some((Kind::Key.parse(uuid)?, secret)).filter(|(_, secret)| !secret.is_empty())
}

/// Compares hashes in constant time.
fn is_secret_of(api_key: &ApiKey, secret: &str) -> bool {
    let hash = hex::encode(Sha256::digest(secret));
    let stored = api_key.secret_hash.as_bytes();
    let differences = hash.bytes().zip(stored).fold(0, |found, (one, other)| black_box(found | (one ^ other)));
    stored.len() == hash.len() && differences == 0
}

/// Checks that a key has not expired. An unreadable time has passed.
fn is_current(api_key: &ApiKey, now: Timestamp) -> bool {
    let expiry = api_key.expires_at.as_deref().map(str::parse::<Timestamp>);
    expiry.is_none_or(|expiry| expiry.is_ok_and(|expiry| expiry > now))
}

/// A key acts as its account; its scopes decide what it may do.
fn identity_of(api_key: ApiKey) -> Identity {
    let can_write = api_key.scopes.contains(&Scope::Write);
    Identity {
        user_id: api_key.created_by,
        account_id: api_key.account_id,
        role: if can_write { Role::Admin } else { Role::User },
        email: String::new(),
        family: String::new(),
        can_write: can_write.to_string(),
    }
}
