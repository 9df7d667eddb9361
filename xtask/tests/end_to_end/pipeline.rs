//! The workflows' commands in order, those of the deploy workflow for staging and then production.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    cloud::{Cloud, text, workspace},
    github::Github,
    proxy::{Call, Proxy, Verdict},
    refusals::refused,
    rights::deploying::Jobs,
    telling::Subscriber,
    workflows::{Ran, Runner, Tamper, workflow},
};

/// Stage files of `staging` and `prod` that point to the emulator, with every system.
pub(crate) fn stages() -> TempDir {
    stages_without(&[])
}

fn stages_without(absent: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in ["staging", "prod"] {
        write_stage(folder.path(), name, |stage| remove(stage, absent));
    }
    folder
}

fn remove(stage: &mut Value, absent: &[&str]) {
    let systems = stage["systems"].as_object_mut().expect("systems");
    for system in absent {
        assert!(systems.remove(*system).is_some(), "there is no {system}");
    }
}

fn read_stage(name: &str) -> Value {
    let path = workspace().join("stacks/stages").join(format!("{name}.yaml"));
    serde_yaml::from_str(&fs_err::read_to_string(path).expect("the stage")).expect("YAML")
}

/// Settings that only stages of developers may have.
const LOCAL_ONLY: [(&str, &str); 3] =
    [("analyticbot", "telegram_stub"), ("listbackup", "allow_private_sources"), ("listbackup", "source_buckets")];

/// One such file, changed once more.
pub(crate) fn write_stage(folder: &Path, name: &str, change: impl FnOnce(&mut Value)) {
    let mut stage = read_stage(name);
    stage["account"] = json!("000000000000");
    stage["region"] = json!("us-east-1");
    stage["emulated"] = json!(true);
    stage["architecture"] = json!(std::env::consts::ARCH.replace("aarch64", "arm64"));
    if stage["release"].is_object() {
        // As short as a canary may be.
        stage["release"]["steps"] = json!([50]);
        stage["release"]["bake_seconds"] = json!(60);
    }
    // As the emulator has them: without a CDN, and with room for tests.
    stage["systems"] = read_stage("local")["systems"].clone();
    for (system, setting) in LOCAL_ONLY {
        let settings = stage["systems"][system].as_object_mut().expect("settings");
        assert!(settings.remove(setting).is_some(), "{system} has no {setting}");
    }
    change(&mut stage);
    // JSON is YAML, and leaves no doubt about what is text.
    fs_err::write(folder.join(format!("{name}.yaml")), stage.to_string()).expect("written");
}

/// Everything a run needs, bootstrapped.
struct World {
    cloud: Cloud,
    github: Github,
    stages: TempDir,
    store: TempDir,
    /// Sees what jobs call, where they are led through it.
    jobs: Jobs,
    /// The systems that its stages lack.
    absent: &'static [&'static str],
}

