//! The binaries whose code has changed since a commit, from the changed files and cargo's dependency graph.
//!
//! A file of a package changes the binaries of that package and of the packages that depend on it. A source file of one binary
//! changes only that binary. A dependency from a registry changes the binaries below which `Cargo.lock` differs.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8Path;
use cargo_metadata::{DependencyKind, Metadata, Package, PackageId};
use serde::Deserialize;

use super::{
    SourcesError,
    git::{Commit, Git},
    packages::metadata,
};

/// The binaries whose code has changed, each with the reason.
pub(crate) type Changed = BTreeMap<String, String>;

/// Finds the binaries of the workspace whose code has changed since a commit.
///
/// # Errors
///
/// When git or cargo fails.
pub(crate) fn changed(git: &Git, commit: &Commit, root: &Utf8Path) -> Result<Changed, SourcesError> {
    let files = git.changed_since(commit)?;
    if files.is_empty() {
        return Ok(Changed::new());
    }
    let metadata = metadata(root)?;
    let manifest = |text: Option<Vec<u8>>| Manifest::parse(&String::from_utf8_lossy(&text.unwrap_or_default()));
    let manifests = if files.iter().any(|file| file == "Cargo.toml") {
        let now = fs_err::read(root.join("Cargo.toml")).ok();
        Some((manifest(git.file(commit, "Cargo.toml")?), manifest(now)))
    } else {
        None
    };
    let lock = |text: Option<Vec<u8>>| Lock::parse(&String::from_utf8_lossy(&text.unwrap_or_default()));
    let locks = if files.iter().any(|file| file == "Cargo.lock") {
        let now = fs_err::read(root.join("Cargo.lock")).ok();
        Some((lock(git.file(commit, "Cargo.lock")?), lock(now)))
    } else {
        None
    };
    Ok(of_files(&files, &metadata, root, manifests.as_ref(), locks.as_ref()))
}

fn of_files(
    files: &[String],
    metadata: &Metadata,
    root: &Utf8Path,
    manifests: Option<&(Manifest, Manifest)>,
    locks: Option<&(Lock, Lock)>,
) -> Changed {
    let settings = |file: &str| match file {
        ".cargo/config.toml" | "rust-toolchain.toml" => true,
        "Cargo.toml" => manifests.is_none_or(|(old, new)| old.rest != new.rest),
        _ => false,
    };
    let everything = files.iter().find(|file| settings(file));
    let folders: BTreeMap<&PackageId, String> = metadata
        .workspace_packages()
        .iter()
        .filter_map(|package| Some((&package.id, relative(package.manifest_path.parent()?, root)?)))
        .collect();
    let mut changed = Changed::new();
    for package in metadata.workspace_packages() {
        let reason = everything
            .map(|file| format!("{file} changed"))
            .or_else(|| shared_file(package, files, metadata, &folders))
            .or_else(|| manifests.and_then(|(old, new)| dependency_change(package, metadata, old, new)))
            .or_else(|| locks.and_then(|(old, new)| registry_change(package, old, new)));
        for target in package.targets.iter().filter(|target| target.is_bin()) {
            let own = relative(&target.src_path, root).filter(|path| files.contains(path));
            if let Some(reason) = own.map(|path| format!("{path} changed")).or_else(|| reason.clone()) {
                changed.insert(target.name.clone(), reason);
            }
        }
    }
    changed
}

/// Finds a changed file of the package, or of a workspace package below it, that does not belong to one binary alone.
fn shared_file(
    package: &Package,
    files: &[String],
    metadata: &Metadata,
    folders: &BTreeMap<&PackageId, String>,
) -> Option<String> {
    let closure = closure(&package.id, metadata);
    let own_sources: BTreeSet<String> = metadata
        .workspace_packages()
        .iter()
        .flat_map(|package| &package.targets)
        .filter(|target| !target.is_lib() && !target.is_custom_build())
        .filter_map(|target| Some(target.src_path.strip_prefix(&metadata.workspace_root).ok()?.as_str().to_owned()))
        .collect();
    let within = |file: &str, folder: &String| file.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    // The innermost folder owns a file: a package may lie within another's folder.
    let owner = |file: &str| {
        folders
            .iter()
            .filter(|(_, folder)| within(file, folder))
            .max_by_key(|(_, folder)| folder.len())
            .map(|(id, _)| *id)
    };
    let counts = |file: &&String| {
        let text = file.as_str();
        !own_sources.contains(text) && !is_test(text) && owner(text).is_some_and(|owner| closure.contains(owner))
    };
    files.iter().find(counts).map(|file| format!("{file} changed"))
}

/// Tests, benchmarks and documents are not built into a function.
fn is_test(file: &str) -> bool {
    file.split('/').any(|step| matches!(step, "tests" | "benches" | "tests.rs")) || file.ends_with(".md")
}

