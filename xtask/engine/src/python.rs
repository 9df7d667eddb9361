//! Installs Python programs: each in its own virtual environment under the target directory, with exactly the pinned wheels.
//!
//! It starts none of them. An installation is complete only when its marker exists, so one that was killed is repeated.

use std::{
    fs::File,
    process::{Output, Stdio},
};

use camino::{Utf8Path, Utf8PathBuf};
use miette::Diagnostic;
use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio::process::Command;

use crate::{process, ui::Ui};

/// The oldest Python that all programs support.
const OLDEST: (u32, u32) = (3, 10);
/// The commands that may start a Python, the most usual first.
const CANDIDATES: [&str; 6] = ["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10"];
/// How many lines of a failed program's output an error shows.
const OUTPUT_LINES: usize = 12;

/// A program and its requirements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Program {
    /// Its name.
    pub(crate) name: &'static str,
    /// The prefix of its environment's folder.
    pub(crate) folder: &'static str,
    /// Its wheels and their dependencies, pinned with hashes, in pip's format.
    pub(crate) requirements: &'static str,
}

/// A program could not be installed.
#[derive(Debug, Error, Diagnostic)]
pub enum PythonError {
    /// A file or process operation failed.
    #[error("failed to {action}")]
    #[diagnostic(help("check the folder's permissions and the disk's free space"))]
    Io {
        /// The operation.
        action: &'static str,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// There is no Python.
    #[error("failed to install {program}: there is no Python 3.10 or later; tried {tried}")]
    #[diagnostic(help("install python3 (3.10 or later), or set XTASK_PYTHON to its path"))]
    NoPython {
        /// The program.
        program: &'static str,
        /// The commands tried.
        tried: String,
    },
    /// Every Python is too old.
    #[error("failed to install {program}: there is no Python 3.10 or later; found {found}")]
    #[diagnostic(help("install python3 (3.10 or later), or set XTASK_PYTHON to the path of a newer one"))]
    OldPython {
        /// The program.
        program: &'static str,
        /// The Python and its version.
        found: String,
    },
    /// Python without `venv`, or without the pip that comes with it.
    #[error("failed to create a virtual environment with {python}: {output}")]
    #[diagnostic(help("install Python's venv and pip modules (Debian, Ubuntu: `apt-get install python3-venv`)"))]
    NoVenv {
        /// The interpreter.
        python: String,
        /// Its last lines.
        output: String,
    },
    /// pip failed.
    #[error("failed to install {program} with pip: {output}")]
    #[diagnostic(help("check that pip reaches its package index, then run the command again"))]
    Pip {
        /// The program.
        program: &'static str,
        /// pip's last lines.
        output: String,
    },
}

/// A Python that can run the programs.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Python {
    command: String,
    version: (u32, u32),
}

fn io(action: &'static str) -> impl FnOnce(std::io::Error) -> PythonError {
    move |source| PythonError::Io { action, source }
}

impl Program {
    /// Installs the program unless it is installed, and returns the folder of its environment's commands.
    ///
    /// # Errors
    ///
    /// When there is no Python that is new enough, or venv or pip fails.
    pub(crate) async fn install(&self, target: &Utf8Path, ui: &Ui) -> Result<Utf8PathBuf, PythonError> {
        let python = find_python(self.name, &candidates()).await?;
        let directory = target.join(format!("{}-{}", self.folder, identity(self.requirements, python.version)));
        let (commands, marker) = (directory.join("bin"), directory.join("complete"));
        let is_complete = || marker.exists() && commands.join("python").exists();
        if is_complete() {
            return Ok(commands);
        }
        fs_err::create_dir_all(target).map_err(io("create the target folder"))?;
        let _lock = lock(directory.with_extension("lock")).await.map_err(io("lock the virtual environment"))?;
        // The previous holder of the lock may have installed it.
        if is_complete() {
            return Ok(commands);
        }
        let step = ui.step(format!("Install {}, once", self.name));
        if directory.exists() {
            fs_err::remove_dir_all(&directory).map_err(io("remove an unfinished installation"))?;
        }
        create_environment(&python, &directory).await?;
        self.install_wheels(&directory, &commands.join("python")).await?;
        fs_err::write(&marker, "").map_err(io("mark the installation as complete"))?;
        step.done(&directory);
        Ok(commands)
    }

    async fn install_wheels(&self, directory: &Utf8Path, interpreter: &Utf8Path) -> Result<(), PythonError> {
        let requirements = directory.join("requirements.txt");
        fs_err::write(&requirements, self.requirements).map_err(io("write the requirements"))?;
        let arguments = [
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--no-input",
            "--require-hashes",
            "--only-binary",
            ":all:",
            "--no-deps",
            "-r",
            requirements.as_str(),
        ];
        let installed = run(interpreter.as_str(), &arguments).await.map_err(io("run pip"))?;
        if installed.status.success() {
            return Ok(());
        }
        Err(PythonError::Pip { program: self.name, output: last_output(&installed) })
    }
}

/// Waits for a lock that other processes may hold. It is released when the file is dropped.
async fn lock(path: Utf8PathBuf) -> std::io::Result<File> {
    let locked = tokio::task::spawn_blocking(move || {
        let file = File::create(path)?;
        file.lock()?;
        Ok(file)
    });
    locked.await.map_err(std::io::Error::other).and_then(|locked| locked)
}

async fn create_environment(python: &Python, directory: &Utf8Path) -> Result<(), PythonError> {
    let created = run(&python.command, &["-m", "venv", directory.as_str()]).await;
    let created = created.map_err(io("run Python"))?;
    if created.status.success() {
        return Ok(());
    }
    Err(PythonError::NoVenv { python: python.command.clone(), output: last_output(&created) })
}

