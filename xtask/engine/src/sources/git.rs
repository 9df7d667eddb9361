//! Reads a repository through the git command line, with the configuration and extensions of the user's git.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use camino::{Utf8Path, Utf8PathBuf};

use super::SourcesError;

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
    /// When git is not installed, or the folder is not in a repository.
    pub(crate) fn around(root: &Utf8Path) -> Result<Self, SourcesError> {
        let git = Self { root: root.to_owned() };
        let output = git.run(&["rev-parse", "--is-inside-work-tree"])?;
        if output.status.success() { Ok(git) } else { Err(SourcesError::NoRepository { directory: root.to_owned() }) }
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

    /// The current commit's hash, with `-dirty` if the working tree differs from it; `None` before the first commit.
    pub(crate) fn describe(&self) -> Option<String> {
        let commit = self.commit("HEAD").ok()?;
        let clean = self.changed_since(&commit).is_ok_and(|files| files.is_empty());
        Some(if clean { commit.hash } else { format!("{}-dirty", commit.hash) })
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
        let mut files: Vec<String> = [changed, new]
            .iter()
            .flat_map(|output| {
                String::from_utf8_lossy(&output.stdout).split_terminator('\0').map(str::to_owned).collect::<Vec<_>>()
            })
            .collect();
        files.sort();
        files.dedup();
        Ok(files)
    }

    /// The tracked files below these paths, and new ones that are not ignored, sorted, relative to the root.
    ///
    /// # Errors
    ///
    /// When git fails.
    pub(crate) fn tracked(&self, paths: &[&str]) -> Result<Vec<String>, SourcesError> {
        let arguments = ["ls-files", "--cached", "--others", "--exclude-standard", "-z", "--"];
        let listed = self.succeed(&[&arguments, paths].concat())?;
        let mut files: Vec<_> =
            String::from_utf8_lossy(&listed.stdout).split_terminator('\0').map(str::to_owned).collect();
        files.sort();
        files.dedup();
        Ok(files)
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
        let mut command = Command::new("git");
        command.arg("-C").arg(&self.root).args(arguments);
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
        let said = String::from_utf8_lossy(&output.stderr);
        Err(SourcesError::Git { reason: said.lines().next().unwrap_or("without an error message").to_owned() })
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
