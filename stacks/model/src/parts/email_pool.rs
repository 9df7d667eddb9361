//! A Cognito user pool whose users sign in with an e-mail address and a strong password, with a client and groups.

use super::user_pool::UserPoolHandle;
use crate::{
    emulator::Feature,
    resources::cognito::{self, user_pool, user_pool_client},
    stage::Stage,
    template::{Part, Reference, RemovalPolicy, Resource, Stack, Text, list, set},
};

/// An `AWS::Cognito::UserPool`, a client without secret for browsers, and groups.
///
/// Passwords have at least twelve characters of all four kinds by default, a second factor is optional, and passwords are reset by
/// e-mail. ID and access tokens are valid for an hour, refresh tokens for 30 days.
#[derive(Debug, Clone)]
pub struct EmailPool {
    logical_id: String,
    properties: cognito::UserPool,
    client: (String, String),
    flows: Vec<&'static str>,
    readable: Vec<String>,
    writable: Vec<String>,
    groups: Vec<(String, String, u32)>,
}

impl EmailPool {
    /// Creates a user pool called `name` with a client, given by logical ID and name. Only administrators create users.
    /// The pool is retained when its stack is deleted.
    #[must_use]
    pub fn new(logical_id: &str, name: &str, (client, client_name): (&str, &str)) -> Self {
        Self {
            logical_id: logical_id.to_owned(),
            properties: properties(name),
            client: (client.to_owned(), client_name.to_owned()),
            flows: vec!["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
            readable: Vec::new(),
            writable: Vec::new(),
            groups: Vec::new(),
        }
    }

    /// Allows users to sign up themselves.
    #[must_use]
    pub fn self_sign_up(mut self) -> Self {
        self.properties.admin_create_user_config = Some(user_pool::AdminCreateUserConfig {
            allow_admin_create_user_only: set(false),
            ..user_pool::AdminCreateUserConfig::default()
        });
        self
    }

    /// Sets the minimum length of passwords, which have characters of all four kinds; 6 to 99 (Cognito API reference,
    /// `PasswordPolicyType`).
    #[must_use]
    pub fn password_length(mut self, characters: i64) -> Self {
        let policies = self.properties.policies.as_mut();
        if let Some(policy) = policies.and_then(|policies| policies.password_policy.as_mut()) {
            policy.minimum_length = set(characters);
        }
        self
    }

    /// Lets only the system's own functions sign users in, with their password: clients call those functions instead of Cognito.
    #[must_use]
    pub fn only_admin_sign_in(mut self) -> Self {
        self.flows = vec!["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"];
        self
    }

    /// Adds a standard attribute of users, for example `name`.
    #[must_use]
    pub fn attribute(mut self, name: &str, required: bool) -> Self {
        self.schema().push(user_pool::SchemaAttribute {
            name: set(name),
            attribute_data_type: set("String"),
            required: set(required),
            mutable: set(true),
            ..user_pool::SchemaAttribute::default()
        });
        self
    }

    /// Adds a text attribute of the pool's own, which tokens name `custom:<name>`, with the limits of its length in
    /// characters.
    #[must_use]
    pub fn custom_attribute(mut self, name: &str, min_length: u32, max_length: u32) -> Self {
        self.schema().push(user_pool::SchemaAttribute {
            name: set(name),
            attribute_data_type: set("String"),
            mutable: set(true),
            string_attribute_constraints: Some(user_pool::StringAttributeConstraints {
                min_length: set(min_length.to_string()),
                max_length: set(max_length.to_string()),
            }),
            ..user_pool::SchemaAttribute::default()
        });
        self
    }

    fn schema(&mut self) -> &mut Vec<user_pool::SchemaAttribute> {
        self.properties.schema.get_or_insert_default()
    }

    /// Sends mail through this SES identity, given by ARN. Without it, Cognito sends mail itself, up to its daily quota.
    #[must_use]
    pub fn ses(mut self, identity: Option<&str>) -> Self {
        self.properties.email_configuration = identity.map(|arn| user_pool::EmailConfiguration {
            email_sending_account: set("DEVELOPER"),
            source_arn: set(arn),
            ..user_pool::EmailConfiguration::default()
        });
        self
    }

    /// Sets deletion protection: a protected pool cannot be deleted.
    #[must_use]
    pub fn protected(mut self, protected: bool) -> Self {
        self.properties.deletion_protection = set(if protected { "ACTIVE" } else { "INACTIVE" });
        self
    }

    /// Sets whether the client may also send the password itself, as a server-side login and test users do.
    #[must_use]
    pub fn password_sign_in(mut self, allowed: bool) -> Self {
        self.flows.extend(allowed.then_some("ALLOW_USER_PASSWORD_AUTH"));
        self
    }

    /// Sets the attributes that the client may read and write. By default it may read and write all.
    #[must_use]
    pub fn client_attributes(mut self, readable: &[&str], writable: &[&str]) -> Self {
        self.readable = readable.iter().map(|&name| name.to_owned()).collect();
        self.writable = writable.iter().map(|&name| name.to_owned()).collect();
        self
    }

    /// Adds a group, given by logical ID and name. Of a user's groups, the one with the lowest precedence applies.
    #[must_use]
    pub fn group(mut self, logical_id: &str, name: &str, precedence: u32) -> Self {
        self.groups.push((logical_id.to_owned(), name.to_owned(), precedence));
        self
    }

    fn client(&self, pool: &Reference) -> cognito::UserPoolClient {
        let attributes = |names: &[String]| (!names.is_empty()).then(|| names.iter().map(Text::from).collect());
        cognito::UserPoolClient {
            user_pool_id: set(pool.id()),
            client_name: set(&self.client.1),
            explicit_auth_flows: list(self.flows.iter().copied()),
            generate_secret: set(false),
            prevent_user_existence_errors: set("ENABLED"),
            enable_token_revocation: set(true),
            id_token_validity: set(60),
            access_token_validity: set(60),
            refresh_token_validity: set(30),
            token_validity_units: Some(user_pool_client::TokenValidityUnits {
                id_token: set("minutes"),
                access_token: set("minutes"),
                refresh_token: set("days"),
            }),
            read_attributes: attributes(&self.readable),
            write_attributes: attributes(&self.writable),
            ..cognito::UserPoolClient::default()
        }
    }
}

fn properties(name: &str) -> cognito::UserPool {
    cognito::UserPool {
        user_pool_name: set(name),
        username_attributes: list(["email"]),
        auto_verified_attributes: list(["email"]),
        user_attribute_update_settings: Some(user_pool::UserAttributeUpdateSettings {
            attributes_require_verification_before_update: list(["email"]),
        }),
        admin_create_user_config: Some(user_pool::AdminCreateUserConfig {
            allow_admin_create_user_only: set(true),
            ..user_pool::AdminCreateUserConfig::default()
        }),
        policies: Some(user_pool::Policies {
            password_policy: Some(user_pool::PasswordPolicy {
                minimum_length: set(12),
                require_lowercase: set(true),
                require_numbers: set(true),
                require_symbols: set(true),
                require_uppercase: set(true),
                temporary_password_validity_days: set(7),
                ..user_pool::PasswordPolicy::default()
            }),
            ..user_pool::Policies::default()
        }),
        mfa_configuration: set("OPTIONAL"),
        enabled_mfas: list(["SOFTWARE_TOKEN_MFA"]),
        account_recovery_setting: Some(user_pool::AccountRecoverySetting {
            recovery_mechanisms: Some(vec![user_pool::RecoveryOption {
                name: set("verified_email"),
                priority: set(1),
            }]),
        }),
        ..cognito::UserPool::default()
    }
}

impl Part for EmailPool {
    type Handle = UserPoolHandle;

