//! Decides which run's artifacts can be deployed: those of the workflow's own pushes to a trusted branch.
//!
//! A run says little about itself that its author does not choose: the `head_branch` of a tag is the tag's name, and a workflow can give
//! an artifact any name. So the run's commit must be on the branch, where reviews decide about it, and the commit must have the sources
//! that the artifacts are deployed for. Fields are those of GitHub's REST API, "List artifacts for a repository" and "Get a workflow
//! run".

use std::collections::BTreeMap;

use camino::Utf8Path;
use serde_json::Value;
use sha1::{Digest, Sha1};
use thiserror::Error;

use super::{Github, GithubError, PAGE, refused};
use crate::sources::fingerprint::Fingerprint;

/// The number of artifacts that are judged. Each takes six calls or more, of which a job's token has a thousand an hour (GitHub REST API,
/// "Rate limits for the REST API"), and a download.
const NEWEST: usize = 10;
/// The most pages of a branch's pushes that are read.
const MOST_PAGES: usize = 20;

/// The runs whose artifacts can be deployed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trusted<'a> {
    /// The workflow's file, without its folder.
    pub(crate) workflow: &'a str,
    /// The branches.
    pub(crate) branches: &'a [String],
}

impl Trusted<'_> {
    /// The workflow's path in the repository.
    pub(crate) fn path(&self) -> String {
        format!(".github/workflows/{}", self.workflow)
    }
}

/// An artifact of a trusted run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// The artifact's ID.
    pub(crate) artifact: u64,
    /// The run's ID.
    pub(crate) run: u64,
    /// The branch that the run was for.
    pub(crate) branch: String,
    /// The run's commit.
    pub(crate) commit: String,
    /// GitHub's hash of the artifact: `sha256:…`.
    pub(crate) digest: String,
}

