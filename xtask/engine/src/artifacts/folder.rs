//! A folder of artifacts with a list, so that all stages deploy what was built once.

use camino::Utf8Path;
use miette::Diagnostic;
use model::rendered::RenderedSystem;
use plan::artifacts::{Artifact, ArtifactKind, Artifacts};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// The list's name in the folder.
const LIST: &str = "artifacts.json";
/// The version of the list's format.
const FORMAT: u32 = 2;

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

/// The list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listed {
    format_version: u32,
    /// Lambda's name of the instruction set.
    pub(crate) architecture: String,
    /// The hash of the sources; see [`crate::sources::fingerprint`].
    pub(crate) sources: String,
    artifacts: Vec<Listing>,
}

/// One artifact in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listing {
    kind: ArtifactKind,
    system: String,
    name: String,
    /// The binary of a function's zip.
    binary: Option<String>,
    file: String,
    sha256: String,
    zipped: u64,
    unzipped: u64,
}

/// Copies artifacts into a folder and writes its list; artifacts that only an earlier list has are removed.
///
/// # Errors
///
/// When the operating system refuses.
pub(crate) fn write(
    folder: &Utf8Path,
    built: &Artifacts,
    architecture: &str,
    sources: &str,
) -> Result<(), FolderError> {
    let access = |path: &Utf8Path| {
        let path = path.to_string();
        move |source| FolderError::File { path, source }
    };
    fs_err::create_dir_all(folder).map_err(access(folder))?;
    let old = list(folder).map(|listed| listed.artifacts).unwrap_or_default();
    let mut artifacts = Vec::new();
    let functions = built.functions.iter().map(|(binary, artifact)| (Some(binary.clone()), artifact));
    for (binary, artifact) in functions.chain(built.layers.values().map(|artifact| (None, artifact))) {
        let file = artifact.path.file_name().unwrap_or_default().to_owned();
        fs_err::copy(&artifact.path, folder.join(&file)).map_err(access(&artifact.path))?;
        artifacts.push(Listing {
            kind: artifact.kind,
            system: artifact.system.clone(),
            name: artifact.name.clone(),
            binary,
            file,
            sha256: artifact.sha256.clone(),
            zipped: artifact.zipped,
            unzipped: artifact.unzipped,
        });
    }
    for gone in old.iter().filter(|old| !artifacts.iter().any(|new| new.file == old.file)) {
        // Only listed artifacts are deployed, so a file that stays does no harm.
        let _removed = fs_err::remove_file(folder.join(&gone.file));
    }
    let (architecture, sources) = (architecture.to_owned(), sources.to_owned());
    let listed = Listed { format_version: FORMAT, architecture, sources, artifacts };
    let path = folder.join(LIST);
    let text = serde_json::to_string_pretty(&listed).map_err(std::io::Error::other).map_err(access(&path))?;
    fs_err::write(&path, text + "\n").map_err(access(&path))
}

/// Reads the list of a folder.
///
/// # Errors
///
/// When there is none, or it is invalid.
pub(crate) fn list(folder: &Utf8Path) -> Result<Listed, FolderError> {
    let path = folder.join(LIST);
    let text = fs_err::read_to_string(&path).map_err(|source| FolderError::File { path: path.to_string(), source })?;
    let wrong = |reason: String| FolderError::List { path: path.to_string(), reason };
    let listed: Listed = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    if listed.format_version != FORMAT {
        return Err(wrong(format!(
            "its format has version {}, but this xtask reads version {FORMAT}",
            listed.format_version
        )));
    }
    // A list may be downloaded, so its names must not lead out of the folder.
    match listed.artifacts.iter().find(|listing| listing.file.contains(['/', '\\']) || listing.file.starts_with('.')) {
        Some(listing) => Err(wrong(format!("{} is not a file name", listing.file))),
        None => Ok(listed),
    }
}

/// Reads the artifacts of a folder and verifies their hashes.
///
/// # Errors
///
/// When there is no list, or a zip is missing or has changed.
pub(crate) fn read(folder: &Utf8Path) -> Result<Artifacts, FolderError> {
    let mut artifacts = Artifacts::default();
    for listing in list(folder)?.artifacts {
        let path = folder.join(&listing.file);
        let bytes = fs_err::read(&path).map_err(|source| FolderError::File { path: path.to_string(), source })?;
        let actual = hex::encode(Sha256::digest(&bytes));
        if actual != listing.sha256 {
            return Err(FolderError::Changed { file: path.to_string(), actual, expected: listing.sha256 });
        }
        let Listing { kind, system, name, binary, sha256, zipped, unzipped, .. } = listing;
        let artifact = Artifact { kind, system, name, path, sha256, zipped, unzipped };
        match binary {
            Some(binary) => artifacts.functions.insert(binary, artifact),
            None => artifacts.layers.insert((artifact.system.clone(), artifact.name.clone()), artifact),
        };
    }
    Ok(artifacts)
}

