//! Renders a stage's systems, and writes or checks the committed templates.
//!
//! Pure but for [`write()`] and [`differences`], which touch nothing outside `templates/`.

pub mod validate;

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};
use miette::Diagnostic;
use model::{
    rendered::{RenderedStack, RenderedSystem},
    stage::Stage,
};
use similar::TextDiff;
use thiserror::Error;

use crate::stage::closest;

/// Rendering or looking at the committed templates failed.
#[derive(Debug, Error, Diagnostic)]
pub enum RenderError {
    /// A system's definition or settings are wrong.
    #[error("failed to render stage {stage}")]
    System {
        /// The stage.
        stage: String,
        /// What is wrong.
        source: Box<model::template::RenderError>,
    },
    /// No such system in this stage.
    #[error("stage {stage} has no system `{system}`{}", closest(.system, .known))]
    #[diagnostic(help("systems of this stage: {}; a system is switched on in the stage file", .known.join(", ")))]
    UnknownSystem {
        /// The stage.
        stage: String,
        /// What was asked for.
        system: String,
        /// What there is.
        known: Vec<String>,
    },
    /// No such stack in what was selected.
    #[error("stage {stage} has no stack `{stack}`{}", closest(.stack, .known))]
    #[diagnostic(help("stacks to choose from: {}", .known.join(", ")))]
    UnknownStack {
        /// The stage.
        stage: String,
        /// What was asked for.
        stack: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A template file cannot be read, written or removed.
    #[error("failed to access {path}")]
    File {
        /// The file or folder.
        path: Utf8PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
}

/// Keeps only the named system and stack; `None` keeps all.
///
/// A stack is named within its system (`api`) or in full (`photos-api-dev`).
///
/// # Errors
///
/// When the stage has no such system or stack, with the closest name.
pub fn select(
    stage: &Stage,
    systems: Vec<RenderedSystem>,
    system: Option<&str>,
    stack: Option<&str>,
) -> Result<Vec<RenderedSystem>, RenderError> {
    let mut selected = match system {
        None => systems,
        Some(name) => {
            let known = systems.iter().map(|system| system.name.clone()).collect();
            let found: Vec<_> = systems.into_iter().filter(|system| system.name == name).collect();
            if found.is_empty() {
                return Err(RenderError::UnknownSystem { stage: stage.name.clone(), system: name.to_owned(), known });
            }
            found
        }
    };
    if let Some(name) = stack {
        let known: Vec<_> = stacks_of(&selected).map(|stack| stack.stack.clone()).collect();
        for system in &mut selected {
            system.stacks.retain(|stack| stack.stack == name || stack.name == name);
        }
        selected.retain(|system| !system.stacks.is_empty());
        if selected.is_empty() {
            return Err(RenderError::UnknownStack { stage: stage.name.clone(), stack: name.to_owned(), known });
        }
    }
    Ok(selected)
}

/// All stacks of some systems.
pub fn stacks_of(systems: &[RenderedSystem]) -> impl Iterator<Item = &RenderedStack> {
    systems.iter().flat_map(|system| &system.stacks)
}

/// The files that a stage's templates are committed as, by path relative to `templates/`.
#[must_use]
pub fn files(stage: &Stage, systems: &[RenderedSystem]) -> BTreeMap<Utf8PathBuf, String> {
    stacks_of(systems)
        .map(|stack| {
            let name = format!("{}-{}.yaml", stack.system, stack.stack);
            (Utf8Path::new(&stage.name).join(name), stack.to_yaml())
        })
        .collect()
}

/// What a committed template is, compared with what would be rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// Rendered, but not committed.
    Missing,
    /// Committed, but no longer rendered.
    Left,
    /// Both, and not the same; holds the difference in the unified format.
    Stale(String),
}

/// How the templates under `directory` differ from `files`; looks only into the folders of `stages`.
///
/// # Errors
///
/// When a file or folder cannot be read.
pub fn differences(
    directory: &Utf8Path,
    stages: &[String],
    files: &BTreeMap<Utf8PathBuf, String>,
) -> Result<BTreeMap<Utf8PathBuf, Difference>, RenderError> {
    let mut differences = BTreeMap::new();
    for (path, rendered) in files {
        match fs_err::read_to_string(directory.join(path)) {
            Ok(committed) if committed == *rendered => {}
            Ok(committed) => {
                let difference = TextDiff::from_lines(&committed, rendered)
                    .unified_diff()
                    .header(&format!("committed {path}"), &format!("rendered {path}"))
                    .to_string();
                differences.insert(path.clone(), Difference::Stale(difference));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                differences.insert(path.clone(), Difference::Missing);
            }
            Err(source) => return Err(RenderError::File { path: directory.join(path), source }),
        }
    }
    for path in committed(directory, stages)? {
        if !files.contains_key(&path) {
            differences.insert(path, Difference::Left);
        }
    }
    Ok(differences)
}

/// Writes `files` under `directory` and removes what is no longer rendered; returns what changed.
///
/// # Errors
///
/// When a file or folder cannot be read, written or removed.
pub fn write(
    directory: &Utf8Path,
    stages: &[String],
    files: &BTreeMap<Utf8PathBuf, String>,
) -> Result<BTreeMap<Utf8PathBuf, Difference>, RenderError> {
    let differences = differences(directory, stages, files)?;
    for (path, difference) in &differences {
        let full = directory.join(path);
        let file = |source| RenderError::File { path: full.clone(), source };
        match difference {
            Difference::Left => fs_err::remove_file(&full).map_err(file)?,
            Difference::Missing | Difference::Stale(_) => {
                if let Some(parent) = full.parent() {
                    fs_err::create_dir_all(parent).map_err(file)?;
                }
                fs_err::write(&full, &files[path]).map_err(file)?;
            }
        }
    }
    Ok(differences)
}

/// The templates that lie in the folders of `stages`, relative to `directory`.
fn committed(directory: &Utf8Path, stages: &[String]) -> Result<BTreeSet<Utf8PathBuf>, RenderError> {
    let mut found = BTreeSet::new();
    for stage in stages {
        let folder = directory.join(stage);
        let entries = match folder.read_dir_utf8() {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(source) => return Err(RenderError::File { path: folder, source }),
        };
        for entry in entries {
            let entry = entry.map_err(|source| RenderError::File { path: folder.clone(), source })?;
            if entry.path().extension() == Some("yaml") {
                found.insert(Utf8Path::new(stage).join(entry.file_name()));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(entries: &[(&str, &str)]) -> BTreeMap<Utf8PathBuf, String> {
        entries.iter().map(|(path, text)| (Utf8PathBuf::from(*path), (*text).to_owned())).collect()
    }

    #[test]
    fn writing_then_comparing_finds_nothing_and_removes_what_is_left_over() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let directory = Utf8Path::from_path(folder.path()).expect("UTF-8");
        let stages = ["dev".to_owned()];
        let before = files(&[("dev/a.yaml", "a: 1\n"), ("dev/b.yaml", "b: 1\n")]);
        let after = files(&[("dev/a.yaml", "a: 2\n"), ("dev/c.yaml", "c: 1\n")]);

        write(directory, &stages, &before).expect("written");
        let found = differences(directory, &stages, &after).expect("compared");
        assert_eq!(found[Utf8Path::new("dev/b.yaml")], Difference::Left);
        assert_eq!(found[Utf8Path::new("dev/c.yaml")], Difference::Missing);
        let Difference::Stale(text) = &found[Utf8Path::new("dev/a.yaml")] else { panic!("{found:?}") };
        assert!(text.contains("-a: 1\n+a: 2"), "{text}");

        write(directory, &stages, &after).expect("written");
        assert_eq!(differences(directory, &stages, &after).expect("compared"), BTreeMap::new());
    }
}
