//! A build that starts and does not do its work: it never gets traffic, and never passes for released.

use std::{
    io::{Cursor, Read, Write},
    path::Path,
    process::Output,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::{
    cloud::{Cloud, text, workspace},
    refusals::refused,
};

/// A cloud with the Portfolio, a build of it, and one whose health is another word.
struct World {
    cloud: Cloud,
    good: TempDir,
    broken: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = || tempfile::tempdir().expect("a temporary folder");
        let world = Self { cloud: Cloud::new(), good: folder(), broken: folder() };
        let good = world.good.path().to_str().expect("text");
        world.cloud.success(&["build", "--stage", "local", "--out", good]);
        break_health(world.good.path(), world.broken.path());
        world.cloud.success(&["deploy", "--stage", "local", "--system", "foundation"]);
        world
    }

    fn deploy(&self, artifacts: &TempDir) -> Output {
        self.deploy_with(artifacts, None)
    }

    /// Deploys with the stage files of this folder instead of the workspace's.
    fn deploy_with(&self, artifacts: &TempDir, stages: Option<&Path>) -> Output {
        let folder = artifacts.path().to_str().expect("text");
        let arguments = ["deploy", "--stage", "local", "--system", "portfolio", "--artifacts", folder];
        let mut command = self.cloud.command(&[&arguments[..], &["--format", "json"]].concat());
        command.envs(stages.map(|stages| ("XTASK_STAGES", stages))).output().expect("xtask starts")
    }

    fn deployed(&self) -> Value {
        let output = self.deploy(&self.good);
        assert!(output.status.success(), "{}", text(&output));
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)))
    }

    async fn live(&self) -> String {
        let request = self.cloud.lambda().get_alias().function_name("portfolio-api-local").name("live");
        request.send().await.expect("the alias").function_version().expect("a version").to_owned()
    }

    fn doctor(&self) -> String {
        text(&self.cloud.xtask(&["doctor", "--stage", "local"]))
    }
}

/// The stage file of `local` with another origin, whose browsers may read the gateway's own errors.
fn other_origin() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let stage = fs_err::read_to_string(workspace().join("stacks/stages/local.yaml")).expect("the stage file");
    let origins = r#"["http://localhost:3000", "http://localhost:5173"]"#;
    assert!(stage.contains(origins), "{stage}");
    let changed = stage.replacen(origins, r#"["http://localhost:4000"]"#, 1);
    fs_err::write(folder.path().join("local.yaml"), changed).expect("written");
    folder
}

/// Copies a folder of artifacts, and changes a word in the binary: what it answers about its health.
fn break_health(from: &Path, to: &Path) {
    let mut list: Value =
        serde_json::from_slice(&fs_err::read(from.join("artifacts.json")).expect("the list")).expect("JSON");
    for listed in list["artifacts"].as_array_mut().expect("artifacts") {
        let file = listed["file"].as_str().expect("a name");
        if listed["system"] != "portfolio" {
            fs_err::copy(from.join(file), to.join(file)).expect("copied");
            continue;
        }
        let changed = rezipped(&fs_err::read(from.join(file)).expect("a zip"));
        let sha256 = hex::encode(Sha256::digest(&changed));
        let file = format!("portfolio-api-{sha256}.zip");
        fs_err::write(to.join(&file), &changed).expect("written");
        listed["file"] = json!(file);
        listed["sha256"] = json!(sha256);
        listed["zipped"] = json!(changed.len());
    }
    fs_err::write(to.join("artifacts.json"), list.to_string()).expect("written");
}

fn rezipped(bytes: &[u8]) -> Vec<u8> {
    let mut from = zip::ZipArchive::new(Cursor::new(bytes)).expect("a zip");
    let mut to = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let mut binary = Vec::new();
    let mut entry = from.by_name("bootstrap").expect("a binary");
    entry.read_to_end(&mut binary).expect("its bytes");
    let mut places = 0;
    for at in 0..binary.len().saturating_sub(7) {
        if &binary[at..at + 7] == b"healthy" {
            binary[at..at + 7].copy_from_slice(b"brokenn");
            places += 1;
        }
    }
    assert!(places > 0, "the binary says nothing of its health");
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
    to.start_file("bootstrap", options).expect("a file");
    to.write_all(&binary).expect("written");
    to.finish().expect("a zip").into_inner()
}

/// Asks for the health all the time; how often it was asked, and every answer that was wrong.
async fn ask(url: String, until: Arc<AtomicBool>) -> (usize, Vec<String>) {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().expect("a client");
    let (mut asked, mut wrong) = (0, Vec::new());
    while !until.load(Ordering::Relaxed) {
        asked += 1;
        let answer = match client.get(&url).send().await {
            Ok(answer) => answer.text().await.unwrap_or_else(|error| error.to_string()),
            Err(error) => error.to_string(),
        };
        if !answer.contains("\"healthy\"") {
            wrong.push(answer);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    (asked, wrong)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_is_not_well_gets_no_traffic_and_never_passes_for_released() {
    let world = World::new();
    let deployed = world.deployed();
    let url = url_of(&deployed);
    let (stop, before) = (Arc::new(AtomicBool::new(false)), world.live().await);
    let client = tokio::spawn(ask(url, Arc::clone(&stop)));
    // The API changes with its stack, before the build is asked for its health.
    let stages = other_origin();
    let said = tokio::task::block_in_place(|| world.deploy_with(&world.broken, Some(stages.path())));
    stop.store(true, Ordering::Relaxed);
    let (asked, wrong) = client.await.expect("the client ends");
    refused(&said, 1, &["failed: GET /health returned JSON without", "no traffic was shifted to it"]);
    assert!(asked > 1 && wrong.is_empty(), "{asked}: {wrong:?}");
    refused(&said, 1, &["the route changes of the stack remain", "PortfolioApi changes its settings"]);
    assert_eq!(world.live().await, before);
    let said = world.doctor();
    assert!(said.contains("portfolio-api-local/PortfolioApi: unreleased routes"), "{said}");

    // Made anew, its first version is live before anybody could ask it; that never passes for a release.
    world.cloud.success(&["destroy", "--stage", "local", "--system", "portfolio", "--yes", "--delete-data"]);
    for _ in 0..2 {
        let said = world.deploy(&world.broken);
        refused(
            &said,
            1,
            &["GET /health returned JSON without", "`live` points to it, and there is no earlier version"],
        );
    }
    let said = world.doctor();
    assert!(said.contains("portfolio-api-local") && !said.contains("All is well"), "{said}");
    let mended = world.deployed();
    assert_eq!(mended["changed"], true, "{mended:#}");
    let (stop, soon) = (Arc::new(AtomicBool::new(false)), Duration::from_millis(500));
    let client = tokio::spawn(ask(url_of(&mended), Arc::clone(&stop)));
    tokio::time::sleep(soon).await;
    stop.store(true, Ordering::Relaxed);
    let (asked, wrong) = client.await.expect("the client ends");
    assert!(asked > 0 && wrong.is_empty(), "{asked}: {wrong:?}");
    assert!(world.doctor().contains("All is well"), "{}", world.doctor());
}

fn url_of(deployed: &Value) -> String {
    format!("{}/health", deployed["urls"]["PortfolioApi"].as_str().expect("a URL"))
}
