//! Pull requests: every command of their workflow in order, without an account, and the comment with the plan.

use std::path::Path;

use serde_json::json;

use crate::{
    cloud::Cloud,
    github::{Github, TOKEN},
    pipeline::stages,
    refusals::refused,
    rights::deploying::Taken,
    workflows::{PullRequest, Runner, repository, workflow},
};

/// Every command of the workflow in its order. `ci` is only parsed: this test is one of those that it runs, and it takes the half
/// hour that the rest of this suite does. There is no AWS to ask: nobody listens at the endpoint, and no credentials are set.
#[test]
fn the_pull_request_workflow_needs_no_account() {
    let (cloud, github, stages) = (Cloud::new(), Github::start(), stages());
    let store = tempfile::tempdir().expect("a temporary folder");
    let pull_request = PullRequest { checkout: repository(), number: 7 };
    let runner = Runner {
        cloud: &cloud,
        github: &github,
        stages: stages.path(),
        store: store.path().to_owned(),
        endpoint: "http://127.0.0.1:9".to_owned(),
        pull_request: Some(&pull_request),
        taken: Taken::default(),
        tamper: None,
    };
    let ran = runner.run(&workflow("pr.yml"), "topic", 1);
    for (command, code, said) in &ran.commands {
        assert_eq!(*code, 0, "{command}\n{said}");
    }
    let commands: Vec<_> = ran.commands.iter().filter_map(|(command, _, _)| command.split(' ').next()).collect();
    assert_eq!(commands, ["ci", "ci", "toolchain", "build", "ci", "pr-comment", "summary"]);
    assert!(ran.jobs.values().all(|succeeded| *succeeded) && ran.jobs.len() == 6, "{:?}", ran.jobs);
    assert!(ran.command("build").2.contains("backend-api"), "{}", ran.command("build").2);
    assert!(store.path().join("pull-request-artifacts/artifacts.json").exists(), "the zips are kept for a day");
    assert_eq!(github.comments().len(), 1, "{:#?}", github.comments());
    assert!(ran.summary.contains("| documentation | ✅ success |"), "{}", ran.summary);

    // One job that fails is enough for the check that a branch requires.
    let mut failing = workflow("pr.yml");
    failing["jobs"].as_object_mut().expect("jobs").retain(|name, _| ["quality", "summary"].contains(&name.as_str()));
    failing["jobs"]["quality"]["steps"] = json!([{ "run": "cargo xtask ci no-such-check" }]);
    failing["jobs"]["summary"]["needs"] = json!(["quality"]);
    let ran = runner.run(&failing, "topic", 2);
    assert_eq!(ran.command("summary").1, 1, "{:#?}", ran.commands);
}

fn pr_comment(repository: &Path, variables: &[(&str, String)]) -> std::process::Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_xtask"));
    command
        .arg("pr-comment")
        .current_dir(repository)
        .env("CARGO_TARGET_DIR", repository.join("target"))
        .env("NO_COLOR", "1")
        .env("GITHUB_BASE_REF", "main")
        .env_remove("GITHUB_STEP_SUMMARY")
        .envs(variables.iter().map(|(name, value)| (*name, value.as_str())));
    command.output().expect("xtask starts")
}

#[test]
fn a_pull_request_has_one_comment_with_its_plan() {
    let (repository, github) = (repository(), Github::start());
    let event = repository.path().join("target/event.json");
    fs_err::create_dir_all(event.parent().expect("a folder")).expect("a folder");
    fs_err::write(&event, json!({ "pull_request": { "number": 7 } }).to_string()).expect("written");
    let mut variables = github.variables();
    variables.push(("GITHUB_EVENT_PATH", event.to_string_lossy().into_owned()));
    variables.push(("GITHUB_TOKEN", TOKEN.to_owned()));
    github.comment("Somebody else's, who quotes <!-- cargo xtask pr-comment -->");

    let first = pr_comment(repository.path(), &variables);
    refused(&first, 0, &["issuecomment-2"]);
    let stage = repository.path().join("stacks/stages/staging.yaml");
    let changed = fs_err::read_to_string(&stage).expect("the stage").replace("https://staging.", "https://stage.");
    fs_err::write(&stage, changed).expect("written");
    let second = pr_comment(repository.path(), &variables);
    refused(&second, 0, &["issuecomment-2"]);
    let comments = github.comments();
    assert_eq!(comments.len(), 2, "{comments:#?}");
    for told in ["## What this would change", "media-uploader-api-staging", "https://stage.example.com"] {
        assert!(comments[1].contains(told), "`{told}` is not in\n{}", comments[1]);
    }

    // A fork's token only reads: the plan is printed, and that is all.
    variables.pop();
    variables.push(("GITHUB_TOKEN", "a-reader's".to_owned()));
    refused(&pr_comment(repository.path(), &variables), 0, &["no comment was posted", "403"]);
    let nobody = pr_comment(repository.path(), &[]);
    refused(&nobody, 0, &["No comment is posted", "media-uploader-api-staging"]);
}
