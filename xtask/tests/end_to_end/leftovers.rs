//! What interrupted runs leave behind goes when asked, and nothing else does.

use aws_sdk_cloudformation::types::ChangeSetType;
use serde_json::json;

use crate::cloud::Cloud;

const STACK: &str = "foundation-artifacts-local";
const TEMPLATE: &str = r#"{ "Resources": { "Topic": { "Type": "AWS::SNS::Topic" } } }"#;
const ALSO: &str = "change-sets,empty-stacks,log-groups";

#[tokio::main(flavor = "current_thread")]
async fn leave(cloud: &Cloud) {
    let cloudformation = aws_sdk_cloudformation::Client::new(&cloud.sdk());
    for (stack, name, kind) in [
        (STACK, "xtask-0123456789abcdef", ChangeSetType::Update),
        (STACK, "somebody-elses", ChangeSetType::Update),
        ("foundation-interrupted-local", "xtask-0123456789abcdef", ChangeSetType::Create),
        ("foundation-interrupted-other", "xtask-0123456789abcdef", ChangeSetType::Create),
    ] {
        let request = cloudformation.create_change_set().stack_name(stack).change_set_name(name);
        request.change_set_type(kind).template_body(TEMPLATE).send().await.expect("a change set");
    }
    for group in ["/aws/lambda/media-uploader-gone-local", "/aws/lambda/media-uploader-gone-other"] {
        cloud.logs("CreateLogGroup", &json!({ "logGroupName": group })).await;
    }
}

/// The names of all change sets of the stack, empty stacks, and log groups.
#[tokio::main(flavor = "current_thread")]
async fn left(cloud: &Cloud) -> Vec<String> {
    let cloudformation = aws_sdk_cloudformation::Client::new(&cloud.sdk());
    let listed = cloudformation.list_change_sets().stack_name(STACK).send().await.expect("change sets");
    let names = listed
        .summaries()
        .iter()
        .filter(|found| found.execution_status().is_some_and(|status| status.as_str() == "AVAILABLE"));
    let mut all: Vec<_> = names.filter_map(|found| found.change_set_name().map(str::to_owned)).collect();
    let described = cloudformation.describe_stacks().send().await.expect("stacks");
    let empty = described
        .stacks()
        .iter()
        .filter(|stack| stack.stack_status().is_some_and(|status| status.as_str() == "REVIEW_IN_PROGRESS"));
    all.extend(empty.filter_map(|stack| stack.stack_name().map(str::to_owned)));
    let described = cloud.logs("DescribeLogGroups", &json!({})).await;
    let groups = described["logGroups"].as_array().expect("log groups").iter();
    all.extend(groups.filter_map(|group| group["logGroupName"].as_str().map(str::to_owned)));
    all
}

#[test]
fn leftovers_go_when_asked_and_nothing_else_does() {
    let cloud = Cloud::new();
    cloud.success(&["deploy", "--stage", "local", "--system", "foundation", "--yes"]);
    leave(&cloud);
    let before = left(&cloud);
    assert_eq!(before.len(), 6, "{before:?}");

    cloud.success(&["prune", "--stage", "local"]);
    cloud.success(&["prune", "--stage", "local", "--also", ALSO, "--dry-run"]);
    assert_eq!(left(&cloud), before, "nobody asked");

    let pruned = cloud.success(&["prune", "--stage", "local", "--also", ALSO]);
    let said = String::from_utf8_lossy(&pruned.stdout).into_owned();
    assert!(said.contains("log group /aws/lambda/media-uploader-gone-local: deleted, its function is gone"), "{said}");
    let wanted = ["somebody-elses", "foundation-interrupted-other", "/aws/lambda/media-uploader-gone-other"];
    assert_eq!(left(&cloud), wanted);
}
