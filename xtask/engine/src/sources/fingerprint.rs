//! A hash of everything that functions are built from: equal hashes mean equal artifacts, so one run can use what another has built.
//!
//! It covers what is known without a build: packages, layers, cargo's configuration, the compiler. Cargo alone knows the rest, see
//! [`super::inputs`].

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use sha2::{Digest, Sha256};

use super::{
    SourcesError,
    configuration::{self, Configuration, Environment},
    git::Git,
    layer, packages,
};
use crate::process;

/// The files of a workspace that decide the result of every build.
const FILES: &[&str] = &["Cargo.lock", "Cargo.toml", "rust-toolchain", "rust-toolchain.toml"];

/// The engine's own sources that decide the result of a build. They are part of the program, because the engine need not lie in the
/// workspace that it builds.
const OWN_SOURCES: &[&str] = &[
    include_str!("../artifacts/contents.rs"),
    include_str!("../artifacts/elf.rs"),
    include_str!("../artifacts/error.rs"),
    include_str!("../artifacts/folder.rs"),
    include_str!("../artifacts/mod.rs"),
    include_str!("../artifacts/zip.rs"),
    include_str!("../build/cargo.rs"),
    include_str!("../build/install.rs"),
    include_str!("../build/limits.rs"),
    include_str!("../build/mod.rs"),
    include_str!("../build/requirements.txt"),
    include_str!("../build/toolchain.rs"),
    include_str!("../build/units.rs"),
    include_str!("configuration.rs"),
    include_str!("layer.rs"),
];

/// What is built.
#[derive(Debug, Clone, Default)]
pub(crate) struct Built<'a> {
    /// The packages of the functions.
    pub(crate) packages: BTreeSet<&'a str>,
    /// The folders of the layers, relative to the workspace's root.
    pub(crate) layers: BTreeSet<&'a str>,
    /// Whether the manifests of all members of the workspace count: a build of the whole workspace unifies their features.
    pub(crate) has_all_manifests: bool,
}

/// The hash of the sources of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    /// The SHA-256, in hexadecimal.
    pub(crate) hash: String,
    /// The SHA-256 of the files alone, without the compiler and the settings of the machine.
    pub(crate) content: String,
    /// The files that it covers.
    pub(crate) files: BTreeSet<Utf8PathBuf>,
    /// The folders whose files it covers all.
    pub(crate) folders: BTreeSet<Utf8PathBuf>,
}

/// Hashes the sources of the functions and layers as they are on disk, cargo's configuration, the engine, the compiler's version and
/// `options`, the options of the build.
///
/// # Errors
///
/// When git, cargo or the compiler cannot be run, or a layer cannot be read.
pub(crate) fn fingerprint(
    root: &Utf8Path,
    built: &Built<'_>,
    options: &str,
    environment: &Environment,
) -> Result<Fingerprint, SourcesError> {
    let mut hash = Hash::default();
    hash.add_setting(options);
    hash.add_setting(compiler(root, environment)?);
    OWN_SOURCES.iter().for_each(|source| hash.add_setting(source));
    for (name, value) in configuration::variables(environment) {
        hash.add_setting(name);
        hash.add_setting(value);
    }
    for file in Configuration::around(root, environment).of_build().filter(|file| !file.is_empty()) {
        hash.add_setting(file);
    }
    for file in FILES {
        hash.add_file(file, root.join(file));
    }
    let packages = packages::closure(&packages::metadata(root)?, &built.packages)?;
    for member in &packages.members {
        hash.add_folder(member, &root.join(member))?;
    }
    for manifest in packages.manifests.iter().filter(|_| built.has_all_manifests) {
        hash.add_file(manifest.strip_prefix(root).unwrap_or(manifest).as_str(), manifest.clone());
    }
    for (name, (folder, manifest)) in &packages.others {
        hash.add_file(name, manifest.clone());
        hash.add_folder(Utf8Path::new(name), folder)?;
    }
    for layer in &built.layers {
        hash.add_layer(layer, &root.join(layer))?;
    }
    Ok(Fingerprint {
        hash: hex::encode(hash.all.finalize()),
        content: hex::encode(hash.content.finalize()),
        files: hash.files,
        folders: hash.folders,
    })
}

/// Two hashes of parts, each with its length: of all parts, and of the files alone.
#[derive(Default)]
struct Hash {
    all: Sha256,
    content: Sha256,
    files: BTreeSet<Utf8PathBuf>,
    folders: BTreeSet<Utf8PathBuf>,
}

impl Hash {
    fn add(&mut self, part: impl AsRef<[u8]>) {
        let part = part.as_ref();
        self.add_setting(part);
        self.content.update((part.len() as u64).to_le_bytes());
        self.content.update(part);
    }

    fn add_setting(&mut self, part: impl AsRef<[u8]>) {
        let part = part.as_ref();
        self.all.update((part.len() as u64).to_le_bytes());
        self.all.update(part);
    }

    /// Adds a file. One that does not exist counts as empty: git lists deleted files too.
    fn add_file(&mut self, name: &str, path: Utf8PathBuf) {
        self.add(name);
        if let Ok(content) = fs_err::read(&path) {
            self.add(content);
            self.files.insert(path);
        } else {
            self.add("");
        }
    }

    /// Adds the files of a package that git tracks or would track, in submodules as well. Outside a repository, all its files but
    /// build output count.
    fn add_folder(&mut self, name: &Utf8Path, folder: &Utf8Path) -> Result<(), SourcesError> {
        self.folders.insert(folder.to_owned());
        let files = match Git::around(folder).and_then(|git| git.all_tracked()) {
            Ok(files) => files,
            Err(SourcesError::NoRepository { .. }) => files_below(folder, Utf8Path::new("")),
            Err(error) => return Err(error),
        };
        for file in files {
            self.add_file(name.join(&file).as_str(), folder.join(&file));
        }
        Ok(())
    }

