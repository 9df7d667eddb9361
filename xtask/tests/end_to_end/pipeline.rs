//! The workflows: what they must be, and every command of the deploy workflow in order, for staging and then production.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    cloud::{Cloud, text, workspace},
    github::{Github, TOKEN},
    proxy::{Call, Proxy, Verdict},
    refusals::refused,
    workflows::{Ran, Runner, repository, workflow},
};

const FUNCTION: &str = "media-uploader-upload";
const WORKFLOWS: [&str; 3] = ["pr.yml", "deploy.yml", "rollback.yml"];

fn steps(workflow: &Value) -> Vec<Value> {
    let jobs = workflow["jobs"].as_object().expect("jobs").values();
    jobs.flat_map(|job| job["steps"].as_array().expect("steps").clone()).collect()
}

#[test]
fn workflows_run_commands_of_xtask_and_actions_of_a_known_commit_only() {
    for name in WORKFLOWS {
        for step in steps(&workflow(name)) {
            if let Some(command) = step["run"].as_str() {
                assert!(
                    command.starts_with("cargo xtask ") && !command.contains(['\n', ';', '|', '&', '>']),
                    "{name}: {command}"
                );
                // An expression in a command is text that others may have written, run by a shell.
                assert!(!command.contains("${{"), "{name}: {command}");
            } else {
                let action = step["uses"].as_str().expect("a step uses or runs something");
                let (_, commit) = action.split_once('@').expect("a commit");
                assert!(commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}: {action}");
            }
        }
    }
}