/// The package and the workspace packages that it is built from, without development dependencies.
fn closure<'a>(package: &'a PackageId, metadata: &'a Metadata) -> BTreeSet<&'a PackageId> {
    let packages = metadata.workspace_packages();
    let mut found = BTreeSet::from([package]);
    let mut open = vec![package];
    while let Some(next) = open.pop() {
        let Some(package) = packages.iter().find(|package| package.id == *next) else { continue };
        for dependency in &package.dependencies {
            // A dependency on a workspace package is a path.
            let is_it = |other: &&&Package| {
                dependency.path.is_some() && dependency.path.as_deref() == other.manifest_path.parent()
            };
            let built = dependency.kind != DependencyKind::Development;
            if let Some(other) = packages.iter().find(is_it).filter(|_| built)
                && found.insert(&other.id)
            {
                open.push(&other.id);
            }
        }
    }
    found
}

/// Finds a changed entry of `[workspace.dependencies]` that the package, or a workspace package below it, uses.
fn dependency_change(package: &Package, metadata: &Metadata, old: &Manifest, new: &Manifest) -> Option<String> {
    let closure = closure(&package.id, metadata);
    let built = |kind| kind != DependencyKind::Development;
    let mut used = metadata
        .workspace_packages()
        .into_iter()
        .filter(|package| closure.contains(&package.id))
        .flat_map(|package| &package.dependencies)
        .filter(|dependency| built(dependency.kind))
        .map(|dependency| dependency.rename.as_deref().unwrap_or(&dependency.name));
    let changed = used.find(|name| old.dependencies.get(*name) != new.dependencies.get(*name))?;
    Some(format!("Cargo.toml changed ({changed})"))
}

fn registry_change(package: &Package, old: &Lock, new: &Lock) -> Option<String> {
    let name = package.name.as_str();
    let (before, after) = (old.closure(name), new.closure(name));
    let different = after.symmetric_difference(&before).next()?;
    Some(format!("Cargo.lock changed ({different})"))
}

fn relative(path: &Utf8Path, root: &Utf8Path) -> Option<String> {
    Some(path.strip_prefix(root).ok()?.as_str().to_owned())
}

/// The parts of the workspace's `Cargo.toml` that decide a build.
#[derive(Debug, Default)]
struct Manifest {
    dependencies: toml::Table,
    /// Profiles, patches and other tables, which change every binary.
    rest: toml::Table,
}

impl Manifest {
    fn parse(text: &str) -> Self {
        let mut rest: toml::Table = toml::from_str(text).unwrap_or_default();
        let Some(toml::Value::Table(workspace)) = rest.get_mut("workspace") else {
            return Self { dependencies: toml::Table::new(), rest };
        };
        // Members have files of their own; lints and metadata do not reach a function.
        for irrelevant in ["members", "default-members", "exclude", "lints", "metadata"] {
            workspace.remove(irrelevant);
        }
        let dependencies = workspace.remove("dependencies").and_then(|dependencies| dependencies.try_into().ok());
        Self { dependencies: dependencies.unwrap_or_default(), rest }
    }
}

/// The parts of `Cargo.lock` that decide a build.
#[derive(Debug, Default, Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Locked>,
}

#[derive(Debug, Deserialize)]
struct Locked {
    name: String,
    version: String,
    checksum: Option<String>,
    #[serde(default)]
    dependencies: Vec<String>,
}

impl Lock {
    /// An unreadable lock file has no packages, so that every binary differs.
    fn parse(text: &str) -> Self {
        toml::from_str(text).unwrap_or_default()
    }