    fn add_to(self, stack: &mut Stack) -> UserPoolHandle {
        let pool = Resource::of(self.properties.clone()).removal(RemovalPolicy::Retain);
        let pool = stack.resource(&self.logical_id, pool);
        let client = stack.resource(&self.client.0, Resource::of(self.client(&pool)));
        for (logical_id, name, precedence) in &self.groups {
            let group = cognito::UserPoolGroup {
                user_pool_id: set(pool.id()),
                group_name: set(name),
                precedence: set(i64::from(*precedence)),
                ..cognito::UserPoolGroup::default()
            };
            stack.resource(logical_id, Resource::of(group));
        }
        UserPoolHandle { pool, client }
    }
}

/// An `AWS::Cognito::UserPoolUser`, who receives the first password by e-mail.
#[derive(Debug, Clone)]
pub struct User {
    /// The logical ID.
    pub logical_id: String,
    /// The user pool.
    pub pool: Reference,
    /// The e-mail address, which is also the user's name.
    pub email: String,
    /// The other attributes, by name.
    pub attributes: Vec<(&'static str, String)>,
}

impl User {
    /// Returns whether the stage supports users in stacks. The emulator does not.
    #[must_use]
    pub fn is_in(stage: &Stage) -> bool {
        Feature::UserPoolUsers.is_in(stage)
    }
}

impl Part for User {
    type Handle = Reference;

    fn add_to(self, stack: &mut Stack) -> Reference {
        let attribute =
            |name: &str, value: &str| cognito::user_pool_user::AttributeType { name: set(name), value: set(value) };
        let known = [attribute("email", &self.email), attribute("email_verified", "true")];
        let others = self.attributes.iter().map(|(name, value)| attribute(name, value));
        let user = cognito::UserPoolUser {
            user_pool_id: set(self.pool.id()),
            username: set(&self.email),
            desired_delivery_mediums: list(["EMAIL"]),
            user_attributes: Some(known.into_iter().chain(others).collect()),
            ..cognito::UserPoolUser::default()
        };
        // Deleting the user would lose the password and the second factor.
        stack.resource(&self.logical_id, Resource::of(user).removal(RemovalPolicy::Retain))
    }
}