#[test]
fn workflows_may_do_no_more_than_they_must_and_hold_no_secret() {
    for name in WORKFLOWS {
        let text = fs_err::read_to_string(workspace().join(".github/workflows").join(name)).expect("the workflow");
        assert!(!text.contains("secrets."), "{name}: OIDC and the job's own token are enough");
        assert!(!text.contains("pull_request_target"), "{name}: strangers' code would get a token that writes");
        let workflow = workflow(name);
        assert_eq!(workflow["permissions"], json!({}), "{name}");
        for (job, definition) in workflow["jobs"].as_object().expect("jobs") {
            let permissions = definition["permissions"].as_object().expect("permissions");
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

/// Stage files that point to the emulator.
fn stages() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in ["staging", "prod"] {
        let path = workspace().join("stacks/stages").join(format!("{name}.yaml"));
        let mut stage: Value = serde_yaml::from_str(&fs_err::read_to_string(path).expect("the stage")).expect("YAML");
        stage["account"] = json!("000000000000");
        stage["region"] = json!("us-east-1");
        stage["architecture"] = json!(std::env::consts::ARCH.replace("aarch64", "arm64"));
        if stage["release"].is_object() {
            // As short as a canary may be.
            stage["release"]["steps"] = json!([50]);
            stage["release"]["bake_seconds"] = json!(60);
        }
        // The emulator has no CDN; other systems' tests are their own.
        let mut media = stage["systems"]["media-uploader"].clone();
        media.as_object_mut().expect("settings").remove("domain");
        stage["systems"] = json!({ "media-uploader": media });
        // JSON is YAML, and leaves no doubt about what is text.
        fs_err::write(folder.path().join(format!("{name}.yaml")), stage.to_string()).expect("written");
    }
    folder
}

/// Everything a run needs, bootstrapped.
struct World {
    cloud: Cloud,
    github: Github,
    stages: TempDir,
    store: TempDir,
}

impl World {
    fn new() -> Self {
        let (cloud, github, stages) = (Cloud::new(), Github::start(), stages());
        cloud.success(&["local", "up"]);
        let store = tempfile::tempdir().expect("a temporary folder");
        Self { cloud, github, stages, store }
    }

    /// A person's command for these stages.
    fn xtask(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = self.cloud.command(arguments);
        command.env("XTASK_STAGES", self.stages.path()).env("AWS_ENDPOINT_URL", self.cloud.endpoint());
        command.output().expect("xtask starts")
    }

    fn bootstrap(&self) {
        self.trust_github();
        for stage in ["staging", "prod"] {
            let done = self.xtask(&["bootstrap", "--stage", stage, "--yes"]);
            assert!(done.status.success(), "{}", text(&done));
        }
    }

    /// The emulator's CloudFormation cannot make the provider, so the account has it before.
    #[tokio::main(flavor = "current_thread")]
    async fn trust_github(&self) {
        let client = aws_sdk_iam::Client::new(&self.cloud.sdk());
        let request = client.create_open_id_connect_provider().url("https://token.actions.githubusercontent.com");
        request.client_id_list("sts.amazonaws.com").send().await.expect("the provider is made");
    }

    fn deploy(&self, branch: &str, number: u64, endpoint: String) -> Ran {
        let store: PathBuf = self.store.path().to_owned();
        let runner = Runner { cloud: &self.cloud, github: &self.github, stages: self.stages.path(), store, endpoint };
        runner.run(&workflow("deploy.yml"), branch, number)
    }

    #[tokio::main(flavor = "current_thread")]
    async fn code(&self, stage: &str) -> String {
        let request = self.cloud.lambda().get_function().function_name(format!("{FUNCTION}-{stage}")).qualifier("live");
        let function = request.send().await.expect("the function");
        function.configuration().and_then(|found| found.code_sha256()).expect("a hash").to_owned()
    }

    #[tokio::main(flavor = "current_thread")]
    async fn live(&self, stage: &str) -> String {
        let request = self.cloud.lambda().get_alias().function_name(format!("{FUNCTION}-{stage}")).name("live");
        request.send().await.expect("the alias").function_version().expect("a version").to_owned()
    }

    /// A configuration that was changed by hand is another version to release.
    #[tokio::main(flavor = "current_thread")]
    async fn reconfigure(&self, memory: i32) {
        let request = self.cloud.lambda().update_function_configuration().function_name(format!("{FUNCTION}-prod"));
        request.memory_size(memory).send().await.expect("the memory changes");
    }
}

fn succeeded(ran: &Ran) {
    for (command, code, said) in &ran.commands {
        assert_eq!(*code, 0, "{command}\n{said}");
    }
    let jobs: Vec<_> = ran.jobs.iter().map(|(name, succeeded)| (name.as_str(), *succeeded)).collect();
    assert_eq!(jobs, [("build", true), ("deploy", true), ("plan", true), ("test", true)]);
}

#[test]
fn what_staging_ran_is_what_production_gets_and_a_bad_release_is_taken_back() {
    let world = World::new();
    // Whoever deploys is told that nothing is bootstrapped, and does not do it by the way.
    let early = world.xtask(&["deploy", "--stage", "staging"]);
    refused(&early, 1, &["what deploying to staging itself may do", "cargo xtask bootstrap --stage staging"]);
    world.bootstrap();

    let endpoint = world.cloud.endpoint();
    let staging = world.deploy("develop", 1, endpoint.clone());
    succeeded(&staging);
    assert!(staging.command("artifacts").2.contains("run=\n"), "nobody has built them: {:#?}", staging.commands);
    assert!(staging.command("plan").2.contains("media-uploader-api-staging"), "{}", staging.command("plan").2);
    for told in [
        "## ✅ staging: deployed",
        "media-uploader-upload-staging | 1",
        "| cors |",
        ", signed in | ✓ 404",
        "| latency |",
        "MediaApi: http",
    ] {
        assert!(staging.summary.contains(told), "`{told}` is not in\n{}", staging.summary);
    }

    let production = world.deploy("main", 2, endpoint.clone());
    succeeded(&production);
    assert!(production.command("artifacts").2.contains("run=1\n"), "{:#?}", production.commands);
    assert!(production.command("build").2.contains("nothing is built"), "{:#?}", production.commands);
    assert!(production.summary.contains("## ✅ prod: deployed"), "{}", production.summary);
    assert_eq!(world.code("staging"), world.code("prod"), "the same bytes");

    let again = world.deploy("main", 3, endpoint);
    succeeded(&again);
    assert!(again.summary.contains("## ✅ prod: nothing changed"), "{}", again.summary);

    a_broken_smoke_check_leaves_production_where_it_was(&world);
    a_broken_promise_to_browsers_is_rolled_back(&world);
    rolled_back_by_number(&world);
}

/// Answers every request of clients to production that this is true of with a 500.
fn breaking(world: &World, broken: impl Fn(&Call) -> bool + Send + Sync + 'static) -> Proxy {
    Proxy::start(&world.cloud.endpoint(), move |call: &Call| {
        if call.operation.contains("/prod/media") && broken(call) {
            Verdict::Answer(500, "{}".to_owned())
        } else {
            Verdict::Forward
        }
    })
}

fn a_broken_smoke_check_leaves_production_where_it_was(world: &World) {
    world.reconfigure(300);
    let proxy = breaking(world, |call| call.operation.starts_with("GET "));
    let ran = world.deploy("main", 4, proxy.endpoint());
    let (_, code, said) = ran.command("deploy");
    assert_eq!(*code, 1, "{said}");
    assert!(said.contains("was reverted") && said.contains("answers 500 instead of 401"), "{said}");
    assert_eq!(world.live("prod"), "1");
    assert!(!ran.jobs["deploy"]);
    assert!(!ran.ran("check-live") && !ran.ran("prune"), "{:#?}", ran.commands);
    for told in ["## ❌ prod: failed", "The release was reverted", "answers 500"] {
        assert!(ran.summary.contains(told), "`{told}` is not in\n{}", ran.summary);
    }
}

fn a_broken_promise_to_browsers_is_rolled_back(world: &World) {
    let proxy = breaking(world, |call| call.operation.starts_with("OPTIONS "));
    let ran = world.deploy("main", 5, proxy.endpoint());
    assert_eq!(ran.command("deploy").1, 0, "{}", ran.command("deploy").2);
    let (_, code, said) = ran.command("check-live");
    assert_eq!(*code, 1, "{said}");
    assert!(said.contains("cors") && said.contains("Rolled back: media-uploader"), "{said}");
    assert_eq!(world.live("prod"), "1");
    assert!(!ran.jobs["deploy"]);
    assert!(ran.summary.contains("**Rolled back:** media-uploader"), "{}", ran.summary);
}

/// The commands of the rollback workflow, forth to the release that was rolled back.
fn rolled_back_by_number(world: &World) {
    let list = world.xtask(&["release", "list", "--stage", "prod", "--format", "json"]);
    let releases: Value = serde_json::from_slice(&list.stdout).expect("JSON");
    let is_released =
        |release: &&Value| release["outcome"]["state"] == "released" && release["kind"]["what"] == "deploy";
    let newest = releases.as_array().expect("a list").iter().find(is_released).expect("a release");
    let mut rollback = workflow("rollback.yml");
    rollback["env"] = json!({ "STAGE": "prod", "SYSTEM": "media-uploader", "RELEASE": newest["number"].to_string() });
    let store = world.store.path().to_owned();
    let endpoint = world.cloud.endpoint();
    let runner = Runner { cloud: &world.cloud, github: &world.github, stages: world.stages.path(), store, endpoint };
    let ran = runner.run(&rollback, "main", 6);
    for (command, code, said) in &ran.commands {
        assert_eq!(*code, 0, "{command}\n{said}");
    }
    assert_ne!(world.live("prod"), "1");
}

#[test]
fn artifacts_that_a_fork_uploaded_are_not_taken() {
    let (cloud, github, stages) = (Cloud::new(), Github::start(), stages());
    let find = || {
        let mut command = cloud.command(&["artifacts", "--stage", "staging", "--format", "json"]);
        command.env("XTASK_STAGES", stages.path()).envs(github.variables()).env("GITHUB_TOKEN", TOKEN);
        let output = command.output().expect("xtask starts");
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)))
    };
    let name = find()["name"].as_str().expect("a name").to_owned();
    github.upload(&name, 9, "main", true);
    github.upload(&name, 8, "topic", false);
    assert_eq!(find()["run"], "");
    github.upload(&name, 7, "develop", false);
    assert_eq!(find()["run"], "7");
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
    let mut variables = github.variables().to_vec();
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
    refused(&pr_comment(repository.path(), &variables), 0, &["the comment was not written", "403"]);
    let nobody = pr_comment(repository.path(), &[]);
    refused(&nobody, 0, &["no pull request to write it under", "media-uploader-api-staging"]);
}

