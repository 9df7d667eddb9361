//! The parts of `Cargo.toml` and `Cargo.lock` that decide a build.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer};

/// The parts of the workspace's `Cargo.toml` that decide a build.
#[derive(Debug, Default)]
pub(super) struct Manifest {
    /// The entries of `[workspace.dependencies]`.
    pub(super) dependencies: toml::Table,
    /// Profiles, patches and other tables, which change every binary.
    pub(super) rest: toml::Table,
}

impl Manifest {
    pub(super) fn parse(text: &str) -> Self {
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
pub(super) struct Lock {
    /// The versions of each package.
    #[serde(default, deserialize_with = "by_name")]
    package: BTreeMap<String, Vec<Locked>>,
}

fn by_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Vec<Locked>>, D::Error> {
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for package in Vec::<Locked>::deserialize(deserializer)? {
        found.entry(package.name.clone()).or_default().push(package);
    }
    Ok(found)
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
    pub(super) fn parse(text: &str) -> Self {
        toml::from_str(text).unwrap_or_default()
    }

    /// Every package below one from a registry, as `name version`. Two packages with different checksums differ.
    pub(super) fn closure(&self, name: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut open = vec![name.to_owned()];
        while let Some(next) = open.pop() {
            let mut words = next.split(' ');
            let (name, version) = (words.next().unwrap_or_default(), words.next());
            let is_wanted = |package: &&Locked| version.is_none_or(|version| package.version == version);
            for package in self.package.get(name).into_iter().flatten().filter(is_wanted) {
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
}