    /// Every package below one from a registry, as `name version`. Two packages with different checksums differ.
    fn closure(&self, name: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut open = vec![name.to_owned()];
        while let Some(next) = open.pop() {
            let mut words = next.split(' ');
            let (name, version) = (words.next().unwrap_or_default(), words.next());
            let wanted =
                |package: &&Locked| package.name == name && version.is_none_or(|version| package.version == version);
            for package in self.package.iter().filter(wanted) {
                let checksum = package.checksum.as_deref().unwrap_or("of the workspace");
                if found.insert(format!("{} {} {checksum}", package.name, package.version)) {
                    open.extend(package.dependencies.iter().cloned());
                }
            }
        }
        // Changes of workspace packages are found by their files.
        found.retain(|package| !package.ends_with("of the workspace"));
        found
            .into_iter()
            .map(|package| package.rsplit_once(' ').map_or(package.clone(), |(name, _)| name.to_owned()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_dependency_in_the_lock_file_changes_the_packages_above_it() {
        let lock = |version: &str| {
            Lock::parse(&format!(
                "[[package]]\nname = \"api\"\nversion = \"0.1.0\"\ndependencies = [\"json\"]\n\
                 [[package]]\nname = \"other\"\nversion = \"0.1.0\"\n\
                 [[package]]\nname = \"json\"\nversion = \"{version}\"\nchecksum = \"{version}\"\n"
            ))
        };
        let (old, new) = (lock("1.0.0"), lock("1.0.1"));
        assert_ne!(old.closure("api"), new.closure("api"));
        assert_eq!(old.closure("other"), new.closure("other"));
        assert_eq!(new.closure("api").into_iter().collect::<Vec<_>>(), ["json 1.0.1"]);
    }

    const WORKSPACE: &str = "[workspace]\nresolver = \"3\"\n\
        members = [\"common\", \"notes\", \"notes/contract\", \"photos\", \"tool\"]\n\
        [workspace.dependencies]\ncommon = { path = \"common\" }\nclap = \"4\"\nhttp = \"1\"\n";

    /// A workspace of two systems, a crate that both use, and a tool that uses neither.
    fn workspace() -> (tempfile::TempDir, Metadata) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = Utf8Path::from_path(folder.path()).expect("UTF-8");
        let package = |name: &str, dependencies: &str| {
            format!(
                "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[dependencies]\n{dependencies}"
            )
        };
        for (path, text) in [
            ("Cargo.toml", WORKSPACE.to_owned()),
            ("common/Cargo.toml", package("common", "http.workspace = true\n")),
            ("common/src/lib.rs", String::new()),
            ("notes/Cargo.toml", package("notes", "common.workspace = true\ncontract = { path = \"contract\" }\n")),
            ("notes/src/lib.rs", String::new()),
            ("notes/src/bin/notes-api.rs", String::new()),
            ("notes/src/bin/notes-sweep.rs", String::new()),
            ("notes/contract/Cargo.toml", package("contract", "")),
            ("notes/contract/src/lib.rs", String::new()),
            ("photos/Cargo.toml", package("photos", "common.workspace = true\n")),
            ("photos/src/bin/photos-api.rs", String::new()),
            (
                "tool/Cargo.toml",
                package("tool", "clap.workspace = true\n[dev-dependencies]\ncommon.workspace = true\n"),
            ),
            ("tool/src/main.rs", String::new()),
        ] {
            let path = root.join(path);
            fs_err::create_dir_all(path.parent().expect("a folder")).expect("created");
            fs_err::write(path, text).expect("written");
        }
        let metadata = metadata(root).expect("metadata");
        (folder, metadata)
    }

    #[test]
    fn a_changed_line_of_the_workspace_s_manifest_changes_the_packages_that_use_it() {
        let (_folder, metadata) = workspace();
        let of = |old: &str, new: &str| {
            let manifests = (Manifest::parse(old), Manifest::parse(new));
            let files = ["Cargo.toml".to_owned()];
            let changed = of_files(&files, &metadata, &metadata.workspace_root, Some(&manifests), None);
            changed.into_keys().collect::<Vec<_>>()
        };
        assert_eq!(of(WORKSPACE, WORKSPACE), [] as [&str; 0]);
        assert_eq!(of(&WORKSPACE.replace("clap = \"4\"", "clap = \"3\""), WORKSPACE), ["tool"]);
        let by_http = of(&WORKSPACE.replace("http = \"1\"", "http = \"0.2\""), WORKSPACE);
        assert_eq!(by_http, ["notes-api", "notes-sweep", "photos-api"]);
        let profile = format!("{WORKSPACE}\n[profile.other]\ninherits = \"release\"\n");
        assert_eq!(of(WORKSPACE, &profile), ["notes-api", "notes-sweep", "photos-api", "tool"]);
    }

    #[test]
    fn a_file_changes_the_binaries_that_are_built_from_it() {
        let (_folder, metadata) = workspace();
        let of = |file: &str| {
            let changed = of_files(&[file.to_owned()], &metadata, &metadata.workspace_root, None, None);
            changed.into_keys().collect::<Vec<_>>()
        };
        assert_eq!(of("notes/src/bin/notes-api.rs"), ["notes-api"]);
        assert_eq!(of("notes/src/keys.rs"), ["notes-api", "notes-sweep"]);
        assert_eq!(of("notes/contract/src/lib.rs"), ["notes-api", "notes-sweep"]);
        assert_eq!(of("common/src/http.rs"), ["notes-api", "notes-sweep", "photos-api"]);
        assert_eq!(of("tool/src/args.rs"), ["tool"]);
        assert_eq!(of("README.md"), [] as [&str; 0]);
        assert_eq!(of("notes/src/api/tests.rs"), [] as [&str; 0]);
    }
}
