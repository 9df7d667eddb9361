//! Runs, their artifacts, branches, commits and environments, answered as GitHub's REST documentation prints them.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Cursor, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::{
    Json,
    body::Body,
    extract::{Path as Names, Query, State},
    http::{HeaderMap, Response, StatusCode},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::{Answer, Github, REPOSITORY, Refusal, Shared, check, missing};

const REPOSITORY_ID: u64 = 42;
const STARTED: &str = "2026-11-30T10:00:00Z";
const UPLOADED: &str = "2026-11-30T10:05:00Z";

/// The commit of a run.
pub(crate) fn commit(number: u64) -> String {
    format!("{number:040x}")
}

/// What GitHub keeps of runs and of what they are for.
#[derive(Default)]
pub(super) struct Actions {
    /// The address of the server, for links.
    pub(super) address: String,
    artifacts: Vec<Value>,
    /// The zip of each artifact. Runs that upload the same share one: artifacts of debug builds are large.
    archives: BTreeMap<u64, Arc<Vec<u8>>>,
    runs: BTreeMap<u64, Value>,
    /// The commits of each branch, the newest last.
    branches: BTreeMap<String, Vec<String>>,
    /// The commits that came to their branch with a later one, which became its head.
    between: BTreeSet<String>,
    /// The checkout of each commit.
    checkouts: BTreeMap<String, PathBuf>,
    environments: BTreeMap<String, (Value, Value)>,
}

impl Github {
    /// A commit with the files of this checkout is pushed to a branch, and a run of the deploy workflow starts for it.
    pub(crate) fn push(&self, branch: &str, number: u64, checkout: &Path) {
        let mut kept = self.kept.lock().expect("kept");
        let actions = &mut kept.actions;
        let commits = actions.branches.entry(branch.to_owned()).or_default();
        commits.retain(|other| *other != commit(number));
        commits.push(commit(number));
        actions.between.remove(&commit(number));
        actions.checkouts.insert(commit(number), checkout.to_owned());
        let repository = json!({ "id": REPOSITORY_ID, "full_name": REPOSITORY });
        let run = json!({
            "id": number, "path": ".github/workflows/deploy.yml", "event": "push", "status": "in_progress", "conclusion": null,
            "head_branch": branch, "head_sha": commit(number), "run_attempt": 1, "run_started_at": STARTED,
            "repository": repository, "head_repository": repository,
        });
        actions.runs.insert(number, run);
    }

    /// A run ends.
    pub(crate) fn finish(&self, number: u64, succeeded: bool) {
        let mut kept = self.kept.lock().expect("kept");
        let run = kept.actions.runs.get_mut(&number).expect("a run");
        run["status"] = json!("completed");
        run["conclusion"] = json!(if succeeded { "success" } else { "failure" });
    }

    /// A run uploads the files of a folder, instead of what it uploaded under this name before. Only artifacts of functions are kept.
    pub(crate) fn upload(&self, name: &str, number: u64, folder: &Path) {
        if !name.starts_with("artifacts-") {
            return;
        }
        let archive = Arc::new(archive(folder));
        let mut kept = self.kept.lock().expect("kept");
        let actions = &mut kept.actions;
        let run = &actions.runs[&number];
        let artifact = json!({
            "id": number * 10, "name": name, "expired": false, "created_at": UPLOADED,
            "digest": format!("sha256:{}", hex::encode(Sha256::digest(archive.as_slice()))),
            "workflow_run": {
                "id": number, "repository_id": REPOSITORY_ID, "head_repository_id": REPOSITORY_ID,
                "head_branch": run["head_branch"], "head_sha": run["head_sha"],
            },
        });
        actions.artifacts.retain(|other| other["id"] != artifact["id"]);
        actions.artifacts.push(artifact);
        let same = actions.archives.values().find(|other| **other == archive).map(Arc::clone);
        actions.archives.insert(number * 10, same.unwrap_or(archive));
    }

    /// Changes what GitHub says of a run and of its artifact.
    pub(crate) fn change(&self, number: u64, change: impl FnOnce(&mut Value, &mut Value)) {
        let mut kept = self.kept.lock().expect("kept");
        let Actions { artifacts, runs, .. } = &mut kept.actions;
        let artifact = artifacts.iter_mut().find(|artifact| artifact["workflow_run"]["id"] == number);
        change(artifact.expect("an artifact"), runs.get_mut(&number).expect("a run"));
    }

    /// Replaces the bytes of a run's artifact, without its hash.
    pub(crate) fn replace_archive(&self, number: u64, bytes: &[u8]) {
        self.kept.lock().expect("kept").actions.archives.insert(number * 10, Arc::new(bytes.to_vec()));
    }

