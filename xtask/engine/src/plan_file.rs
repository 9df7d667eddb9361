//! Reads and writes plan files. Their contents and checks are [`plan::file`]'s.

use camino::{Utf8Path, Utf8PathBuf};
use miette::Diagnostic;
use plan::file::{PlanFile, PlanFileError};
use thiserror::Error;

/// A plan file cannot be read or written.
#[derive(Debug, Error, Diagnostic)]
pub enum PlanAccessError {
    /// The operating system refuses.
    #[error("failed to access plan {path}; nothing was touched")]
    #[diagnostic(help("check the path and its permissions"))]
    Access {
        /// The file.
        path: Utf8PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// Its contents cannot be used.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Contents(#[from] PlanFileError),
}

/// Writes a plan file.
///
/// # Errors
///
/// When the operating system refuses.
pub fn write(plan: &PlanFile, path: &Utf8Path) -> Result<(), PlanAccessError> {
    let access = |source| PlanAccessError::Access { path: path.to_owned(), source };
    let text = plan.to_text().map_err(std::io::Error::other).map_err(access)?;
    fs_err::write(path, text).map_err(access)
}

/// Reads a plan file that this version wrote for `stage`.
///
/// # Errors
///
/// When the file cannot be read, or is not a plan of this version and stage.
pub fn read(path: &Utf8Path, stage: &str) -> Result<PlanFile, PlanAccessError> {
    let text =
        fs_err::read_to_string(path).map_err(|source| PlanAccessError::Access { path: path.to_owned(), source })?;
    Ok(PlanFile::parse(&text, path, stage)?)
}

#[cfg(test)]
mod tests {
    use plan::{
        allow::Allowances,
        file::{Inputs, Selection},
        preview::Preview,
    };

    use super::*;

    #[test]
    fn a_written_plan_is_read_back() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = Utf8PathBuf::from_path_buf(folder.path().join("plan.json")).expect("UTF-8");
        let preview = Preview { stage: "dev".to_owned(), ..Preview::default() };
        let inputs = Inputs::from([("the template of a".to_owned(), "1".to_owned())]);
        let plan = PlanFile::new(Selection::default(), Allowances::default(), inputs, preview);
        write(&plan, &path).expect("written");
        assert_eq!(read(&path, "dev").expect("read"), plan);

        let contents = read(&path, "prod").expect_err("another stage");
        assert!(matches!(contents, PlanAccessError::Contents(PlanFileError::OtherStage { .. })), "{contents}");
        let missing = read(&path.with_extension("missing"), "dev").expect_err("missing");
        assert!(matches!(missing, PlanAccessError::Access { .. }), "{missing}");
    }
}
