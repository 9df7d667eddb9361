//! Plans against a commit: no account, no credentials, no network.

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{cloud::text, deploying::copy_workspace, refusals::refused};

/// A repository with the workspace as its only commit, on `main`.
struct Repository(TempDir);

impl Repository {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        copy_workspace(folder.path());
        let repository = Self(folder);
        repository.git(&["init", "--quiet", "--initial-branch", "main"]);
        repository.commit();
        repository
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn git(&self, arguments: &[&str]) {
        git(self.path(), arguments);
    }

    fn commit(&self) {
        self.git(&["add", "--all"]);
        self.git(&["-c", "user.name=Test", "-c", "user.email=test@example.com", "commit", "--quiet", "-m", "A commit"]);
    }

    fn change(&self, file: &str, change: impl FnOnce(String) -> String) {
        let path = self.path().join(file);
        let text = fs_err::read_to_string(&path).expect("the file");
        fs_err::write(&path, change(text)).expect("written");
    }

    fn plan(&self, arguments: &[&str]) -> Output {
        plan(self.path(), arguments)
    }
}

pub(crate) fn git(folder: &Path, arguments: &[&str]) {
    let output = engine::process::git_of_test(folder).args(arguments).output().expect("git starts");
    assert!(output.status.success(), "{arguments:?}\n{}", text(&output));
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command
        .arg("plan")
        .args(arguments)
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .env("NO_COLOR", "1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env_remove("AWS_ENDPOINT_URL");
    command
}

fn plan(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().expect("xtask starts")
}

/// What was printed, with the commit's hash left out.
fn printed(output: &Output) -> String {
    let text = String::from_utf8(output.stdout.clone()).expect("UTF-8");
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    for line in &mut lines {
        if let (Some(start), Some(end)) = (line.find("main ("), line.find(')')) {
            line.replace_range(start + "main (".len()..end, "HASH");
        }
    }
    lines.join("\n")
}

#[test]
fn a_plan_says_what_changed_since_main() {
    let repository = Repository::new();
    refused(&repository.plan(&["--exit-code"]), 0, &["No change"]);

    repository.change("stacks/stages/dev.yaml", |text| {
        text.replacen("https://dev.example.com", "https://new.example.com", 1)
    });
    repository.change("lambdas/media-uploader/src/bin/upload.rs", |text| text + "// changed\n");
    let stage = |format: &str| {
        let output = repository.plan(&["--stage", "dev", "--exit-code", "--format", format]);
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        printed(&output)
    };
    insta::assert_snapshot!("plan_text", stage("text"));
    insta::assert_snapshot!("plan_json", stage("json"));
    insta::assert_snapshot!("plan_markdown", stage("markdown"));

    // Other stages get the code alone.
    let prod = repository.plan(&["--stage", "prod", "--format", "json"]);
    let prod: Value = serde_json::from_slice(&prod.stdout).expect("JSON");
    assert_eq!(prod["stages"][0]["code"][0]["function"], "media-uploader-upload-prod", "{prod:#}");
    assert_eq!(prod["stages"][0]["code"].as_array().map(Vec::len), Some(1), "{prod:#}");
}

#[test]
fn a_package_that_is_no_member_of_the_workspace_is_named() {
    let repository = Repository::new();
    repository.change("Cargo.toml", |text| text.replacen("    \"lambdas/portfolio\",\n", "", 1));
    let expected = ["no member of the workspace has the binary `portfolio-api`", "add lambdas/portfolio to `members`"];
    refused(&repository.plan(&["--stage", "dev"]), 0, &expected);
}

#[test]
fn a_stage_that_grows_out_of_cloudformation_is_refused() {
    let repository = Repository::new();
    let origins: Vec<_> =
        (0..60_000).map(|number| format!("\"https://{number}.some-long-name.example.com\"")).collect();
    repository
        .change("stacks/stages/dev.yaml", |text| text.replacen("\"https://dev.example.com\"", &origins.join(", "), 1));
    let output = repository.plan(&["--stage", "dev", "--exit-code"]);
    let said = String::from_utf8_lossy(&output.stdout).lines().rev().take(40).collect::<Vec<_>>().join("\n");
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("bytes of template"), "{said}");
    assert!(said.contains("bytes of environment"), "{said}");
}

