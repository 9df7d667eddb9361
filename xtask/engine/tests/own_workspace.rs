//! A workspace of another team: its own `main.rs`, stack, function and stage file, in `tests/workspace`. It depends on the
//! engine, the model, the contract and the functions' common code by path, and is deployed to a local cloud of the test.

#![cfg(unix)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use cargo_metadata::{DependencyKind, Message, Metadata, MetadataCommand, Package};
use engine::http::Request;
use serde_json::Value;
use tempfile::TempDir;

/// The longest time until an event has passed through all functions, two of which start, and a message is delivered again.
const PATIENCE: Duration = Duration::from_secs(60);
/// The function's source, in which the test changes a word.
const SOURCE: &str = "lambdas/notes/src/main.rs";

#[tokio::test]
async fn another_workspace_deploys_releases_rolls_back_and_destroys() {
    let workspace = Workspace::new();
    let first = workspace.deploy();
    assert_eq!(first["changed"], true, "{first:#}");
    let api = workspace.json(&["status", "--stage", "local", "--format", "json"])["urls"]["NotesApi"].clone();
    let api = api.as_str().expect("the API's URL").to_owned();
    assert_eq!(response(&api).await, serde_json::json!({ "word": "first", "table": "notes-local" }));

    let urls = workspace.json(&["status", "--stage", "local", "--format", "json"])["urls"].clone();
    an_authorizer_decides_about_each_request_of_both_stacks(urls["DoorsApi"].as_str().expect("a URL")).await;
    // Requests without a token, with a forged one and of a signed-in user; a preflight; a path without a route.
    workspace.xtask(&["check-live", "--stage", "local"]);
    let events = workspace.json(&["status", "--stage", "local", "--format", "json"])["urls"]["EventsApi"].clone();
    an_event_reaches_a_queue_whose_failed_messages_are_delivered_again(events.as_str().expect("a URL")).await;

    workspace.change_word("first", "second");
    let second = workspace.deploy();
    for stack in second["stacks"].as_array().expect("stacks") {
        assert_eq!(stack["action"], "none", "a code change needs no CloudFormation: {stack:#}");
    }
    assert_eq!(response(&api).await["word"], "second");

    workspace.xtask(&["rollback", "--stage", "local", "--system", "notes"]);
    assert_eq!(response(&api).await["word"], "first");

    workspace.xtask(&["destroy", "--stage", "local", "--yes", "--delete-data"]);
    let status = workspace.json(&["status", "--stage", "local", "--format", "json"]);
    assert_eq!(status["urls"], serde_json::json!({}), "{status:#}");
}

/// Sends requests to an HTTP API whose authorizer is a function with a TTL of 0.
async fn an_authorizer_decides_about_each_request_of_both_stacks(api: &str) {
    let origin = "http://localhost:3000";
    let send = async |method: &'static str, path: &str, token: Option<&str>, door: &str| {
        let request = Request::new(method, format!("{api}{path}")).header("origin", origin).header("x-door", door);
        let request = match token {
            Some(token) => request.header("authorization", token),
            None => request,
        };
        request.send().await.expect("a response")
    };
    for (method, path, place) in [("POST", "/doors/7", "7"), ("GET", "/rooms/2/window", "2/window")] {
        let entered = send(method, path, Some("sesame"), "open").await;
        let expected = serde_json::json!({ "place": place, "guest": "ana", "level": 2 });
        assert_eq!((entered.status, entered.json()), (200, Some(expected)), "{path}");
        assert_eq!(entered.headers.get("access-control-allow-origin").map(String::as_str), Some(origin), "{path}");
        // The identity source is the same: a cached decision would let the request in.
        for (token, door, status, message) in [
            (Some("sesame"), "closed", 403, "Forbidden"),
            (Some("Bearer x"), "open", 403, "Forbidden"),
            (None, "open", 401, "Unauthorized"),
        ] {
            let refused = send(method, path, token, door).await;
            let expected = serde_json::json!({ "message": message });
            assert_eq!((refused.status, refused.json()), (status, Some(expected)), "{path} {token:?} {door}");
        }
    }
    assert_eq!(send("GET", "/health", None, "closed").await.status, 200, "an open route asks no authorizer");
    assert_eq!(send("GET", "/cellar", Some("sesame"), "open").await.status, 404);
}

