//! A Cognito identity pool: AWS credentials for browsers, with one role for signed-in users and one for anonymous users.

use serde_json::{Value, json};

use super::{
    policy::{self, Statement},
    user_pool::UserPoolHandle,
};
use crate::{
    resources::cognito::{self, identity_pool},
    template::{Part, Reference, Resource, Stack, set},
};

/// An `AWS::Cognito::IdentityPool` and its roles, `AuthenticatedRole` and `UnauthenticatedRole`. A role without
/// statements is omitted.
#[derive(Debug, Clone)]
pub struct IdentityPool {
    logical_id: String,
    name: String,
    users: UserPoolHandle,
    signed_in: Vec<Statement>,
    anonymous: Vec<Statement>,
}

impl IdentityPool {
    /// Creates an identity pool called `name` for the users of a user pool.
    #[must_use]
    pub fn new(logical_id: &str, name: String, users: &UserPoolHandle) -> Self {
        Self {
            logical_id: logical_id.to_owned(),
            name,
            users: users.clone(),
            signed_in: Vec::new(),
            anonymous: Vec::new(),
        }
    }

    /// Adds statements to the role of signed-in users.
    #[must_use]
    pub fn allow_signed_in(mut self, statements: impl IntoIterator<Item = Statement>) -> Self {
        self.signed_in.extend(statements);
        self
    }

    /// Adds statements to the role of anonymous users.
    #[must_use]
    pub fn allow_anonymous(mut self, statements: impl IntoIterator<Item = Statement>) -> Self {
        self.anonymous.extend(statements);
        self
    }

    fn properties(&self) -> cognito::IdentityPool {
        cognito::IdentityPool {
            identity_pool_name: set(&self.name),
            allow_unauthenticated_identities: set(!self.anonymous.is_empty()),
            allow_classic_flow: set(false),
            cognito_identity_providers: Some(vec![identity_pool::CognitoIdentityProvider {
                client_id: set(self.users.client.id()),
                provider_name: set(self.users.pool.attribute("ProviderName")),
                server_side_token_check: set(true),
            }]),
            ..cognito::IdentityPool::default()
        }
    }
}

impl Part for IdentityPool {
    type Handle = Reference;

    fn add_to(self, stack: &mut Stack) -> Reference {
        let pool = stack.resource(&self.logical_id, Resource::of(self.properties()));
        let mut roles = std::collections::BTreeMap::new();
        for (state, logical_id, statements) in [
            ("authenticated", "AuthenticatedRole", &self.signed_in),
            ("unauthenticated", "UnauthenticatedRole", &self.anonymous),
        ] {
            if statements.is_empty() {
                continue;
            }
            let role = stack.resource(logical_id, Resource::of(policy::role(&trust(&pool, state), statements)));
            roles.insert(state.to_owned(), role.attribute("Arn"));
        }
        let attachment = cognito::IdentityPoolRoleAttachment {
            identity_pool_id: set(pool.id()),
            roles: Some(roles),
            ..cognito::IdentityPoolRoleAttachment::default()
        };
        stack.resource(&format!("{}RoleAttachment", self.logical_id), Resource::of(attachment));
        pool
    }
}

/// The trust in identities of a pool that are `authenticated` or `unauthenticated`.
fn trust(pool: &Reference, state: &str) -> Value {
    policy::trust(
        json!({ "Federated": "cognito-identity.amazonaws.com" }),
        "sts:AssumeRoleWithWebIdentity",
        Some(json!({
            "StringEquals": { "cognito-identity.amazonaws.com:aud": pool.id() },
            "ForAnyValue:StringLike": { "cognito-identity.amazonaws.com:amr": state },
        })),
    )
}