impl World {
    /// A world whose stages lack these systems.
    fn without(absent: &'static [&'static str]) -> Self {
        let (cloud, github, stages) = (Cloud::new(), Github::start(), stages_without(absent));
        cloud.success(&["local", "up"]);
        let store = tempfile::tempdir().expect("a temporary folder");
        let jobs = Jobs::watch(&cloud);
        Self { cloud, github, stages, store, jobs, absent }
    }

    /// Writes production's stage file again, changed once more.
    fn change_production(&self, change: impl FnOnce(&mut Value)) {
        write_stage(self.stages.path(), "prod", |stage| {
            remove(stage, self.absent);
            change(stage);
        });
    }

    /// A person's command for these stages.
    fn xtask(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = self.cloud.command(arguments);
        command.env("XTASK_STAGES", self.stages.path()).env("AWS_ENDPOINT_URL", self.cloud.endpoint());
        command.output().expect("xtask starts")
    }

    fn bootstrap(&self) {
        for stage in ["staging", "prod"] {
            let done = self.xtask(&["bootstrap", "--stage", stage, "--yes"]);
            assert!(done.status.success(), "{}", text(&done));
        }
    }

    fn runner(&self, endpoint: String) -> Runner<'_> {
        let store: PathBuf = self.store.path().to_owned();
        let stages = self.stages.path();
        let taken = Arc::clone(&self.jobs.taken);
        let (cloud, github) = (&self.cloud, &self.github);
        Runner { cloud, github, stages, store, endpoint, pull_request: None, taken, tamper: None }
    }

    fn deploy(&self, branch: &str, number: u64, endpoint: String) -> Ran {
        self.runner(endpoint).run(&workflow("deploy.yml"), branch, number)
    }

    /// Fails where a job called what its role may not.
    #[tokio::main(flavor = "current_thread")]
    async fn assert_allowed(&self) {
        let policies = ["staging", "prod"].map(|stage| {
            let shown = self.xtask(&["bootstrap", "--stage", stage, "--print-policy", "--format", "json"]);
            serde_json::from_slice(&shown.stdout).expect("JSON")
        });
        self.jobs.assert_allowed(&self.cloud, &policies).await;
    }

    /// What users of a stage get: every function, without the stage in its name, with the hash of its code.
    #[tokio::main(flavor = "current_thread")]
    async fn code(&self, stage: &str) -> BTreeMap<String, String> {
        let lambda = self.cloud.lambda();
        let listed = lambda.list_functions().into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let listed = listed.expect("the functions");
        let middle = format!("-{stage}-");
        let mut code = BTreeMap::new();
        for name in listed.iter().filter_map(|function| function.function_name()) {
            let ended = format!("{name}-");
            let Some((first, last)) = ended.split_once(&middle) else { continue };
            let function = format!("{first}-{last}");
            let function = function.trim_end_matches('-');
            let live = lambda.get_function().function_name(name).qualifier("live").send().await.expect("the function");
            let hash = live.configuration().and_then(|found| found.code_sha256()).expect("a hash");
            code.insert(function.to_owned(), hash.to_owned());
        }
        code
    }

    #[tokio::main(flavor = "current_thread")]
    async fn live(&self, function: &str) -> String {
        let request = self.cloud.lambda().get_alias().function_name(function).name("live");
        request.send().await.expect("the alias").function_version().expect("a version").to_owned()
    }

    /// A configuration that was changed by hand is another version to release.
    #[tokio::main(flavor = "current_thread")]
    async fn reconfigure(&self, function: &str, memory: i32) {
        let request = self.cloud.lambda().update_function_configuration().function_name(function);
        request.memory_size(memory).send().await.expect("the memory changes");
    }
}

fn succeeded(ran: &Ran) {
    for (command, code, said) in &ran.commands {
        assert_eq!(*code, 0, "{command}\n{said}");
    }
    let jobs: Vec<_> = ran.jobs.iter().map(|(name, succeeded)| (name.as_str(), *succeeded)).collect();
    assert_eq!(jobs, [("attest", true), ("build", true), ("deploy", true), ("plan", true), ("test", true)]);
}

/// Every function of every system but ListBackup and AnalyticBot.
const FUNCTIONS: [&str; 9] = [
    "media-uploader-dispatcher",
    "media-uploader-image",
    "media-uploader-retrieve",
    "media-uploader-upload",
    "media-uploader-video",
    "portfolio-api",
    "thakii-backend-api",
    "thakii-maintenance",
    "thakii-status",
];
/// The number of ListBackup's and AnalyticBot's functions.
const OTHERS: usize = 34 + 6;

/// The larger systems: what a bad release leaves behind is shown without them.
const LARGE: &[&str] = &["listbackup", "analyticbot"];

#[test]
fn production_receives_the_bytes_that_staging_ran() {
    let world = World::without(&[]);
    // A deploy does not bootstrap.
    let early = world.xtask(&["deploy", "--stage", "staging"]);
    refused(&early, 1, &["the permissions of deploys to staging", "cargo xtask bootstrap --stage staging"]);
    world.bootstrap();

    let endpoint = world.jobs.endpoint();
    let staging = world.deploy("develop", 1, endpoint.clone());
    succeeded(&staging);
    assert!(staging.command("artifacts").2.contains("run=\n"), "nobody has built them: {:#?}", staging.commands);
    assert!(staging.command("plan").2.contains("media-uploader-api-staging"), "{}", staging.command("plan").2);
    for told in [
        "## ✅ staging: deployed",
        "media-uploader-upload-staging | 1",
        "| thakii-status-staging | 1 | provided.al2023 | bootstrap |",
        "| cors |",
        "/media/00000000-0000-4000-8000-000000000000, signed in | ✓ 404",
        "GET /v1/auth/me, signed in | ✓ 200",
        "POST /auth/exchange-token, signed in | ✓ 200",
        "GET /admin/stats, signed in | ✓ 403",
        "| latency |",
        "MediaApi: http",
    ] {
        assert!(staging.summary.contains(told), "`{told}` is not in\n{}", staging.summary);
    }

    let production = world.deploy("main", 2, endpoint.clone());
    succeeded(&production);
    assert!(production.command("artifacts").2.contains("run=1\n"), "{:#?}", production.commands);
    assert!(production.command("build").2.contains("no build is needed"), "{:#?}", production.commands);
    assert!(production.summary.contains("## ✅ prod: deployed"), "{}", production.summary);
    let code = world.code("staging");
    let (own, others): (Vec<&str>, Vec<&str>) = code
        .keys()
        .map(String::as_str)
        .partition(|name| name.starts_with("listbackup-") || name.starts_with("analyticbot-"));
    assert_eq!((own.len(), others.as_slice()), (OTHERS, &FUNCTIONS[..]), "{own:?}");
    assert_eq!(code, world.code("prod"), "the same bytes");

    world.assert_allowed();
}

