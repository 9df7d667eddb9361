//! Which functions' code has changed since a commit, from the changed files and cargo's dependency graph.
//!
//! A file of a function's own package, or of one it depends on, changes the function; a source file of one binary
//! changes that binary alone; a dependency from a registry changes those whose dependencies in `Cargo.lock` differ.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8Path;
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};
use serde::Deserialize;

use super::{
    SourcesError,
    git::{Commit, Git},
};

/// Binaries whose code has changed, each with why.
pub type Changed = BTreeMap<String, String>;

/// Binaries of the workspace whose code has changed since a commit.
///
/// # Errors
///
/// When git or cargo fail.
pub fn changed(git: &Git, commit: &Commit, root: &Utf8Path) -> Result<Changed, SourcesError> {
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

/// The workspace's own packages: what lies below them is told by `Cargo.lock`, and finding it out takes most of a second.
fn metadata(root: &Utf8Path) -> Result<Metadata, SourcesError> {
    let mut command = MetadataCommand::new();
    command.current_dir(root).no_deps().exec().map_err(|error| SourcesError::Graph { reason: error.to_string() })
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

/// A changed file of the package, or of one in the workspace that it depends on, that is not one binary's own.
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
    // The longest folder wins: a package may lie within another's folder.
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

/// Tests and benchmarks are in no function.
fn is_test(file: &str) -> bool {
    file.split('/').any(|step| matches!(step, "tests" | "benches" | "tests.rs")) || file.ends_with(".md")
}

/// The workspace's packages that one needs to be built, itself included; not what only its tests need.
fn closure<'a>(package: &'a PackageId, metadata: &'a Metadata) -> BTreeSet<&'a PackageId> {
    let packages = metadata.workspace_packages();
    let mut found = BTreeSet::from([package]);
    let mut open = vec![package];
    while let Some(next) = open.pop() {
        let Some(package) = packages.iter().find(|package| package.id == *next) else { continue };
        for dependency in &package.dependencies {
            // Packages of the workspace are depended on by path.
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

/// A changed line of `[workspace.dependencies]` that the package, or one in the workspace that it depends on, uses.
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

/// What of the workspace's `Cargo.toml` matters.
#[derive(Debug, Default)]
struct Manifest {
    dependencies: toml::Table,
    /// Profiles, patches and the like, which change whatever is built.
    rest: toml::Table,
}

impl Manifest {
    fn parse(text: &str) -> Self {
        let mut rest: toml::Table = toml::from_str(text).unwrap_or_default();
        let Some(toml::Value::Table(workspace)) = rest.get_mut("workspace") else {
            return Self { dependencies: toml::Table::new(), rest };
        };
        // Members are told by their own files; lints and metadata are in no function.
        for told_elsewhere in ["members", "default-members", "exclude", "lints", "metadata"] {
            workspace.remove(told_elsewhere);
        }
        let dependencies = workspace.remove("dependencies").and_then(|dependencies| dependencies.try_into().ok());
        Self { dependencies: dependencies.unwrap_or_default(), rest }
    }
}

/// What of `Cargo.lock` matters.
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
    /// A lock file that cannot be read has no packages: then everything differs.
    fn parse(text: &str) -> Self {
        toml::from_str(text).unwrap_or_default()
    }

    /// Every package below one, as `name version` and, in words nobody reads, its checksum.
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
        // The workspace's own packages are told by their files.
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
    fn a_lock_file_s_change_is_told_to_those_below_it() {
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

    #[test]
    fn a_line_of_the_workspace_s_manifest_changes_those_that_use_it() {
        let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
        let metadata = MetadataCommand::new().current_dir(root).no_deps().exec().expect("metadata");
        let of = |old: &str, new: &str| {
            let manifests = (Manifest::parse(old), Manifest::parse(new));
            of_files(&["Cargo.toml".to_owned()], &metadata, root, Some(&manifests), None)
                .into_keys()
                .collect::<Vec<_>>()
        };
        let text = fs_err::read_to_string(root.join("Cargo.toml")).expect("a manifest");
        assert_eq!(of(&text, &text), [] as [&str; 0]);
        let clap = text.replacen("\nclap = ", "\nclap_of_old = ", 1);
        assert_eq!(of(&clap, &text), ["xtask"]);
        let lambda_http = text.replacen("\nlambda_http = ", "\nlambda_http_of_old = ", 1);
        let users = of(&lambda_http, &text);
        assert!(users.contains(&"photos-upload".to_owned()) && !users.contains(&"xtask".to_owned()), "{users:?}");
        let profile = format!("{text}\n[profile.other]\ninherits = \"release\"\n");
        assert!(of(&text, &profile).len() > 5);
    }

    #[test]
    fn a_shared_crate_changes_its_dependents_and_a_binary_s_source_only_itself() {
        let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
        let metadata = MetadataCommand::new().current_dir(root).no_deps().exec().expect("metadata");
        let of = |file: &str| of_files(&[file.to_owned()], &metadata, root, None, None).into_keys().collect::<Vec<_>>();
        assert_eq!(of("lambdas/photos/src/bin/upload.rs"), ["photos-upload"]);
        assert_eq!(of("lambdas/photos/src/keys.rs").len(), 5);
        let by_common = of("lambdas/common/src/http.rs");
        assert!(by_common.len() >= 5 && !by_common.contains(&"xtask".to_owned()), "{by_common:?}");
        assert_eq!(of("stacks/src/stage.rs"), ["xtask"]);
        assert_eq!(of("README.md"), [] as [&str; 0]);
        assert_eq!(of("lambdas/photos/src/upload/tests.rs"), [] as [&str; 0]);
    }
}
