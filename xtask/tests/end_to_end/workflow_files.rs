//! What the workflows' files must be: actions of known commits, commands of xtask, no more permissions and time than it takes, and no code
//! of dependencies beside a role.

use std::collections::BTreeMap;

use model::foundation::pipeline::{DEPLOY_SESSION, DEPLOY_WORKFLOW, ROLLBACK_WORKFLOW};
use serde_json::{Value, json};

use crate::{
    cloud::{Cloud, workspace},
    refusals::refused,
    workflows::{HANDED, MAKES_EXECUTABLE, VERIFIES, repository, workflow},
};

const WORKFLOWS: [&str; 3] = ["pr.yml", "deploy.yml", "rollback.yml"];

/// The actions, with the commits of their releases, as their own repositories have them.
const ACTIONS: [(&str, &str, &str); 7] = [
    ("actions/checkout", "v7.0.1", "3d3c42e5aac5ba805825da76410c181273ba90b1"),
    ("actions/upload-artifact", "v7.0.0", "bbbca2ddaa5d8feaa63e36b76fdaad77386f024f"),
    ("actions/download-artifact", "v8.0.1", "3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c"),
    ("actions/attest-build-provenance", "v4.1.0", "a2bbfa25375fe432b6a289bc6b6cd05ecd0c4c32"),
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

/// The files that a step verifies, each with the variable of its hash.
fn verified(command: &str) -> Option<Vec<(&str, &str)>> {
    let list = command.strip_prefix(VERIFIES.0)?.strip_suffix(VERIFIES.1)?;
    let words: Vec<_> = list.split(' ').collect();
    let is_plain = |word: &str| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._".contains(&byte));
    words
        .chunks(2)
        .map(|pair| match pair {
            [hash, file] if is_plain(file) => {
                let variable = hash.strip_prefix("\"$")?.strip_suffix('"')?;
                is_plain(variable).then_some((variable, *file))
            }
            _ => None,
        })
        .collect()
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
                // An expression in a command is text that others may have written, run by a shell.
                assert!(!command.contains("${{"), "{name}: {command}");
                if verified(command).is_some() || command == MAKES_EXECUTABLE {
                    continue;
                }
                let program = [format!("{HANDED} "), "cargo xtask ".to_owned()];
                let program = program.iter().find(|program| command.starts_with(program.as_str()));
                let program = program.unwrap_or_else(|| panic!("{name}: {command}"));
                assert!(!command.contains(['\n', ';', '|', '&', '>', '<', '`', '(']), "{name}: {command}");
                let words = command[program.len()..].split_whitespace();
                let words = words.map(|word| if word.starts_with("\"$") { "1" } else { word });
                let words = std::iter::once("xtask").chain(words);
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
                    (_, _, "contents") | ("deploy.yml", "build", "actions" | "attestations") => "read",
                    ("pr.yml", "plan", "pull-requests") => "write",
                    ("deploy.yml", "attest" | "plan" | "deploy", "id-token") => "write",
                    ("deploy.yml", "attest", "attestations") | ("rollback.yml", "rollback", "id-token") => "write",
                    _ => panic!("{name}: {job} does not need {permission}"),
                };
                assert_eq!(access, expected, "{name}: {job} {permission}");
            }
        }
    }
    assert_eq!(workflow("deploy.yml")["concurrency"]["cancel-in-progress"], false);
}

