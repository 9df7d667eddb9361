//! Plans against what is deployed: what is shown is what happens, and nothing that holds data goes unseen.

use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_cloudformation::types::Tag;
use aws_sdk_lambda::types::FunctionConfiguration;
use serde_json::{Value, json};

use crate::{
    cloud::{Cloud, text},
    proxy::{Call, Proxy, Verdict},
    refusals::refused,
    stuck::{STACK, described},
};

#[test]
fn what_is_planned_is_deployed_and_then_nothing_is_left_but_what_is_changed_by_hand() {
    let cloud = Cloud::new();
    let first = cloud.xtask(&["plan", "--stage", "local", "--exit-code"]);
    refused(&first, 2, &["media-uploader-api-local: create", "to create", "longest path"]);

    cloud.deploy();
    let plan = |code: i32, arguments: &[&str]| {
        let output =
            cloud.xtask(&[&["plan", "--stage", "local", "--exit-code", "--format", "json"], arguments].concat());
        assert_eq!(output.status.code(), Some(code), "{}", text(&output));
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        report["stages"][0].clone()
    };
    let second = plan(0, &[]);
    assert!(second["stacks"].as_array().expect("stacks").iter().all(|stack| stack["action"] == "none"), "{second:#}");
    assert_eq!(second["code"], json!([]), "{second:#}");
    assert_eq!(second.get("drift"), None, "{second:#}");

    let changed = change_memory_by_hand(&cloud);
    // The next deploy would release what was changed by hand, so there is something to do.
    let third = plan(2, &[]);
    let memory = changed.memory_size().expect("a size");
    let told = format!("media-uploader-retrieve-local: MemorySize is {memory}, but was deployed as");
    let drift = third["drift"].to_string();
    assert!(drift.contains(&told), "{drift}");
    // CloudFormation's own detection sees it too.
    let detected = plan(2, &["--drift"])["drift"].to_string();
    assert!(detected.contains("media-uploader-api-local/RetrieveMediaFunction: MemorySize was changed"), "{detected}");
}

#[tokio::main(flavor = "current_thread")]
async fn change_memory_by_hand(cloud: &Cloud) -> FunctionConfiguration {
    let request = cloud.lambda().update_function_configuration();
    let request = request.function_name("media-uploader-retrieve-local").memory_size(777);
    let changed = request.send().await.expect("the memory changes");
    FunctionConfiguration::builder().set_memory_size(changed.memory_size()).build()
}

#[test]
fn a_deploy_carries_out_the_plan_it_is_given_and_no_other() {
    let cloud = Cloud::new();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("plan.json");
    let file = file.to_str().expect("UTF-8");
    let plan = || cloud.success(&["plan", "--stage", "local", "--system", "foundation", "--out", file]);
    let deploy = |stage: &str| cloud.xtask(&["deploy", "--stage", stage, "--plan", file]);

    plan();
    refused(&deploy("dev"), 1, &["is for stage local, not for dev", "nothing was touched"]);
    let deployed = deploy("local");
    assert!(deployed.status.success(), "{}", text(&deployed));
    // What was planned is done, so the stage is not what the plan was made for any more.
    refused(&deploy("local"), 1, &["out of date", &format!("deployed stack {STACK}"), "nothing was touched"]);
    plan();
    assert!(deploy("local").status.success());

    let written = fs_err::read_to_string(file).expect("readable");
    fs_err::write(file, written.replace(env!("CARGO_PKG_VERSION"), "0.0.0")).expect("written");
    refused(&deploy("local"), 1, &["was written by xtask 0.0.0"]);
    fs_err::write(file, "{").expect("written");
    refused(&deploy("local"), 1, &["is not a plan"]);
    refused(&cloud.xtask(&["deploy", "--stage", "local", "--plan", "missing.json"]), 1, &["missing.json"]);
    refused(&cloud.xtask(&["plan", "--out", file]), 1, &["--out writes the plan of one stage"]);
}

/// A stack that somebody made, with these tags.
#[tokio::main(flavor = "current_thread")]
async fn make_stack(cloud: &Cloud, name: &str, tags: &[(&str, &str)]) {
    let template = json!({ "Resources": { "Queue": { "Type": "AWS::SQS::Queue" } } });
    let tags = tags.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build()).collect();
    let client = aws_sdk_cloudformation::Client::new(&cloud.sdk());
    let request = client.create_stack().stack_name(name).template_body(template.to_string()).set_tags(Some(tags));
    request.send().await.expect("the stack is made");
}

