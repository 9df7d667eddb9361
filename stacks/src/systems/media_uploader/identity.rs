//! Stack `cognito`: a user pool with SMS verification, and an identity pool for direct access to S3.

use model::{
    parts::{
        identity_pool::IdentityPool,
        user_pool::{UserPool, UserPoolHandle},
    },
    stage::Stage,
    template::Stack,
};

use super::Buckets;

/// The keys that an identity may upload: those under its own ID. `${!…}` is a variable of IAM, not of CloudFormation.
const OWN_PREFIX: &str = "${!cognito-identity.amazonaws.com:sub}/*";

/// Builds the stack; also returns its user pool.
pub(super) fn stack(stage: &Stage, buckets: &Buckets) -> (Stack, UserPoolHandle) {
    let mut stack = Stack::new("cognito", "Media Uploader: users, and what their browsers may do.");
    let users = UserPool::new("MainUserPool", format!("{}-media", stage.name), stage);
    let users = stack.add(users.sms_verification("SMSRole").password_length(6));
    let identities = IdentityPool::new("MainIdentityPool", format!("{}-media-identities", stage.name), &users)
        .allow_signed_in(buckets.raw.upload(OWN_PREFIX))
        .allow_signed_in(buckets.processed.get_objects())
        .allow_anonymous(buckets.processed.get_objects());
    let identities = stack.add(identities);
    stack.output("MainUserPoolId", users.pool.id());
    stack.output("MainUserPoolArn", users.pool.attribute("Arn"));
    stack.output("MainUserPoolClientId", users.client.id());
    stack.output("MainIdentityPoolId", identities.id());
    (stack, users)
}