/// The commands to try; `XTASK_PYTHON` replaces them.
fn candidates() -> Vec<String> {
    let chosen = std::env::var("XTASK_PYTHON").ok().filter(|command| !command.is_empty());
    chosen.map_or_else(|| CANDIDATES.map(str::to_owned).to_vec(), |command| vec![command])
}

/// Returns the first Python that is new enough.
async fn find_python(program: &'static str, candidates: &[String]) -> Result<Python, PythonError> {
    let mut old = None;
    for command in candidates {
        match version(command).await {
            Some(version) if version >= OLDEST => return Ok(Python { command: command.clone(), version }),
            Some((major, minor)) => old = old.or(Some(format!("{command}, which is {major}.{minor}"))),
            None => {}
        }
    }
    Err(match old {
        Some(found) => PythonError::OldPython { program, found },
        None => PythonError::NoPython { program, tried: candidates.join(", ") },
    })
}

async fn version(command: &str) -> Option<(u32, u32)> {
    let output = run(command, &["-c", "import sys; print('%d.%d' % sys.version_info[:2])"]).await.ok()?;
    if !output.status.success() {
        return None;
    }
    parse_version(&String::from_utf8_lossy(&output.stdout))
}

fn parse_version(printed: &str) -> Option<(u32, u32)> {
    let (major, minor) = printed.trim().split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

async fn run(program: &str, arguments: &[&str]) -> std::io::Result<Output> {
    Command::from(process::command(program)).args(arguments).stdin(Stdio::null()).kill_on_drop(true).output().await
}

/// The identity of an installation: it changes with the pins and with the Python version.
fn identity(requirements: &str, (major, minor): (u32, u32)) -> String {
    let digest = Sha256::digest(format!("{major}.{minor}\n{requirements}"));
    hex::encode(digest).chars().take(12).collect()
}

fn last_output(output: &Output) -> String {
    let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat();
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let last = lines.get(lines.len().saturating_sub(OUTPUT_LINES)..).unwrap_or_default();
    if last.is_empty() { format!("it printed nothing and ended with {}", output.status) } else { last.join("\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: Program = Program { name: "program", folder: "program", requirements: "" };

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(parse_version("3.9\n"), Some((3, 9)));
        assert!(parse_version("3.9").is_some_and(|version| version < OLDEST));
        assert!(parse_version("3.14").is_some_and(|version| version >= OLDEST));
        assert_eq!(parse_version("Python"), None);
    }

    /// Creates a program that prints `text` and ends with `status`. A shell writes it, because a file that this process has open
    /// for writing may be inherited by another test's child process, and then cannot be run.
    fn program(directory: &tempfile::TempDir, text: &str, status: u8) -> String {
        let path = directory.path().join(format!("python-{status}")).to_str().expect("UTF-8").to_owned();
        let script = format!("#!/bin/sh\necho '{text}'\nexit {status}\n");
        let write = ["-c", "printf %s \"$1\" >\"$0\" && chmod +x \"$0\"", path.as_str(), script.as_str()];
        let written = std::process::Command::new("sh").args(write).status().expect("sh is everywhere");
        assert!(written.success());
        path
    }

    #[tokio::test]
    async fn a_missing_or_old_python_is_named_and_a_later_candidate_is_used() {
        let directory = tempfile::tempdir().expect("a temporary folder");
        let (missing, old) = ("xtask-no-such-python".to_owned(), program(&directory, "3.9", 0));
        let error = find_python("program", std::slice::from_ref(&missing)).await.expect_err("there is none");
        assert!(matches!(&error, PythonError::NoPython { tried, .. } if *tried == missing), "{error}");
        let error = find_python("program", &[missing.clone(), old.clone()]).await.expect_err("it is old");
        assert!(matches!(&error, PythonError::OldPython { found, .. } if found.contains("3.9")), "{error}");
        let found =
            find_python("program", &[missing, old, "python3".to_owned()]).await.expect("a Python for the tests");
        assert_eq!(found.command, "python3");
    }

    #[tokio::test]
    async fn the_output_of_venv_and_pip_is_in_the_error() {
        let directory = tempfile::tempdir().expect("a temporary folder");
        let path = Utf8PathBuf::from_path_buf(directory.path().to_path_buf()).expect("UTF-8");
        let python = Python { command: program(&directory, "ensurepip is not available", 1), version: OLDEST };
        let error = create_environment(&python, &path.join("venv")).await.expect_err("it fails").to_string();
        assert!(error.contains("ensurepip is not available"), "{error}");
        let pip = program(&directory, "No matching distribution", 2);
        let error = PROGRAM.install_wheels(&path, Utf8Path::new(&pip)).await.expect_err("it fails").to_string();
        assert!(error.contains("No matching distribution"), "{error}");
    }

    #[test]
    fn the_identity_changes_with_the_pins_and_the_python_version() {
        let one = identity("a==1", (3, 11));
        assert_eq!(one, identity("a==1", (3, 11)));
        assert_ne!(one, identity("a==2", (3, 11)));
        assert_ne!(one, identity("a==1", (3, 12)));
    }

    #[test]
    fn every_requirement_is_pinned_by_hash_and_names_no_index() {
        for program in
            [crate::actionlint::ACTIONLINT, crate::linters::CHECKOV, crate::linters::ZIZMOR, crate::local::MINISTACK]
        {
            let entries = program.requirements.replace("\\\n", " ");
            for entry in entries.lines().filter(|line| !line.starts_with('#')) {
                assert!(entry.contains("==") && entry.contains("--hash=sha256:"), "{entry}");
            }
            assert!(!entries.contains("://"), "{}", program.name);
        }
    }
}