#[test]
fn history_that_is_not_there_is_told_with_the_way_to_get_it() {
    let repository = Repository::new();
    let unknown = repository.plan(&["--stage", "dev", "--against", "nowhere"]);
    refused(&unknown, 1, &["git finds no commit `nowhere`", "git fetch"]);
    refused(&repository.plan(&["--against", "--all"]), 2, &[]);
    let option = repository.plan(&["--against=--all"]);
    refused(&option, 1, &["git finds no commit `--all`"]);
    let local = repository.plan(&["--stage", "local", "--against", "main"]);
    refused(&local, 1, &["failed to compare stage local with a commit: it has no committed templates"]);

    let path = std::env::join_paths([repository.path()]).expect("a path");
    let without_git = command(repository.path(), &["--stage", "dev"]).env("PATH", path).output().expect("xtask starts");
    refused(&without_git, 1, &["failed to run git", "--online"]);

    // A clone as GitHub's checkout action makes one by default.
    repository.git(&["checkout", "--quiet", "-b", "feature"]);
    repository.change("README.md", |text| text + "\n");
    repository.commit();
    let clones = tempfile::tempdir().expect("a temporary folder");
    let url = format!("file://{}", repository.path().display());
    git(clones.path(), &["clone", "--quiet", "--depth", "1", "--branch", "feature", &url, "single"]);
    let single = plan(&clones.path().join("single"), &["--stage", "dev"]);
    refused(&single, 1, &["no branch `main`", "--against"]);
    let both = ["clone", "--quiet", "--depth", "1", "--no-single-branch", "--branch", "feature", &url, "both"];
    git(clones.path(), &both);
    let both = plan(&clones.path().join("both"), &["--stage", "dev"]);
    refused(&both, 1, &["no common ancestor in this shallow clone", "fetch-depth: 0"]);

    let folder = tempfile::tempdir().expect("a temporary folder");
    copy_workspace(folder.path());
    refused(&plan(folder.path(), &["--stage", "dev"]), 1, &["is not in a git repository"]);
}

/// As in a hook of git, whose variables name the repository that it runs for.
#[test]
fn the_repository_of_a_git_hook_is_not_read() {
    let (repository, other) = (Repository::new(), tempfile::tempdir().expect("a temporary folder"));
    git(other.path(), &["init", "--quiet"]);
    let mut command = command(repository.path(), &["--stage", "dev", "--exit-code"]);
    command.env("GIT_DIR", other.path().join(".git")).env("GIT_WORK_TREE", other.path());
    command.env("GIT_INDEX_FILE", other.path().join("index"));
    refused(&command.output().expect("xtask starts"), 0, &["No change"]);
}

#[test]
fn git_explains_itself_why_it_does_not_trust_a_repository() {
    let repository = Repository::new();
    let mut command = command(repository.path(), &["--stage", "dev"]);
    // git's own tests set this variable.
    let output = command.env("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1").output().expect("xtask starts");
    refused(&output, 1, &["detected dubious ownership", "run `git config --global --add safe.directory "]);
}

#[test]
fn templates_that_are_missing_broken_or_edited_are_told() {
    let repository = Repository::new();
    repository.change("templates/dev/foundation-artifacts.yaml", |text| text.replace("AES256", "aws:kms"));
    let edited = repository.plan(&["--stage", "dev", "--exit-code"]);
    refused(&edited, 0, &["templates/dev/foundation-artifacts.yaml is stale, or was edited by hand", "No change"]);

    // Committed, the edit is what the plan undoes.
    repository.commit();
    let undone = repository.plan(&["--stage", "dev", "--exit-code"]);
    refused(&undone, 2, &["SSEAlgorithm: \"aws:kms\" → \"AES256\""]);

    repository.change("templates/dev/foundation-artifacts.yaml", |_| "Resources: [".to_owned());
    repository.commit();
    let broken = repository.plan(&["--stage", "dev"]);
    refused(&broken, 1, &["failed to read templates/dev/foundation-artifacts.yaml at", "line 2 column 1"]);

    repository.git(&["rm", "--quiet", "-r", "templates"]);
    repository.commit();
    let new = repository.plan(&["--stage", "dev", "--exit-code"]);
    refused(&new, 2, &["everything is new", "media-uploader-api-dev: create"]);
}