/// Calls that no workflow makes: those of people's commands (`doctor --fix`, `destroy --delete-data`, `plan --drift`, `prune
/// --leftovers`, `local`, `bootstrap`), of a warning that may stay out, and those that need no permission.
const NOT_A_WORKFLOWS: &[&str] = &[
    "apigateway:CreateDeployment",
    "cloudformation:CancelUpdateStack",
    "cloudformation:DescribeStackDriftDetectionStatus",
    "cloudformation:DescribeStackResourceDrifts",
    "cloudformation:DetectStackDrift",
    "cloudformation:ListChangeSets",
    "cognito-idp:AdminGetUser",
    "cognito-idp:AdminInitiateAuth",
    "cognito-idp:DeleteUserPool",
    "cognito-idp:InitiateAuth",
    "cognito-idp:ListUserPools",
    "cognito-idp:RespondToAuthChallenge",
    "iam:ListOpenIDConnectProviders",
    "iam:SimulatePrincipalPolicy",
    "logs:DeleteLogGroup",
    "logs:DescribeLogGroups",
    "s3:DeleteBucket",
    "s3:ListObjectVersions",
    "sts:GetCallerIdentity",
];

/// The action that allows a call, where it has another name.
fn allowing(operation: &str) -> &str {
    match operation {
        "apigateway:GetDeployment" | "apigateway:GetStage" => "apigateway:GET",
        "lambda:Invoke" => "lambda:InvokeFunction",
        "s3:DeleteObjects" => "s3:DeleteObject",
        "s3:HeadObject" => "s3:GetObject",
        "s3:ListObjectsV2" => "s3:ListBucket",
        same => same,
    }
}

