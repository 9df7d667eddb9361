//! Stack `cognito`: who may upload. A user pool with SMS verification, and an identity pool for direct S3 access.

use serde_json::{Value, json};

use super::Buckets;
use crate::{
    parts::policy::{self, Statement},
    stage::Stage,
    template::{Expression, Reference, RemovalPolicy, Resource, Stack, Text},
};

/// The stack, and its user pool.
pub(super) fn stack(stage: &Stage, buckets: &Buckets) -> (Stack, Reference) {
    let mut stack = Stack::new("cognito", "Media Uploader: users, and what their browsers may do.");
    let users = user_pool(&mut stack, stage);
    let client = client(&mut stack, stage, &users);
    let identities = identity_pool(&mut stack, stage, &users, &client);
    roles(&mut stack, buckets, &identities);
    stack.output("MainUserPoolId", users.id());
    stack.output("MainUserPoolArn", users.attribute("Arn"));
    stack.output("MainUserPoolClientId", client.id());
    stack.output("MainIdentityPoolId", identities.id());
    (stack, users)
}

fn user_pool(stack: &mut Stack, stage: &Stage) -> Reference {
    let external_id = format!("{}-media-sms", stage.name);
    let trust = policy::trust(
        json!({ "Service": "cognito-idp.amazonaws.com" }),
        "sts:AssumeRole",
        Some(json!({ "StringEquals": { "sts:ExternalId": external_id } })),
    );
    // A phone number has no ARN.
    let publish = Statement::allow(["sns:Publish"], [Text::from("*")]);
    let sms = stack.resource("SMSRole", policy::role(&trust, &[publish]));
    let properties = json!({
        "UserPoolName": format!("{}-media-users", stage.name),
        "UsernameAttributes": ["phone_number"],
        "AutoVerifiedAttributes": ["phone_number"],
        "SmsConfiguration": { "SnsCallerArn": sms.attribute("Arn"), "ExternalId": external_id },
        "SmsVerificationMessage": "Your verification code is {####}",
        "MfaConfiguration": "OFF",
        "Policies": { "PasswordPolicy": {
            "MinimumLength": 6,
            "RequireLowercase": false,
            "RequireNumbers": false,
            "RequireSymbols": false,
            "RequireUppercase": false,
        } },
        "AdminCreateUserConfig": { "AllowAdminCreateUserOnly": false },
        "AccountRecoverySetting": { "RecoveryMechanisms": [{ "Name": "verified_phone_number", "Priority": 1 }] },
    });
    let pool = Resource::new("AWS::Cognito::UserPool", properties).removal(RemovalPolicy::Retain);
    stack.resource("MainUserPool", pool)
}

fn client(stack: &mut Stack, stage: &Stage, users: &Reference) -> Reference {
    let mut flows = vec!["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"];
    if stage.is_local() {
        // So that the demo and tests get tokens without a phone.
        flows.push("ALLOW_ADMIN_USER_PASSWORD_AUTH");
    }
    let properties = json!({
        "UserPoolId": users.id(),
        "ClientName": format!("{}-media-client", stage.name),
        "ExplicitAuthFlows": flows,
        "GenerateSecret": false,
        "PreventUserExistenceErrors": "ENABLED",
    });
    stack.resource("MainUserPoolClient", Resource::new("AWS::Cognito::UserPoolClient", properties))
}

fn identity_pool(stack: &mut Stack, stage: &Stage, users: &Reference, client: &Reference) -> Reference {
    let properties = json!({
        "IdentityPoolName": format!("{}-media-identities", stage.name),
        "AllowUnauthenticatedIdentities": true,
        "AllowClassicFlow": false,
        "CognitoIdentityProviders": [{
            "ClientId": client.id(),
            "ProviderName": users.attribute("ProviderName"),
            "ServerSideTokenCheck": true,
        }],
    });
    stack.resource("MainIdentityPool", Resource::new("AWS::Cognito::IdentityPool", properties))
}

fn roles(stack: &mut Stack, buckets: &Buckets, identities: &Reference) {
    let read = || Statement::allow(["s3:GetObject"], [buckets.processed.objects("")]);
    // `${!…}` is IAM's own variable, not CloudFormation's.
    let own = "arn:${AWS::Partition}:s3:::${Name}/${!cognito-identity.amazonaws.com:sub}/*";
    let own = Expression::sub(own, [("Name", buckets.raw.0.clone())]).into();
    let write = Statement::allow(["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"], [own]);
    let authenticated = policy::role(&trust(identities, "authenticated"), &[write, read()]);
    let unauthenticated = policy::role(&trust(identities, "unauthenticated"), &[read()]);
    let authenticated = stack.resource("AuthenticatedRole", authenticated);
    let unauthenticated = stack.resource("UnauthenticatedRole", unauthenticated);
    let properties = json!({
        "IdentityPoolId": identities.id(),
        "Roles": { "authenticated": authenticated.attribute("Arn"), "unauthenticated": unauthenticated.attribute("Arn") },
    });
    let attachment = Resource::new("AWS::Cognito::IdentityPoolRoleAttachment", properties);
    stack.resource("MainIdentityPoolRoleAttachment", attachment);
}

fn trust(identities: &Reference, kind: &str) -> Value {
    policy::trust(
        json!({ "Federated": "cognito-identity.amazonaws.com" }),
        "sts:AssumeRoleWithWebIdentity",
        Some(json!({
            "StringEquals": { "cognito-identity.amazonaws.com:aud": identities.id() },
            "ForAnyValue:StringLike": { "cognito-identity.amazonaws.com:amr": kind },
        })),
    )
}
