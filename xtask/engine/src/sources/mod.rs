//! The workspace at a commit, and its changes since.

pub(crate) mod code;
pub(crate) mod configuration;
pub(crate) mod fingerprint;
pub(crate) mod git;
pub(crate) mod inputs;
pub(crate) mod layer;
mod manifests;
mod packages;
pub(crate) mod templates;

use camino::Utf8PathBuf;
use miette::Diagnostic;
use thiserror::Error;

/// The workspace's history could not be read.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum SourcesError {
    /// git does not start.
    #[error("failed to run git")]
    #[diagnostic(help("install git, or add --online to compare with the account"))]
    NoGit {
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The workspace is not in a git repository.
    #[error("{directory} is not in a git repository, so there is no commit to compare with")]
    #[diagnostic(help("add --online to compare with the account"))]
    NoRepository {
        /// The workspace.
        directory: Utf8PathBuf,
    },
    /// There is no such commit.
    #[error("git finds no commit `{reference}`")]
    #[diagnostic(help("pass a branch, a tag or a commit to --against; `git fetch` downloads those at origin"))]
    UnknownReference {
        /// The name that was given.
        reference: String,
    },
    /// There is no branch to compare with by default.
    #[error("there is no branch `main` to compare with, neither here nor at origin")]
    #[diagnostic(help(
        "pass a branch, a tag or a commit to --against; in GitHub Actions, check out with `fetch-depth: 0`"
    ))]
    NoMain,
    /// There is no common ancestor.
    #[error("{branch} and the current commit have no common ancestor{}", if *.shallow { " in this shallow clone" } else { "" })]
    #[diagnostic(help("{}", if *.shallow { "run `git fetch --unshallow`, or in GitHub Actions check out with `fetch-depth: 0`" } else { "pass a commit to --against" }))]
    NoMergeBase {
        /// The branch.
        branch: String,
        /// Whether the clone is shallow.
        shallow: bool,
    },
    /// git failed.
    #[error("git failed: {reason}")]
    Git {
        /// What it printed.
        reason: String,
    },
    /// git trusts no repository of another user (git-config manual, `safe.directory`).
    #[error("git failed: {reason}")]
    #[diagnostic(help("run `{command}` if you trust the folder, then run the same command again"))]
    Untrusted {
        /// What it printed.
        reason: String,
        /// The command that it suggests.
        command: String,
    },
    /// A committed template cannot be parsed.
    #[error("failed to read {path} at {commit}: {reason}")]
    #[diagnostic(help("pass a commit with valid templates to --against"))]
    Template {
        /// The file.
        path: String,
        /// The commit.
        commit: String,
        /// The reason, with line and column.
        reason: String,
    },
    /// A layer's folder cannot be read.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Layer(#[from] layer::LayerError),
    /// The compiler does not start.
    #[error("failed to run rustc")]
    #[diagnostic(help("install Rust with rustup, or correct PATH"))]
    NoCompiler {
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The compiler fails.
    #[error("failed to read the version of {program}: {reason}")]
    #[diagnostic(help("correct the toolchain: rust-toolchain.toml, RUSTC or PATH"))]
    Compiler {
        /// The compiler.
        program: String,
        /// What it printed.
        reason: String,
    },
    /// Cargo cannot read the workspace.
    #[error("failed to read the dependency graph: {reason}")]
    Graph {
        /// The reason.
        reason: String,
    },
}

impl SourcesError {
    /// An error with git's own words.
    fn refusal(reason: String) -> Self {
        let command = reason.lines().find(|line| line.starts_with("git config ")).map(str::to_owned);
        match command {
            Some(command) => Self::Untrusted { reason, command },
            None => Self::Git { reason },
        }
    }
}
