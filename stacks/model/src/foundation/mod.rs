//! Foundation: what deploying itself needs. Every stage has it, and it is deployed first.

mod boundary;
mod calls;
mod execution;
mod narrowing;
pub mod pipeline;
mod scope;

pub use narrowing::only_narrows;

use crate::{
    emulator::Feature,
    parts::{
        bucket::{Bucket, BucketName},
        policy,
    },
    rendered::{RenderedStack, RenderedSystem},
    resources::api_gateway::Account,
    stage::Stage,
    template::{Expression, RemovalPolicy, RenderError, Resource, Stack, System, set},
};

/// The system's name.
pub const SYSTEM: &str = "foundation";
/// Its stack that holds the artifact bucket.
pub const ARTIFACTS: &str = "artifacts";
/// The output that names the artifact bucket.
pub const ARTIFACT_BUCKET_OUTPUT: &str = "ArtifactBucketName";

/// Completes what a project has rendered for a stage: limits the systems' roles, and puts foundation first.
///
/// Foundation is rendered last, because its roles may do what the other templates need, and deployed first. It also allows what
/// the stacks in `deployed` need, so that what runs keeps its rights until it is changed.
///
/// # Errors
///
/// When the pipeline's settings are wrong, AWS's schemas do not say what a resource type needs, or a role would need more
/// than IAM's limits allow.
pub fn complete(
    stage: &Stage,
    mut systems: Vec<RenderedSystem>,
    deployed: &[RenderedStack],
) -> Result<Vec<RenderedSystem>, RenderError> {
    limit(stage, &mut systems);
    let foundation = system(stage, &systems, deployed)?.render(stage)?;
    systems.insert(0, foundation);
    Ok(systems)
}

/// The artifact bucket, the account's permission for API Gateway to write logs, and, where workflows deploy the stage, the
/// roles they do it with, which may do no more than what the other systems need, and stacks that are deployed: `earlier`.
///
/// # Errors
///
/// When the settings of the pipeline cannot be, or AWS does not say what a type of the other systems needs.
fn system(stage: &Stage, others: &[RenderedSystem], earlier: &[RenderedStack]) -> Result<System, RenderError> {
    let mut artifacts = Stack::new(ARTIFACTS, "What deploying needs: the bucket that holds artifacts.");
    let bucket_name = format!("artifacts-{}-${{AWS::AccountId}}-${{AWS::Region}}", stage.name);
    let name = BucketName(Expression::sub(&bucket_name, []).into());
    // Current artifacts never expire by age: a function's next shape change refers to its zip however old that is.
    // `prune` deletes what no version needs; what it deletes stays as a noncurrent version for a while.
    let bucket = Bucket::new("ArtifactBucket", &name, stage).versioned().expire_noncurrent(30).abort_uploads(7);
    let bucket = artifacts.add(bucket);
    artifacts.output(ARTIFACT_BUCKET_OUTPUT, bucket.id());
    let mut stacks = vec![artifacts];
    if Feature::AccessLogs.is_in(stage) {
        stacks.push(api_gateway_account());
    }
    if let Some(pipeline) = &stage.pipeline {
        let bucket = format!("arn:${{AWS::Partition}}:s3:::{bucket_name}");
        stacks.push(pipeline::stack(stage, pipeline, others, earlier, &bucket)?);
    }
    Ok(System::new(SYSTEM, stacks))
}

/// Limits what the roles of the other systems may do, where workflows deploy the stage, and says whose their user pools are.
fn limit(stage: &Stage, others: &mut [RenderedSystem]) {
    if stage.pipeline.is_some() {
        boundary::put_on(others, stage);
        boundary::tag_pools(others, stage);
    }
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
