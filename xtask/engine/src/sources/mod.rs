//! What the workspace was at a commit, and what has changed in it since.

pub mod code;
pub mod fingerprint;
pub mod git;
pub mod templates;

use camino::Utf8PathBuf;
use miette::Diagnostic;
use thiserror::Error;

/// The workspace's history could not be read.
#[derive(Debug, Error, Diagnostic)]
pub enum SourcesError {
    /// git does not start.
    #[error("failed to run git")]
    #[diagnostic(help("install git, or look at the account instead: --online"))]
    NoGit {
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The workspace is no git repository.
    #[error("{directory} is no git repository, so there is nothing to compare with")]
    #[diagnostic(help("look at the account instead: --online"))]
    NoRepository {
        /// The workspace.
        directory: Utf8PathBuf,
    },
    /// No such commit.
    #[error("git knows no commit `{reference}`")]
    #[diagnostic(help("name a branch, a tag or a commit with --against; `git fetch` gets those of others"))]
    UnknownReference {
        /// What was asked for.
        reference: String,
    },
    /// No branch to compare with by default.
    #[error("there is no branch `main`, here or at origin, to compare with")]
    #[diagnostic(help(
        "name a branch, a tag or a commit with --against; in GitHub Actions, check out with `fetch-depth: 0`"
    ))]
    NoMain,
    /// The common ancestor is not there.
    #[error("{branch} and the current commit have no common ancestor{}", if *.shallow { " in this shallow clone" } else { "" })]
    #[diagnostic(help("{}", if *.shallow { "run `git fetch --unshallow`, or in GitHub Actions check out with `fetch-depth: 0`" } else { "name a commit with --against" }))]
    NoMergeBase {
        /// The branch.
        branch: String,
        /// Is the history cut off?
        shallow: bool,
    },
    /// git said something unexpected.
    #[error("git failed: {reason}")]
    Git {
        /// What it said.
        reason: String,
    },
    /// A committed template is no template.
    #[error("failed to read {path} at {commit}: {reason}")]
    #[diagnostic(help(
        "templates are written by `cargo xtask render`; mend the file in that commit, or compare with another: --against"
    ))]
    Template {
        /// The file.
        path: String,
        /// The commit.
        commit: String,
        /// What is wrong, with line and column.
        reason: String,
    },
    /// Cargo cannot tell what depends on what.
    #[error("failed to read the dependency graph: {reason}")]
    Graph {
        /// What is wrong.
        reason: String,
    },
}