/// Adds two notes, one of which fails at its first delivery. A batch that failed as a whole would count the other one twice.
async fn an_event_reaches_a_queue_whose_failed_messages_are_delivered_again(api: &str) {
    let url = format!("{api}/events");
    let added = Request::new("POST", &url).json(&serde_json::json!({ "names": ["steady", "flaky"] })).send().await;
    assert_eq!(added.expect("a response").status, 202);
    let expected = serde_json::json!({ "steady": "1", "flaky": "1" });
    let started = Instant::now();
    loop {
        let counts = Request::get(&url).send().await.expect("a response").json().expect("JSON");
        if counts == expected {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{counts:#}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The response to `GET /notes`.
async fn response(api: &str) -> Value {
    let response = Request::get(format!("{api}/notes")).send().await.expect("a response");
    assert_eq!(response.status, 200);
    response.json().expect("JSON")
}

/// The workspace in a temporary folder, its command-line tool, and its local cloud.
struct Workspace {
    folder: TempDir,
    tool: PathBuf,
    cloud: TempDir,
    port: u16,
}

impl Workspace {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        copy(&here.join("tests/workspace"), folder.path());
        write_manifests(folder.path(), &here.join("../.."));
        let tool = build(folder.path());
        let port = TcpListener::bind(("127.0.0.1", 0)).expect("a free port").local_addr().expect("bound").port();
        Self { folder, tool, cloud: tempfile::tempdir().expect("a temporary folder"), port }
    }

    fn command(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.tool);
        command.args(arguments).current_dir(self.folder.path()).env("CARGO_TARGET_DIR", target());
        command.env("XTASK_LOCAL_DIRECTORY", self.cloud.path()).env("XTASK_LOCAL_PORT", self.port.to_string());
        command.env("AWS_EC2_METADATA_DISABLED", "true").env("NO_COLOR", "1").env("CI", "true");
        for variable in
            ["AWS_ENDPOINT_URL", "AWS_PROFILE", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "CARGO_MANIFEST_DIR"]
        {
            command.env_remove(variable);
        }
        command.output().expect("the tool starts")
    }

    /// Runs a command that must succeed.
    fn xtask(&self, arguments: &[&str]) -> Output {
        let started = Instant::now();
        let output = self.command(arguments);
        assert!(output.status.success(), "{arguments:?} failed\n{}", text(&output));
        report(&format!("{arguments:?}: {:.1?}", started.elapsed()));
        output
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_slice(&self.xtask(arguments).stdout).expect("JSON")
    }

    fn deploy(&self) -> Value {
        self.json(&["deploy", "--stage", "local", "--yes", "--format", "json"])
    }

    fn change_word(&self, before: &str, after: &str) {
        let path = self.folder.path().join(SOURCE);
        let source = fs_err::read_to_string(&path).expect("the source");
        let (before, after) = (format!("WORD: &str = \"{before}\""), format!("WORD: &str = \"{after}\""));
        assert!(source.contains(&before), "{source}");
        fs_err::write(path, source.replace(&before, &after)).expect("written");
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        let stopped = self.command(&["local", "down"]);
        assert!(stopped.status.success() || std::thread::panicking(), "local down failed\n{}", text(&stopped));
    }
}

/// Builds the workspace; returns its command-line tool.
fn build(folder: &Path) -> PathBuf {
    let started = Instant::now();
    let arguments = ["build", "--workspace", "--offline", "--ignore-rust-version", "--message-format=json"];
    let mut command = engine::process::cargo();
    command.args(arguments).current_dir(folder).env("CARGO_TARGET_DIR", target()).stderr(Stdio::piped());
    let output = command.output().expect("cargo starts");
    assert!(output.status.success(), "{}", text(&output));
    let (mut tool, mut compiled) = (None, Vec::new());
    for message in Message::parse_stream(output.stdout.as_slice()) {
        let Message::CompilerArtifact(artifact) = message.expect("a message of cargo") else { continue };
        if !artifact.fresh {
            compiled.push(artifact.target.name.clone());
        }
        if artifact.target.name == "own-xtask" {
            tool = artifact.executable;
        }
    }
    report(&format!("build: {:.1?}, compiled {}: {}", started.elapsed(), compiled.len(), compiled.join(" ")));
    tool.expect("the tool").into_std_path_buf()
}

/// Writes what depends on where this workspace is: the workspace's manifest, and the features of its dependencies.
fn write_manifests(folder: &Path, root: &Path) {
    let root = root.canonicalize().expect("the workspace's root");
    let manifest = fs_err::read_to_string(root.join("Cargo.toml")).expect("the manifest");
    let (_, dependencies) = manifest.split_once("[workspace.dependencies]\n").expect("dependencies");
    let (dependencies, profiles) = dependencies.split_once("[profile.dev]\n").expect("profiles");
    let mut text = "[workspace]\nresolver = \"3\"\nmembers = [\"xtask\", \"stacks\", \"lambdas/notes\", \
                    \"lambdas/notes/contract\", \"features\"]\n\n[workspace.dependencies]\n"
        .to_owned();
    for (name, path) in [
        ("aws-call", "lambdas/aws-call"),
        ("common", "lambdas/common"),
        ("contract", "lambdas/contract"),
        ("engine", "xtask/engine"),
        ("model", "stacks/model"),
    ] {
        writeln!(text, "{name} = {{ path = {:?} }}", root.join(path)).expect("written");
    }
    text.push_str("notes-contract = { path = \"lambdas/notes/contract\" }\n");
    text.push_str("stacks = { package = \"own-stacks\", path = \"stacks\" }\n");
    for line in dependencies.lines().filter(|line| !line.contains("{ path = ")) {
        writeln!(text, "{line}").expect("written");
    }
    write!(text, "[profile.dev]\n{profiles}").expect("written");
    fs_err::write(folder.join("Cargo.toml"), text).expect("written");
    fs_err::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).expect("copied");
    unify_features(folder, &metadata(&root));
}

/// Adds an empty package with dependencies that no code uses. Cargo compiles a crate anew for another set of features; with these,
/// the set is that of this repository's tests, so that the shared target directory has the AWS SDK already. A local deploy selects
/// the whole workspace, so its functions have the same set.
fn unify_features(folder: &Path, metadata: &Metadata) {
    let package = folder.join("features");
    fs_err::create_dir_all(package.join("src")).expect("a folder");
    fs_err::write(package.join("src/lib.rs"), "").expect("written");
    let dependencies = dependencies(metadata.workspace_packages());
    let manifest = format!("[package]\nname = \"own-features\"\nedition = \"2024\"\n\n[dependencies]\n{dependencies}");
    fs_err::write(package.join("Cargo.toml"), manifest).expect("written");
}

/// The packages' dependencies on crates of the registry, each once with all its features.
fn dependencies(packages: Vec<&Package>) -> String {
    let all = packages.into_iter().flat_map(|package| &package.dependencies);
    let wanted = all.filter(|dependency| dependency.path.is_none() && dependency.kind != DependencyKind::Build);
    let mut merged: BTreeMap<(&str, String), (bool, BTreeSet<&str>)> = BTreeMap::new();
    for dependency in wanted {
        let key = (dependency.name.as_str(), dependency.req.to_string());
        let (default, features) = merged.entry(key).or_default();
        *default |= dependency.uses_default_features;
        features.extend(dependency.features.iter().map(String::as_str));
    }
    let line = |((name, version), (default, features)): ((&str, String), (bool, BTreeSet<&str>))| {
        let features: Vec<_> = features.into_iter().collect();
        format!("{name} = {{ version = \"{version}\", default-features = {default}, features = {features:?} }}\n")
    };
    merged.into_iter().map(line).collect()
}

fn metadata(root: &Path) -> Metadata {
    let mut command = MetadataCommand::new();
    command.current_dir(root).no_deps().other_options(["--offline".to_owned()]);
    engine::process::metadata(&command).expect("the metadata")
}

/// The target directory that this test was built in.
fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a folder in the target folder").to_owned()
}

fn copy(from: &Path, to: &Path) {
    fs_err::create_dir_all(to).expect("a folder");
    for entry in fs_err::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("its type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs_err::copy(entry.path(), target).expect("copied");
        }
    }
}

fn text(output: &Output) -> String {
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("stdout:\n{stdout}\nstderr:\n{stderr}")
}

#[expect(clippy::print_stderr, reason = "a test runner shows it with the test")]
fn report(line: &str) {
    eprintln!("{line}");
}
