//! Makes one mutation at a time in a copy of the workspace, and lets `simulate` search for it.
//!
//! The copy and its build output stay in `target/mutations`: a later run rewrites only files that differ, so that cargo compiles little.

use std::{collections::BTreeSet, io, process::Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use engine::{
    process,
    workspace::{Workspace, WorkspaceError},
};
use miette::Diagnostic;
use thiserror::Error;

use super::{Mutation, all};
use crate::report::{Found, Played};

/// The first seed of every search. A mutation's seed is only comparable if all start at the same one.
const FROM: u64 = 1;
/// The folder of the development build.
const PROFILE: &str = "debug";
/// The name of the search without a mutation.
const UNCHANGED: &str = "unchanged";

/// The mutations could not be searched for.
#[derive(Debug, Error, Diagnostic)]
pub enum MutateError {
    /// There is no workspace.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Workspace(#[from] WorkspaceError),
    /// There is no mutation of this name.
    #[error("there is no mutation {name}")]
    #[diagnostic(help("choose one of {}", all().map(|mutation| mutation.name).collect::<Vec<_>>().join(", ")))]
    Unknown {
        /// The name.
        name: String,
    },
    /// Git does not list the workspace's files.
    #[error("failed to list the files of {root} with git: {cause}")]
    #[diagnostic(help("run the command inside a checkout of the workspace, with git installed"))]
    List {
        /// The workspace's folder.
        root: Utf8PathBuf,
        /// The cause.
        cause: String,
    },
    /// A file cannot be read or written.
    #[error("failed to copy the workspace")]
    #[diagnostic(help(
        "check the free space and the permissions of the target folder, then run the same command again"
    ))]
    Copy(#[from] io::Error),
    /// A mutation no longer fits the engine.
    #[error("the text that mutation {name} replaces does not occur exactly once in {path}")]
    #[diagnostic(help("adapt the mutation to the present source, in xtask/simulation/src/mutations"))]
    Outdated {
        /// The mutation's name.
        name: &'static str,
        /// The file.
        path: String,
    },
    /// The engine does not compile.
    #[error("failed to compile the engine: {name}")]
    #[diagnostic(help("fix what cargo reports above; a mutation must compile"))]
    Build {
        /// The mutation's name.
        name: &'static str,
    },
    /// `simulate` ended without a result.
    #[error("failed to play histories: {name}")]
    #[diagnostic(help("read {log}, then run the same command again"))]
    Play {
        /// The mutation's name.
        name: &'static str,
        /// The file with the output.
        log: Utf8PathBuf,
    },
    /// The engine violates an invariant without a mutation, so that a search shows nothing.
    #[error("without a mutation, seed {} violates an invariant: {}", .0.seed, .0.first())]
    #[diagnostic(help("fix that first: run `cargo xtask ci simulate --seed {}`", .0.seed))]
    Unchanged(Found),
}

/// The copy of the workspace.
#[derive(Debug)]
pub struct Runner {
    /// How many histories a search plays at most.
    seeds: u64,
    source: Utf8PathBuf,
    folder: Utf8PathBuf,
}

/// Selects mutations by their names; all if there are none.
///
/// # Errors
///
/// When there is no mutation of a name.
pub fn select(names: &[String]) -> Result<Vec<&'static Mutation>, MutateError> {
    if names.is_empty() {
        return Ok(all().collect());
    }
    let named = |name: &String| {
        let unknown = || MutateError::Unknown { name: name.clone() };
        all().find(|mutation| mutation.name == name).ok_or_else(unknown)
    };
    names.iter().map(named).collect()
}

impl Runner {
    /// Copies the workspace, and lets `simulate` play the same histories without a mutation.
    ///
    /// # Errors
    ///
    /// When the workspace cannot be copied or compiled, or a history violates an invariant.
    pub fn start(seeds: u64) -> Result<Self, MutateError> {
        let workspace = Workspace::find()?;
        let folder = workspace.target().join("mutations");
        let source = folder.join("source");
        copy(workspace.root(), &source)?;
        let runner = Self { seeds, source, folder };
        match runner.play(UNCHANGED)?.found {
            Some(found) => Err(MutateError::Unchanged(found)),
            None => Ok(runner),
        }
    }

    /// Searches for a mutation, and restores the file.
    ///
    /// # Errors
    ///
    /// When the mutation does not fit the file, does not compile, or `simulate` fails.
    pub fn search(&self, mutation: &Mutation) -> Result<Played, MutateError> {
        let path = mutation.path();
        let file = self.source.join(&path);
        let text = fs_err::read_to_string(&file)?;
        let changed = mutation.apply(&text).ok_or(MutateError::Outdated { name: mutation.name, path })?;
        fs_err::write(&file, changed)?;
        let played = self.play(mutation.name);
        fs_err::write(&file, text)?;
        played
    }