#[test]
fn a_bad_release_is_reverted_and_replaced_files_are_not_used() {
    let world = World::without(LARGE);
    world.bootstrap();
    let endpoint = world.jobs.endpoint();
    succeeded(&world.deploy("develop", 1, endpoint.clone()));
    succeeded(&world.deploy("main", 2, endpoint.clone()));

    let told = Subscriber::new(&world.cloud, &["portfolio-alarms-prod", "thakii-alarms-prod"]);
    let again = world.deploy("main", 3, endpoint);
    succeeded(&again);
    assert_eq!(told.told(), [], "nothing changed");
    assert!(again.summary.contains("## ✅ prod: nothing changed"), "{}", again.summary);

    a_broken_smoke_check_in_the_middle_leaves_production_where_it_was(&world);
    assert_told(&told, "reverted", "responds with 500 instead of 200");
    a_broken_promise_to_browsers_is_rolled_back(&world);
    assert_told(&told, "reverted", "users get release 1 again");
    rolled_back_by_number(&world);
    assert_told(&told, "live", "rolled back to release");
    world.assert_allowed();
    files_that_another_job_replaced_are_not_used(&world);
}

/// Any job of a run can upload a file under any name: the plan that was approved, the list of the zips, a zip, the program itself.
fn files_that_another_job_replaced_are_not_used(world: &World) {
    let live = || (world.code("staging"), world.code("prod"));
    let before = live();
    let append = |path: &Path| {
        let bytes = [&fs_err::read(path).expect("a file")[..], b"\n"].concat();
        fs_err::write(path, bytes).expect("written");
    };
    let in_artifacts = |store: &Path, is_wanted: &dyn Fn(&str) -> bool| {
        for folder in fs_err::read_dir(store).expect("the store").map(|entry| entry.expect("an entry")) {
            if folder.file_name().to_string_lossy().starts_with("artifacts-") {
                let files =
                    fs_err::read_dir(folder.path()).expect("a folder").map(|entry| entry.expect("an entry").path());
                files.filter(|file| is_wanted(&file.to_string_lossy())).for_each(|file| append(&file));
            }
        }
    };
    let plan = |store: &Path| append(&store.join("plan-prod/plan.json"));
    let program = |store: &Path| append(&store.join("xtask/xtask"));
    let list = |store: &Path| in_artifacts(store, &|file| file.ends_with("artifacts.json"));
    let zips = |store: &Path| in_artifacts(store, &|file| file.ends_with(".zip"));
    let tampers: [(&str, Tamper, &str); 4] = [
        ("deploy", &plan, "pipeline/plan.json: FAILED"),
        ("attest", &list, "pipeline/artifacts/artifacts.json: FAILED"),
        ("plan", &program, "pipeline/xtask: FAILED"),
        ("deploy", &zips, "has changed: its SHA-256 is"),
    ];
    for (number, (job, tamper, expected)) in (10..).zip(tampers) {
        let tamper = Some((job, tamper));
        let runner = Runner { tamper, ..world.runner(world.jobs.endpoint()) };
        let ran = runner.run(&workflow("deploy.yml"), "main", number);
        assert!(!ran.jobs[job], "{job}: {:#?}", ran.commands);
        let failed = ran.commands.iter().find(|(_, code, _)| *code != 0).expect("a command fails");
        assert!(failed.2.contains(expected), "{job}: `{expected}` is not in {failed:?}");
    }
    assert_eq!(live(), before);
}

/// One message came since the last time: the Portfolio's, of what became of it. Nothing was done to Thakii.
fn assert_told(subscriber: &Subscriber, outcome: &str, why: &str) {
    let told = subscriber.told();
    let [(subject, message)] = told.as_slice() else { panic!("{told:#?}") };
    let is_right = subject.starts_with("portfolio prod: release ") && subject.ends_with(outcome);
    assert!(is_right && message.contains(why) && message.contains("commit: "), "{subject}\n{message}");
}