/// Checks that a folder has all artifacts of these systems.
///
/// # Errors
///
/// When artifacts are missing.
pub(crate) fn check(folder: &Utf8Path, artifacts: &Artifacts, systems: &[RenderedSystem]) -> Result<(), FolderError> {
    let stacks = systems.iter().flat_map(|system| &system.stacks);
    let missing: Vec<_> = stacks
        .flat_map(|stack| {
            let functions = stack.functions.iter().map(|function| &function.id.binary);
            let functions = functions.filter(|binary| !artifacts.functions.contains_key(*binary)).cloned();
            let layers = stack.layers.iter().map(|layer| (layer.system.clone(), layer.layer.clone()));
            let layers = layers.filter(|layer| !artifacts.layers.contains_key(layer));
            functions.chain(layers.map(|(system, layer)| format!("{system}-{layer}")))
        })
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(FolderError::Missing { folder: folder.to_string(), missing }) }
}

#[cfg(test)]
mod tests {
    use model::example::{Example, NOTES};

    use super::*;
    use crate::{artifacts::pack_function, workspace::Workspace};

    fn built(root: &Utf8Path, content: &[u8]) -> Artifacts {
        let workspace = Workspace::with_target(root.to_owned(), root.join("target"));
        let binary = root.join("binary");
        fs_err::write(&binary, content).expect("written");
        let artifact = pack_function(&workspace, "notes", "api", &binary, false).expect("packed");
        Artifacts { functions: [("notes-api".to_owned(), artifact)].into(), ..Artifacts::default() }
    }

    #[test]
    fn a_zip_that_functions_share_is_found_by_its_binary() {
        let temporary = tempfile::tempdir().expect("a folder");
        let root = Utf8Path::from_path(temporary.path()).expect("UTF-8");
        let folder = root.join("artifacts");
        let stage = Example::stage_named("local");
        let mut systems = Example::systems(&stage);
        systems.retain(|system| system.name == NOTES);
        let functions = systems.iter_mut().flat_map(|system| &mut system.stacks).map(|stack| &mut stack.functions);
        for functions in functions.filter(|functions| !functions.is_empty()) {
            functions[0].id.binary = "worker".to_owned();
            let mut second = functions[0].clone();
            second.id.function = "sweep".to_owned();
            functions.push(second);
        }
        // A binary without the system's name in front of its own.
        let mut built = built(root, b"worker");
        let artifact = built.functions.remove("notes-api").expect("it was built");
        built.functions.insert("worker".to_owned(), artifact);
        write(&folder, &built, "arm64", "from this").expect("written");
        let artifacts = read(&folder).expect("read");
        assert_eq!(artifacts.functions.keys().collect::<Vec<_>>(), ["worker"]);
        check(&folder, &artifacts, &systems).expect("both functions have their zip");
    }

    #[test]
    fn artifacts_are_read_back_unless_their_bytes_changed() {
        let temporary = tempfile::tempdir().expect("a folder");
        let root = Utf8Path::from_path(temporary.path()).expect("UTF-8");
        let folder = root.join("artifacts");
        assert!(matches!(read(&folder), Err(FolderError::File { .. })));
        let old = built(root, b"old");
        write(&folder, &old, "arm64", "from this").expect("written");
        let built = built(root, b"new");
        write(&folder, &built, "arm64", "from that").expect("written");
        let listed = list(&folder).expect("listed");
        assert_eq!((listed.architecture.as_str(), listed.sources.as_str()), ("arm64", "from that"));
        let back = read(&folder).expect("read").functions.remove("notes-api").expect("the function");
        let first = &built.functions["notes-api"];
        assert_eq!((&back.sha256, back.key()), (&first.sha256, first.key()));
        assert_eq!(fs_err::read_dir(&folder).expect("readable").count(), 2, "the old zip is gone");

        fs_err::write(&back.path, "another").expect("written");
        assert!(matches!(read(&folder), Err(FolderError::Changed { .. })));
        let text = fs_err::read_to_string(folder.join(LIST)).expect("readable");
        let name = back.path.file_name().expect("a name");
        fs_err::write(folder.join(LIST), text.replace(name, "../outside.zip")).expect("written");
        assert!(matches!(read(&folder), Err(FolderError::List { .. })));
    }
}