/// Jobs that can obtain a role or a signature. Code of a dependency's build, and a restored cache, could use both.
#[test]
fn jobs_with_an_identity_compile_nothing_and_restore_no_cache() {
    let allowed = [
        "actions/checkout",
        "actions/download-artifact",
        "actions/upload-artifact",
        "actions/attest-build-provenance",
        "aws-actions/configure-aws-credentials",
    ];
    let mut seen = Vec::new();
    for name in WORKFLOWS {
        for (job, definition) in jobs(&workflow(name)) {
            if definition["permissions"]["id-token"].is_null() {
                assert!(definition["environment"].is_null(), "{name}: {job} has an environment and no identity");
                continue;
            }
            seen.push(format!("{name} {job}"));
            let takes_role = steps(&definition).iter().any(|step| step["with"]["role-to-assume"].is_string());
            assert!(takes_role || definition["environment"].is_null(), "{name}: {job} needs no environment");
            for step in steps(&definition) {
                let action = step["uses"].as_str().map(|action| action.split('@').next().unwrap_or_default());
                assert!(action.is_none_or(|action| allowed.contains(&action)), "{name}: {job} uses {action:?}");
                let command = step["run"].as_str().unwrap_or(HANDED);
                let runs = command.split(' ').next().unwrap_or_default();
                assert!([HANDED, "printf", "chmod"].contains(&runs), "{name}: {job} runs {command}");
            }
            assert_verified(name, &job, &definition);
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, ["deploy.yml attest", "deploy.yml deploy", "deploy.yml plan", "rollback.yml rollback"]);
}

/// Each file that a job downloads is verified, by a hash from the job that made it, before the job uses it.
fn assert_verified(name: &str, job: &str, definition: &Value) {
    let is_download = |step: &Value| step["uses"].as_str().is_some_and(|action| action.contains("/download-artifact@"));
    let steps = steps(definition);
    let downloads = steps.iter().filter(|step| is_download(step)).count();
    let index = steps.iter().position(|step| step["run"].as_str().is_some_and(|command| verified(command).is_some()));
    let index = index.unwrap_or_else(|| panic!("{name}: {job} verifies nothing"));
    let files = verified(steps[index]["run"].as_str().unwrap_or_default()).unwrap_or_default();
    assert_eq!(files.len(), downloads, "{name}: {job} verifies {files:?}");
    for step in steps.iter().filter(|step| step["run"].as_str().is_some_and(|run| run.starts_with(HANDED))) {
        let condition = step["if"].as_str().unwrap_or("success()");
        let is_after = !condition.contains("always()") || condition.contains("steps.xtask.outcome == 'success'");
        assert!(is_after, "{name}: {job} runs {} after a failed verification", step["run"]);
    }
    for (variable, file) in &files {
        let hash = steps[index]["env"][variable].as_str().unwrap_or_default();
        assert!(
            hash.starts_with("${{ needs.") && hash.contains(".outputs."),
            "{name}: {job}: the hash of {file} is `{hash}`"
        );
    }
    let is_other = |step: &Value| {
        let action = step["uses"].as_str().unwrap_or_default();
        !is_download(step) && !action.starts_with("actions/checkout@")
    };
    assert_eq!(steps.iter().position(is_other), Some(index), "{name}: {job} does something before it verifies");
    let runs_handed = steps.iter().any(|step| step["run"].as_str().is_some_and(|command| command.starts_with(HANDED)));
    let verifies_handed = files.iter().any(|(_, file)| *file == HANDED);
    assert_eq!(runs_handed, verifies_handed, "{name}: {job}");
}

/// The cache action sets it in the jobs that use it, and all jobs compare the settings of the build.
#[test]
fn jobs_with_and_without_a_cache_have_the_same_settings() {
    assert_eq!(workflow("deploy.yml")["env"]["CARGO_INCREMENTAL"], "0");
}

/// AWS trusts the workflows by the names of their files, and `artifacts` one of them.
#[test]
fn the_trusted_workflows_are_those_that_exist() {
    assert!([DEPLOY_WORKFLOW, ROLLBACK_WORKFLOW].iter().all(|file| WORKFLOWS.contains(file)));
    let takes_role = |name: &str| text(name).contains("role-to-assume:");
    let taking: Vec<_> = WORKFLOWS.into_iter().filter(|name| takes_role(name)).collect();
    assert_eq!(taking, [DEPLOY_WORKFLOW, ROLLBACK_WORKFLOW]);
    assert!(text(DEPLOY_WORKFLOW).contains(&format!("artifacts --stage \"$STAGE\" --workflow {DEPLOY_WORKFLOW} ")));
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
