//! The workspace's folders.

use camino::{Utf8Path, Utf8PathBuf};

use crate::surroundings;

/// The workspace that commands build and deploy.
#[derive(Debug, Clone)]
pub struct Workspace {
    root: Utf8PathBuf,
    target: Utf8PathBuf,
}

/// The workspace could not be found.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("failed to find the workspace's Cargo.toml above {directory}")]
#[diagnostic(help("run the command inside a checkout of the workspace"))]
pub struct WorkspaceError {
    directory: Utf8PathBuf,
}

impl Workspace {
    /// Finds the workspace around the current directory, or around the package that cargo runs.
    ///
    /// # Errors
    ///
    /// When no parent directory holds both a `Cargo.toml` and a `stacks` folder.
    pub fn find() -> Result<Self, WorkspaceError> {
        let here = std::env::current_dir()
            .ok()
            .and_then(|directory| Utf8PathBuf::from_path_buf(directory).ok())
            .unwrap_or_else(|| Utf8PathBuf::from("."));
        let package = std::env::var("CARGO_MANIFEST_DIR").ok().map(Utf8PathBuf::from);
        std::iter::once(here.clone())
            .chain(package)
            .find_map(|start| root_above(&start))
            .map(Self::at)
            .ok_or(WorkspaceError { directory: here })
    }

    /// The workspace at `root`, with its build output in `CARGO_TARGET_DIR` or in `target`.
    #[must_use]
    pub fn at(root: Utf8PathBuf) -> Self {
        // A relative folder is relative to the current directory of cargo.
        let target = match std::env::var("CARGO_TARGET_DIR") {
            Ok(directory) => camino::absolute_utf8(&directory).unwrap_or_else(|_| directory.into()),
            Err(_) => root.join("target"),
        };
        Self::with_target(root, target)
    }

    /// The workspace at `root`, with its build output in `target`.
    #[must_use]
    pub fn with_target(root: Utf8PathBuf, target: Utf8PathBuf) -> Self {
        Self { root, target }
    }

    /// The folder that holds the workspace's `Cargo.toml`.
    #[must_use]
    pub fn root(&self) -> &Utf8Path {
        &self.root
    }

    /// Cargo's target directory, which also holds all other files that are not committed.
    #[must_use]
    pub fn target(&self) -> &Utf8Path {
        &self.target
    }

    /// The folder of the built zips: `target/artifacts`.
    #[must_use]
    pub fn artifacts(&self) -> Utf8PathBuf {
        self.target.join("artifacts")
    }

    /// The folder of the committed templates: `templates`.
    #[must_use]
    pub fn templates(&self) -> Utf8PathBuf {
        self.root.join("templates")
    }

    /// The folder of the stage files: `stacks/stages`, or `XTASK_STAGES`.
    #[must_use]
    pub fn stages(&self) -> Utf8PathBuf {
        surroundings::variable("XTASK_STAGES").map_or_else(|| self.root.join("stacks/stages"), Into::into)
    }
}

fn root_above(start: &Utf8Path) -> Option<Utf8PathBuf> {
    start
        .ancestors()
        .find(|directory| directory.join("Cargo.toml").is_file() && directory.join("stacks/stages").is_dir())
        .map(Utf8Path::to_path_buf)
}
