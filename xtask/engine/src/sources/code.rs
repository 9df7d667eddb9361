//! The binaries whose code has changed since a commit, from the changed files and cargo's dependency graph.
//!
//! A file of a package changes the binaries of that package and of the packages that depend on it. A source file of one binary
//! changes only that binary. A dependency from a registry changes the binaries below which `Cargo.lock` differs.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use camino::Utf8Path;
use cargo_metadata::{Dependency, DependencyKind, Metadata, Package, PackageId};

use super::{
    SourcesError,
    git::{Commit, Git},
    manifests::{Lock, Manifest},
    packages::{self, metadata},
};

/// The binaries whose code has changed, each with the reason.
pub(crate) type Changed = BTreeMap<String, String>;

/// The workspace's binaries compared with a commit.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// The binaries whose code has changed.
    pub(crate) changed: Changed,
    /// Every binary of the workspace's members; `None` where no file has changed.
    pub(crate) binaries: Option<BTreeSet<String>>,
}

/// Finds the binaries of the workspace whose code has changed since a commit.
///
/// # Errors
///
/// When git or cargo fails.
pub(crate) fn changed(git: &Git, commit: &Commit, root: &Utf8Path) -> Result<Comparison, SourcesError> {
    let files = git.changed_since(commit)?;
    // Packages outside the root can only be in its repository if the root is a folder of it.
    if files.is_empty() && git.is_at_top()? {
        return Ok(Comparison::default());
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
    let mut changed = of_files(&files, &metadata, root, manifests.as_ref(), locks.as_ref());
    let mut all = BTreeSet::new();
    let reaches_outside = has_outside_dependency(&metadata);
    for package in members(&metadata) {
        let binaries = package.targets.iter().filter(|target| target.is_bin());
        all.extend(binaries.clone().map(|binary| binary.name.clone()));
        let mut binaries = binaries.peekable();
        // Only then are the manifests outside read.
        if reaches_outside
            && binaries.peek().is_some()
            && let Some(reason) = outside_change(package, &metadata, commit)?
        {
            for binary in binaries {
                changed.entry(binary.name.clone()).or_insert_with(|| reason.clone());
            }
        }
    }
    Ok(Comparison { changed, binaries: Some(all) })
}

/// Does a member depend on a package outside the workspace's root?
fn has_outside_dependency(metadata: &Metadata) -> bool {
    let mut dependencies = metadata.packages.iter().flat_map(|package| &package.dependencies);
    dependencies
        .any(|dependency| dependency.path.as_ref().is_some_and(|path| !path.starts_with(&metadata.workspace_root)))
}

/// The members of the workspace.
fn members(metadata: &Metadata) -> Vec<&Package> {
    let members: BTreeSet<_> = metadata.workspace_members.iter().collect();
    metadata.packages.iter().filter(|package| members.contains(&package.id)).collect()
}

/// Finds a changed file of a package outside the workspace's root that this package is built from. A package in another repository
/// is left out: the commit says nothing about it.
fn outside_change(package: &Package, metadata: &Metadata, commit: &Commit) -> Result<Option<String>, SourcesError> {
    let closure = packages::closure(metadata, &[package.name.as_str()].into())?;
    for (name, (folder, _)) in &closure.others {
        let changed = Git::around(folder).and_then(|git| git.changed_since(commit)).unwrap_or_default();
        if let Some(file) = changed.iter().find(|file| !is_test(file)) {
            return Ok(Some(format!("{file} of {name} changed")));
        }
    }
    Ok(None)
}

fn of_files(
    files: &[String],
    metadata: &Metadata,
    root: &Utf8Path,
    manifests: Option<&(Manifest, Manifest)>,
    locks: Option<&(Lock, Lock)>,
) -> Changed {
    let settings = |file: &str| match file {
        ".cargo/config" | ".cargo/config.toml" | "rust-toolchain" | "rust-toolchain.toml" => true,
        "Cargo.toml" => manifests.is_none_or(|(old, new)| old.rest != new.rest),
        _ => false,
    };
    let everything = files.iter().find(|file| settings(file));
    let changed_files: BTreeSet<&str> = files.iter().map(String::as_str).collect();
    let graph = Graph::of(metadata, root);
    let by_file = if everything.is_none() { graph.changed_by_files(files) } else { BTreeMap::default() };
    let by_dependency = manifests.map(|(old, new)| graph.changed_by_dependencies(old, new)).unwrap_or_default();
    let mut changed = Changed::new();
    for package in &graph.members {
        let shared = || Some(format!("{} changed", by_file.get(&package.id)?));
        let dependency = || Some(format!("Cargo.toml changed ({})", by_dependency.get(&package.id)?));
        let reason = everything
            .map(|file| format!("{file} changed"))
            .or_else(shared)
            .or_else(dependency)
            .or_else(|| locks.and_then(|(old, new)| registry_change(package, old, new)));
        for target in package.targets.iter().filter(|target| target.is_bin()) {
            let own = relative(&target.src_path, root).filter(|path| changed_files.contains(path.as_str()));
            if let Some(reason) = own.map(|path| format!("{path} changed")).or_else(|| reason.clone()) {
                changed.insert(target.name.clone(), reason);
            }
        }
    }
    changed
}

/// The members of a workspace, and which of them are built from which, without development dependencies.
struct Graph<'a> {
    members: Vec<&'a Package>,
    /// The members by folder, relative to the root.
    folders: BTreeMap<String, &'a PackageId>,
    /// The members that depend directly on each member.
    dependents: BTreeMap<&'a PackageId, Vec<&'a PackageId>>,
    /// The source files that belong to one binary, test or benchmark alone.
    own_sources: BTreeSet<String>,
}