/// Answers every request of clients to production that this is true of with a 500.
fn breaking(world: &World, broken: impl Fn(&str) -> bool + Send + Sync + 'static) -> Proxy {
    Proxy::start(&world.cloud.endpoint(), move |call: &Call| {
        if call.operation.contains("/prod/") && broken(&call.operation) {
            Verdict::Answer(500, "{}".to_owned())
        } else {
            Verdict::Forward
        }
    })
}

/// Three systems, one after the other: the first is released, the second is reverted, and the third has nothing to do.
fn a_broken_smoke_check_in_the_middle_leaves_production_where_it_was(world: &World) {
    // All at once: a canary is what the next run watches.
    world.change_production(|stage| stage["release"] = json!({}));
    world.reconfigure("media-uploader-upload-prod", 300);
    world.reconfigure("portfolio-api-prod", 300);
    let proxy = breaking(world, |operation| operation.starts_with("GET ") && operation.ends_with("/health"));
    let ran = world.deploy("main", 4, proxy.endpoint());
    let (_, code, said) = ran.command("deploy");
    assert_eq!(*code, 1, "{said}");
    assert!(said.contains("was reverted") && said.contains("responds with 500 instead of 200"), "{said}");
    let live =
        ["media-uploader-upload-prod", "portfolio-api-prod", "thakii-backend-api-prod"].map(|name| world.live(name));
    assert_eq!(live, ["2", "1", "1"]);
    assert!(!ran.jobs["deploy"]);
    // What was released is looked at all the same, and nothing else.
    let (_, code, said) = ran.command("check-live");
    assert_eq!(*code, 0, "{said}");
    assert!(said.contains("media-uploader") && !said.contains("thakii"), "{said}");
    assert!(!ran.ran("prune"), "{:#?}", ran.commands);
    for told in [
        "## ❌ prod: failed",
        "**Released before the failure, and live:** media-uploader-upload-prod 2.",
        "**Reverted:** portfolio.",
        "responds with 500",
    ] {
        assert!(ran.summary.contains(told), "`{told}` is not in\n{}", ran.summary);
    }
    assert!(!ran.summary.contains("Not attempted"), "thakii has nothing to do\n{}", ran.summary);
}

fn a_broken_promise_to_browsers_is_rolled_back(world: &World) {
    world.change_production(|_| {});
    let proxy = breaking(world, |operation| operation.starts_with("OPTIONS ") && operation.contains("/v1/visitors"));
    let ran = world.deploy("main", 5, proxy.endpoint());
    assert_eq!(ran.command("deploy").1, 0, "{}", ran.command("deploy").2);
    let (_, code, said) = ran.command("check-live");
    assert_eq!(*code, 1, "{said}");
    assert!(said.contains("cors") && said.contains("Rolled back: portfolio"), "{said}");
    assert_eq!([world.live("portfolio-api-prod"), world.live("media-uploader-upload-prod")], ["1", "2"]);
    assert!(!ran.jobs["deploy"]);
    assert!(ran.summary.contains("**Rolled back:** portfolio"), "{}", ran.summary);
}

/// The commands of the rollback workflow, forth to the release that was rolled back.
fn rolled_back_by_number(world: &World) {
    let list = world.xtask(&["release", "list", "--stage", "prod", "--system", "portfolio", "--format", "json"]);
    let releases: Value = serde_json::from_slice(&list.stdout).expect("JSON");
    let is_released =
        |release: &&Value| release["outcome"]["state"] == "released" && release["kind"]["what"] == "deploy";
    let newest = releases.as_array().expect("a list").iter().find(is_released).expect("a release");
    let mut rollback = workflow("rollback.yml");
    rollback["env"] = json!({ "STAGE": "prod", "SYSTEM": "portfolio", "RELEASE": newest["number"].to_string() });
    let ran = world.runner(world.jobs.endpoint()).run(&rollback, "main", 6);
    for (command, code, said) in &ran.commands {
        assert_eq!(*code, 0, "{command}\n{said}");
    }
    assert_ne!(world.live("portfolio-api-prod"), "1");
}

