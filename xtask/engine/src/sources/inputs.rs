//! The inputs of a build that only cargo knows: files outside the packages, and variables that code and build scripts read.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::configuration::Environment;
use crate::process;

/// Inputs with their hashes, so that another run can compare its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Inputs {
    /// Files and folders, relative to the workspace's root where they lie below it. A path that cannot be read has no hash: what
    /// was built from it cannot be compared.
    files: BTreeMap<Utf8PathBuf, Option<String>>,
    /// Variables; those that are not set have no hash.
    variables: BTreeMap<String, Option<String>>,
}

impl Inputs {
    /// Hashes inputs. Variables that cargo sets itself are left out.
    pub(crate) fn hash(
        root: &Utf8Path,
        files: BTreeSet<Utf8PathBuf>,
        variables: BTreeSet<String>,
        environment: &Environment,
    ) -> Self {
        let canonical = root.canonicalize_utf8().unwrap_or_else(|_| root.to_owned());
        let files = files.into_iter().map(|file| {
            let relative = file.strip_prefix(root).or_else(|_| file.strip_prefix(&canonical));
            let relative = relative.map(Utf8Path::to_owned).unwrap_or_else(|_| file.clone());
            let hash = hash_of_path(&root.join(&relative));
            (relative, hash)
        });
        let variables = variables.into_iter().filter(|name| !process::is_set_by_cargo(name));
        let variables = variables.map(|name| {
            let hash = hash_of_variable(&name, environment);
            (name, hash)
        });
        Self { files: files.collect(), variables: variables.collect() }
    }

    /// Returns an input that differs now, in words.
    pub(crate) fn difference(&self, root: &Utf8Path, environment: &Environment) -> Option<String> {
        let is_same =
            |(path, hash): &(&Utf8PathBuf, &Option<String>)| hash.is_some() && **hash == hash_of_path(&root.join(path));
        if let Some((path, _)) = self.files.iter().find(|file| !is_same(file)) {
            return Some(path.to_string());
        }
        let mut variables = self.variables.iter();
        let different = variables.find(|(name, hash)| **hash != hash_of_variable(name, environment));
        different.map(|(name, _)| format!("the variable {name}"))
    }

    /// Returns a file below the workspace's root that differs now. It is a source, unlike the variables and other files of a machine.
    pub(crate) fn different_source(&self, root: &Utf8Path) -> Option<&Utf8Path> {
        let mut sources = self.files.iter().filter(|(path, _)| path.is_relative());
        sources.find(|(path, hash)| **hash != hash_of_path(&root.join(path))).map(|(path, _)| path.as_path())
    }
}

fn hash_of_variable(name: &str, environment: &Environment) -> Option<String> {
    environment.get(name).map(|value| hex::encode(Sha256::digest(value)))
}

/// The hash of a file, or of all files of a folder; `None` if it cannot be read.
fn hash_of_path(path: &Utf8Path) -> Option<String> {
    if !path.is_dir() {
        return fs_err::read(path).ok().map(|bytes| hex::encode(Sha256::digest(bytes)));
    }
    let mut entries = path.read_dir_utf8().ok()?.collect::<Result<Vec<_>, _>>().ok()?;
    entries.sort_by(|left, right| left.file_name().cmp(right.file_name()));
    let mut hash = Sha256::new();
    for entry in entries {
        // A link to a folder is a name only: it may lead to a folder around it.
        let is_link_to_folder = entry.file_type().ok()?.is_symlink() && entry.path().is_dir();
        let content = if is_link_to_folder { String::new() } else { hash_of_path(entry.path())? };
        hash.update(format!("{}\0{content}\0", entry.file_name()));
    }
    Some(hex::encode(hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_folder_or_variable_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let all = Utf8PathBuf::from_path_buf(folder.path().to_owned()).expect("UTF-8");
        let root = all.join("workspace");
        fs_err::create_dir_all(root.join("assets/icons")).expect("created");
        for file in ["workspace/query.sql", "workspace/assets/icons/a.svg", "outside.txt"] {
            fs_err::write(all.join(file), "1").expect("written");
        }
        let environment = |value: &str| Environment::from([("KEY".to_owned(), value.to_owned())]);
        let files = [root.join("query.sql"), root.join("assets"), all.join("outside.txt")];
        let variables = ["KEY", "UNSET", "CARGO_PKG_NAME"].map(str::to_owned);
        let inputs = Inputs::hash(&root, files.into(), variables.into(), &environment("1"));
        let difference = || inputs.difference(&root, &environment("1"));
        assert_eq!(difference(), None);
        assert_eq!(inputs.difference(&root, &environment("2")).as_deref(), Some("the variable KEY"));
        let set = Environment::from([("KEY".to_owned(), "1".to_owned()), ("UNSET".to_owned(), String::new())]);
        assert_eq!(inputs.difference(&root, &set).as_deref(), Some("the variable UNSET"));

        for (changed, named) in [
            ("workspace/assets/icons/b.svg", "assets".to_owned()),
            ("outside.txt", all.join("outside.txt").into_string()),
            ("workspace/query.sql", "query.sql".to_owned()),
        ] {
            let before = fs_err::read(all.join(changed)).ok();
            fs_err::write(all.join(changed), "2").expect("written");
            let is_source = !named.starts_with('/');
            assert_eq!(inputs.different_source(&root).map(Utf8Path::as_str), is_source.then_some(named.as_str()));
            assert_eq!(difference(), Some(named));
            match before {
                Some(before) => fs_err::write(all.join(changed), before).expect("written"),
                None => fs_err::remove_file(all.join(changed)).expect("removed"),
            }
            assert_eq!(difference(), None);
        }
        let text = serde_json::to_string(&inputs).expect("JSON");
        assert_eq!(serde_json::from_str::<Inputs>(&text).expect("inputs"), inputs);
    }

    #[test]
    fn an_input_that_does_not_exist_always_differs() {
        let root = Utf8Path::new("/");
        let inputs = Inputs::hash(root, ["/no/such/file".into()].into(), BTreeSet::new(), &Environment::new());
        assert_eq!(inputs.difference(root, &Environment::new()).as_deref(), Some("no/such/file"));
        assert_eq!(inputs.different_source(root), None, "it is the same on both machines");
    }
}
