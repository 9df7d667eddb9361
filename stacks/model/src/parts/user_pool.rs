//! A Cognito user pool whose users sign in with a phone number, with a client.

use serde_json::json;

use super::policy::{self, Statement};
use crate::{
    resources::cognito::{self, user_pool},
    stage::Stage,
    template::{Part, Reference, RemovalPolicy, Resource, Stack, Text, list, set},
};

/// An `AWS::Cognito::UserPool` and a client without secret for browsers and apps.
#[derive(Debug, Clone)]
pub struct UserPool {
    logical_id: String,
    /// Whether administrators may sign users in by password, which the local cloud's demo and tests do without a phone.
    admin_sign_in: bool,
    /// Whether the pool cannot be deleted.
    is_protected: bool,
    prefix: String,
    sms: Option<String>,
    password_length: i64,
}

/// The values by which other parts refer to a user pool.
#[derive(Debug, Clone)]
pub struct UserPoolHandle {
    /// The pool.
    pub pool: Reference,
    /// The client.
    pub client: Reference,
}

impl UserPool {
    /// Creates a user pool called `<prefix>-users` with a client called `<prefix>-client`. Users sign up themselves,
    /// and passwords have at least 8 characters. The pool is retained when its stack is deleted, and in a protected stage it cannot be
    /// deleted.
    #[must_use]
    pub fn new(logical_id: &str, prefix: String, stage: &Stage) -> Self {
        Self {
            logical_id: logical_id.to_owned(),
            admin_sign_in: stage.is_local(),
            is_protected: stage.protected,
            prefix,
            sms: None,
            password_length: 8,
        }
    }

    /// Signs users in with a phone number, which is verified by SMS. `role` is the logical ID of the role that sends
    /// messages.
    #[must_use]
    pub fn sms_verification(mut self, role: &str) -> Self {
        self.sms = Some(role.to_owned());
        self
    }

    /// Sets the minimum length of passwords, in characters of any kind; 6 to 99 (Cognito API reference,
    /// `PasswordPolicyType`).
    #[must_use]
    pub fn password_length(mut self, characters: i64) -> Self {
        self.password_length = characters;
        self
    }

    fn properties(&self) -> cognito::UserPool {
        cognito::UserPool {
            user_pool_name: set(format!("{}-users", self.prefix)),
            deletion_protection: set(if self.is_protected { "ACTIVE" } else { "INACTIVE" }),
            mfa_configuration: set("OFF"),
            policies: Some(user_pool::Policies {
                password_policy: Some(user_pool::PasswordPolicy {
                    minimum_length: set(self.password_length),
                    require_lowercase: set(false),
                    require_numbers: set(false),
                    require_symbols: set(false),
                    require_uppercase: set(false),
                    ..user_pool::PasswordPolicy::default()
                }),
                ..user_pool::Policies::default()
            }),
            admin_create_user_config: Some(user_pool::AdminCreateUserConfig {
                allow_admin_create_user_only: set(false),
                ..user_pool::AdminCreateUserConfig::default()
            }),
            ..cognito::UserPool::default()
        }
    }

    fn add_sms(&self, stack: &mut Stack, properties: cognito::UserPool) -> cognito::UserPool {
        let Some(role) = &self.sms else { return properties };
        // Cognito sends this ID when it assumes the role, so that pools of other accounts cannot use the role.
        let external_id = format!("{}-sms", self.prefix);
        let condition = json!({ "StringEquals": { "sts:ExternalId": external_id } });
        let trust = policy::trust(json!({ "Service": "cognito-idp.amazonaws.com" }), "sts:AssumeRole", Some(condition));
        let publish = Statement::allow(["sns:Publish"], [Text::from("*")]).because("A phone number has no ARN.");
        let role = stack.resource(role, Resource::of(policy::role(&trust, &[publish])));
        cognito::UserPool {
            username_attributes: list(["phone_number"]),
            auto_verified_attributes: list(["phone_number"]),
            sms_verification_message: set("Your verification code is {####}"),
            sms_configuration: Some(user_pool::SmsConfiguration {
                sns_caller_arn: set(role.attribute("Arn")),
                external_id: set(external_id),
                ..user_pool::SmsConfiguration::default()
            }),
            account_recovery_setting: Some(user_pool::AccountRecoverySetting {
                recovery_mechanisms: Some(vec![user_pool::RecoveryOption {
                    name: set("verified_phone_number"),
                    priority: set(1),
                }]),
            }),
            ..properties
        }
    }

    fn client(&self, pool: &Reference) -> cognito::UserPoolClient {
        let mut flows = vec!["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"];
        if self.admin_sign_in {
            flows.push("ALLOW_ADMIN_USER_PASSWORD_AUTH");
        }
        cognito::UserPoolClient {
            user_pool_id: set(pool.id()),
            client_name: set(format!("{}-client", self.prefix)),
            explicit_auth_flows: list(flows),
            generate_secret: set(false),
            prevent_user_existence_errors: set("ENABLED"),
            ..cognito::UserPoolClient::default()
        }
    }
}

impl Part for UserPool {
    type Handle = UserPoolHandle;

    fn add_to(self, stack: &mut Stack) -> UserPoolHandle {
        let properties = self.add_sms(stack, self.properties());
        let pool = Resource::of(properties).removal(RemovalPolicy::Retain);
        let pool = stack.resource(&self.logical_id, pool);
        let client = stack.resource(&format!("{}Client", self.logical_id), Resource::of(self.client(&pool)));
        UserPoolHandle { pool, client }
    }
}
