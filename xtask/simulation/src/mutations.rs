//! Deliberate breakages of the engine, each of which a history must find: they prove that the invariants and the workloads notice bugs.
//!
//! Each is a change of a line or a few that compiles and that a tired engineer could make. [`runner`] makes one at a time in a copy of the
//! workspace. A breakage is added to the table of its subject; the test below keeps the table true to the engine's sources.

mod functions;
mod locks;
mod releases;
pub mod runner;
mod stacks;

/// A breakage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mutation {
    /// Its name, for `--only`.
    pub name: &'static str,
    /// What it breaks, in a sentence.
    pub breaks: &'static str,
    /// The file, below the engine's `src`.
    pub file: &'static str,
    /// The text that is replaced. It occurs once in the file.
    pub find: &'static str,
    /// The text instead.
    pub replace: &'static str,
}

/// The folder of the engine's sources in the workspace.
pub const SOURCES: &str = "xtask/engine/src";

/// Returns all breakages.
pub fn all() -> impl Iterator<Item = &'static Mutation> {
    [locks::MUTATIONS, stacks::MUTATIONS, functions::MUTATIONS, releases::MUTATIONS].into_iter().flatten()
}

impl Mutation {
    /// Returns the file in the workspace.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{SOURCES}/{}", self.file)
    }

    /// Makes the change in the file's text; `None` if the text to replace does not occur in it exactly once.
    #[must_use]
    pub fn apply(&self, text: &str) -> Option<String> {
        (text.matches(self.find).count() == 1).then(|| text.replacen(self.find, self.replace, 1))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use camino::Utf8Path;

    use super::*;

    #[test]
    fn every_mutation_changes_one_place_of_the_engine() {
        let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut wrong = Vec::new();
        for mutation in all() {
            let text = fs_err::read_to_string(root.join(mutation.path())).expect("a source of the engine");
            let count = text.matches(mutation.find).count();
            if mutation.apply(&text).is_none_or(|changed| changed == text) {
                wrong.push(format!("{}: its text occurs {count} times in {}", mutation.name, mutation.path()));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn every_mutation_has_a_name_of_its_own_and_a_description() {
        let names: BTreeSet<_> = all().map(|mutation| mutation.name).collect();
        assert_eq!(names.len(), all().count());
        assert!(names.len() >= 18, "{}", names.len());
        for mutation in all() {
            assert!(mutation.breaks.ends_with('.'), "{}", mutation.name);
            assert!(mutation.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{}", mutation.name);
        }
    }

    #[test]
    fn a_text_that_occurs_twice_is_not_changed() {
        let mutation = Mutation { name: "m", breaks: "It breaks.", file: "f.rs", find: "a", replace: "b" };
        assert_eq!(mutation.apply("xax").as_deref(), Some("xbx"));
        assert_eq!(mutation.apply("aa"), None);
        assert_eq!(mutation.apply("x"), None);
    }
}
