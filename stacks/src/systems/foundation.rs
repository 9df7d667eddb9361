//! Foundation: what deploying itself needs. Every stage has it, and it is deployed first.

use crate::{
    emulator::Feature,
    parts::{
        bucket::{Bucket, BucketName},
        policy,
    },
    resources::api_gateway::Account,
    stage::Stage,
    template::{Expression, RemovalPolicy, Resource, Stack, System, set},
};

/// The system's name.
pub const SYSTEM: &str = "foundation";
/// Its stack that holds the artifact bucket.
pub const ARTIFACTS: &str = "artifacts";
/// The output that names the artifact bucket.
pub const ARTIFACT_BUCKET_OUTPUT: &str = "ArtifactBucketName";

/// The artifact bucket, and the account's permission for API Gateway to write logs.
#[must_use]
pub fn system(stage: &Stage) -> System {
    let mut artifacts = Stack::new(ARTIFACTS, "What deploying needs: the bucket that holds artifacts.");
    let name = format!("artifacts-{}-${{AWS::AccountId}}-${{AWS::Region}}", stage.name);
    let name = BucketName(Expression::sub(&name, []).into());
    // Current artifacts never expire by age: a function's next shape change refers to its zip however old that is.
    // `prune` deletes what no version needs; what it deletes stays as a noncurrent version for a while.
    let bucket = Bucket::new("ArtifactBucket", &name, stage).versioned().expire_noncurrent(30).abort_uploads(7);
    let bucket = artifacts.add(bucket);
    artifacts.output(ARTIFACT_BUCKET_OUTPUT, bucket.id());
    if !Feature::AccessLogs.is_in(stage) {
        return System::new(SYSTEM, [artifacts]);
    }
    System::new(SYSTEM, [artifacts, api_gateway_account()])
}

/// One setting for the whole account and region: the role API Gateway writes access logs with.
///
/// Both resources stay when the stack goes. Other stages and other people's APIs of the account log through the same
/// setting, which deleting the resource would not take back, but deleting the role would break.
fn api_gateway_account() -> Stack {
    let mut stack = Stack::new("api-gateway", "The account's role for API Gateway's logs.");
    let trust = policy::service_trust("apigateway.amazonaws.com");
    let role = policy::managed_role(&trust, "service-role/AmazonAPIGatewayPushToCloudWatchLogs");
    let role = stack.resource("ApiGatewayLogsRole", Resource::of(role).removal(RemovalPolicy::Retain));
    let account = Account { cloud_watch_role_arn: set(role.attribute("Arn")) };
    stack.resource("ApiGatewayAccount", Resource::of(account).removal(RemovalPolicy::Retain));
    stack
}
