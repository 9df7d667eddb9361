//! Reads a repository through the git command line, with the configuration and extensions of the user's git.

use std::{
    collections::BTreeSet,
    io::Write,
    process::{Command, Output, Stdio},
};

use camino::{Utf8Path, Utf8PathBuf};

use super::SourcesError;
use crate::process;

/// A repository.
#[derive(Debug, Clone)]
pub(crate) struct Git {
    root: Utf8PathBuf,
}

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Commit {
    /// Its full hash.
    pub(crate) hash: String,
    /// The name to show.
    pub(crate) name: String,
}

impl Commit {
    /// The abbreviated hash.
    pub(crate) fn short(&self) -> &str {
        &self.hash[..self.hash.len().min(9)]
    }
}

impl Git {
    /// The repository around a folder.
    ///
    /// # Errors
    ///
    /// When git is not installed or refuses, or the folder is not in a repository.
    pub(crate) fn around(root: &Utf8Path) -> Result<Self, SourcesError> {
        let git = Self { root: root.to_owned() };
        // In English, because the exit code is the same for every refusal.
        let output = git.command(&["rev-parse", "--is-inside-work-tree"]).env("LC_ALL", "C").output();
        let output = output.map_err(|source| SourcesError::NoGit { source })?;
        if output.status.success() {
            return Ok(git);
        }
        let reason = reason(&output);
        if reason.starts_with("not a git repository") {
            return Err(SourcesError::NoRepository { directory: root.to_owned() });
        }
        Err(SourcesError::refusal(reason))
    }

    /// Resolves the name of a commit.
    ///
    /// # Errors
    ///
    /// When there is no such commit.
    pub(crate) fn commit(&self, reference: &str) -> Result<Commit, SourcesError> {
        let output =
            self.run(&["rev-parse", "--verify", "--quiet", "--end-of-options", &format!("{reference}^{{commit}}")])?;
        if !output.status.success() {
            return Err(SourcesError::UnknownReference { reference: reference.to_owned() });
        }
        Ok(Commit { hash: text(&output), name: reference.to_owned() })
    }

    /// The current commit's hash, with `-dirty` if the working tree differs from it.
    ///
    /// # Errors
    ///
    /// When git fails, or there is no commit yet.
    pub(crate) fn describe(&self) -> Result<String, SourcesError> {
        let commit = self.commit("HEAD")?;
        let is_clean = self.changed_since(&commit)?.is_empty();
        Ok(if is_clean { commit.hash } else { format!("{}-dirty", commit.hash) })
    }

    /// The merge base of the current commit and `main`.
    ///
    /// # Errors
    ///
    /// When there is no such branch, or the history is too shallow.
    pub(crate) fn merge_base_with_main(&self) -> Result<Commit, SourcesError> {
        let branch = ["origin/main", "main"].into_iter().find(|branch| self.commit(branch).is_ok());
        let branch = branch.ok_or(SourcesError::NoMain)?;
        let output = self.run(&["merge-base", "HEAD", branch])?;
        if !output.status.success() {
            let shallow = text(&self.run(&["rev-parse", "--is-shallow-repository"])?) == "true";
            return Err(SourcesError::NoMergeBase { branch: branch.to_owned(), shallow });
        }
        Ok(Commit { hash: text(&output), name: format!("the merge base with {branch}") })
    }

    /// The files of a folder at a commit, with their content.
    ///
    /// # Errors
    ///
    /// When git fails.
    pub(crate) fn files(&self, commit: &Commit, folder: &str) -> Result<Vec<(String, Vec<u8>)>, SourcesError> {
        let listed =
            self.succeed(&["ls-tree", "-r", "-z", "--name-only", "--full-name", &commit.hash, "--", folder])?;
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        let paths: Vec<&str> = listed.split_terminator('\0').collect();
        let prefix = text(&self.succeed(&["rev-parse", "--show-prefix"])?);
        let objects: Vec<String> = paths.iter().map(|path| format!("{}:{path}", commit.hash)).collect();
        let contents = self.contents(&objects)?;
        let relative = |path: &str| path.strip_prefix(&prefix).unwrap_or(path).to_owned();
        Ok(paths.into_iter().map(relative).zip(contents).collect())
    }

    /// One file at a commit; `None` if the commit does not have it.
    ///
    /// # Errors
    ///
    /// When git does not start.
    pub(crate) fn file(&self, commit: &Commit, path: &str) -> Result<Option<Vec<u8>>, SourcesError> {
        let output = self.run(&["show", &format!("{}:./{path}", commit.hash)])?;
        Ok(output.status.success().then_some(output.stdout))
    }

    /// The files that differ between a commit and the working tree, including new ones, relative to the root.
    ///
    /// # Errors
    ///
    /// When git fails.
    pub(crate) fn changed_since(&self, commit: &Commit) -> Result<Vec<String>, SourcesError> {
        let changed = self.succeed(&["diff", "--name-only", "--relative", "--no-renames", "-z", &commit.hash])?;
        let new = self.succeed(&["ls-files", "--others", "--exclude-standard", "-z"])?;
        let files: BTreeSet<_> = [changed, new].iter().flat_map(lines).collect();
        Ok(files.into_iter().collect())
    }