impl<'a> Graph<'a> {
    fn of(metadata: &'a Metadata, root: &Utf8Path) -> Self {
        let members = members(metadata);
        let folder = |package: &'a Package| package.manifest_path.parent();
        let by_folder: BTreeMap<_, _> =
            members.iter().filter_map(|member| Some((folder(member)?, &member.id))).collect();
        let mut dependents: BTreeMap<&PackageId, Vec<&PackageId>> = BTreeMap::new();
        for member in &members {
            // A dependency on a member is a path.
            for path in built_from(member).filter_map(|dependency| dependency.path.as_deref()) {
                if let Some(dependency) = by_folder.get(path) {
                    dependents.entry(dependency).or_default().push(&member.id);
                }
            }
        }
        let targets = members.iter().flat_map(|package| &package.targets);
        let own_sources = targets
            .filter(|target| !target.is_lib() && !target.is_custom_build())
            .filter_map(|target| relative(&target.src_path, &metadata.workspace_root));
        let folders = by_folder.into_iter().filter_map(|(folder, id)| Some((relative(folder, root)?, id)));
        Self { folders: folders.collect(), dependents, own_sources: own_sources.collect(), members }
    }

    /// Returns the members that are built from a changed file which does not belong to one binary alone, each with the first such
    /// file.
    fn changed_by_files<'f>(&self, files: &'f [String]) -> BTreeMap<&'a PackageId, &'f str> {
        let mut found = BTreeMap::new();
        let shared = files.iter().filter(|file| !self.own_sources.contains(*file) && !is_test(file));
        for file in shared {
            // A submodule is one path, which may be around packages.
            let around = self.folders.get(file).into_iter().chain(self.below(file));
            let packages: Vec<_> = self.owner(file).into_iter().chain(around.copied()).collect();
            packages.into_iter().for_each(|package| self.reach(package, file.as_str(), &mut found));
        }
        found
    }

    /// Returns the member whose folder is the innermost around a file: a package may lie within another's folder.
    fn owner(&self, file: &str) -> Option<&'a PackageId> {
        let folders = Utf8Path::new(file).ancestors().skip(1);
        folders
            .filter(|folder| !folder.as_str().is_empty())
            .find_map(|folder| self.folders.get(folder.as_str()).copied())
    }

    /// Returns the members in a folder.
    fn below(&self, folder: &str) -> impl Iterator<Item = &&'a PackageId> {
        let prefix = format!("{folder}/");
        let from = self.folders.range(prefix.clone()..);
        from.take_while(move |(folder, _)| folder.starts_with(&prefix)).map(|(_, id)| id)
    }

    /// Returns the members that are built from one with a changed entry of `[workspace.dependencies]`, each with the first such entry.
    fn changed_by_dependencies(&self, old: &Manifest, new: &Manifest) -> BTreeMap<&'a PackageId, &'a str> {
        let mut found = BTreeMap::new();
        for member in &self.members {
            let mut names = built_from(member).map(|dependency| dependency.rename.as_ref().unwrap_or(&dependency.name));
            if let Some(name) = names.find(|name| old.dependencies.get(*name) != new.dependencies.get(*name)) {
                self.reach(&member.id, name.as_str(), &mut found);
            }
        }
        found
    }

    /// Gives a reason to a member and to all that are built from it, unless they have an earlier one.
    fn reach<'r>(&self, member: &'a PackageId, reason: &'r str, found: &mut BTreeMap<&'a PackageId, &'r str>) {
        let mut open = vec![member];
        while let Some(next) = open.pop() {
            // Those that are built from a member with a reason have one as well.
            if let Entry::Vacant(entry) = found.entry(next) {
                entry.insert(reason);
                open.extend(self.dependents.get(next).into_iter().flatten());
            }
        }
    }
}

