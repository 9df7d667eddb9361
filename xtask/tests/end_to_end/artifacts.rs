//! Artifacts of other runs: one kind of run is trusted, and its bytes are verified. Every other run is refused with its reason.

use std::{
    io::Cursor,
    path::{Path, PathBuf},
    process::Output,
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::{
    cloud::{Cloud, text, workspace},
    github::{Github, TOKEN, commit},
    pipeline::write_stage,
    refusals::refused,
    workflows::repository,
};

/// The run whose artifacts are as they must be.
const GOOD: u64 = 100;
/// A newer run, whose artifacts are not.
const BAD: u64 = 300;

/// A GitHub, and artifacts that were built from the workspace.
struct World {
    cloud: Cloud,
    github: Github,
    stages: TempDir,
    built: TempDir,
    /// The name of the artifacts.
    name: String,
}

impl World {
    fn new() -> Self {
        let folder = || tempfile::tempdir().expect("a temporary folder");
        let (cloud, github, stages, built) = (Cloud::new(), Github::start(), folder(), folder());
        write_stage(stages.path(), "staging", |stage| {
            stage["systems"].as_object_mut().expect("systems").retain(|name, _| name == "portfolio");
        });
        let mut world = Self { cloud, github, stages, built, name: String::new() };
        let out = world.built.path().to_str().expect("UTF-8").to_owned();
        let built = world.run(&["build", "--stage", "staging", "--out", &out]);
        assert!(built.status.success(), "{}", text(&built));
        world.name = world.find(None).0["name"].as_str().expect("a name").to_owned();
        world
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.cloud.command(arguments);
        command.env("XTASK_STAGES", self.stages.path()).envs(self.github.variables()).env("GITHUB_TOKEN", TOKEN);
        command.output().expect("xtask starts")
    }

    /// What `artifacts` finds, and what it says.
    fn find(&self, out: Option<&Path>) -> (Value, String) {
        let mut arguments = vec!["artifacts", "--stage", "staging", "--format", "json"];
        arguments.extend(out.iter().flat_map(|out| ["--out", out.to_str().expect("UTF-8")]));
        let output = self.run(&arguments);
        assert!(output.status.success(), "{}", text(&output));
        (serde_json::from_slice(&output.stdout).expect("JSON"), text(&output))
    }

    /// A run that pushed to a branch, uploaded these files and succeeded.
    fn upload(&self, number: u64, branch: &str, folder: &Path) {
        self.github.push(branch, number, &workspace());
        self.github.upload(&self.name, number, folder);
        self.github.finish(number, true);
    }

    fn attest(&self, number: u64, folder: &Path) {
        self.github.attest(&folder.join("artifacts.json"), "deploy.yml", "develop", &commit(number));
    }

    /// Makes both runs as they must be.
    fn reset(&self) {
        self.github.forget_attestations();
        for number in [GOOD, BAD] {
            self.github.delete(number);
            self.upload(number, "develop", self.built.path());
            self.attest(number, self.built.path());
        }
    }

    /// A copy of the built artifacts.
    fn copy(&self) -> TempDir {
        let copy = tempfile::tempdir().expect("a temporary folder");
        for entry in fs_err::read_dir(self.built.path()).expect("a folder") {
            let entry = entry.expect("an entry");
            fs_err::copy(entry.path(), copy.path().join(entry.file_name())).expect("copied");
        }
        copy
    }
}

/// The zip of a folder.
fn zip_in(folder: &Path) -> PathBuf {
    let mut files = fs_err::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    files.find(|file| file.extension().is_some_and(|ending| ending == "zip")).expect("a zip")
}

/// Replaces the zip of a folder, and writes a list that matches it.
fn replace_with_list(folder: &Path, bytes: &[u8]) {
    let zip = zip_in(folder);
    fs_err::write(&zip, bytes).expect("written");
    let path = folder.join("artifacts.json");
    let mut list: Value = serde_json::from_slice(&fs_err::read(&path).expect("the list")).expect("JSON");
    let listed = &mut list["artifacts"][0];
    listed["sha256"] = json!(hex::encode(Sha256::digest(bytes)));
    listed["zipped"] = json!(bytes.len());
    fs_err::write(&path, list.to_string()).expect("written");
}

/// The newer run is refused with this reason, and the older one is taken; without it, none is.
fn assert_refused(world: &World, reason: &str) {
    let out = tempfile::tempdir().expect("a temporary folder");
    let (found, said) = world.find(Some(out.path()));
    assert_eq!(found["run"], GOOD.to_string(), "{reason}: {said}");
    let expected = format!("Run {BAD} is not used: ");
    let line = said.lines().find(|line| line.contains(&expected)).unwrap_or_else(|| panic!("{reason}: {said}"));
    assert!(line.contains(reason), "`{reason}` is not in `{line}`");
    let list = |folder: &Path| fs_err::read(folder.join("artifacts.json")).expect("the list");
    assert_eq!(list(out.path()), list(world.built.path()));

    world.github.delete(GOOD);
    let empty = tempfile::tempdir().expect("a temporary folder");
    let (found, said) = world.find(Some(empty.path()));
    assert_eq!(found["run"], "", "{reason}: {said}");
    assert!(said.contains("they must be built"), "{said}");
    assert_eq!(fs_err::read_dir(empty.path()).expect("a folder").count(), 0, "{reason}");
}

/// What is wrong with a run, and a part of the reason for which it is refused.
type Wrong = (&'static str, fn(&mut Value, &mut Value));

/// What GitHub says of runs that are not trusted: of the artifact, and of the run.
const RUNS: [Wrong; 12] = [
    ("its artifact has expired", |artifact, _| artifact["expired"] = json!(true)),
    ("it ran for a fork", |artifact, _| artifact["workflow_run"]["head_repository_id"] = json!(43)),
    ("it ran for a commit of repository other/backends", |_, run| {
        run["head_repository"] = json!({ "id": 43, "full_name": "other/backends" });
    }),
    ("it is a run of .github/workflows/other.yml", |_, run| run["path"] = json!(".github/workflows/other.yml")),
    ("the event workflow_dispatch", |_, run| run["event"] = json!("workflow_dispatch")),
    ("the event pull_request", |_, run| run["event"] = json!("pull_request")),
    ("it ran for topic, not for develop or main", |_, run| run["head_branch"] = json!("topic")),
    ("it did not succeed (conclusion failure)", |_, run| run["conclusion"] = json!("failure")),
    ("it did not succeed (conclusion cancelled)", |_, run| run["conclusion"] = json!("cancelled")),
    // A re-run that has not ended, and one that uploaded nothing.
    ("it is not finished (status in_progress)", |_, run| {
        run["status"] = json!("in_progress");
        run["conclusion"] = json!(null);
        run["run_attempt"] = json!(2);
    }),
    ("its artifact was uploaded before the run's last attempt, 2, started", |_, run| {
        run["run_attempt"] = json!(2);
        run["run_started_at"] = json!("2026-11-30T12:00:00Z");
    }),
    ("GitHub has no hash of its artifact", |artifact, _| artifact["digest"] = json!(null)),
];

#[test]
fn only_artifacts_of_trusted_runs_are_taken() {
    let world = World::new();
    world.reset();
    let out = tempfile::tempdir().expect("a temporary folder");
    assert_eq!(world.find(Some(out.path())).0["run"], BAD.to_string(), "the newest run comes first");
    for (reason, change) in RUNS {
        world.reset();
        world.github.change(BAD, change);
        assert_refused(&world, reason);
    }

    // A tag's run names the tag as its branch.
    world.reset();
    world.github.remove_commit("develop");
    assert_refused(&world, "is not on branch develop");
    world.reset();
    world.github.change(BAD, |_, run| run["head_branch"] = json!("main"));
    assert_refused(&world, "there is no branch main");

    // A tag at a commit within a pull request, whose workflow a later commit of the same request has put back.
    world.reset();
    world.github.push_between(BAD);
    assert_refused(&world, "the head of branch develop: it ran for a tag");

    // The commit has other sources than those that the name is the hash of.
    world.reset();
    let checkout = repository();
    fs_err::write(checkout.path().join("Cargo.lock"), "version = 4\n").expect("written");
    world.github.set_checkout(BAD, checkout.path());
    assert_refused(&world, "has other sources: Cargo.lock differs");
}

#[test]
fn only_attested_bytes_are_taken() {
    let world = World::new();
    let list = |world: &World| world.built.path().join("artifacts.json");
    let missing = "has not attested artifacts.json for refs/heads/develop";
    for [workflow, branch, number] in
        [["other.yml", "develop", "300"], ["deploy.yml", "topic", "300"], ["deploy.yml", "develop", "1"]]
    {
        world.reset();
        world.github.forget_attestations();
        world.attest(GOOD, world.built.path());
        let number = number.parse().expect("a number");
        world.github.attest(&list(&world), workflow, branch, &commit(number));
        assert_refused(&world, missing);
    }
    world.reset();
    world.github.forget_attestations();
    world.attest(GOOD, world.built.path());
    assert_refused(&world, missing);

    // The bytes that are downloaded are not those that were uploaded.
    world.reset();
    world.github.replace_archive(BAD, &empty_zip());
    assert_refused(&world, "its artifact has changed: its hash is sha256:");
    world.reset();
    world.github.delete_archive(BAD);
    assert_refused(&world, "its artifact has expired");

    // A zip was replaced in the run, then the list as well.
    world.reset();
    let folder = world.copy();
    fs_err::write(zip_in(folder.path()), [7; 30]).expect("written");
    world.upload(BAD, "develop", folder.path());
    assert_refused(&world, "but the list has");
    world.reset();
    let folder = world.copy();
    replace_with_list(folder.path(), &[7; 30]);
    world.upload(BAD, "develop", folder.path());
    assert_refused(&world, missing);

    // A list that matches, and is attested, does not make a zip.
    for bytes in [vec![7; 30], empty_zip()] {
        world.reset();
        let folder = world.copy();
        replace_with_list(folder.path(), &bytes);
        world.upload(BAD, "develop", folder.path());
        world.attest(BAD, folder.path());
        assert_refused(&world, "is not an artifact");
    }
}

fn empty_zip() -> Vec<u8> {
    zip::ZipWriter::new(Cursor::new(Vec::new())).finish().expect("a zip").into_inner()
}

/// A private repository may have no attestations: its stage says so, and everything else is verified all the same.
#[test]
fn a_stage_without_attestations_takes_verified_artifacts() {
    let world = World::new();
    write_stage(world.stages.path(), "staging", |stage| {
        stage["systems"].as_object_mut().expect("systems").retain(|name, _| name == "portfolio");
        stage["pipeline"]["attestations"] = json!(false);
    });
    world.reset();
    world.github.forget_attestations();
    let out = tempfile::tempdir().expect("a temporary folder");
    let found = world.find(Some(out.path())).0;
    assert_eq!((&found["run"], &found["attestations"]), (&json!(BAD.to_string()), &json!("false")));
    let folder = world.copy();
    replace_with_list(folder.path(), &[7; 30]);
    world.upload(BAD, "develop", folder.path());
    assert_refused(&world, "is not an artifact");
}

/// The reasons of others are not a failure: without artifacts, they are built. A call that GitHub refuses is one.
#[test]
fn a_token_that_may_not_read_runs_is_reported() {
    let (cloud, github) = (Cloud::new(), Github::start());
    let mut command = cloud.command(&["artifacts", "--stage", "staging"]);
    command.envs(github.variables()).env("GITHUB_TOKEN", "another");
    let message =
        ["failed to call GitHub: GET actions/artifacts returned status 403", "grant the job's token the permission"];
    refused(&command.output().expect("xtask starts"), 1, &message);
}
