//! Foundation: the resources that deploying itself needs. Every stage has it, and it is deployed first.
//!
//! Stack `artifacts` holds the artifact bucket, `api-gateway` the account's role for API Gateway's logs, and
//! [`pipeline`] the roles of workflows. Types to read first: [`complete`], [`pipeline::PipelineRole`].

mod boundary;
mod calls;
mod capacity;
mod execution;
mod limits;
mod names;
mod narrowing;
mod networks;
pub mod pipeline;
mod roles;
mod scope;
pub(crate) mod tags;

pub use capacity::{Usage, usages};
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

/// Foundation's name as a system.
pub const SYSTEM: &str = "foundation";
/// The stack with the artifact bucket.
pub const ARTIFACTS: &str = "artifacts";
/// The beginning of the artifact bucket's name.
pub const ARTIFACT_BUCKET_PREFIX: &str = "artifacts-";
/// The output with the artifact bucket's name.
pub const ARTIFACT_BUCKET_OUTPUT: &str = "ArtifactBucketName";

/// Returns the name of a stage's artifact bucket.
#[must_use]
pub fn artifact_bucket(stage: &Stage) -> String {
    format!("{ARTIFACT_BUCKET_PREFIX}{}-{}-{}", stage.name, stage.account, stage.region)
}

/// Completes the systems that a project has rendered for a stage: sets names and permissions boundary of their roles, tags
/// resources with generated IDs, and adds foundation as the first system.
///
/// Foundation is rendered last, because its roles get the permissions that the other templates need. It also gets those
/// that the stacks in `deployed` need, so that deployed functions keep their permissions until their stack is changed.
///
/// # Errors
///
/// When two systems have one name, a name is reserved or extends another, or a system with settings in the stage's file is not
/// among `systems`. When a system declares a name that does not exist, see [`RenderedSystem::check_names`]. When a setting of the pipeline is not allowed, AWS's schemas do not name the permissions of a resource type, or a
/// role would need more than IAM's limits allow.
pub fn complete(
    stage: &Stage,
    mut systems: Vec<RenderedSystem>,
    deployed: &[RenderedStack],
) -> Result<Vec<RenderedSystem>, RenderError> {
    names::check(stage, &systems)?;
    systems.iter().try_for_each(RenderedSystem::check_names)?;
    bind_to_stage(stage, &mut systems)?;
    let foundation = system(stage, &systems, deployed)?.render(stage)?;
    systems.insert(0, foundation);
    Ok(systems)
}

/// Builds foundation. Where workflows deploy the stage, their roles get the permissions that `others` and `deployed` need.
fn system(stage: &Stage, others: &[RenderedSystem], deployed: &[RenderedStack]) -> Result<System, RenderError> {
    let mut artifacts = Stack::new(ARTIFACTS, "What deploying needs: the bucket that holds artifacts.");
    let bucket_name = format!("{ARTIFACT_BUCKET_PREFIX}{}-${{AWS::AccountId}}-${{AWS::Region}}", stage.name);
    let name = BucketName(Expression::sub(&bucket_name, []).into());
    // Current artifacts never expire, because a function's next change of configuration refers to its zip, however old
    // that is. `prune` deletes unused ones, which are kept as noncurrent versions for 30 days.
    let bucket = Bucket::new("ArtifactBucket", &name, stage).versioned().expire_noncurrent(30).abort_uploads(7);
    let bucket = artifacts.add(bucket);
    artifacts.output(ARTIFACT_BUCKET_OUTPUT, bucket.id());
    let mut stacks = vec![artifacts];
    if Feature::AccessLogs.is_in(stage) {
        stacks.push(api_gateway_account());
    }
    if let Some(pipeline) = &stage.pipeline {
        let bucket = format!("arn:${{AWS::Partition}}:s3:::{bucket_name}");
        stacks.push(pipeline::stack(stage, pipeline, others, deployed, &bucket)?);
    }
    Ok(System::new(SYSTEM, stacks))
}

/// Names the other systems' roles, sets their permissions boundary and tags resources with generated IDs, where workflows deploy the
/// stage: the permissions of deploys name all three.
fn bind_to_stage(stage: &Stage, others: &mut [RenderedSystem]) -> Result<(), RenderError> {
    if stage.pipeline.is_some() {
        roles::name(others, stage)?;
        boundary::set_on_roles(others, stage);
        tags::add(others, stage);
    }
    Ok(())
}

/// The role with which API Gateway writes access logs: one setting for the whole account and region.
///
/// Both resources are retained when the stack is deleted. Other stages and APIs of the account log through the same
/// setting: deleting the resource would not reset it, and deleting the role would break it.
fn api_gateway_account() -> Stack {
    let mut stack = Stack::new("api-gateway", "The account's role for API Gateway's logs.");
    let trust = policy::service_trust("apigateway.amazonaws.com");
    let role = policy::managed_role(&trust, "service-role/AmazonAPIGatewayPushToCloudWatchLogs");
    let role = stack.resource("ApiGatewayLogsRole", Resource::of(role).removal(RemovalPolicy::Retain));
    let account = Account { cloud_watch_role_arn: set(role.attribute("Arn")) };
    stack.resource("ApiGatewayAccount", Resource::of(account).removal(RemovalPolicy::Retain));
    stack
}

#[cfg(test)]
mod large;
#[cfg(test)]
mod tests;
