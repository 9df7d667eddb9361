//! Finds and reads stage files.

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
    #[diagnostic(help("stages are the files stacks/stages/<stage>.yaml: {}", .known.join(", ")))]
    Unknown {
        /// What was asked for.
        name: String,
        /// The stages there are.
        known: Vec<String>,
    },
    /// The folder or file cannot be read.
    #[error("failed to read {path}")]
    Read {
        /// The folder or file.
        path: Utf8PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The file's content is wrong.
    #[error(transparent)]
    #[diagnostic(help("mend the stage file"))]
    Content(#[from] model::stage::StageError),
}

/// The names of all stages, sorted.
///
/// # Errors
///
/// When the folder cannot be read.
pub fn names(workspace: &Workspace) -> Result<Vec<String>, StageError> {
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
/// When there is no such stage, with the closest one, or its file cannot be read or understood.
pub fn load(project: &dyn Project, workspace: &Workspace, name: &str) -> Result<Stage, StageError> {
    let known = names(workspace)?;
    if !known.iter().any(|candidate| candidate == name) {
        return Err(StageError::Unknown { name: name.to_owned(), known });
    }
    let path = workspace.stages().join(format!("{name}.yaml"));
    let text = fs_err::read_to_string(&path).map_err(|source| StageError::Read { path: path.clone(), source })?;
    let shown = path.strip_prefix(workspace.root()).unwrap_or(&path);
    Ok(project.stage(name, &text, shown.as_str())?)
}

/// `; did you mean …?` when one of `known` is close to `name`, else nothing.
#[must_use]
pub fn closest<S: AsRef<str>>(name: &str, known: &[S]) -> String {
    stage::closest(name, known.iter().map(AsRef::as_ref))
        .map(|candidate| format!("; did you mean `{candidate}`?"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_name_is_offered_and_a_far_one_is_not() {
        assert_eq!(closest("prd", &["dev", "local", "prod"]), "; did you mean `prod`?");
        assert_eq!(closest("moon", &["dev", "local"]), "");
    }
}