    /// Whether the root is the repository's topmost folder.
    ///
    /// # Errors
    ///
    /// When git fails.
    pub(crate) fn is_at_top(&self) -> Result<bool, SourcesError> {
        Ok(text(&self.succeed(&["rev-parse", "--show-prefix"])?).is_empty())
    }

    /// The tracked files below these paths, and new ones that are not ignored, sorted, relative to the root. A submodule is one
    /// path.
    ///
    /// # Errors
    ///
    /// When git fails.
    pub(crate) fn tracked(&self, paths: &[&str]) -> Result<Vec<String>, SourcesError> {
        let arguments = ["ls-files", "--cached", "--others", "--exclude-standard", "-z", "--"];
        let files: BTreeSet<_> = lines(&self.succeed(&[&arguments, paths].concat())?).into_iter().collect();
        Ok(files.into_iter().collect())
    }

    /// The tracked and new files of the whole folder, with those of submodules and of other repositories in it.
    ///
    /// # Errors
    ///
    /// When git fails.
    pub(crate) fn all_tracked(&self) -> Result<Vec<String>, SourcesError> {
        let mut files = Vec::new();
        for file in self.tracked(&["."])? {
            let path = self.root.join(&file);
            // To git, a link is a file, even a link to a folder.
            if !fs_err::symlink_metadata(&path).is_ok_and(|found| found.is_dir()) {
                files.push(file);
            } else if path.join(".git").exists() {
                let folder = Utf8Path::new(file.trim_end_matches('/'));
                let inner = Self { root: path }.all_tracked()?;
                files.extend(inner.into_iter().map(|file| folder.join(file).into_string()));
            }
        }
        files.sort_unstable();
        Ok(files)
    }

    /// The files that git ignores, relative to the root; none where it ignores the root itself, which then is the output of
    /// another program.
    ///
    /// # Errors
    ///
    /// When git fails.
    pub(crate) fn ignored(&self) -> Result<BTreeSet<String>, SourcesError> {
        if self.run(&["check-ignore", "--quiet", "."])?.status.success() {
            return Ok(BTreeSet::new());
        }
        let arguments = ["ls-files", "--others", "--ignored", "--exclude-standard", "-z", "--", "."];
        Ok(lines(&self.succeed(&arguments)?).into_iter().collect())
    }

    /// The contents of objects, read by one process.
    fn contents(&self, objects: &[String]) -> Result<Vec<Vec<u8>>, SourcesError> {
        if objects.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = self.command(&["cat-file", "--batch"]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|source| SourcesError::NoGit { source })?;
        let requests = objects.join("\n") + "\n";
        let stdin = child.stdin.take();
        let writer = std::thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(requests.as_bytes())));
        let output = child.wait_with_output().map_err(|source| SourcesError::NoGit { source })?;
        let _written = writer.join();
        let mut rest = output.stdout.as_slice();
        let mut contents = Vec::with_capacity(objects.len());
        for object in objects {
            let unexpected = || SourcesError::Git { reason: format!("`git cat-file` did not print {object}") };
            // "<hash> blob <size>\n<content>\n"
            let end = rest.iter().position(|byte| *byte == b'\n').ok_or_else(unexpected)?;
            let header = String::from_utf8_lossy(&rest[..end]).into_owned();
            let size: usize = header.rsplit(' ').next().and_then(|size| size.parse().ok()).ok_or_else(unexpected)?;
            contents.push(rest.get(end + 1..end + 1 + size).ok_or_else(unexpected)?.to_vec());
            rest = rest.get(end + 2 + size..).ok_or_else(unexpected)?;
        }
        Ok(contents)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = process::git(&self.root);
        command.args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Result<Output, SourcesError> {
        self.command(arguments).output().map_err(|source| SourcesError::NoGit { source })
    }

    fn succeed(&self, arguments: &[&str]) -> Result<Output, SourcesError> {
        let output = self.run(arguments)?;
        if output.status.success() {
            return Ok(output);
        }
        Err(SourcesError::refusal(reason(&output)))
    }
}

/// All that git printed about a failure.
fn reason(output: &Output) -> String {
    let printed = String::from_utf8_lossy(&output.stderr);
    let lines = printed.lines().map(str::trim).filter(|line| !line.is_empty());
    let reason = lines.map(|line| line.strip_prefix("fatal: ").unwrap_or(line)).collect::<Vec<_>>().join("\n");
    if reason.is_empty() { format!("it ended with {} without an error message", output.status) } else { reason }
}

/// The paths that git lists with `-z`.
fn lines(output: &Output) -> Vec<String> {
    String::from_utf8_lossy(&output.stdout).split_terminator('\0').map(str::to_owned).collect()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
