//! The workspace at a commit, and its changes since.

pub(crate) mod code;
pub(crate) mod fingerprint;
pub(crate) mod git;
pub(crate) mod templates;

use camino::Utf8PathBuf;
use miette::Diagnostic;
use thiserror::Error;

/// The workspace's history could not be read.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum SourcesError {
    /// git does not start.
    #[error("failed to run git")]
    #[diagnostic(help("install git, or compare with the account: --online"))]
    NoGit {
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The workspace is not in a git repository.
    #[error("{directory} is not in a git repository, so there is no commit to compare with")]
    #[diagnostic(help("compare with the account: --online"))]
    NoRepository {
        /// The workspace.
        directory: Utf8PathBuf,
    },
    /// There is no such commit.
    #[error("git knows no commit `{reference}`")]
    #[diagnostic(help("name a branch, a tag or a commit with --against; `git fetch` gets those of others"))]
    UnknownReference {
        /// The name that was given.
        reference: String,
    },
    /// There is no branch to compare with by default.
    #[error("there is no branch `main`, here or at origin, to compare with")]
    #[diagnostic(help(
        "name a branch, a tag or a commit with --against; in GitHub Actions, check out with `fetch-depth: 0`"
    ))]
    NoMain,
    /// There is no common ancestor.
    #[error("{branch} and the current commit have no common ancestor{}", if *.shallow { " in this shallow clone" } else { "" })]
    #[diagnostic(help("{}", if *.shallow { "run `git fetch --unshallow`, or in GitHub Actions check out with `fetch-depth: 0`" } else { "name a commit with --against" }))]
    NoMergeBase {
        /// The branch.
        branch: String,
        /// Whether the clone is shallow.
        shallow: bool,
    },
    /// git failed.
    #[error("git failed: {reason}")]
    Git {
        /// The first line of its error output.
        reason: String,
    },
    /// A committed template cannot be parsed.
    #[error("failed to read {path} at {commit}: {reason}")]
    #[diagnostic(help(
        "`cargo xtask render` writes templates; compare with a commit whose templates are valid: --against"
    ))]
    Template {
        /// The file.
        path: String,
        /// The commit.
        commit: String,
        /// The reason, with line and column.
        reason: String,
    },
    /// The compiler does not start.
    #[error("failed to run rustc")]
    #[diagnostic(help("install Rust with rustup, or fix PATH"))]
    NoCompiler {
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// Cargo cannot read the workspace.
    #[error("failed to read the dependency graph: {reason}")]
    Graph {
        /// The reason.
        reason: String,
    },
}
