//! A Cognito identity pool: AWS credentials for browsers, signed in or not, each kind with a role of its own.

use serde_json::{Value, json};

use super::{
    policy::{self, Statement},
    user_pool::UserPoolHandle,
};
use crate::{
    resources::cognito::{self, identity_pool},
    template::{Part, Reference, Resource, Stack, set},
};

/// An identity pool and its two roles, `AuthenticatedRole` and `UnauthenticatedRole`.
#[derive(Debug, Clone)]
pub struct IdentityPool {
    logical_id: String,
    name: String,
    users: UserPoolHandle,
    signed_in: Vec<Statement>,
    anonymous: Vec<Statement>,
}

impl IdentityPool {
    /// A pool called `name` that knows the users of a user pool.
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

    /// Allows who is signed in something.
    #[must_use]
    pub fn allow_signed_in(mut self, statements: impl IntoIterator<Item = Statement>) -> Self {
        self.signed_in.extend(statements);
        self
    }

    /// Allows who is not signed in something.
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
        for (kind, logical_id, statements) in [
            ("authenticated", "AuthenticatedRole", &self.signed_in),
            ("unauthenticated", "UnauthenticatedRole", &self.anonymous),
        ] {
            if statements.is_empty() {
                continue;
            }
            let role = stack.resource(logical_id, Resource::of(policy::role(&trust(&pool, kind), statements)));
            roles.insert(kind.to_owned(), role.attribute("Arn"));
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

/// Trust in identities of this pool, of this kind.
fn trust(pool: &Reference, kind: &str) -> Value {
    policy::trust(
        json!({ "Federated": "cognito-identity.amazonaws.com" }),
        "sts:AssumeRoleWithWebIdentity",
        Some(json!({
            "StringEquals": { "cognito-identity.amazonaws.com:aud": pool.id() },
            "ForAnyValue:StringLike": { "cognito-identity.amazonaws.com:amr": kind },
        })),
    )
}
