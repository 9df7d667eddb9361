//! Reads stage files.

use camino::Utf8PathBuf;
use miette::Diagnostic;
use model::{
    project::Project,
    stage::{self, Stage},
};
use thiserror::Error;

use crate::workspace::Workspace;

/// A stage could not be read.
#[derive(Debug, Error, Diagnostic)]
pub enum StageError {
    /// There is no file for it.
    #[error("there is no stage `{name}`{}", closest(.name, .known))]
    #[diagnostic(help("choose one of {}, or add {file}", .known.join(", ")))]
    Unknown {
        /// The name that was given.
        name: String,
        /// The existing stages.
        known: Vec<String>,
        /// The file that would define it.
        file: Utf8PathBuf,
    },
    /// The folder or file cannot be read.
    #[error("failed to read {path}")]
    Read {
        /// The folder or file.
        path: Utf8PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The file's content is invalid.
    #[error(transparent)]
    #[diagnostic(help("fix the stage file"))]
    Content(#[from] model::stage::StageError),
}

/// Lists the stages, sorted.
///
/// # Errors
///
/// When the folder cannot be read.
pub(crate) fn names(workspace: &Workspace) -> Result<Vec<String>, StageError> {
    let directory = workspace.stages();
    let read = |source| StageError::Read { path: directory.clone(), source };
    let mut names = Vec::new();
    for entry in directory.read_dir_utf8().map_err(read)? {
        let path = entry.map_err(read)?.into_path();
        if let (Some(stem), Some("yaml")) = (path.file_stem(), path.extension()) {
            names.push(stem.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Reads one stage.
///
/// # Errors
///
/// When there is no such stage, or its file cannot be read or is invalid.
pub(crate) fn load(project: &dyn Project, workspace: &Workspace, name: &str) -> Result<Stage, StageError> {
    let known = names(workspace)?;
    let path = workspace.stages().join(format!("{name}.yaml"));
    let shown = path.strip_prefix(workspace.root()).unwrap_or(&path);
    if !known.iter().any(|candidate| candidate == name) {
        return Err(StageError::Unknown { name: name.to_owned(), known, file: shown.to_owned() });
    }
    let text = fs_err::read_to_string(&path).map_err(|source| StageError::Read { path: path.clone(), source })?;
    Ok(project.stage(name, &text, shown.as_str())?)
}

/// Returns `; did you mean …?` if one of `known` is similar to `name`, otherwise an empty text.
pub(crate) fn closest<S: AsRef<str>>(name: &str, known: &[S]) -> String {
    stage::closest(name, known.iter().map(AsRef::as_ref))
        .map(|candidate| format!("; did you mean `{candidate}`?"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_similar_name_is_suggested() {
        assert_eq!(closest("prd", &["dev", "local", "prod"]), "; did you mean `prod`?");
        assert_eq!(closest("moon", &["dev", "local"]), "");
    }
}
