//! Why a site was not published.

use camino::Utf8PathBuf;
use miette::Diagnostic;
use thiserror::Error;

use super::files::FilesError;
use crate::aws::AwsError;

/// A site was not published.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum SiteError {
    #[error("failed to read {path} of site {site}")]
    Read { site: String, path: Utf8PathBuf, source: std::io::Error },
    /// The folder's content is wrong.
    #[error("failed to publish site {site} from {folder}; none of its files was uploaded")]
    Files {
        site: String,
        folder: Utf8PathBuf,
        #[source]
        #[diagnostic_source]
        source: FilesError,
    },
    /// A stack lacks an output that the site needs.
    #[error("failed to publish site {site}: stack {stack} has no output {output}")]
    #[diagnostic(help("deploy the whole system: `cargo xtask deploy --stage {stage} --system {system}`"))]
    MissingOutput { site: String, stack: String, output: String, stage: Box<str>, system: Box<str> },
    #[error("site {site} was not published: its {files} changed files were not confirmed")]
    #[diagnostic(help("confirm them at a terminal, or run the command with --yes"))]
    NotConfirmed { site: String, files: usize },
    #[error("failed to publish site {site} to bucket {bucket}")]
    #[diagnostic(help("run the same command again: it uploads the remaining files"))]
    Aws { site: String, bucket: String, source: AwsError },
    /// The files of an earlier release no longer exist.
    #[error("failed to restore site {site}: {what} no longer exists")]
    #[diagnostic(help("deploy that release's commit again"))]
    Deleted { site: String, what: String },
}
