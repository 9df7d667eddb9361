//! Why a folder of artifacts cannot be used.

use miette::Diagnostic;
use thiserror::Error;

use super::elf::BinaryError;

/// A folder of artifacts cannot be used.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum FolderError {
    /// A file cannot be read or written.
    #[error("failed to access {path}")]
    File {
        /// The file.
        path: String,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The list is invalid.
    #[error("{path} is not a list of artifacts: {reason}")]
    #[diagnostic(help("build the artifacts again, with --out and an empty folder"))]
    List {
        /// The file.
        path: String,
        /// The reason.
        reason: String,
    },
    /// A zip differs from the one that was built.
    #[error("{file} has changed: its SHA-256 is {actual}, but the list has {expected}; nothing was changed")]
    #[diagnostic(help("build again, or download the artifacts again"))]
    Changed {
        /// The zip.
        file: String,
        /// Its hash.
        actual: String,
        /// The hash in the list.
        expected: String,
    },
    /// A file is not the zip that the list describes.
    #[error("failed to use {file}: it is not an artifact: {reason}; nothing was changed")]
    #[diagnostic(help("build again, or download the artifacts again"))]
    NoArtifact {
        /// The zip.
        file: String,
        /// The reason.
        reason: String,
    },
    /// A binary would not run in the stage.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Binary(#[from] BinaryError),
    /// The artifacts are those of an emulator, or not optimized.
    #[error(
        "the artifacts in {folder} were built {how}, but the functions of stage {stage} run in Lambda; nothing was changed"
    )]
    #[diagnostic(help("build them with `cargo xtask build --stage {stage} --out {folder}`"))]
    Unsuitable {
        /// The folder.
        folder: String,
        /// The stage.
        stage: String,
        /// How they were built.
        how: String,
    },
    /// The artifacts are for another instruction set.
    #[error("the artifacts in {folder} are for {actual}, but stage {stage} runs on {expected}; nothing was changed")]
    #[diagnostic(help("build them with `cargo xtask build --stage {stage} --out {folder}`"))]
    Architecture {
        /// The folder.
        folder: String,
        /// The stage.
        stage: String,
        /// Their instruction set.
        actual: String,
        /// The stage's instruction set.
        expected: String,
    },
    /// The artifacts were built from other sources.
    #[error(
        "failed to use the artifacts in {folder}: they were built from other sources than this checkout ({difference}), but the \
         release would record the commit of this checkout; nothing was changed"
    )]
    #[diagnostic(help("{hint}"))]
    OtherSources {
        /// The folder.
        folder: String,
        /// What differs.
        difference: String,
        /// The repair.
        hint: String,
    },
    /// The folder lacks artifacts that the stage needs.
    #[error("the artifacts in {folder} lack {}; nothing was changed", missing.join(", "))]
    #[diagnostic(help("build them without --system and --function, from this commit"))]
    Missing {
        /// The folder.
        folder: String,
        /// The missing artifacts.
        missing: Vec<String>,
    },
}
