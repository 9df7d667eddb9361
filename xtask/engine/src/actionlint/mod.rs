//! actionlint, which checks workflows: from the search path, or installed under the target directory.

use std::process::Stdio;

use camino::Utf8PathBuf;

use crate::{
    process,
    python::{Program, PythonError},
    ui::Ui,
    workspace::Workspace,
};

/// The program, and how it is installed.
pub(crate) const ACTIONLINT: Program =
    Program { name: "actionlint", folder: "actionlint-venv", requirements: include_str!("requirements.txt") };

/// Returns the program to run. It is installed unless it is on the search path.
///
/// # Errors
///
/// When it cannot be installed.
pub(crate) async fn find(workspace: &Workspace, ui: &Ui) -> Result<Utf8PathBuf, PythonError> {
    if is_on_search_path("actionlint") {
        return Ok("actionlint".into());
    }
    Ok(ACTIONLINT.install(workspace.target(), ui).await?.join("actionlint"))
}

fn is_on_search_path(program: &str) -> bool {
    let version = process::command(program).arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}
