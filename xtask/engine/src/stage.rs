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
    /// The names of another stage's resources match the patterns of this stage's permissions.
    #[error(
        "stages {longer} and {shorter} are in account {account}, where permissions for `…-{shorter}` or `…-{shorter}-…` would include \
         resources of {longer}; nothing was touched"
    )]
    #[diagnostic(help("rename one of the stages, or move it to another account"))]
    Overlap {
        /// The stage whose name is the other's with a hyphen and more before or after it.
        longer: String,
        /// The other stage.
        shorter: String,
        /// Their account.
        account: String,
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
/// When there is no such stage, its file cannot be read or is invalid, or its name overlaps with that of another stage in its account.
pub(crate) fn load(project: &dyn Project, workspace: &Workspace, name: &str) -> Result<Stage, StageError> {
    let known = names(workspace)?;
    let stage = read(project, workspace, name, &known)?;
    for other in known.iter().filter(|other| overlap(name, other)) {
        if read(project, workspace, other, &known)?.account == stage.account {
            let (shorter, longer) =
                if other.len() < name.len() { (other.as_str(), name) } else { (name, other.as_str()) };
            let (longer, shorter) = (longer.to_owned(), shorter.to_owned());
            return Err(StageError::Overlap { longer, shorter, account: stage.account });
        }
    }
    Ok(stage)
}

/// Does one name end with a hyphen and the other, or start with the other and a hyphen? Permissions are limited to names like
/// `<system>-*-<stage>` and `<system>-<stack>-<stage>-*`.
fn overlap(name: &str, other: &str) -> bool {
    let extends = |long: &str, short: &str| {
        long.strip_suffix(short).is_some_and(|rest| rest.ends_with('-'))
            || long.strip_prefix(short).is_some_and(|rest| rest.starts_with('-'))
    };
    extends(name, other) || extends(other, name)
}

fn read(project: &dyn Project, workspace: &Workspace, name: &str, known: &[String]) -> Result<Stage, StageError> {
    let path = workspace.stages().join(format!("{name}.yaml"));
    let shown = path.strip_prefix(workspace.root()).unwrap_or(&path);
    if !known.iter().any(|candidate| candidate == name) {
        return Err(StageError::Unknown { name: name.to_owned(), known: known.to_vec(), file: shown.to_owned() });
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
    use model::example::Example;

    use super::*;

    #[test]
    fn only_a_similar_name_is_suggested() {
        assert_eq!(closest("prd", &["dev", "local", "prod"]), "; did you mean `prod`?");
        assert_eq!(closest("moon", &["dev", "local"]), "");
    }

    #[test]
    fn stages_of_one_account_whose_names_overlap_are_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = Utf8PathBuf::from_path_buf(folder.path().to_owned()).expect("UTF-8");
        let workspace = Workspace::at(root.clone());
        let stages = root.join("stacks/stages");
        fs_err::create_dir_all(&stages).expect("a folder");
        let write = |name: &str, account: &str| {
            let text = format!("account: '{account}'\nregion: eu-central-1\nsystems: {{}}\n");
            fs_err::write(stages.join(format!("{name}.yaml")), text).expect("written");
        };
        let load =
            |name: &str| load(&Example, &workspace, name).map(|stage| stage.name).map_err(|error| error.to_string());
        write("prod", "111122223333");
        write("eu-prod", "444455556666");
        write("preprod", "111122223333");
        assert_eq!((load("prod"), load("eu-prod")), (Ok("prod".to_owned()), Ok("eu-prod".to_owned())));
        write("eu-prod", "111122223333");
        for name in ["prod", "eu-prod"] {
            let error = load(name).expect_err("refused");
            assert!(error.starts_with("stages eu-prod and prod are in account 111122223333"), "{error}");
        }
        write("eu-prod", "444455556666");
        write("prod-eu", "111122223333");
        for name in ["prod", "prod-eu"] {
            let error = load(name).expect_err("refused");
            assert!(error.starts_with("stages prod-eu and prod are in account 111122223333"), "{error}");
        }
        assert_eq!(load("preprod"), Ok("preprod".to_owned()));
    }
}
