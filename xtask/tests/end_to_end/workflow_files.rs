//! What the workflows' files must be: actions of known commits, commands of xtask, no more permissions and time than it takes.

use std::collections::BTreeMap;

use model::foundation::pipeline::DEPLOY_SESSION;
use serde_json::{Value, json};

use crate::{
    cloud::{Cloud, workspace},
    refusals::refused,
    workflows::{repository, workflow},
};

const WORKFLOWS: [&str; 3] = ["pr.yml", "deploy.yml", "rollback.yml"];

/// The actions, with the commits of their releases, as their own repositories have them.
const ACTIONS: [(&str, &str, &str); 6] = [
    ("actions/checkout", "v7.0.1", "3d3c42e5aac5ba805825da76410c181273ba90b1"),
    ("actions/upload-artifact", "v7.0.0", "bbbca2ddaa5d8feaa63e36b76fdaad77386f024f"),
    ("actions/download-artifact", "v8.0.1", "3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c"),
    ("aws-actions/configure-aws-credentials", "v6.2.3", "e6de054238d6b7531b4efff3b6587d9aade6a06c"),
    ("Swatinem/rust-cache", "v2.9.2", "6323deb102c322ba6fcbdcafc7e3dddab59af2b6"),
    ("taiki-e/install-action", "v2.86.5", "ba47c86ac325773530516bb756137ac718732518"),
];

/// How long GitHub lets a role's session be unless told (`role-duration-seconds` of configure-aws-credentials).
const USUAL_SESSION: u64 = 3_600;

fn text(name: &str) -> String {
    fs_err::read_to_string(workspace().join(".github/workflows").join(name)).expect("the workflow")
}

fn jobs(workflow: &Value) -> Vec<(String, Value)> {
    let jobs = workflow["jobs"].as_object().expect("jobs");
    jobs.iter().map(|(name, job)| (name.clone(), job.clone())).collect()
}

fn steps(job: &Value) -> &Vec<Value> {
    job["steps"].as_array().expect("steps")
}

#[test]
fn there_are_no_other_workflows() {
    let folder = fs_err::read_dir(workspace().join(".github/workflows")).expect("the folder");
    let mut found: Vec<_> =
        folder.map(|file| file.expect("a file").file_name().into_string().expect("a name")).collect();
    found.sort_unstable();
    assert_eq!(found, ["deploy.yml", "pr.yml", "rollback.yml"]);
}

#[test]
fn every_action_is_of_a_known_commit_with_its_version_beside_it() {
    let known: BTreeMap<_, _> = ACTIONS.into_iter().map(|(name, version, commit)| (name, (version, commit))).collect();
    let mut used = 0;
    for name in WORKFLOWS {
        for line in text(name).lines() {
            let Some((_, action)) = line.split_once("uses:") else { continue };
            used += 1;
            let (action, version) = action.trim().split_once(" # ").unwrap_or_else(|| panic!("{name}: {line}"));
            let (action, commit) = action.split_once('@').unwrap_or_else(|| panic!("{name}: {line}"));
            assert_eq!(known.get(action), Some(&(version, commit)), "{name}: {line}");
        }
        for (job, definition) in jobs(&workflow(name)) {
            for step in steps(&definition) {
                let is_checkout = step["uses"].as_str().is_some_and(|action| action.starts_with("actions/checkout@"));
                let persists = &step["with"]["persist-credentials"];
                assert!(!is_checkout || *persists == false, "{name}: {job} leaves the token to its later steps");
            }
        }
    }
    assert!(used > 25, "actions are used in another way now: {used}");
}

#[test]
fn every_command_is_one_of_xtask_that_its_parser_takes() {
    for name in WORKFLOWS {
        for (job, definition) in jobs(&workflow(name)) {
            for step in steps(&definition) {
                let Some(command) = step["run"].as_str() else {
                    assert!(step["uses"].is_string(), "{name}: a step of {job} neither uses nor runs something");
                    continue;
                };
                assert!(
                    command.starts_with("cargo xtask ") && !command.contains(['\n', ';', '|', '&', '>']),
                    "{name}: {command}"
                );
                // An expression in a command is text that others may have written, run by a shell.
                assert!(!command.contains("${{"), "{name}: {command}");
                let words =
                    command.split_whitespace().skip(1).map(|word| if word.starts_with("\"$") { "1" } else { word });
                let parsed = engine::command(&stacks::Project.into()).try_get_matches_from(words);
                assert!(
                    parsed.is_ok(),
                    "{name}: {command}: {}",
                    parsed.err().map(|error| error.to_string()).unwrap_or_default()
                );
            }
        }
    }
}

#[test]
fn every_job_may_do_no_more_than_it_must_and_holds_no_secret() {
    for name in WORKFLOWS {
        let text = text(name);
        assert!(!text.contains("secrets."), "{name}: OIDC and the job's own token are enough");
        assert!(!text.contains("pull_request_target"), "{name}: strangers' code would get a token that writes");
        let workflow = workflow(name);
        assert_eq!(workflow["permissions"], json!({}), "{name}");
        for (job, definition) in jobs(&workflow) {
            let permissions =
                definition["permissions"].as_object().unwrap_or_else(|| panic!("{name}: {job} takes all"));
            for (permission, access) in permissions {
                let expected = match (name, job.as_str(), permission.as_str()) {
                    (_, _, "contents") | ("deploy.yml", "build", "actions") => "read",
                    ("pr.yml", "plan", "pull-requests") => "write",
                    ("deploy.yml", "plan" | "deploy", "id-token") | ("rollback.yml", _, "id-token") => "write",
                    _ => panic!("{name}: {job} does not need {permission}"),
                };
                assert_eq!(access, expected, "{name}: {job} {permission}");
            }
        }
    }
    assert_eq!(workflow("deploy.yml")["concurrency"]["cancel-in-progress"], false);
}

#[test]
fn no_job_runs_forever_and_a_role_lasts_as_long_as_its_job() {
    for name in WORKFLOWS {
        for (job, definition) in jobs(&workflow(name)) {
            let minutes =
                definition["timeout-minutes"].as_u64().unwrap_or_else(|| panic!("{name}: {job} has no limit"));
            for step in steps(&definition) {
                if step["with"]["role-to-assume"].is_null() {
                    continue;
                }
                let seconds = step["with"]["role-duration-seconds"].as_u64().unwrap_or(USUAL_SESSION);
                assert!(
                    seconds >= minutes * 60,
                    "{name}: {job} may take {minutes} min, and its role lasts {seconds} s"
                );
                assert!(seconds <= u64::from(DEPLOY_SESSION), "{name}: {job} asks for more than the role allows");
            }
        }
    }
}

#[test]
fn actionlint_finds_nothing_and_would_find_a_step_that_is_not_there() {
    let (cloud, checkout) = (Cloud::new(), repository());
    let check = || {
        let mut command = cloud.command(&["ci", "workflows"]);
        command.current_dir(checkout.path()).output().expect("xtask starts")
    };
    refused(&check(), 0, &["workflows passed"]);
    let path = checkout.path().join(".github/workflows/deploy.yml");
    let text = fs_err::read_to_string(&path).expect("the workflow");
    fs_err::write(&path, text.replace("steps.stage.outputs.plan-role", "steps.stages.outputs.plan-role"))
        .expect("written");
    refused(&check(), 1, &["property \"stages\" is not defined", "one check failed: workflows"]);
}