#[tokio::main(flavor = "current_thread")]
async fn exists(cloud: &Cloud, name: &str) -> bool {
    let client = aws_sdk_cloudformation::Client::new(&cloud.sdk());
    client.describe_stacks().stack_name(name).send().await.is_ok()
}

#[test]
fn a_stack_that_nothing_defines_any_longer_is_told_and_left_alone() {
    let cloud = Cloud::new();
    cloud.success(&["deploy", "--stage", "local", "--system", "foundation", "--yes"]);
    let ours = |system, stack, stage| [("system", system), ("stack", stack), ("stage", stage)];
    make_stack(&cloud, "foundation-old-local", &ours("foundation", "old", "local"));
    make_stack(&cloud, "shop-data-local", &ours("shop", "data", "local"));
    make_stack(&cloud, "shop-data-prod", &ours("shop", "data", "prod"));
    make_stack(&cloud, "network-local", &[("team", "network")]);
    make_stack(&cloud, "billing-local", &ours("shop", "billing", "local"));

    let whole = cloud.xtask(&["plan", "--stage", "local", "--exit-code", "--format", "json"]);
    let report: Value = serde_json::from_slice(&whole.stdout).expect("JSON");
    let stacks = report["stages"][0]["stacks"].as_array().expect("stacks");
    let left: Vec<_> = stacks.iter().filter(|stack| stack["action"] == "orphan").collect();
    let names: Vec<_> = left.iter().map(|stack| &stack["name"]).collect();
    assert_eq!(names, ["foundation-old-local", "shop-data-local"]);
    let to_do = left[1]["toDo"].as_str().expect("what to do");
    assert!(to_do.contains("aws cloudformation delete-stack --stack-name shop-data-local --region"), "{to_do}");

    let foundation = ["plan", "--stage", "local", "--system", "foundation", "--exit-code"];
    for format in ["text", "markdown"] {
        let told = cloud.xtask(&[&foundation[..], &["--format", format]].concat());
        refused(&told, 0, &["foundation-old-local", "no longer defined", "leaves it alone", "delete-stack"]);
        assert!(!text(&told).contains("shop-data"), "{}", text(&told));
    }
    let again = cloud.xtask(&["deploy", "--stage", "local", "--system", "foundation", "--yes"]);
    refused(&again, 0, &["foundation-old-local", "No change", "1 stack no longer defined"]);
    assert!(exists(&cloud, "foundation-old-local") && exists(&cloud, "shop-data-local"));

    // Whoever may not list stacks is told so, and plans all the same; with one call, and none for each stack.
    let proxy = Proxy::start(&cloud.endpoint(), |call: &Call| {
        if call.is("DescribeStacks") && call.subject.is_empty() { denied() } else { Verdict::Forward }
    });
    let blind = self::foundation(&cloud, &proxy, &["plan", "--exit-code"]);
    refused(&blind, 0, &["failed to list orphaned stacks", "is not authorized to perform", "No change"]);
    assert!(!text(&blind).contains("foundation-old-local"), "{}", text(&blind));
}

/// As CloudFormation says it.
fn denied() -> Verdict {
    let said = "User: arn:aws:iam::000000000000:user/test is not authorized to perform: cloudformation:DescribeStacks";
    let answer = format!(
        r#"<ErrorResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>{said}</Message></Error></ErrorResponse>"#
    );
    Verdict::Answer(403, answer)
}

/// `GetTemplate`, as in the CloudFormation API reference.
fn template(body: &Value) -> (u16, String) {
    let escaped = body.to_string().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let answer = format!(
        r#"<GetTemplateResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><GetTemplateResult><TemplateBody>{escaped}</TemplateBody></GetTemplateResult></GetTemplateResponse>"#
    );
    (200, answer)
}

/// `DescribeChangeSet` with one modified resource.
fn replacing(logical_id: &str, resource_type: &str) -> (u16, String) {
    let answer = format!(
        r#"<DescribeChangeSetResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeChangeSetResult>
<StackName>{STACK}</StackName><Status>CREATE_COMPLETE</Status><ExecutionStatus>AVAILABLE</ExecutionStatus><Changes><member><Type>Resource</Type>
<ResourceChange><Action>Modify</Action><LogicalResourceId>{logical_id}</LogicalResourceId><ResourceType>{resource_type}</ResourceType><Replacement>True</Replacement></ResourceChange>
</member></Changes></DescribeChangeSetResult></DescribeChangeSetResponse>"#
    );
    (200, answer)
}