    fn add_layer(&mut self, name: &str, folder: &Utf8Path) -> Result<(), SourcesError> {
        self.folders.insert(folder.to_owned());
        self.add(name);
        for file in layer::files(folder)? {
            self.add([u8::from(file.executable)]);
            self.add_file(&file.name, file.path);
        }
        Ok(())
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

/// The compiler's version, in the toolchain that the workspace selects.
fn compiler(root: &Utf8Path, environment: &Environment) -> Result<String, SourcesError> {
    let program = environment.get("RUSTC").map_or("rustc", String::as_str);
    let output = process::command(program).arg("-vV").current_dir(root).output();
    let output = output.map_err(|source| SourcesError::NoCompiler { source })?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(SourcesError::Compiler { program: program.to_owned(), reason });
    }
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
        // And what decides the compiler's flags and the files of a layer.
        assert_eq!(files.len() + 2, OWN_SOURCES.len());
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
        write(&root, "../fonts/font.ttf", "1");
        initialize(&root);
        (folder, root)
    }

    fn initialize(folder: &Utf8Path) {
        assert!(process::git_of_test(folder).args(["init", "--quiet"]).status().expect("git").success());
    }

    fn hash_in(root: &Utf8Path, options: &str, environment: &[(&str, &str)]) -> String {
        let layers = ["layers/fonts", "../fonts"].into();
        let built = Built { packages: ["notes"].into(), layers, ..Built::default() };
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        fingerprint(root, &built, options, &environment).expect("hashed").hash
    }

    fn hash(root: &Utf8Path, options: &str) -> String {
        hash_in(root, options, &[])
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
            "lambdas/notes/build.rs",
            ".cargo/config.toml",
            "../.cargo/config.toml",
        ] {
            let text = match Utf8Path::new(path).file_name() {
                Some("config.toml") => "[env]\nKEY = \"changed\"",
                Some("rust-toolchain.toml") => "[toolchain]\ncomponents = []",
                _ => "// changed",
            };
            write(&root, path, text);
            let after = hash(&root, OPTIONS);
            assert_ne!(after, before, "{path}");
            before = after;
        }
    }

    #[test]
    fn flags_profiles_and_toolchains_change_the_hash() {
        let (_folder, root) = example();
        let before = hash(&root, OPTIONS);
        for variable in [
            ("RUSTFLAGS", "-g"),
            ("CARGO_ENCODED_RUSTFLAGS", "-g"),
            ("CARGO_BUILD_RUSTFLAGS", "-g"),
            ("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS", "-g"),
            ("CARGO_PROFILE_LAMBDA_OPT_LEVEL", "1"),
            ("RUSTC_WRAPPER", "sccache"),
        ] {
            assert_ne!(hash_in(&root, OPTIONS, &[variable]), before, "{variable:?}");
        }
        assert_eq!(hash_in(&root, OPTIONS, &[("CARGO_TARGET_DIR", "elsewhere"), ("LANG", "C")]), before);
    }

    #[test]
    fn the_files_of_a_submodule_change_the_hash() {
        let (_folder, root) = example();
        // A repository in the folder of a repository is one path to the outer one, as a submodule is.
        initialize(&root.join("crates/shared"));
        let before = hash(&root, OPTIONS);
        write(&root, "crates/shared/src/lib.rs", "// changed");
        assert_ne!(hash(&root, OPTIONS), before);

        write(&root, "lambdas/notes/vendored/code.c", "1");
        initialize(&root.join("lambdas/notes/vendored"));
        let before = hash(&root, OPTIONS);
        write(&root, "lambdas/notes/vendored/code.c", "2");
        assert_ne!(hash(&root, OPTIONS), before);
    }

    #[test]
    fn the_manifest_of_every_member_counts_where_the_whole_workspace_is_selected() {
        let (_folder, root) = example();
        let hash = |has_all_manifests| {
            let built = Built { packages: ["notes"].into(), has_all_manifests, ..Built::default() };
            fingerprint(&root, &built, OPTIONS, &Environment::new()).expect("hashed").hash
        };
        let before = [true, false].map(hash);
        package(&root, "lambdas/other", "[features]\nmore = []\n");
        let after = [true, false].map(hash);
        assert_ne!(after[0], before[0]);
        assert_eq!(after[1], before[1]);
    }

    #[test]
    fn settings_change_the_hash_and_not_that_of_the_content() {
        let (_folder, root) = example();
        let of = |options: &str| {
            let built = Built { packages: ["notes"].into(), layers: ["layers/fonts"].into(), ..Built::default() };
            fingerprint(&root, &built, options, &Environment::new()).expect("hashed")
        };
        let (before, other) = (of(OPTIONS), of("x86_64"));
        assert_ne!(before.hash, other.hash);
        assert_eq!(before.content, other.content);
        write(&root, "layers/fonts/font.ttf", "2");
        assert_ne!(of(OPTIONS).content, before.content);
        let covered = ["lambdas/notes", "crates/shared", "layers/fonts"].map(|folder| root.join(folder));
        assert!(covered.iter().all(|folder| before.folders.contains(folder)), "{:?}", before.folders);
    }

    #[test]
    fn the_sources_need_no_repository() {
        let (_folder, root) = example();
        fs_err::remove_dir_all(root.join(".git")).expect("removed");
        let before = hash(&root, OPTIONS);
        write(&root, "crates/shared/src/lib.rs", "// changed");
        assert_ne!(hash(&root, OPTIONS), before);
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
