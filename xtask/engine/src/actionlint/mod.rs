//! actionlint, which checks the workflows: the one on the search path, or one that is installed under the target directory.

use std::process::{Command, Stdio};

use camino::Utf8PathBuf;

use crate::{
    python::{Program, PythonError},
    ui::Ui,
    workspace::Workspace,
};

/// The program, and how it is installed.
pub const ACTIONLINT: Program =
    Program { name: "actionlint", folder: "actionlint-venv", requirements: include_str!("requirements.txt") };

/// The program to run: the installed one, unless there is one on the search path.
///
/// # Errors
///
/// When it cannot be installed.
pub async fn find(workspace: &Workspace, ui: &Ui) -> Result<Utf8PathBuf, PythonError> {
    if is_there("actionlint") {
        return Ok("actionlint".into());
    }
    Ok(ACTIONLINT.install(workspace.target(), ui).await?.join("actionlint"))
}

fn is_there(program: &str) -> bool {
    let version = Command::new(program).arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}