/// An artifact is not used.
#[derive(Debug, Error)]
pub(crate) enum Unused {
    /// For this reason, after "run 7 is not used".
    #[error("{0}")]
    Refused(String),
    /// GitHub does not respond, or refuses the call.
    #[error(transparent)]
    Github(#[from] GithubError),
}

fn refuse<T>(reason: impl Into<String>) -> Result<T, Unused> {
    Err(Unused::Refused(reason.into()))
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

/// Returns the ID of an artifact's run.
pub(crate) fn run_of(artifact: &Value) -> u64 {
    artifact["workflow_run"]["id"].as_u64().unwrap_or_default()
}

impl Github {
    /// Returns the newest artifacts of this name, those of the newest runs first.
    ///
    /// # Errors
    ///
    /// When GitHub does not respond or refuses the call.
    pub(crate) async fn artifacts(&self, name: &str) -> Result<Vec<Value>, GithubError> {
        let mut artifacts = Vec::new();
        for page in 1.. {
            let found = self.get(&format!("actions/artifacts?name={name}&per_page={PAGE}&page={page}")).await?;
            let found = found["artifacts"].as_array().cloned().unwrap_or_default();
            let is_last = found.len() < PAGE;
            artifacts.extend(found);
            if is_last {
                break;
            }
        }
        artifacts.sort_by_key(|artifact| std::cmp::Reverse((run_of(artifact), artifact["id"].as_u64())));
        artifacts.truncate(NEWEST);
        Ok(artifacts)
    }

    /// Checks an artifact's run, its commit's place on the branch, and its commit's sources below `root`.
    ///
    /// # Errors
    ///
    /// When one of them is not as it must be, or GitHub does not respond or refuses a call.
    pub(crate) async fn check_run(
        &self,
        artifact: &Value,
        trusted: Trusted<'_>,
        sources: &Fingerprint,
        root: &Utf8Path,
    ) -> Result<Candidate, Unused> {
        if artifact["expired"] != false {
            return refuse("its artifact has expired");
        }
        let from = &artifact["workflow_run"];
        if !from["repository_id"].is_u64() || from["repository_id"] != from["head_repository_id"] {
            return refuse("it ran for a fork");
        }
        let (Some(id), Some(digest)) = (artifact["id"].as_u64(), artifact["digest"].as_str()) else {
            return refuse("GitHub has no hash of its artifact");
        };
        let run = self.run(run_of(artifact)).await?;
        check_origin(&run, trusted, &self.repository)?;
        check_end(&run, artifact)?;
        let (branch, commit) = (text(&run, "head_branch").to_owned(), text(&run, "head_sha").to_owned());
        self.check_commit(&commit, &branch).await?;
        self.check_pushed(&commit, &branch).await?;
        self.check_sources(&commit, sources, root).await?;
        Ok(Candidate { artifact: id, run: run_of(artifact), branch, commit, digest: digest.to_owned() })
    }

    async fn run(&self, id: u64) -> Result<Value, Unused> {
        match self.get(&format!("actions/runs/{id}")).await {
            Err(error) if error.is_missing() => refuse("GitHub has no such run"),
            run => Ok(run?),
        }
    }

    /// Checks that a commit is on a branch. The branch is resolved first: a tag may have the same name.
    async fn check_commit(&self, commit: &str, branch: &str) -> Result<(), Unused> {
        let found = match self.get(&format!("branches/{}", branch.replace('/', "%2F"))).await {
            Err(error) if error.is_missing() => return refuse(format!("there is no branch {branch}")),
            found => found?,
        };
        let head = text(&found["commit"], "sha");
        let compared = match self.get(&format!("compare/{head}...{commit}?per_page=1")).await {
            Err(error) if error.is_missing() => return refuse(format!("its commit {commit} does not exist")),
            compared => compared?,
        };
        match text(&compared, "status") {
            "behind" | "identical" => Ok(()),
            status => refuse(format!(
                "its commit {commit} is not on branch {branch} ({status}): it ran for a tag, or for a commit that was removed"
            )),
        }
    }

    /// Checks that a push made a commit the head of a branch. The commits in between are on the branch as well, with workflows that a
    /// later commit took away before any review, and a tag can start those (GitHub REST API, "List repository activities").
    async fn check_pushed(&self, commit: &str, branch: &str) -> Result<(), Unused> {
        let reference = format!("refs/heads/{branch}");
        // Longer than artifacts are kept.
        let path = format!("activity?ref={}&time_period=quarter&per_page={PAGE}", reference.replace('/', "%2F"));
        let mut cursor = String::new();
        for _ in 0..MOST_PAGES {
            let response = self.request("GET", &format!("{path}{cursor}")).send().await.map_err(GithubError::from)?;
            if !response.is_success() {
                let error = refused("GET", &path, &response);
                return if error.is_missing() { refuse("GitHub lists no pushes") } else { Err(error.into()) };
            }
            let pushes = response.json().unwrap_or_default();
            let is_head = |push: &Value| text(push, "ref") == reference && text(push, "after") == commit;
            if pushes.as_array().is_some_and(|pushes| pushes.iter().any(is_head)) {
                return Ok(());
            }
            let Some(next) = response.headers.get("link").and_then(|links| next_cursor(links)) else { break };
            cursor = format!("&after={next}");
        }
        refuse(format!(
            "no push of the last three months made its commit {commit} the head of branch {branch}: it ran for a tag"
        ))
    }

    /// Checks that a commit has the sources of the workspace at `root`: the same files in the same folders. Files outside the
    /// workspace are not compared.
    async fn check_sources(&self, commit: &str, sources: &Fingerprint, root: &Utf8Path) -> Result<(), Unused> {
        let tree = self.get(&format!("git/trees/{commit}?recursive=1")).await?;
        if tree["truncated"] != false {
            return refuse(format!("GitHub lists only a part of the files of its commit {commit}"));
        }
        let entries = tree["tree"].as_array().into_iter().flatten();
        let blobs = entries.filter(|entry| entry["type"] != "tree");
        let blobs: BTreeMap<_, _> = blobs.map(|entry| (text(entry, "path"), text(entry, "sha"))).collect();
        match different_source(&blobs, sources, root) {
            None => Ok(()),
            Some(path) => refuse(format!("its commit {commit} has other sources: {path} differs")),
        }
    }
}

/// Returns the cursor of the next page from the header `Link` (GitHub REST API, "Using pagination in the REST API").
fn next_cursor(links: &str) -> Option<&str> {
    let next = links.split(',').find(|link| link.contains("rel=\"next\""))?;
    let (url, _) = next.trim().strip_prefix('<')?.split_once('>')?;
    url.split(['?', '&']).find_map(|parameter| parameter.strip_prefix("after="))
}

/// Checks where a run comes from: the repository, the workflow, the event and the branch.
fn check_origin(run: &Value, trusted: Trusted<'_>, repository: &str) -> Result<(), Unused> {
    let from = text(&run["head_repository"], "full_name");
    if !from.eq_ignore_ascii_case(repository) {
        return refuse(format!("it ran for a commit of repository {from}"));
    }
    // A path may have the repository before it, and a reference after it.
    let path = text(run, "path").split('@').next().unwrap_or_default();
    let path = path.strip_prefix(&format!("{repository}/")).unwrap_or(path);
    if path != trusted.path() {
        return refuse(format!("it is a run of {path}, not of {}", trusted.path()));
    }
    let event = text(run, "event");
    if event != "push" {
        return refuse(format!("it was started by the event {event}, not by a push"));
    }
    let branch = text(run, "head_branch");
    if !trusted.branches.iter().any(|trusted| trusted == branch) {
        return refuse(format!("it ran for {branch}, not for {}", trusted.branches.join(" or ")));
    }
    Ok(())
}

/// Checks that a run has succeeded, and that the artifact is of the attempt that did.
fn check_end(run: &Value, artifact: &Value) -> Result<(), Unused> {
    let (status, conclusion) = (text(run, "status"), text(run, "conclusion"));
    if status != "completed" {
        return refuse(format!("it is not finished (status {status})"));
    }
    if conclusion != "success" {
        return refuse(format!("it did not succeed (conclusion {conclusion})"));
    }
    if run["head_sha"] != artifact["workflow_run"]["head_sha"] {
        return refuse("its artifact belongs to another commit");
    }
    // Both are times in UTC of one format.
    let (uploaded, started) = (text(artifact, "created_at"), text(run, "run_started_at"));
    if uploaded.is_empty() || uploaded < started {
        return refuse(format!(
            "its artifact was uploaded before the run's last attempt, {}, started",
            run["run_attempt"]
        ));
    }
    Ok(())
}

/// Returns a file that differs between a commit, given as the hashes of its files, and the workspace.
fn different_source(blobs: &BTreeMap<&str, &str>, sources: &Fingerprint, root: &Utf8Path) -> Option<String> {
    let below = |path: &Utf8Path| path.strip_prefix(root).ok().map(|path| path.as_str().to_owned());
    let here: BTreeMap<_, _> = sources.files.iter().filter_map(|file| Some((below(file)?, file))).collect();
    for (path, file) in &here {
        let same = fs_err::read(file).is_ok_and(|content| blobs.get(path.as_str()) == Some(&blob(&content).as_str()));
        if !same {
            return Some(path.clone());
        }
    }
    let folders: Vec<_> = sources.folders.iter().filter_map(|folder| below(folder)).collect();
    let is_covered = |path: &str| folders.iter().any(|folder| Utf8Path::new(path).starts_with(folder));
    blobs.keys().find(|path| is_covered(path) && !here.contains_key(**path)).map(|path| (*path).to_owned())
}

/// Returns the hash by which git names the content of a file (Pro Git, "Git Objects").
fn blob(content: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(format!("blob {}\0", content.len()));
    hash.update(content);
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_blob_has_the_name_that_git_gives_it() {
        // `git hash-object` of an empty file, and of "test content" with a line feed.
        assert_eq!(blob(b""), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        assert_eq!(blob(b"test content\n"), "d670460b4b4aece5915caf5c68d12f560a9fe3e4");
    }

    #[test]
    fn the_next_page_has_a_cursor() {
        let link = |relation: &str| {
            format!("<https://api.example/repositories/1/activity?ref=a&after=Y3U%3D&x=1>; rel=\"{relation}\"")
        };
        let (next, previous) = (link("next"), link("prev"));
        assert_eq!(next_cursor(&format!("{previous}, {next}")), Some("Y3U%3D"));
        assert_eq!(next_cursor(&previous), None);
        assert_eq!(next_cursor("<https://api.example/activity?before=1>; rel=\"next\""), None);
    }

    #[test]
    fn every_file_of_a_covered_folder_is_compared() {
        let temporary = tempfile::tempdir().expect("a folder");
        let root = Utf8Path::from_path(temporary.path()).expect("UTF-8");
        fs_err::create_dir_all(root.join("lambdas/notes")).expect("created");
        for file in ["Cargo.lock", "lambdas/notes/main.rs"] {
            fs_err::write(root.join(file), "").expect("written");
        }
        let sources = Fingerprint {
            hash: String::new(),
            content: String::new(),
            files: ["Cargo.lock", "lambdas/notes/main.rs"].map(|file| root.join(file)).into(),
            folders: [root.join("lambdas/notes"), "/elsewhere".into()].into(),
        };
        let empty = blob(b"");
        let different = |files: &[(&str, &str)]| different_source(&files.iter().copied().collect(), &sources, root);
        let same = [("Cargo.lock", &*empty), ("lambdas/notes/main.rs", &empty), ("README.md", "1")];
        assert_eq!(different(&same), None);
        assert_eq!(different(&same[..1]).as_deref(), Some("lambdas/notes/main.rs"));
        let changed = [("Cargo.lock", "1"), same[1]];
        assert_eq!(different(&changed).as_deref(), Some("Cargo.lock"));
        let more = [same[0], same[1], ("lambdas/notes/build.rs", &empty), ("lambdas/notes-2/main.rs", &empty)];
        assert_eq!(different(&more).as_deref(), Some("lambdas/notes/build.rs"));
    }

    #[test]
    fn a_path_may_name_the_repository_and_the_reference_of_the_workflow() {
        let branches = ["main".to_owned()];
        let trusted = Trusted { workflow: "deploy.yml", branches: &branches };
        let run = |path: &str| json!({ "path": path, "event": "push", "head_branch": "main", "head_repository": { "full_name": "Example/Backends" } });
        let check =
            |path: &str| check_origin(&run(path), trusted, "example/backends").map_err(|error| error.to_string());
        assert_eq!(check(".github/workflows/deploy.yml"), Ok(()));
        assert_eq!(check(".github/workflows/deploy.yml@refs/heads/main"), Ok(()));
        assert_eq!(check("example/backends/.github/workflows/deploy.yml@main"), Ok(()));
        assert!(check("example/other/.github/workflows/deploy.yml@main").is_err());
        let other = check(".github/workflows/deploy.yml.yml").expect_err("refused");
        assert_eq!(other, "it is a run of .github/workflows/deploy.yml.yml, not of .github/workflows/deploy.yml");
    }
}
