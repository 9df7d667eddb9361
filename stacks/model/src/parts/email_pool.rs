//! A Cognito user pool whose users sign in with an e-mail address and a strong password, and its client.

use super::user_pool::UserPoolHandle;
use crate::{
    resources::cognito::{self, user_pool, user_pool_client},
    stage::Stage,
    template::{Part, Reference, RemovalPolicy, Resource, Stack, Text, list, set},
};

/// A user pool, a client without secret for browsers, and groups.
///
/// Passwords have twelve characters of all four kinds, a second factor is offered, a forgotten password comes back by
/// e-mail. Tokens live an hour, refresh tokens 30 days.
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
    /// A user pool called `name`, which strangers may not sign up to, with a client by logical ID and name. It stays
    /// when its stack goes.
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

    /// Lets anybody sign up.
    #[must_use]
    pub fn self_sign_up(mut self) -> Self {
        self.properties.admin_create_user_config = Some(user_pool::AdminCreateUserConfig {
            allow_admin_create_user_only: set(false),
            ..user_pool::AdminCreateUserConfig::default()
        });
        self
    }

    /// Knows a standard attribute of each user, such as `name`.
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

    /// Knows a text of its own about each user, which tokens call `custom:<name>`.
    #[must_use]
    pub fn custom_attribute(mut self, name: &str, shortest: u32, longest: u32) -> Self {
        self.schema().push(user_pool::SchemaAttribute {
            name: set(name),
            attribute_data_type: set("String"),
            mutable: set(true),
            string_attribute_constraints: Some(user_pool::StringAttributeConstraints {
                min_length: set(shortest.to_string()),
                max_length: set(longest.to_string()),
            }),
            ..user_pool::SchemaAttribute::default()
        });
        self
    }

    fn schema(&mut self) -> &mut Vec<user_pool::SchemaAttribute> {
        self.properties.schema.get_or_insert_default()
    }

    /// Sends its mail through this SES identity, by ARN, instead of Cognito's own few a day.
    #[must_use]
    pub fn ses(mut self, identity: Option<&str>) -> Self {
        self.properties.email_configuration = identity.map(|arn| user_pool::EmailConfiguration {
            email_sending_account: set("DEVELOPER"),
            source_arn: set(arn),
            ..user_pool::EmailConfiguration::default()
        });
        self
    }

    /// Cannot be deleted before this is taken back.
    #[must_use]
    pub fn protected(mut self, protected: bool) -> Self {
        self.properties.deletion_protection = set(if protected { "ACTIVE" } else { "INACTIVE" });
        self
    }

    /// Also lets the client send the password itself, which a server's login and test users need.
    #[must_use]
    pub fn password_sign_in(mut self, allowed: bool) -> Self {
        self.flows.extend(allowed.then_some("ALLOW_USER_PASSWORD_AUTH"));
        self
    }

    /// What of a user the client may read and write: everything, unless told.
    #[must_use]
    pub fn client_attributes(mut self, readable: &[&str], writable: &[&str]) -> Self {
        self.readable = readable.iter().map(|&name| name.to_owned()).collect();
        self.writable = writable.iter().map(|&name| name.to_owned()).collect();
        self
    }

    /// A group by logical ID and name; of several, the one with the lowest precedence counts.
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

/// A user that the stack makes: who gets the first password by e-mail.
#[derive(Debug, Clone)]
pub struct User {
    /// The logical ID.
    pub logical_id: String,
    /// The pool.
    pub pool: Reference,
    /// The address, which is also the user's name.
    pub email: String,
    /// The other attributes.
    pub attributes: Vec<(&'static str, String)>,
}

impl User {
    /// Is there such a user in this stage? The emulator has none made by stacks.
    #[must_use]
    pub fn is_in(stage: &Stage) -> bool {
        crate::emulator::Feature::UserPoolUsers.is_in(stage)
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
        // Deleting it would lose a password, and what the user has set up to sign in with.
        stack.resource(&self.logical_id, Resource::of(user).removal(RemovalPolicy::Retain))
    }
}
