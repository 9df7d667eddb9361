//! Stack `auth`: users, groups, and the secret that signs backend tokens.

use model::{
    parts::{
        bucket::BucketName,
        email_pool::EmailPool,
        parameter::Parameter,
        secret::{Secret, SecretHandle},
        user_pool::UserPoolHandle,
    },
    stage::Stage,
    template::Stack,
};
use thakii_contract::{ADMINS_GROUP, SUPER_ADMINS_GROUP, USERS_GROUP};

use super::Settings;

/// The user pool, and the secret that signs backend tokens.
pub(super) struct Identity {
    pub(super) users: UserPoolHandle,
    pub(super) secret: SecretHandle,
}

/// Builds the stack; also returns its users and secret.
pub(super) fn stack(stage: &Stage, settings: &Settings, bucket: &BucketName) -> (Stack, Identity) {
    let mut stack = Stack::new("auth", "Thakii: users, groups and the token secret.");
    let (pool, client) = (format!("thakii-users-{}", stage.name), format!("thakii-web-{}", stage.name));
    let users = EmailPool::new("UserPool", &pool, ("WebClient", &client))
        .self_sign_up()
        .attribute("email", true)
        .attribute("name", false)
        .attribute("picture", false)
        // Test users sign in by password; in production they use SRP.
        .password_sign_in(stage.name != "prod")
        .protected(settings.protect_data || stage.protected)
        .group("SuperAdminsGroup", SUPER_ADMINS_GROUP, 1)
        .group("AdminsGroup", ADMINS_GROUP, 10)
        .group("UsersGroup", USERS_GROUP, 100);
    let users = stack.add(users);
    let secret = Secret::new("BackendTokenSecret", &format!("thakii/{}/backend-token", stage.name), stage)
        .description("Signs backend tokens.");
    let secret = stack.add(secret);
    for (logical_id, name, value) in [
        ("UserPoolIdParameter", "user-pool-id", users.pool.id()),
        ("UserPoolClientIdParameter", "user-pool-client-id", users.client.id()),
        ("VideoBucketParameter", "video-bucket", bucket.0.clone()),
    ] {
        stack.add(parameter(stage, logical_id, name, value));
    }
    stack.output("UserPoolId", users.pool.id());
    stack.output("UserPoolArn", users.pool.attribute("Arn"));
    stack.output("WebClientId", users.client.id());
    (stack, Identity { users, secret })
}

/// A parameter that the front end or the worker looks up.
pub(super) fn parameter(stage: &Stage, logical_id: &str, name: &str, value: model::template::Text) -> Parameter {
    Parameter { logical_id: logical_id.to_owned(), name: format!("/thakii/{}/{name}", stage.name), value }
}
