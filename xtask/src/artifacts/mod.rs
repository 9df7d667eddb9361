//! Deterministic zips of functions and layers, named by their SHA-256.

pub mod folder;
mod zip;

use std::collections::BTreeMap;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use camino::{Utf8Path, Utf8PathBuf};
use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

pub use self::zip::{Entry, pack};
use crate::workspace::Workspace;

/// How many zips of one function or layer stay under `target/artifacts`.
const KEEP: usize = 5;

/// A zip could not be made.
#[derive(Debug, Error, Diagnostic)]
pub enum ArtifactError {
    /// A file cannot be read or written.
    #[error("failed to access {path}")]
    File {
        /// The file.
        path: Utf8PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The zip cannot be written.
    #[error("failed to zip {name}")]
    Zip {
        /// What was being zipped.
        name: String,
        /// Why.
        source: ::zip::result::ZipError,
    },
    /// The layer has no files.
    #[error("layer folder {path} has no files")]
    #[diagnostic(help("put the layer's files there, or mend the folder in the system's definition"))]
    Empty {
        /// The folder.
        path: Utf8PathBuf,
    },
}

/// What an artifact is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A function's `bootstrap`.
    Function,
    /// A layer's files.
    Layer,
}

/// One zip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Artifact {
    /// What it is of.
    pub kind: Kind,
    /// The system it belongs to.
    pub system: String,
    /// The function or layer.
    pub name: String,
    /// Where the zip lies.
    pub path: Utf8PathBuf,
    /// SHA-256 of the zip, in hex.
    pub sha256: String,
    /// Bytes of the zip.
    pub zipped: u64,
    /// Bytes of what is in it.
    pub unzipped: u64,
}

/// Everything that was built.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Artifacts {
    /// Functions by binary.
    pub functions: BTreeMap<String, Artifact>,
    /// Layers by system and name.
    pub layers: BTreeMap<(String, String), Artifact>,
}

impl Artifact {
    /// Its key in the artifact bucket.
    #[must_use]
    pub fn key(&self) -> String {
        format!("artifacts/{}-{}-{}.zip", self.system, self.name, self.sha256)
    }

    /// Its hash as Lambda reports it: `CodeSha256`, base64 of the zip's SHA-256.
    #[must_use]
    pub fn code_sha256(&self) -> String {
        hex::decode(&self.sha256).map(|hash| BASE64_STANDARD.encode(hash)).unwrap_or_default()
    }
}

/// Zips a function's binary as `bootstrap`.
///
/// # Errors
///
/// When a file cannot be read or written.
pub fn pack_function(
    workspace: &Workspace,
    system: &str,
    name: &str,
    binary: &Utf8Path,
) -> Result<Artifact, ArtifactError> {
    let content = read(binary)?;
    let entries = [Entry { name: "bootstrap".to_owned(), executable: true, content }];
    store(workspace, Kind::Function, system, name, &entries)
}

/// Zips all files of a folder of the workspace.
///
/// # Errors
///
/// When the folder is empty, or a file cannot be read or written.
pub fn pack_layer(workspace: &Workspace, system: &str, name: &str, source: &str) -> Result<Artifact, ArtifactError> {
    let folder = workspace.root().join(source);
    let mut entries = Vec::new();
    collect(&folder, "", &mut entries)?;
    if entries.is_empty() {
        return Err(ArtifactError::Empty { path: folder });
    }
    store(workspace, Kind::Layer, system, name, &entries)
}

fn collect(folder: &Utf8Path, prefix: &str, entries: &mut Vec<Entry>) -> Result<(), ArtifactError> {
    let file = |source| ArtifactError::File { path: folder.to_owned(), source };
    for entry in folder.read_dir_utf8().map_err(file)? {
        let entry = entry.map_err(file)?;
        let name = format!("{prefix}{}", entry.file_name());
        if entry.file_type().map_err(file)?.is_dir() {
            collect(entry.path(), &format!("{name}/"), entries)?;
        } else {
            entries.push(Entry { name, executable: false, content: read(entry.path())? });
        }
    }
    Ok(())
}

fn store(
    workspace: &Workspace,
    kind: Kind,
    system: &str,
    name: &str,
    entries: &[Entry],
) -> Result<Artifact, ArtifactError> {
    let unzipped = entries.iter().map(|entry| entry.content.len() as u64).sum();
    let zip = pack(entries).map_err(|source| ArtifactError::Zip { name: format!("{system} {name}"), source })?;
    let sha256 = hex::encode(Sha256::digest(&zip));
    let directory = workspace.artifacts();
    let path = directory.join(format!("{system}-{name}-{sha256}.zip"));
    let file = |source| ArtifactError::File { path: path.clone(), source };
    fs_err::create_dir_all(&directory).map_err(file)?;
    if !path.exists() {
        // Under another name first: a killed run must not leave half a zip under a whole one's name.
        let mut temporary = tempfile::NamedTempFile::new_in(&directory).map_err(file)?;
        std::io::Write::write_all(&mut temporary, &zip).map_err(file)?;
        temporary.persist(&path).map_err(|error| file(error.error))?;
        forget_old(&directory, &format!("{system}-{name}-"), &path);
    }
    let (system, name) = (system.to_owned(), name.to_owned());
    Ok(Artifact { kind, system, name, path, sha256, zipped: zip.len() as u64, unzipped })
}

/// Removes all but the newest zips of one name. They can be built again, so failing to is no failure.
fn forget_old(directory: &Utf8Path, prefix: &str, newest: &Utf8Path) {
    let hash_and_ending = 64 + ".zip".len();
    let Ok(entries) = directory.read_dir_utf8() else { return };
    let mut old: Vec<_> = entries
        .flatten()
        .filter(|entry| entry.file_name().strip_prefix(prefix).is_some_and(|rest| rest.len() == hash_and_ending))
        .filter(|entry| entry.path() != newest)
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.into_path())))
        .collect();
    old.sort();
    for (_, path) in old.iter().rev().skip(KEEP - 1) {
        let _ = fs_err::remove_file(path);
    }
}

fn read(path: &Utf8Path) -> Result<Vec<u8>, ArtifactError> {
    fs_err::read(path).map_err(|source| ArtifactError::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_stored_once_under_its_hash_and_old_ones_go() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = Utf8Path::from_path(folder.path()).expect("UTF-8").to_owned();
        let workspace = Workspace::with_target(root.clone(), root.join("target"));
        let binary = root.join("binary");
        let mut last = None;
        for round in 0..8_u8 {
            fs_err::write(&binary, [round; 100]).expect("written");
            let artifact = pack_function(&workspace, "system", "function", &binary).expect("packed");
            assert_eq!(pack_function(&workspace, "system", "function", &binary).expect("packed"), artifact);
            assert!(artifact.path.exists());
            assert_eq!(BASE64_STANDARD.decode(artifact.code_sha256()).map(hex::encode), Ok(artifact.sha256.clone()));
            last = Some(artifact);
        }
        assert_eq!(fs_err::read_dir(workspace.artifacts()).expect("a folder").count(), KEEP);
        assert!(last.is_some_and(|artifact| artifact.path.exists()));
    }
}