    /// Compiles the copy and plays histories until one violates an invariant.
    fn play(&self, name: &'static str) -> Result<Played, MutateError> {
        let target = self.folder.join("target");
        let mut build = process::cargo();
        build.current_dir(&self.source).args(["build", "--quiet", "--ignore-rust-version", "--locked"]);
        build.args(["--package", "simulation", "--bin", "simulate"]);
        build.args(["--target-dir", target.as_str()]);
        // A mutation may leave code and variables that are not used.
        build.env("RUSTFLAGS", "--cap-lints allow");
        if !build.status()?.success() {
            return Err(MutateError::Build { name });
        }
        let (result, log) = (self.folder.join("result.json"), self.folder.join(format!("{name}.log")));
        remove(&result)?;
        let program = target.join(PROFILE).join(format!("simulate{}", std::env::consts::EXE_SUFFIX));
        let mut simulate = process::command(program.as_str());
        simulate.args(["--from", &FROM.to_string(), "--seeds", &self.seeds.to_string(), "--shrink", "0", "--first"]);
        simulate.args(["--result", result.as_str()]).stdout(Stdio::from(fs_err::File::create(&log)?.into_file()));
        // Its exit only says whether there is a violation, and so does the result.
        simulate.status()?;
        let text = fs_err::read_to_string(&result).ok();
        let played = text.and_then(|text| serde_json::from_str(&text).ok());
        played.ok_or(MutateError::Play { name, log })
    }
}

/// Makes `source` a copy of the files that git knows or would add. Files that are the same already stay untouched.
fn copy(root: &Utf8Path, source: &Utf8Path) -> Result<(), MutateError> {
    let files = listed(root)?;
    for file in &files {
        let (from, to) = (root.join(file), source.join(file));
        let content = fs_err::read(&from)?;
        if fs_err::read(&to).is_ok_and(|present| present == content) {
            continue;
        }
        to.parent().map_or(Ok(()), fs_err::create_dir_all)?;
        fs_err::write(&to, content)?;
    }
    remove_others(source, source, &files)?;
    Ok(())
}

fn listed(root: &Utf8Path) -> Result<BTreeSet<Utf8PathBuf>, MutateError> {
    let failed = |cause: String| MutateError::List { root: root.to_owned(), cause };
    let listing = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = process::git(root).args(listing).output().map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    let text = String::from_utf8(output.stdout).map_err(|error| failed(error.to_string()))?;
    let files = text.split('\0').filter(|file| !file.is_empty()).map(Utf8PathBuf::from);
    // Git also lists files that were deleted and not committed.
    Ok(files.filter(|file| root.join(file).is_file()).collect())
}

/// Removes the files below a folder of the copy that the workspace no longer has.
fn remove_others(source: &Utf8Path, folder: &Utf8Path, files: &BTreeSet<Utf8PathBuf>) -> io::Result<()> {
    for entry in folder.read_dir_utf8()? {
        let path = entry?.into_path();
        if path.is_dir() {
            remove_others(source, &path, files)?;
        } else if path.strip_prefix(source).is_ok_and(|file| !files.contains(file)) {
            fs_err::remove_file(&path)?;
        }
    }
    Ok(())
}

fn remove(file: &Utf8Path) -> io::Result<()> {
    match fs_err::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mutations_are_selected_by_name() {
        assert_eq!(select(&[]).expect("all").len(), all().count());
        let one = select(&["skips-probe".to_owned()]).expect("a mutation");
        assert_eq!(one.iter().map(|mutation| mutation.name).collect::<Vec<_>>(), ["skips-probe"]);
        let error = select(&["skips-nothing".to_owned()]).expect_err("no such mutation");
        let help = error.help().map(|help| help.to_string());
        assert!(help.is_some_and(|help| help.contains("skips-probe")), "{error}");
    }

    #[test]
    fn a_copy_has_the_files_that_git_knows_or_would_add_and_no_others() {
        let temporary = tempfile::tempdir().expect("a folder");
        let root = Utf8Path::from_path(temporary.path()).expect("UTF-8").join("root");
        let source = root.join("target/source");
        fs_err::create_dir_all(root.join("src")).expect("a folder");
        let write = |file: &str, text: &str| fs_err::write(root.join(file), text).expect("written");
        write(".gitignore", "/target\n");
        write("src/a.rs", "one");
        write("src/b.rs", "two");
        let git =
            |arguments: &[&str]| assert!(process::git_of_test(&root).args(arguments).status().expect("git").success());
        git(&["init", "--quiet"]);
        git(&["add", "src/a.rs"]);
        copy(&root, &source).expect("copied");
        let written = fs_err::metadata(source.join("src/a.rs")).expect("a file").modified().expect("a time");
        write("src/b.rs", "three");
        write("src/c.rs", "four");
        fs_err::write(source.join("src/left.rs"), "over").expect("written");
        copy(&root, &source).expect("copied");
        let text = |file: &str| fs_err::read_to_string(source.join(file)).ok();
        assert_eq!(text("src/b.rs").as_deref(), Some("three"));
        assert_eq!(text("src/c.rs").as_deref(), Some("four"));
        assert_eq!(text("src/left.rs"), None);
        let now = fs_err::metadata(source.join("src/a.rs")).expect("a file").modified().expect("a time");
        assert_eq!(now, written, "a file that is the same is not written");
        fs_err::remove_file(root.join("src/a.rs")).expect("removed");
        copy(&root, &source).expect("copied");
        assert_eq!(text("src/a.rs"), None);
    }
}