    /// The bytes of a run's artifact are gone.
    pub(crate) fn delete_archive(&self, number: u64) {
        self.kept.lock().expect("kept").actions.archives.remove(&(number * 10));
    }

    /// Forgets a run and its artifact.
    pub(crate) fn delete(&self, number: u64) {
        let mut kept = self.kept.lock().expect("kept");
        kept.actions.artifacts.retain(|artifact| artifact["workflow_run"]["id"] != number);
        kept.actions.runs.remove(&number);
    }

    /// The files of a commit are those of another checkout.
    pub(crate) fn set_checkout(&self, number: u64, checkout: &Path) {
        self.kept.lock().expect("kept").actions.checkouts.insert(commit(number), checkout.to_owned());
    }

    /// The last commit of a branch is no longer on it.
    pub(crate) fn remove_commit(&self, branch: &str) {
        self.kept.lock().expect("kept").actions.branches.get_mut(branch).expect("a branch").pop();
    }

    /// A commit came to its branch with a later one, so it was never the branch's head.
    pub(crate) fn push_between(&self, number: u64) {
        self.kept.lock().expect("kept").actions.between.insert(commit(number));
    }

    /// An environment with these rules, and these patterns of branches and tags.
    pub(crate) fn protect(&self, environment: &str, rules: Value, patterns: Value) {
        let rules = (rules, patterns);
        self.kept.lock().expect("kept").actions.environments.insert(environment.to_owned(), rules);
    }
}

/// A zip of a folder's files, as an upload makes it.
fn archive(folder: &Path) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let entries = fs_err::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<_> = entries.collect();
    paths.sort_unstable();
    for path in paths {
        archive.start_file(path.file_name().expect("a name").to_string_lossy(), options).expect("a file");
        archive.write_all(&fs_err::read(path).expect("a file")).expect("written");
    }
    archive.finish().expect("a zip").into_inner()
}

type Parts = BTreeMap<String, String>;

/// Answers what GitHub has under these names, to whom its token allows it.
fn answer(kept: &Shared, names: &Parts, headers: &HeaderMap, find: impl FnOnce(&Actions) -> Option<Value>) -> Answer {
    check(headers, &names["owner"], &names["name"])?;
    find(&kept.lock().expect("kept").actions).map(Json).ok_or_else(missing)
}

pub(super) async fn artifacts(
    State(kept): State<Shared>,
    Names(names): Names<Parts>,
    Query(query): Query<Parts>,
    headers: HeaderMap,
) -> Answer {
    answer(&kept, &names, &headers, |actions| {
        let wanted = query.get("name").map(String::as_str);
        let is_wanted = |artifact: &&Value| artifact["name"].as_str() == wanted;
        let found: Vec<_> = actions.artifacts.iter().filter(is_wanted).cloned().collect();
        Some(json!({ "total_count": found.len(), "artifacts": found }))
    })
}

/// GitHub answers with a link, which needs no token.
pub(super) async fn link(
    State(kept): State<Shared>,
    Names(names): Names<Parts>,
    headers: HeaderMap,
) -> Result<Response<Body>, Refusal> {
    check(&headers, &names["owner"], &names["name"])?;
    let kept = kept.lock().expect("kept");
    if names["id"].parse().is_ok_and(|id| !kept.actions.archives.contains_key(&id)) {
        return Err((StatusCode::GONE, Json(json!({ "message": "Artifact has expired" }))));
    }
    let link = format!("http://{}/storage/{}", kept.actions.address, names["id"]);
    let response = Response::builder().status(StatusCode::FOUND).header("location", link);
    Ok(response.body(Body::empty()).expect("a response"))
}

pub(super) async fn storage(State(kept): State<Shared>, Names(id): Names<u64>, headers: HeaderMap) -> Response<Body> {
    let bytes = kept.lock().expect("kept").actions.archives.get(&id).cloned();
    let (status, body) = match bytes {
        // Another host, which must not get the token.
        _ if headers.contains_key("authorization") => (StatusCode::BAD_REQUEST, Vec::new()),
        Some(bytes) => (StatusCode::OK, bytes.to_vec()),
        None => (StatusCode::NOT_FOUND, Vec::new()),
    };
    Response::builder().status(status).body(Body::from(body)).expect("a response")
}

pub(super) async fn run(State(kept): State<Shared>, Names(names): Names<Parts>, headers: HeaderMap) -> Answer {
    answer(&kept, &names, &headers, |actions| actions.runs.get(&names["id"].parse().ok()?).cloned())
}

