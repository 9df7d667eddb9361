//! Stack `identity`: a user pool with one owner.

use model::{
    parts::{
        email_pool::{EmailPool, User},
        user_pool::UserPoolHandle,
    },
    stage::Stage,
    template::Stack,
};

use super::Settings;

/// Builds the stack; also returns its user pool.
pub(super) fn stack(stage: &Stage, settings: &Settings) -> (Stack, UserPoolHandle) {
    let mut stack = Stack::new("identity", "Portfolio: who owns it.");
    let name = format!("{}-portfolio-api-user-pool", stage.name);
    let client = ("CognitoUserPoolClient", "portfolio-frontend-client");
    let users = EmailPool::new("CognitoUserPool", &name, client)
        .attribute("email", true)
        .attribute("name", true)
        .custom_attribute("role", 1, 20)
        .password_sign_in(true)
        // Users cannot change their role, because the client cannot write it.
        .client_attributes(&["email", "email_verified", "name", "custom:role"], &["email", "name"])
        .ses(settings.ses_identity.as_deref())
        .protected(stage.protected);
    let users = stack.add(users);
    if let Some(owner) = settings.owner.as_ref().filter(|_| User::is_in(stage)) {
        stack.add(User {
            logical_id: "OwnerUser".to_owned(),
            pool: users.pool.clone(),
            email: owner.email.clone(),
            attributes: vec![("name", owner.name.clone()), ("custom:role", "owner".to_owned())],
        });
    }
    stack.output("CognitoUserPoolId", users.pool.id());
    stack.output("CognitoUserPoolArn", users.pool.attribute("Arn"));
    stack.output("CognitoClientId", users.client.id());
    (stack, users)
}
