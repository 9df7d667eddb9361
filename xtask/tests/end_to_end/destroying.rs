//! Destroying a stage: what is its own, what AWS would refuse, and what happens after a refusal.

use serde_json::json;

use crate::{
    cloud::{Cloud, text},
    proxy::{Call, Proxy, Verdict},
    refusals::refused,
};

const SYSTEM: &str = "media-uploader";
const POOL: &str = "local-media-users";

fn deployed() -> Cloud {
    let cloud = Cloud::new();
    cloud.success(&["deploy", "--stage", "local", "--system", SYSTEM, "--yes"]);
    cloud
}

/// The IDs of the pools with a name.
#[tokio::main(flavor = "current_thread")]
async fn pools(cloud: &Cloud, name: &str) -> Vec<String> {
    let listed = cloud.cognito("ListUserPools", &json!({ "MaxResults": 60 })).await;
    let named = listed["UserPools"].as_array().expect("pools").iter().filter(|pool| pool["Name"] == name);
    named.map(|pool| pool["Id"].as_str().expect("an ID").to_owned()).collect()
}

#[tokio::main(flavor = "current_thread")]
async fn create_pool(cloud: &Cloud, name: &str) -> String {
    let created = cloud.cognito("CreateUserPool", &json!({ "PoolName": name })).await;
    created["UserPool"]["Id"].as_str().expect("its ID").to_owned()
}

#[tokio::main(flavor = "current_thread")]
async fn protect(cloud: &Cloud, pool: &str) {
    cloud.cognito("UpdateUserPool", &json!({ "UserPoolId": pool, "DeletionProtection": "ACTIVE" })).await;
}

#[tokio::main(flavor = "current_thread")]
async fn protect_stack(cloud: &Cloud, stack: &str, protected: bool) {
    let client = aws_sdk_cloudformation::Client::new(&cloud.sdk());
    let request = client.update_termination_protection().stack_name(stack).enable_termination_protection(protected);
    request.send().await.expect("the protection changes");
}

#[tokio::main(flavor = "current_thread")]
async fn stacks(cloud: &Cloud) -> usize {
    let client = aws_sdk_cloudformation::Client::new(&cloud.sdk());
    client.describe_stacks().send().await.expect("stacks").stacks().len()
}

/// A system without foundation is deployed with it, and a lone stack is refused before the build.
#[test]
fn the_pools_of_earlier_stacks_go_and_those_of_other_programs_stay() {
    let cloud = Cloud::new();
    let lone = cloud.xtask(&["deploy", "--stage", "local", "--stack", "media-uploader-api-local", "--yes"]);
    refused(&lone, 1, &["has no artifact bucket", "cargo xtask bootstrap --stage local"]);
    assert!(!text(&lone).contains("Build"), "{}", text(&lone));
    let first = cloud.success(&["deploy", "--stage", "local", "--system", SYSTEM, "--yes"]);
    assert!(text(&first).contains("Stage local has no foundation yet"), "{}", text(&first));

    let earlier = pools(&cloud, POOL);
    cloud.success(&["destroy", "--stage", "local", "--system", SYSTEM, "--yes", "--delete-data"]);
    assert_eq!(pools(&cloud, POOL), Vec::<String>::new(), "deleted by its ID: {earlier:?}");

    cloud.success(&["deploy", "--stage", "local", "--system", SYSTEM, "--yes"]);
    let own = pools(&cloud, POOL);
    let foreign = create_pool(&cloud, POOL);
    let output = cloud.success(&["destroy", "--stage", "local", "--system", SYSTEM, "--yes", "--delete-data"]);
    assert!(text(&output).contains(&format!("user pool {POOL} ({}): deleted", own[0])), "{}", text(&output));
    assert!(text(&output).contains(&format!("user pool {POOL} ({foreign}): kept")), "{}", text(&output));
    assert_eq!(pools(&cloud, POOL), [foreign]);
}

#[test]
fn a_protected_pool_or_stack_is_reported_before_the_first_deletion() {
    let cloud = deployed();
    let pool = pools(&cloud, POOL).pop().expect("a pool");
    protect(&cloud, &pool);
    let before = stacks(&cloud);
    let output = cloud.xtask(&["destroy", "--stage", "local", "--yes", "--delete-data"]);
    let protected = format!("user pool {POOL} ({pool}) has deletion protection");
    refused(&output, 1, &["failed to delete stage local", &protected, "nothing was deleted"]);
    assert!(!text(&output).contains("deleted with its contents"), "{}", text(&output));
    assert_eq!(stacks(&cloud), before);

    // A protected stack is reported too, and without --delete-data the pool stays anyway.
    let stack = "media-uploader-cognito-local";
    protect_stack(&cloud, stack, true);
    let output = cloud.xtask(&["destroy", "--stage", "local", "--yes"]);
    refused(&output, 1, &[&format!("stack {stack} has termination protection"), "nothing was deleted"]);
    assert_eq!(stacks(&cloud), before);
    protect_stack(&cloud, stack, false);
    cloud.success(&["destroy", "--stage", "local", "--yes"]);
}

/// What the survey could not know: Cognito refuses nevertheless. Everything but foundation's bucket goes.
#[test]
fn a_pool_that_cannot_be_deleted_does_not_keep_the_buckets() {
    let cloud = deployed();
    let proxy = Proxy::start(&cloud.endpoint(), |call: &Call| {
        if call.is("DeleteUserPool") {
            let body = r#"{"__type":"InvalidParameterException","message":"The user pool cannot be deleted."}"#;
            return Verdict::Answer(400, body.to_owned());
        }
        Verdict::Forward
    });
    let output = cloud
        .command(&["destroy", "--stage", "local", "--yes", "--delete-data"])
        .env("AWS_ENDPOINT_URL", proxy.endpoint())
        .output()
        .expect("xtask starts");
    refused(&output, 1, &[&format!("failed to delete user pool {POOL}"), "The user pool cannot be deleted."]);
    assert!(!text(&output).contains("failed to deploy"), "{}", text(&output));
    let buckets = proxy.calls().iter().filter(|call| call.operation.starts_with("DELETE /local-media-")).count();
    assert_eq!(buckets, 2, "{}", text(&output));
    cloud.success(&["destroy", "--stage", "local", "--yes", "--delete-data"]);
    assert_eq!(pools(&cloud, POOL), Vec::<String>::new());
}
