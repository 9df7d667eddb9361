//! The local packages that a build consists of: members of the workspace, and packages elsewhere that are dependencies by path.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

use super::SourcesError;
use crate::process;

/// The local packages below some packages.
#[derive(Debug)]
pub(super) struct LocalPackages {
    /// The folders of members, relative to the workspace's root.
    pub(super) members: BTreeSet<Utf8PathBuf>,
    /// The manifests of all members of the workspace.
    pub(super) manifests: BTreeSet<Utf8PathBuf>,
    /// The other packages by name, each with its folder and the manifest of its workspace.
    pub(super) others: BTreeMap<String, (Utf8PathBuf, Utf8PathBuf)>,
}

/// Reads the packages of the workspace at `root`. `Cargo.lock` has the packages of registries; to resolve those takes most of a
/// second.
pub(super) fn metadata(root: &Utf8Path) -> Result<Metadata, SourcesError> {
    let mut command = MetadataCommand::new();
    command.current_dir(root).no_deps();
    process::metadata(&command).map_err(|error| SourcesError::Graph { reason: error.to_string() })
}

/// Returns the local packages that the packages of these names are built from, without development dependencies.
pub(super) fn closure(workspace: &Metadata, names: &BTreeSet<&str>) -> Result<LocalPackages, SourcesError> {
    let mut known = by_folder(workspace);
    let is_named = |package: &Package| names.contains(package.name.as_str());
    let named = known.iter().filter(|(_, (package, _))| is_named(package)).map(|(folder, _)| folder.clone());
    let mut open: Vec<_> = named.chain(patches(&workspace.workspace_root)).collect();
    let manifests = workspace.packages.iter().map(|package| package.manifest_path.clone()).collect();
    let mut found = LocalPackages { members: BTreeSet::new(), manifests, others: BTreeMap::new() };
    let mut seen = BTreeSet::new();
    while let Some(folder) = open.pop() {
        if !seen.insert(folder.clone()) {
            continue;
        }
        if !known.contains_key(&folder) {
            known.extend(by_folder(&metadata(&folder)?));
        }
        let Some((package, manifest)) = known.get(&folder) else { continue };
        let built = package.dependencies.iter().filter(|dependency| dependency.kind != DependencyKind::Development);
        open.extend(built.filter_map(|dependency| dependency.path.clone()));
        match folder.strip_prefix(&workspace.workspace_root) {
            Ok(relative) => drop(found.members.insert(relative.to_owned())),
            Err(_) => drop(found.others.insert(package.name.to_string(), (folder, manifest.clone()))),
        }
    }
    Ok(found)
}

/// The packages of a workspace by folder, each with the workspace's manifest.
fn by_folder(metadata: &Metadata) -> BTreeMap<Utf8PathBuf, (Package, Utf8PathBuf)> {
    let manifest = metadata.workspace_root.join("Cargo.toml");
    let folder = |package: &Package| package.manifest_path.parent().map(Utf8Path::to_owned);
    let packages = metadata.packages.iter().filter_map(|package| Some((folder(package)?, package.clone())));
    packages.map(|(folder, package)| (folder, (package, manifest.clone()))).collect()
}

/// The folders that the workspace's `[patch]` tables name. Which packages they replace is not resolved: they may be part of any
/// build.
fn patches(root: &Utf8Path) -> Vec<Utf8PathBuf> {
    let text = fs_err::read_to_string(root.join("Cargo.toml")).unwrap_or_default();
    let manifest: toml::Table = toml::from_str(&text).unwrap_or_default();
    let sources = manifest.get("patch").and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::values);
    let patches = sources.filter_map(toml::Value::as_table).flat_map(toml::Table::values);
    let paths = patches.filter_map(|patch| patch.get("path")?.as_str());
    paths.filter_map(|path| root.join(path).canonicalize_utf8().ok()).collect()
}