pub(super) async fn branch(State(kept): State<Shared>, Names(names): Names<Parts>, headers: HeaderMap) -> Answer {
    answer(&kept, &names, &headers, |actions| {
        let head = actions.branches.get(&names["branch"])?.last()?;
        Some(json!({ "name": names["branch"], "commit": { "sha": head } }))
    })
}

/// The pushes to a branch, the newest first, one on each page.
pub(super) async fn activity(
    State(kept): State<Shared>,
    Names(names): Names<Parts>,
    Query(query): Query<Parts>,
    headers: HeaderMap,
) -> Result<(HeaderMap, Json<Value>), Refusal> {
    check(&headers, &names["owner"], &names["name"])?;
    let kept = kept.lock().expect("kept");
    let reference = &query["ref"];
    let branch = reference.strip_prefix("refs/heads/").unwrap_or(reference);
    let commits = kept.actions.branches.get(branch).map(Vec::as_slice).unwrap_or_default();
    let heads: Vec<_> = commits.iter().rev().filter(|commit| !kept.actions.between.contains(*commit)).collect();
    let at = query.get("after").map_or(0, |cursor| cursor.parse::<usize>().expect("a cursor"));
    let mut links = HeaderMap::new();
    if at + 1 < heads.len() {
        let url = format!("http://{}/repositories/{REPOSITORY_ID}/activity", kept.actions.address);
        let link = format!("<{url}?ref={branch}&after={}>; rel=\"next\"", at + 1);
        links.insert("link", link.parse().expect("a header"));
    }
    let push =
        |head: &&String| json!({ "ref": format!("refs/heads/{branch}"), "after": head, "activity_type": "push" });
    Ok((links, Json(heads.get(at).map(push).into_iter().collect())))
}

/// How the second commit lies to the first.
pub(super) async fn compare(State(kept): State<Shared>, Names(names): Names<Parts>, headers: HeaderMap) -> Answer {
    answer(&kept, &names, &headers, |actions| {
        let (base, head) = names["pair"].split_once("...")?;
        let history = actions.branches.values().find(|commits| commits.iter().any(|commit| commit == base))?;
        let place = |commit: &str| history.iter().position(|other| other == commit);
        let status = match (place(base)?, place(head)) {
            (base, Some(head)) if base == head => "identical",
            (base, Some(head)) if base > head => "behind",
            (_, Some(_)) => "ahead",
            (_, None) => "diverged",
        };
        Some(json!({ "status": status, "base_commit": { "sha": base } }))
    })
}

pub(super) async fn tree(State(kept): State<Shared>, Names(names): Names<Parts>, headers: HeaderMap) -> Answer {
    answer(&kept, &names, &headers, |actions| {
        let tree = files(actions.checkouts.get(&names["commit"])?);
        Some(json!({ "sha": names["commit"], "truncated": false, "tree": tree }))
    })
}

/// The files of a checkout with git's hashes of them.
fn files(checkout: &Path) -> Vec<Value> {
    let git = || engine::process::git(checkout);
    let listed = git().args(["ls-files", "--cached", "--others", "--exclude-standard"]).output().expect("git starts");
    assert!(listed.status.success(), "{listed:?}");
    let listed = String::from_utf8(listed.stdout).expect("UTF-8");
    let paths: Vec<_> = listed.lines().filter(|path| checkout.join(path).is_file()).collect();
    let mut list = tempfile::tempfile().expect("a file");
    list.write_all((paths.join("\n") + "\n").as_bytes()).expect("written");
    std::io::Seek::rewind(&mut list).expect("rewound");
    let hashed = git().args(["hash-object", "--stdin-paths"]).stdin(list).output().expect("git starts");
    assert!(hashed.status.success(), "{hashed:?}");
    let hashed = String::from_utf8(hashed.stdout).expect("UTF-8");
    let file = |(path, sha): (&&str, &str)| json!({ "path": path, "mode": "100644", "type": "blob", "sha": sha });
    paths.iter().zip(hashed.lines()).map(file).collect()
}

pub(super) async fn environment(State(kept): State<Shared>, Names(names): Names<Parts>, headers: HeaderMap) -> Answer {
    answer(&kept, &names, &headers, |actions| Some(actions.environments.get(&names["environment"])?.0.clone()))
}

pub(super) async fn patterns(State(kept): State<Shared>, Names(names): Names<Parts>, headers: HeaderMap) -> Answer {
    answer(&kept, &names, &headers, |actions| {
        let patterns = actions.environments.get(&names["environment"])?.1.clone();
        Some(json!({ "branch_policies": patterns }))
    })
}
