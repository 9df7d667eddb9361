//! Formats generated sources, and writes or compares them with the committed files.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Stdio,
};

use camino::{Utf8Path, Utf8PathBuf};
use miette::Diagnostic;
use thiserror::Error;
use tokio::{io::AsyncWriteExt, process::Command};

use super::Sources;

/// The file in the folder that is written by hand.
const HANDWRITTEN: &str = "resource_type.rs";

/// Generated sources cannot be formatted, read or written.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum TreeError {
    /// rustfmt cannot be started.
    #[error("failed to run rustfmt")]
    #[diagnostic(help("install it: `rustup component add rustfmt`"))]
    Rustfmt {
        /// The cause.
        source: std::io::Error,
    },
    /// rustfmt rejects a source.
    #[error("failed to format the generated {path}: {reason}")]
    #[diagnostic(help("fix the generator in xtask/verbs/src/schema: its output is not valid Rust"))]
    Rejected {
        /// The generated file.
        path: String,
        /// rustfmt's message.
        reason: String,
    },
    /// A file cannot be read, written or removed.
    #[error("failed to access {path}")]
    File {
        /// The file or folder.
        path: Utf8PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

/// Formats sources with rustfmt, as `cargo fmt` does in the workspace at `root`.
///
/// # Errors
///
/// When rustfmt cannot be started or rejects a source.
pub(crate) async fn format(sources: Sources, root: &Utf8Path) -> Result<Sources, TreeError> {
    let mut formatted = Sources::new();
    for (path, source) in sources {
        let mut rustfmt = Command::from(engine::process::command("rustfmt"))
            .args(["--edition", "2024", "--config-path", root.as_str()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| TreeError::Rustfmt { source })?;
        let mut stdin = rustfmt.stdin.take();
        let writing = async move {
            if let Some(stdin) = &mut stdin {
                // If rustfmt stops reading, its standard error contains the reason.
                let _ = stdin.write_all(source.as_bytes()).await;
            }
        };
        let ((), output) = tokio::join!(writing, rustfmt.wait_with_output());
        let output = output.map_err(|source| TreeError::Rustfmt { source })?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(TreeError::Rejected { path, reason });
        }
        formatted.insert(path, text);
    }
    Ok(formatted)
}

/// Returns the files in which a folder differs from sources, each with its expected text, or `None` if it should be
/// removed.
///
/// # Errors
///
/// When the folder or a file in it cannot be read.
pub(crate) fn differences<'a>(
    directory: &Utf8Path,
    sources: &'a Sources,
) -> Result<BTreeMap<String, Option<&'a str>>, TreeError> {
    let committed = committed(directory)?;
    let paths: BTreeSet<_> = committed.keys().chain(sources.keys()).cloned().collect();
    let wanted = |path: &String| sources.get(path).map(String::as_str);
    Ok(paths
        .into_iter()
        .filter(|path| committed.get(path).map(String::as_str) != wanted(path))
        .map(|path| {
            let text = wanted(&path);
            (path, text)
        })
        .collect())
}

/// Writes and removes files until a folder has no [`differences`].
///
/// # Errors
///
/// When a file cannot be written or removed.
pub(crate) fn apply(directory: &Utf8Path, differences: &BTreeMap<String, Option<&str>>) -> Result<(), TreeError> {
    for (path, text) in differences {
        let path = directory.join(path);
        let result = match text {
            Some(text) => fs_err::write(&path, text),
            None => fs_err::remove_file(&path),
        };
        result.map_err(|source| TreeError::File { path, source })?;
    }
    Ok(())
}

fn committed(directory: &Utf8Path) -> Result<Sources, TreeError> {
    let failed = |source| TreeError::File { path: directory.to_owned(), source };
    let mut sources = Sources::new();
    for entry in directory.read_dir_utf8().map_err(failed)? {
        let path = entry.map_err(failed)?.into_path();
        let name = path.file_name().unwrap_or_default().to_owned();
        if path.extension() == Some("rs") && name != HANDWRITTEN {
            let text = fs_err::read_to_string(&path).map_err(|source| TreeError::File { path, source })?;
            sources.insert(name, text);
        }
    }
    Ok(sources)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Utf8PathBuf) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = Utf8Path::from_path(folder.path()).expect("UTF-8").to_owned();
        (folder, path)
    }

    #[test]
    fn applying_the_differences_leaves_none() {
        let (_folder, path) = folder();
        for (name, text) in
            [("same.rs", "same"), ("stale.rs", "old"), ("gone.rs", "x"), (HANDWRITTEN, "x"), ("a.txt", "x")]
        {
            fs_err::write(path.join(name), text).expect("written");
        }
        let sources: Sources = [("same.rs", "same"), ("stale.rs", "new"), ("missing.rs", "m")]
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .into();
        let found = differences(&path, &sources).expect("readable");
        let expected = [("gone.rs", None), ("missing.rs", Some("m")), ("stale.rs", Some("new"))];
        assert_eq!(found, expected.map(|(name, text)| (name.to_owned(), text)).into());
        apply(&path, &found).expect("writable");
        assert!(differences(&path, &sources).expect("readable").is_empty());
        assert!(path.join(HANDWRITTEN).exists() && path.join("a.txt").exists());
    }

    #[tokio::test]
    async fn invalid_rust_is_rejected_by_name() {
        let (_folder, path) = folder();
        let sources = Sources::from([("wrong.rs".to_owned(), "pub struct {".to_owned())]);
        let error = format(sources, &path).await.expect_err("not Rust");
        assert!(matches!(error, TreeError::Rejected { path, .. } if path == "wrong.rs"));
    }
}