/// The emulator's CloudFormation cannot make the provider, so the account has it before, and the stack must not make another.
#[tokio::test(flavor = "multi_thread")]
async fn the_accounts_own_trust_in_github_is_used() {
    let (cloud, stages) = (Cloud::new(), tempfile::tempdir().expect("a temporary folder"));
    write_stage(stages.path(), "staging", |stage| {
        stage["emulated"] = json!(false);
        stage["systems"] = json!({});
    });
    cloud.success(&["local", "up"]);
    let client = aws_sdk_iam::Client::new(&cloud.sdk());
    let request = client.create_open_id_connect_provider().url("https://token.actions.githubusercontent.com");
    request.client_id_list("sts.amazonaws.com").send().await.expect("the provider is made");
    let mut command = cloud.command(&["bootstrap", "--stage", "staging", "--yes"]);
    command.env("XTASK_STAGES", stages.path()).env("AWS_ENDPOINT_URL", cloud.endpoint());
    let done = command.output().expect("xtask starts");
    assert!(done.status.success(), "{}", text(&done));
    let providers = client.list_open_id_connect_providers().send().await.expect("the providers");
    assert_eq!(providers.open_id_connect_provider_list().len(), 1);
}

/// What an emulator cannot do is left out of a rehearsal's templates, so AWS must never get them.
#[test]
fn a_rehearsal_never_goes_to_aws() {
    let (cloud, stages) = (Cloud::new(), stages());
    let mut command = cloud.command(&["status", "--stage", "staging"]);
    command.env("XTASK_STAGES", stages.path());
    refused(&command.output().expect("xtask starts"), 1, &["is `emulated`", "AWS_ENDPOINT_URL"]);
}

/// Calls that no workflow makes: those of people's commands (`check-rights`, `doctor --fix`, `destroy --delete-data`, `plan --drift`, `prune
/// --leftovers`, `local`, `bootstrap`), of a warning that may stay out, and those that need no permission.
const NOT_A_WORKFLOWS: &[&str] = &[
    "apigateway:CreateDeployment",
    "cloudformation:CancelUpdateStack",
    "cloudformation:DescribeStackDriftDetectionStatus",
    "cloudformation:DescribeStackResourceDrifts",
    "cloudformation:DetectStackDrift",
    "cloudformation:ListChangeSets",
    "cloudformation:ListStackResources",
    "cloudformation:ListStacks",
    "cloudformation:UpdateStack",
    "cognito-idp:AdminGetUser",
    "cognito-idp:DeleteUserPool",
    "cognito-idp:DescribeUserPool",
    "cognito-idp:InitiateAuth",
    "cognito-idp:ListUserPools",
    "cognito-idp:RespondToAuthChallenge",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "iam:ListOpenIDConnectProviders",
    "iam:SimulatePrincipalPolicy",
    "lambda:UpdateFunctionConfiguration",
    "logs:DeleteLogGroup",
    "logs:DescribeLogGroups",
    "s3:DeleteBucket",
    "s3:GetBucketTagging",
    "s3:ListObjectVersions",
    "secretsmanager:GetRandomPassword",
    "secretsmanager:ListSecretVersionIds",
    "secretsmanager:PutSecretValue",
    "secretsmanager:UpdateSecretVersionStage",
    "sns:GetSMSAttributes",
    "sts:GetCallerIdentity",
];

/// The action that allows a call, where it has another name.
fn allowing(operation: &str) -> &str {
    match operation {
        "apigateway:GetDeployment" | "apigateway:GetStage" => "apigateway:GET",
        "lambda:Invoke" => "lambda:InvokeFunction",
        "s3:DeleteObjects" => "s3:DeleteObject",
        "s3:HeadObject" => "s3:GetObject",
        "s3:HeadBucket" | "s3:ListObjectsV2" => "s3:ListBucket",
        same => same,
    }
}

/// The calls that the sources of a folder and those below it name: each is told where it fails, `failed("service:Operation", …)`.
fn calls_named_under(folder: &Path) -> BTreeSet<String> {
    let is_call = |text: &&str| {
        text.split_once(':').is_some_and(|(service, operation)| {
            let lower = service.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
            let word = operation.bytes().all(|byte| byte.is_ascii_alphanumeric());
            lower && word && operation.starts_with(|first: char| first.is_ascii_uppercase())
        })
    };
    let mut calls = BTreeSet::new();
    for entry in fs_err::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            calls.extend(calls_named_under(&path));
        } else {
            let text = fs_err::read_to_string(path).expect("text");
            calls.extend(text.split('"').skip(1).step_by(2).filter(is_call).map(str::to_owned));
        }
    }
    calls
}

#[test]
fn whatever_a_workflow_calls_its_role_may() {
    let cloud = Cloud::new();
    let shown = cloud.json(&["bootstrap", "--stage", "prod", "--print-policy", "--format", "json"]);
    let allowed = shown["DeployRole"]["allows"].to_string();
    let calls = calls_named_under(&workspace().join("xtask/engine/src/aws"));
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
