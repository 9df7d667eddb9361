//! Bad input: one clear sentence each, the documented exit code, and nothing touched.

use std::process::Output;

use crate::cloud::{Cloud, text};

/// A command that must fail with this code and say all of this.
pub(crate) fn refused(output: &Output, code: i32, said: &[&str]) {
    let message = text(output);
    assert_eq!(output.status.code(), Some(code), "{message}");
    for said in said {
        assert!(message.contains(said), "`{said}` is not in\n{message}");
    }
}

#[test]
fn unknown_names_are_told_with_the_closest_ones() {
    let cloud = Cloud::new();
    let run = |arguments: &[&str]| cloud.xtask(arguments);
    refused(&run(&["deploy", "--stage", "locl"]), 1, &["no stage `locl`", "did you mean `local`?"]);
    let system = run(&["deploy", "--stage", "local", "--system", "media-uplaoder"]);
    refused(&system, 1, &["no system `media-uplaoder`", "did you mean `media-uploader`?"]);
    let stack = run(&["deploy", "--stage", "local", "--stack", "apis"]);
    refused(&stack, 1, &["no stack `apis`", "did you mean `api`?"]);
    let function = run(&["build", "--stage", "local", "--function", "uplod"]);
    refused(&function, 1, &["no function `uplod`", "did you mean `upload`?"]);
    refused(&run(&["deplay"]), 2, &["deploy"]);
    refused(&run(&["deploy"]), 2, &["--stage"]);
}

#[test]
fn another_account_is_not_touched() {
    let cloud = Cloud::new();
    cloud.success(&["local", "up"]);
    let run = |arguments: &[&str]| {
        cloud
            .command(arguments)
            .env("AWS_ENDPOINT_URL", cloud.endpoint())
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .output()
            .expect("xtask starts")
    };
    // A deploy says so before it builds anything.
    for command in [
        &["status", "--stage", "dev"][..],
        &["destroy", "--stage", "dev", "--yes"],
        &["prune", "--stage", "dev"],
        &["deploy", "--stage", "dev", "--yes"],
    ] {
        refused(
            &run(command),
            1,
            &["belongs to account 111122223333", "credentials are for account 000000000000", "nothing was touched"],
        );
    }
}

#[test]
fn a_dead_endpoint_is_named_at_once() {
    let cloud = Cloud::new();
    let dead = cloud.command(&["status", "--stage", "local"]).env("AWS_ENDPOINT_URL", "http://127.0.0.1:9").output();
    refused(&dead.expect("xtask starts"), 1, &["127.0.0.1:9"]);
}

#[test]
fn without_credentials_aws_is_not_asked_twice() {
    let cloud = Cloud::new();
    let nowhere = tempfile::tempdir().expect("a temporary folder");
    for command in [&["status", "--stage", "dev"][..], &["deploy", "--stage", "dev"]] {
        let output = cloud
            .command(command)
            .env("HOME", nowhere.path())
            .env_remove("AWS_ACCESS_KEY_ID")
            .env_remove("AWS_SECRET_ACCESS_KEY")
            .output()
            .expect("xtask starts");
        refused(&output, 1, &["sts:GetCallerIdentity", "no credentials were found", "AWS_PROFILE"]);
        assert!(!text(&output).contains("Build"), "{}", text(&output));
    }
}

#[test]
fn a_broken_stage_file_is_told_with_its_place() {
    let checkout = tempfile::tempdir().expect("a temporary folder");
    crate::deploying::copy_workspace(checkout.path());
    let cloud = Cloud::of_checkout(checkout.path(), "broken-stage-file");

    let stage = checkout.path().join("stacks/stages/local.yaml");
    fs_err::write(&stage, "account: '000000000000'\nregion: us-east-1\nsytems: {}\n").expect("written");
    let deploy = cloud.xtask(&["deploy", "--stage", "local"]);
    refused(&deploy, 1, &["stacks/stages/local.yaml", "unknown field `sytems`", "line 3"]);
}

#[test]
fn the_emulator_dying_is_told_and_the_next_run_goes_on() {
    let cloud = Cloud::new();
    cloud.success(&["local", "up"]);
    let status = cloud.json(&["local", "status", "--format", "json"]);
    assert_eq!(status["running"], true, "{status:#}");
    let pid = status["pid"].to_string();
    let killed = std::process::Command::new("kill").args(["-9", &pid]).status().expect("kill starts");
    assert!(killed.success());
    let status = cloud.json(&["status", "--stage", "local", "--format", "json"]);
    assert_eq!(status["urls"], serde_json::json!({}), "{status:#}");
}
