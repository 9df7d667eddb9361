//! Foundation: what deploying itself needs. Every stage has it, and it is deployed first.

use serde_json::json;

use crate::{
    emulator::Feature,
    parts::{
        bucket::{Bucket, BucketName},
        policy,
    },
    stage::Stage,
    template::{Expression, Resource, Stack, System},
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
    let bucket = Bucket::new("ArtifactBucket", &name, stage)
        .versioned()
        .lifecycle(
            "ExpireDeletedArtifacts",
            json!({
                "NoncurrentVersionExpiration": { "NoncurrentDays": 30 },
                "ExpiredObjectDeleteMarker": true,
            }),
        )
        .lifecycle("AbortUploads", json!({ "AbortIncompleteMultipartUpload": { "DaysAfterInitiation": 7 } }));
    let bucket = artifacts.add(bucket);
    artifacts.output(ARTIFACT_BUCKET_OUTPUT, bucket.id());
    if !Feature::AccessLogs.is_in(stage) {
        return System::new(SYSTEM, [artifacts]);
    }
    System::new(SYSTEM, [artifacts, api_gateway_account()])
}

/// One setting for the whole account and region: the role API Gateway writes access logs with.
fn api_gateway_account() -> Stack {
    let mut stack = Stack::new("api-gateway", "The account's role for API Gateway's logs.");
    let mut role = policy::role(&policy::service_trust("apigateway.amazonaws.com"), &[]);
    role.set("Policies", json!([]));
    let arn = "arn:${AWS::Partition}:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs";
    role.set("ManagedPolicyArns", json!([Expression::sub(arn, [])]));
    let role = stack.resource("ApiGatewayLogsRole", role);
    let account = Resource::new("AWS::ApiGateway::Account", json!({ "CloudWatchRoleArn": role.attribute("Arn") }));
    stack.resource("ApiGatewayAccount", account);
    stack
}
