//! Compares or writes the committed templates. `select` selects rendered systems and stacks.
//!
//! Only `write` changes files, all of them below `templates/`.

mod select;
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

pub(crate) use self::select::{Selected, SelectionError, select, select_system};

/// Rendering, or reading or writing templates, failed.
#[derive(Debug, Error, Diagnostic)]
pub enum RenderError {
    /// A system's definition or settings are invalid.
    #[error("failed to render stage {stage}")]
    System {
        /// The stage.
        stage: String,
        /// The reason.
        source: Box<model::template::RenderError>,
    },
    /// A template file cannot be read, written or removed.
    #[error("failed to access {path}")]
    File {
        /// The file or folder.
        path: Utf8PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
}

/// All stacks of the systems.
pub fn stacks_of(systems: &[RenderedSystem]) -> impl Iterator<Item = &RenderedStack> {
    systems.iter().flat_map(|system| &system.stacks)
}

/// The files of a stage's templates, by path relative to `templates/`.
#[must_use]
pub fn files(stage: &Stage, systems: &[RenderedSystem]) -> BTreeMap<Utf8PathBuf, String> {
    stacks_of(systems)
        .map(|stack| {
            let name = format!("{}-{}.yaml", stack.system, stack.stack);
            (Utf8Path::new(&stage.name).join(name), stack.to_yaml())
        })
        .collect()
}

/// The difference between a committed template and the rendered one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Difference {
    /// The template is not committed.
    Missing,
    /// The committed template is no longer rendered.
    Orphaned,
    /// Only the ends of lines differ: the committed template was checked out with carriage returns.
    LineEndings,
    /// The contents differ; holds the difference in the unified format.
    Stale(String),
}

/// Compares the templates below `directory` with `files`, in the folders of `stages` only.
///
/// # Errors
///
/// When a file or folder cannot be read.
pub(crate) fn differences(
    directory: &Utf8Path,
    stages: &[String],
    files: &BTreeMap<Utf8PathBuf, String>,
) -> Result<BTreeMap<Utf8PathBuf, Difference>, RenderError> {
    let mut differences = BTreeMap::new();
    for (path, rendered) in files {
        match fs_err::read_to_string(directory.join(path)) {
            Ok(committed) if committed == *rendered => {}
            Ok(committed) if committed.replace("\r\n", "\n") == *rendered => {
                differences.insert(path.clone(), Difference::LineEndings);
            }
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
            differences.insert(path, Difference::Orphaned);
        }
    }
    Ok(differences)
}

/// Writes `files` below `directory` and removes orphaned templates; returns the differences.
///
/// # Errors
///
/// When a file or folder cannot be read, written or removed.
pub(crate) fn write(
    directory: &Utf8Path,
    stages: &[String],
    files: &BTreeMap<Utf8PathBuf, String>,
) -> Result<BTreeMap<Utf8PathBuf, Difference>, RenderError> {
    let differences = differences(directory, stages, files)?;
    for (path, difference) in &differences {
        let full = directory.join(path);
        let file = |source| RenderError::File { path: full.clone(), source };
        match difference {
            Difference::Orphaned => fs_err::remove_file(&full).map_err(file)?,
            Difference::Missing | Difference::LineEndings | Difference::Stale(_) => {
                if let Some(parent) = full.parent() {
                    fs_err::create_dir_all(parent).map_err(file)?;
                }
                fs_err::write(&full, &files[path]).map_err(file)?;
            }
        }
    }
    Ok(differences)
}

/// The templates in the folders of `stages`, relative to `directory`.
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
    fn writing_leaves_no_differences_and_removes_orphaned_templates() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let directory = Utf8Path::from_path(folder.path()).expect("UTF-8");
        let stages = ["dev".to_owned()];
        let before = files(&[("dev/a.yaml", "a: 1\n"), ("dev/b.yaml", "b: 1\n")]);
        let after = files(&[("dev/a.yaml", "a: 2\n"), ("dev/c.yaml", "c: 1\n")]);

        write(directory, &stages, &before).expect("written");
        let found = differences(directory, &stages, &after).expect("compared");
        assert_eq!(found[Utf8Path::new("dev/b.yaml")], Difference::Orphaned);
        assert_eq!(found[Utf8Path::new("dev/c.yaml")], Difference::Missing);
        let Difference::Stale(text) = &found[Utf8Path::new("dev/a.yaml")] else { panic!("{found:?}") };
        assert!(text.contains("-a: 1\n+a: 2"), "{text}");

        write(directory, &stages, &after).expect("written");
        fs_err::write(directory.join("dev/a.yaml"), "a: 2\r\n").expect("written");
        let found = differences(directory, &stages, &after).expect("compared");
        assert_eq!(found[Utf8Path::new("dev/a.yaml")], Difference::LineEndings);

        write(directory, &stages, &after).expect("written");
        assert_eq!(differences(directory, &stages, &after).expect("compared"), BTreeMap::new());
    }
}