fn built_from(package: &Package) -> impl Iterator<Item = &Dependency> {
    package.dependencies.iter().filter(|dependency| dependency.kind != DependencyKind::Development)
}

/// Tests, benchmarks and documents are not built into a function.
fn is_test(file: &str) -> bool {
    file.split('/').any(|step| matches!(step, "tests" | "benches" | "tests.rs")) || file.ends_with(".md")
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process;

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
        // Submodules.
        assert_eq!(of("tool"), ["tool"]);
        assert_eq!(of("notes/contract"), ["notes-api", "notes-sweep"]);
        assert_eq!(of("README.md"), [] as [&str; 0]);
        assert_eq!(of("notes/src/api/tests.rs"), [] as [&str; 0]);
    }

    #[test]
    fn a_package_beside_the_workspace_changes_the_binaries_that_are_built_from_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let all = Utf8Path::from_path(folder.path()).expect("UTF-8").canonicalize_utf8().expect("it exists");
        let root = all.join("backend");
        let package = "[package]\nversion = \"0.1.0\"\nedition = \"2024\"\n";
        for (path, text) in [
            ("backend/Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"notes\", \"other\"]\n".to_owned()),
            (
                "backend/notes/Cargo.toml",
                format!("{package}name = \"notes\"\n[dependencies]\nshared = {{ path = \"../../shared\" }}\n"),
            ),
            ("backend/notes/src/main.rs", String::new()),
            ("backend/other/Cargo.toml", format!("{package}name = \"other\"\n")),
            ("backend/other/src/main.rs", String::new()),
            ("shared/Cargo.toml", format!("{package}name = \"shared\"\n")),
            ("shared/src/lib.rs", String::new()),
        ] {
            let path = all.join(path);
            fs_err::create_dir_all(path.parent().expect("a folder")).expect("created");
            fs_err::write(path, text).expect("written");
        }
        for arguments in [
            &["init", "--quiet"][..],
            &["add", "--all"],
            &["-c", "user.name=Test", "-c", "user.email=test@example.com", "commit", "--quiet", "-m", "A commit"],
        ] {
            assert!(process::git_of_test(&all).args(arguments).status().expect("git").success());
        }
        let git = Git::around(&root).expect("a repository");
        let commit = git.commit("HEAD").expect("a commit");
        assert_eq!(changed(&git, &commit, &root).expect("compared").changed, Changed::new());
        fs_err::write(all.join("shared/src/lib.rs"), "// changed").expect("written");
        let reason = "src/lib.rs of shared changed".to_owned();
        let comparison = changed(&git, &commit, &root).expect("compared");
        assert_eq!(comparison.changed, [("notes".to_owned(), reason)].into());
        // A package that is no member has no binary here.
        assert_eq!(comparison.binaries, Some(["notes".to_owned(), "other".to_owned()].into()));
    }
}
