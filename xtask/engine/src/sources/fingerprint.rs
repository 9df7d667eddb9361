//! A hash of everything that functions are built from: equal hashes mean equal artifacts, so one run can use what another has built.

use std::process::Command;

use camino::Utf8Path;
use sha2::{Digest, Sha256};

use super::{SourcesError, git::Git};

/// The files and folders of a workspace that decide the result of a build.
const PATHS: &[&str] = &["Cargo.lock", "Cargo.toml", ".cargo", "rust-toolchain.toml", "lambdas"];

/// The engine's own sources that decide the result of a build. They are part of the program, because the engine need not lie in the
/// workspace that it builds.
const OWN_SOURCES: &[&str] = &[
    include_str!("../artifacts/folder.rs"),
    include_str!("../artifacts/mod.rs"),
    include_str!("../artifacts/zip.rs"),
    include_str!("../build/cargo.rs"),
    include_str!("../build/elf.rs"),
    include_str!("../build/install.rs"),
    include_str!("../build/mod.rs"),
    include_str!("../build/requirements.txt"),
    include_str!("../build/toolchain.rs"),
];

/// Hashes the workspace's sources as they are on disk, the engine, the compiler's version and `options`, the options of the build.
///
/// # Errors
///
/// When git or the compiler cannot be run.
pub(crate) fn fingerprint(root: &Utf8Path, options: &str) -> Result<String, SourcesError> {
    let mut hash = Sha256::new();
    let mut add = |part: &[u8]| {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    };
    add(options.as_bytes());
    add(compiler()?.as_bytes());
    OWN_SOURCES.iter().for_each(|source| add(source.as_bytes()));
    for path in Git::around(root)?.tracked(PATHS)? {
        // A tracked file that was deleted counts as empty.
        let content = fs_err::read(root.join(&path)).unwrap_or_default();
        add(path.as_bytes());
        add(&content);
    }
    Ok(hex::encode(hash.finalize()))
}

fn compiler() -> Result<String, SourcesError> {
    let output = Command::new("rustc").arg("-vV").output().map_err(|source| SourcesError::NoCompiler { source })?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_of_building_and_packing_is_hashed() {
        let sources = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let folders = ["artifacts", "build"].map(|folder| sources.join(folder));
        let files: Vec<_> = folders
            .iter()
            .flat_map(|folder| folder.read_dir_utf8().expect("a readable folder"))
            .map(|entry| fs_err::read_to_string(entry.expect("an entry").path()).expect("a readable source"))
            .collect();
        assert!(files.iter().all(|file| OWN_SOURCES.contains(&file.as_str())), "OWN_SOURCES lacks a file");
        assert_eq!(files.len(), OWN_SOURCES.len());
    }

    #[test]
    fn a_changed_source_and_other_options_change_the_hash() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = Utf8Path::from_path(folder.path()).expect("UTF-8");
        let initialized = Command::new("git").args(["init", "--quiet"]).current_dir(root).status();
        assert!(initialized.expect("git").success());
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs_err::create_dir_all(path.parent().expect("a folder")).expect("created");
            fs_err::write(path, text).expect("written");
        };
        write("lambdas/notes/src/main.rs", "fn main() {}");
        let hash = |options| fingerprint(root, options).expect("hashed");
        let before = hash("arm64");
        assert_eq!(hash("arm64"), before);
        assert_ne!(hash("x86_64"), before);
        write("README.md", "not built");
        assert_eq!(hash("arm64"), before);
        write("lambdas/notes/src/main.rs", "fn main() { todo() }");
        assert_ne!(hash("arm64"), before);
    }
}