#[test]
fn whatever_a_workflow_calls_its_role_may() {
    let cloud = Cloud::new();
    let shown = cloud.json(&["bootstrap", "--stage", "prod", "--print-policy", "--format", "json"]);
    let allowed = shown["DeployRole"]["allows"].to_string();
    let mut calls = std::collections::BTreeSet::new();
    for file in fs_err::read_dir(workspace().join("xtask/src/aws")).expect("the folder") {
        let text = fs_err::read_to_string(file.expect("a file").path()).expect("text");
        // Every call is told by its name where it fails: `failed("service:Operation", …)`.
        let literals = text.split('"').skip(1).step_by(2).map(str::to_owned);
        let is_call = |text: &String| {
            text.split_once(':').is_some_and(|(service, operation)| {
                let lower =
                    service.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
                let word = operation.bytes().all(|byte| byte.is_ascii_alphanumeric());
                lower && word && operation.starts_with(|first: char| first.is_ascii_uppercase())
            })
        };
        calls.extend(literals.filter(is_call));
    }
    assert!(calls.len() > 40, "calls are named in another way now: {calls:?}");
    for call in &calls {
        let action = format!("\"{}\"", allowing(call));
        let expected = !NOT_A_WORKFLOWS.contains(&call.as_str());
        assert!(!expected || allowed.contains(&action), "{call} is made, and the deploy role may not");
    }
    for listed in NOT_A_WORKFLOWS {
        assert!(calls.contains(*listed), "{listed} is called no longer");
    }
}

#[test]
fn policies_are_shown_without_an_account() {
    let cloud = Cloud::new();
    let shown = cloud.json(&["bootstrap", "--stage", "prod", "--print-policy", "--format", "json"]);
    assert_eq!(shown["DeployRole"]["name"], "foundation-deploy-prod", "{shown:#}");
    let text = shown.to_string();
    assert!(text.contains("repo:example/backends:environment:production"), "{text}");
    assert!(!text.contains("Fn::Sub") && !text.contains("\"*:*\""), "{text}");
    let local = cloud.xtask(&["bootstrap", "--stage", "local", "--print-policy"]);
    refused(&local, 1, &["stage local has no `pipeline`", "repository_id"]);
}