/// The deployed foundation, as if it had been deployed from another template.
fn deployed_as(cloud: &Cloud, change: impl FnOnce(&mut Value)) -> (u16, String) {
    let rendered = cloud.success(&["render", "--stage", "local", "--system", "foundation", "--format", "json"]);
    let text = String::from_utf8(rendered.stdout).expect("UTF-8");
    let mut stream = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
    let holds = |document: &Value| document["Resources"].get("ArtifactBucket").is_some();
    let mut found = stream.find_map(|document| document.ok().filter(holds)).expect("the template");
    change(&mut found);
    template(&found)
}

/// Until a change set is executed, the stack has a status with which its template is always read, and not only if its hash differs.
fn with(cloud: &Cloud, answers: Vec<(&'static str, (u16, String))>) -> Proxy {
    let is_executed = AtomicBool::new(false);
    Proxy::start(&cloud.endpoint(), move |call: &Call| {
        if call.is("ExecuteChangeSet") {
            is_executed.store(true, Ordering::SeqCst);
        }
        if call.is("DescribeStacks") && !is_executed.load(Ordering::SeqCst) {
            let (status, body) = described("UPDATE_ROLLBACK_COMPLETE");
            return Verdict::Answer(status, body);
        }
        let answer = answers.iter().find(|(operation, _)| call.is(operation) && call.subject == STACK);
        answer.map_or(Verdict::Forward, |(_, (status, body))| Verdict::Answer(*status, body.clone()))
    })
}

fn foundation(cloud: &Cloud, proxy: &Proxy, arguments: &[&str]) -> std::process::Output {
    let arguments = [arguments, &["--stage", "local", "--system", "foundation"]].concat();
    cloud.command(&arguments).env("AWS_ENDPOINT_URL", proxy.endpoint()).output().expect("xtask starts")
}

#[test]
fn what_holds_data_is_not_replaced_until_it_is_named() {
    let cloud = Cloud::new();
    cloud.success(&["deploy", "--stage", "local", "--system", "foundation", "--yes"]);
    let renamed = deployed_as(&cloud, |template| {
        template["Resources"]["ArtifactBucket"]["Properties"]["BucketName"] = json!("another-name");
    });
    let proxy = with(&cloud, vec![("GetTemplate", renamed)]);
    let named = format!("--allow-replace={STACK}/ArtifactBucket");

    let said = format!("--allow-replace {STACK}/ArtifactBucket");
    refused(&foundation(&cloud, &proxy, &["plan", "--exit-code"]), 3, &["-/+ ArtifactBucket", &said]);
    refused(&foundation(&cloud, &proxy, &["plan", "--exit-code", &named]), 2, &["ArtifactBucket"]);
    let deploy = foundation(&cloud, &proxy, &["deploy", "--yes"]);
    refused(&deploy, 1, &["the plan is refused", "ArtifactBucket", "nothing was touched", &said]);
    assert_eq!(proxy.count("ExecuteChangeSet"), 0);
    let mistyped = foundation(&cloud, &proxy, &["deploy", "--yes", "--allow-replace", "artifacts/ArtifactBucket"]);
    refused(&mistyped, 1, &["matches no refused finding", "the plan is refused"]);
    let deploy = foundation(&cloud, &proxy, &["deploy", "--yes", &named]);
    assert!(deploy.status.success(), "{}", text(&deploy));
}

#[test]
fn a_change_set_that_would_lose_data_unseen_is_not_executed() {
    let cloud = Cloud::new();
    cloud.success(&["deploy", "--stage", "local", "--system", "foundation", "--yes"]);
    let changed = deployed_as(&cloud, |template| template["Description"] = json!("another"));
    let verdict = replacing("ArtifactBucket", "AWS::S3::Bucket");
    let proxy = with(&cloud, vec![("GetTemplate", changed), ("DescribeChangeSet", verdict)]);

    let plan = foundation(&cloud, &proxy, &["plan"]);
    refused(&plan, 0, &["CloudFormation's change sets differ from the plan", "Modify, replacement True"]);
    let deploy = foundation(&cloud, &proxy, &["deploy", "--yes"]);
    refused(&deploy, 1, &["would replace ArtifactBucket", "not executed", "--allow-replace"]);
    assert_eq!(proxy.count("ExecuteChangeSet"), 0);
    assert!(proxy.count("DeleteChangeSet") > 0);
}
