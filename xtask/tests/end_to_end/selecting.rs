//! Deploying some stacks: what is missing is named before anything changes, and all stacks together are the system.

use serde_json::Value;

use crate::{
    cloud::{Cloud, text},
    refusals::refused,
};

const SYSTEM: &str = "thakii";
/// All stacks of the system.
const ALL: [&str; 6] = ["storage", "data", "auth", "worker", "api", "alarms"];

/// A command for these stacks of the system.
fn of_stacks<'a>(verb: &'a str, stacks: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    let options = stacks.iter().flat_map(|stack| ["--stack", stack]);
    [verb, "--stage", "local", "--system", SYSTEM].into_iter().chain(options).chain(more.iter().copied()).collect()
}

#[tokio::main(flavor = "current_thread")]
async fn stacks(cloud: &Cloud) -> Vec<String> {
    let client = aws_sdk_cloudformation::Client::new(&cloud.sdk());
    let described = client.describe_stacks().send().await.expect("stacks");
    described.stacks().iter().filter_map(|stack| stack.stack_name().map(str::to_owned)).collect()
}

#[test]
fn a_first_deploy_by_stacks_names_what_is_missing_and_ends_in_a_working_system() {
    let cloud = Cloud::new();
    cloud.success(&["deploy", "--stage", "local", "--system", "foundation", "--yes"]);
    let before = stacks(&cloud);
    for verb in ["plan", "deploy"] {
        let missing = cloud.xtask(&of_stacks(verb, &["worker"], &[]));
        let said = ["stack thakii-worker-local needs", "of thakii-data-local, which is not deployed", "--stack data"];
        refused(&missing, 1, &said);
        refused(&missing, 1, &["nothing was touched"]);
        assert!(!text(&missing).contains("Build"), "{}", text(&missing));
        let unknown = cloud.xtask(&of_stacks(verb, &["data", "workers"], &[]));
        refused(&unknown, 1, &["no stack `workers`", "did you mean `worker`?", "storage, data, auth"]);
        let group = cloud.xtask(&of_stacks(verb, &[], &["--group", "python"]));
        refused(&group, 1, &["no group `python`", "one of the stacks with --stack: storage, data, auth"]);
    }
    assert_eq!(stacks(&cloud), before, "a refused selection changes nothing");

    cloud.success(&of_stacks("deploy", &["auth", "data", "storage"], &["--yes"]));
    let rest = cloud.success(&of_stacks("deploy", &["alarms", "api", "worker"], &["--yes"]));
    assert!(text(&rest).contains("thakii: not released"), "{}", text(&rest));
    // Their first version is live before the first release.
    let status = cloud.json(&["status", "--stage", "local", "--system", SYSTEM, "--format", "json"]).to_string();
    assert!(status.contains(r#""live":"1""#) && !status.contains(r#""live":null"#), "{status}");

    // It probes the functions and runs the smoke checks.
    let whole = cloud.json(&of_stacks("deploy", &ALL, &["--yes", "--format", "json"]));
    let one = cloud.json(&["deploy", "--stage", "local", "--system", SYSTEM, "--yes", "--format", "json"]);
    assert!(whole["functions"].as_array().is_some_and(|functions| !functions.is_empty()), "{whole:#}");
    assert_eq!((&whole["functions"], &whole["changed"]), (&one["functions"], &Value::Bool(false)));
}
