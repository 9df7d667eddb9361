//! Deterministic zips of functions and layers, named by their SHA-256.

mod contents;
pub(crate) mod elf;
mod error;
pub(crate) mod folder;
mod zip;

use camino::{Utf8Path, Utf8PathBuf};
use miette::Diagnostic;
use plan::artifacts::{Artifact, ArtifactKind};
use sha2::{Digest, Sha256};
use thiserror::Error;

pub use self::zip::{Entry, pack};
use crate::{
    sources::layer::{self, LayerError, LayerFile},
    workspace::Workspace,
};

/// The name of a function's binary in its zip (Lambda developer guide, "Building a custom runtime").
const BOOTSTRAP: &str = "bootstrap";
/// The number of zips of one function or layer that stay below `target/artifacts`.
const KEEP: usize = 5;

/// A zip could not be written.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum ArtifactError {
    /// A file cannot be read or written.
    #[error("failed to access {path}")]
    File {
        /// The file.
        path: Utf8PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The zip cannot be written.
    #[error("failed to zip {name}")]
    Zip {
        /// The function or layer.
        name: String,
        /// The reason.
        source: ::zip::result::ZipError,
    },
    /// A layer's folder cannot be read.
    #[error("failed to zip layer {layer} of {system}")]
    Layer {
        /// The system.
        system: String,
        /// The layer.
        layer: String,
        /// The reason.
        #[diagnostic_source]
        source: LayerError,
    },
}

/// Zips a function's binary as `bootstrap`.
///
/// With `reuse`, a binary that was zipped before is not compressed again. Zips for AWS are never reused: their bytes must not depend
/// on an earlier version of this program or of the zip library.
///
/// # Errors
///
/// When a file cannot be read or written.
pub(crate) fn pack_function(
    workspace: &Workspace,
    system: &str,
    name: &str,
    binary: &Utf8Path,
    reuse: bool,
) -> Result<Artifact, ArtifactError> {
    let content = read(binary)?;
    let note = reuse.then(|| Note::of(workspace, system, name, &content));
    if let Some((path, sha256, zipped)) = note.as_ref().and_then(|note| note.recall(system, name)) {
        let (system, name, unzipped) = (system.to_owned(), name.to_owned(), content.len() as u64);
        return Ok(Artifact { kind: ArtifactKind::Function, system, name, path, sha256, zipped, unzipped });
    }
    let entries = [Entry { name: BOOTSTRAP.to_owned(), executable: true, content }];
    let artifact = store(workspace, ArtifactKind::Function, system, name, &entries)?;
    note.map_or(Ok(()), |note| note.keep(&artifact.sha256))?;
    Ok(artifact)
}

/// A file with the hashes of a function's last binary and of its zip.
struct Note {
    directory: Utf8PathBuf,
    path: Utf8PathBuf,
    binary: String,
}

impl Note {
    fn of(workspace: &Workspace, system: &str, name: &str, binary: &[u8]) -> Self {
        let directory = workspace.artifacts();
        let path = directory.join(format!("{system}-{name}.last"));
        Self { directory, path, binary: hex::encode(Sha256::digest(binary)) }
    }

    /// The zip with its hash and size, if it was made from this binary and is intact.
    fn recall(&self, system: &str, name: &str) -> Option<(Utf8PathBuf, String, u64)> {
        let text = fs_err::read_to_string(&self.path).ok()?;
        let sha256 = text.strip_prefix(&self.binary)?.trim();
        let path = self.directory.join(format!("{system}-{name}-{sha256}.zip"));
        let zip = fs_err::read(&path).ok()?;
        (hex::encode(Sha256::digest(&zip)) == sha256).then(|| (path, sha256.to_owned(), zip.len() as u64))
    }

    fn keep(&self, sha256: &str) -> Result<(), ArtifactError> {
        let text = format!("{} {sha256}", self.binary);
        fs_err::write(&self.path, text).map_err(|source| ArtifactError::File { path: self.path.clone(), source })
    }
}

