//! A hash of everything that functions are built from: equal hashes mean equal artifacts, so one run can use what another has built.

use std::{collections::BTreeSet, process::Command};

use camino::{Utf8Component, Utf8Path};
use sha2::{Digest, Sha256};

use super::{SourcesError, git::Git, packages};

/// The files and folders of a workspace that decide the result of every build.
const PATHS: &[&str] = &["Cargo.lock", "Cargo.toml", ".cargo", "rust-toolchain.toml"];

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

/// What is built.
#[derive(Debug, Clone, Default)]
pub(crate) struct Built<'a> {
    /// The packages of the functions.
    pub(crate) packages: BTreeSet<&'a str>,
    /// The folders of the layers, relative to the workspace's root.
    pub(crate) layers: BTreeSet<&'a str>,
}

/// Hashes the sources of the functions and layers as they are on disk, the engine, the compiler's version and `options`, the options of
/// the build.
///
/// # Errors
///
/// When git, cargo or the compiler cannot be run, or a source cannot be read.
pub(crate) fn fingerprint(root: &Utf8Path, built: &Built<'_>, options: &str) -> Result<String, SourcesError> {
    let mut hash = Hash::default();
    hash.add(options);
    hash.add(compiler()?);
    OWN_SOURCES.iter().for_each(|source| hash.add(source));
    let git = Git::around(root)?;
    let packages = packages::closure(root, &built.packages)?;
    let (inside, outside): (Vec<_>, Vec<_>) = built.layers.iter().partition(|layer| is_inside(layer));
    // A package at the root has an empty path.
    let members = packages.members.iter().map(|member| if member.as_str().is_empty() { "." } else { member.as_str() });
    let paths: Vec<_> = PATHS.iter().copied().chain(members).chain(inside.into_iter().copied()).collect();
    for path in git.tracked(&paths)? {
        // A tracked file that was deleted counts as empty.
        hash.add(&path);
        hash.add(fs_err::read(root.join(&path)).unwrap_or_default());
    }
    for (name, (folder, manifest)) in &packages.others {
        hash.add(name);
        hash.add(fs_err::read(manifest).unwrap_or_default());
        hash.add_folder(folder)?;
    }
    for layer in outside {
        hash.add(layer);
        hash.add_folder(&root.join(layer))?;
    }
    Ok(hash.finish())
}

/// Returns whether a path is below the workspace's root.
fn is_inside(path: &str) -> bool {
    let path = Utf8Path::new(path);
    !path.is_absolute() && path.components().all(|component| component != Utf8Component::ParentDir)
}

/// A hash of parts, each with its length.
#[derive(Default)]
struct Hash(Sha256);

impl Hash {
    fn add(&mut self, part: impl AsRef<[u8]>) {
        let part = part.as_ref();
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
    }

    /// Adds the files of a folder outside the workspace. Without a repository around it, all its files but build output count.
    fn add_folder(&mut self, folder: &Utf8Path) -> Result<(), SourcesError> {
        let files = match Git::around(folder) {
            Ok(git) => git.tracked(&["."])?,
            Err(SourcesError::NoRepository { .. }) => files_below(folder, Utf8Path::new("")),
            Err(error) => return Err(error),
        };
        for file in files {
            self.add(&file);
            self.add(fs_err::read(folder.join(&file)).unwrap_or_default());
        }
        Ok(())
    }

    fn finish(self) -> String {
        hex::encode(self.0.finalize())
    }
}

/// The files below `root/folder`, relative to `root` and sorted.
fn files_below(root: &Utf8Path, folder: &Utf8Path) -> Vec<String> {
    let entries = root.join(folder).read_dir_utf8().into_iter().flatten().flatten();
    let mut files = Vec::new();
    for entry in entries.filter(|entry| !matches!(entry.file_name(), "target" | ".git")) {
        let path = folder.join(entry.file_name());
        if entry.path().is_dir() {
            files.extend(files_below(root, &path));
        } else {
            files.push(path.into_string());
        }
    }
    files.sort_unstable();
    files
}

fn compiler() -> Result<String, SourcesError> {
    let output = Command::new("rustc").arg("-vV").output().map_err(|source| SourcesError::NoCompiler { source })?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use camino::Utf8PathBuf;

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

    /// The options of each hash in the tests.
    const OPTIONS: &str = "arm64";

    fn write(root: &Utf8Path, path: &str, text: &str) {
        let path = root.join(path);
        fs_err::create_dir_all(path.parent().expect("a folder")).expect("created");
        fs_err::write(path, text).expect("written");
    }

    fn package(root: &Utf8Path, folder: &str, dependencies: &str) {
        let name = Utf8Path::new(folder).file_name().expect("a name");
        let manifest = format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{dependencies}");
        write(root, &format!("{folder}/Cargo.toml"), &manifest);
        write(root, &format!("{folder}/src/lib.rs"), "");
    }

    /// A repository `repository` with a function, a crate and a layer, beside packages outside it.
    fn example() -> (tempfile::TempDir, Utf8PathBuf) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let all = Utf8Path::from_path(folder.path()).expect("UTF-8").canonicalize_utf8().expect("exists");
        let root = all.join("repository");
        let members = "[workspace]\nresolver = \"3\"\nmembers = [\"lambdas/*\", \"crates/*\"]\n\
                       [patch.crates-io]\nhttp = { path = \"../patched\" }\n";
        write(&root, "Cargo.toml", members);
        package(
            &root,
            "lambdas/notes",
            "[dependencies]\nshared = { path = \"../../crates/shared\" }\n\
             [dev-dependencies]\ntesting = { path = \"../../crates/testing\" }\n",
        );
        package(&root, "lambdas/other", "");
        package(&root, "crates/testing", "");
        package(&root, "crates/shared", "[dependencies]\nelsewhere = { path = \"../../../elsewhere\" }\n");
        package(&all, "elsewhere", "[dependencies]\nfurther = { path = \"../further\" }\n");
        package(&all, "further", "");
        package(&all, "patched", "");
        write(&root, "layers/fonts/font.ttf", "1");
        let initialized = Command::new("git").args(["init", "--quiet"]).current_dir(&root).status();
        assert!(initialized.expect("git").success());
        (folder, root)
    }

    fn hash(root: &Utf8Path, options: &str) -> String {
        let built = Built { packages: ["notes"].into(), layers: ["layers/fonts", "../fonts"].into() };
        fingerprint(root, &built, options).expect("hashed")
    }

    #[test]
    fn every_source_of_the_functions_and_layers_changes_the_hash() {
        let (_folder, root) = example();
        let mut before = hash(&root, OPTIONS);
        assert_eq!(hash(&root, OPTIONS), before);
        assert_ne!(hash(&root, "x86_64"), before);
        for path in [
            "lambdas/notes/src/lib.rs",
            "crates/shared/src/lib.rs",
            "../elsewhere/src/lib.rs",
            "../further/src/lib.rs",
            "../patched/src/lib.rs",
            "layers/fonts/font.ttf",
            "../fonts/font.ttf",
            "rust-toolchain.toml",
        ] {
            write(&root, path, "// changed");
            let after = hash(&root, OPTIONS);
            assert_ne!(after, before, "{path}");
            before = after;
        }
    }

    #[test]
    fn other_files_do_not_change_the_hash() {
        let (_folder, root) = example();
        let before = hash(&root, OPTIONS);
        for path in ["README.md", "lambdas/other/src/lib.rs", "crates/testing/src/lib.rs", "../further/target/x"] {
            write(&root, path, "// changed");
            assert_eq!(hash(&root, OPTIONS), before, "{path}");
        }
    }
}