/// Zips the files of a folder of the workspace, see [`layer::files`].
///
/// # Errors
///
/// When the folder has no files, or a file cannot be read or written.
pub(crate) fn pack_layer(
    workspace: &Workspace,
    system: &str,
    name: &str,
    source: &str,
) -> Result<Artifact, ArtifactError> {
    let files = layer::files(&workspace.root().join(source)).map_err(|source| {
        let (system, layer) = (system.to_owned(), name.to_owned());
        ArtifactError::Layer { system, layer, source }
    })?;
    let entry = |file: LayerFile| {
        let content = read(&file.path)?;
        Ok(Entry { name: file.name, executable: file.executable, content })
    };
    let entries: Vec<_> = files.into_iter().map(entry).collect::<Result<_, ArtifactError>>()?;
    store(workspace, ArtifactKind::Layer, system, name, &entries)
}

fn store(
    workspace: &Workspace,
    kind: ArtifactKind,
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
    if !fs_err::read(&path).is_ok_and(|there| there == zip) {
        // Under another name first: a killed run must not leave half a zip under this name.
        let mut temporary = tempfile::NamedTempFile::new_in(&directory).map_err(file)?;
        std::io::Write::write_all(&mut temporary, &zip).map_err(file)?;
        temporary.persist(&path).map_err(|error| file(error.error))?;
        forget_old(&directory, &format!("{system}-{name}-"), &path);
    }
    let (system, name) = (system.to_owned(), name.to_owned());
    Ok(Artifact { kind, system, name, path, sha256, zipped: zip.len() as u64, unzipped })
}

/// Removes all but the newest zips of one name. A failure is ignored: the zips can be built again.
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
    use base64::{Engine as _, prelude::BASE64_STANDARD};

    use super::*;

    #[test]
    fn a_zip_is_reused_only_while_it_is_intact() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = Utf8Path::from_path(folder.path()).expect("UTF-8").to_owned();
        let workspace = Workspace::with_target(root.clone(), root.join("target"));
        let binary = root.join("binary");
        fs_err::write(&binary, [7; 100]).expect("written");
        let pack = || pack_function(&workspace, "system", "function", &binary, true).expect("packed");
        let first = pack();
        let made = || fs_err::metadata(&first.path).expect("the zip").modified().expect("a time");
        let before = made();
        assert_eq!(pack(), first);
        assert_eq!(made(), before, "it was zipped again");
        fs_err::write(&first.path, "half").expect("written");
        assert_eq!(pack(), first);
        assert_eq!(fs_err::metadata(&first.path).expect("the zip").len(), first.zipped, "half a zip was reused");
    }

    #[test]
    fn a_layer_keeps_the_modes_of_its_files() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = Utf8Path::from_path(folder.path()).expect("UTF-8").to_owned();
        let workspace = Workspace::with_target(root.clone(), root.join("target"));
        fs_err::create_dir_all(root.join("layer/bin")).expect("created");
        for file in ["layer/bin/tool", "layer/data.json", "layer/.DS_Store"] {
            fs_err::write(root.join(file), "1").expect("written");
        }
        fs_err::set_permissions(root.join("layer/bin/tool"), PermissionsExt::from_mode(0o700)).expect("set");
        let artifact = pack_layer(&workspace, "notes", "tools", "layer").expect("packed");
        let mut zip = ::zip::ZipArchive::new(fs_err::File::open(&artifact.path).expect("a zip")).expect("a zip");
        let entries: Vec<_> = (0..zip.len())
            .map(|index| {
                let entry = zip.by_index(index).expect("an entry");
                (entry.name().expect("a name").into_owned(), entry.unix_mode().expect("a mode") & 0o777)
            })
            .collect();
        assert_eq!(entries, [("bin/tool".to_owned(), 0o755), ("data.json".to_owned(), 0o644)]);
    }

    #[test]
    fn a_zip_is_stored_once_under_its_hash_and_old_zips_are_removed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = Utf8Path::from_path(folder.path()).expect("UTF-8").to_owned();
        let workspace = Workspace::with_target(root.clone(), root.join("target"));
        let binary = root.join("binary");
        let mut last = None;
        for round in 0..8_u8 {
            fs_err::write(&binary, [round; 100]).expect("written");
            let pack = |reuse| pack_function(&workspace, "system", "function", &binary, reuse).expect("packed");
            let artifact = pack(false);
            assert_eq!(pack(false), artifact);
            assert!(artifact.path.exists());
            assert_eq!(BASE64_STANDARD.decode(artifact.code_sha256()).map(hex::encode), Ok(artifact.sha256.clone()));
            last = Some(artifact);
        }
        assert_eq!(fs_err::read_dir(workspace.artifacts()).expect("a folder").count(), KEEP);
        assert!(last.is_some_and(|artifact| artifact.path.exists()));
    }
}
