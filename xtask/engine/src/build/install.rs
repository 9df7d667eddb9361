//! Installs the tools for building, on request: Rust's target, and zig with cargo-zigbuild in a virtual environment below the target
//! directory.

use std::{path::PathBuf, process::Stdio};

use camino::Utf8PathBuf;
use model::stage::Architecture;
use tokio::process::Command;

use super::{BuildError, Mode, Request, toolchain};
use crate::{artifacts::ArtifactError, process, ui::Ui, workspace::Workspace};

/// The Python packages, with their hashes.
const REQUIREMENTS: &str = include_str!("requirements.txt");

/// Installs the missing tools for an instruction set; returns the build command that they make possible.
///
/// # Errors
///
/// When rustup or pip is missing or fails, or a tool is still missing after that.
pub(crate) async fn install(
    architecture: Architecture,
    mode: Mode,
    workspace: &Workspace,
    ui: &Ui,
) -> Result<String, BuildError> {
    let request = Request { architecture, mode, ..Request::default() };
    if mode == Mode::Lambda {
        install_missing(architecture, workspace, ui).await?;
    }
    let tool = toolchain::choose(&request, workspace)?;
    Ok(format!("cargo {} for {}", tool.arguments.join(" "), tool.target))
}

async fn install_missing(architecture: Architecture, workspace: &Workspace, ui: &Ui) -> Result<(), BuildError> {
    if !toolchain::has_std(toolchain::target(architecture))? {
        run(ui, "rustup", &["target", "add", toolchain::target(architecture)]).await?;
    }
    // Also if the machine's own linker suffices: its glibc is often newer than Lambda's.
    if !toolchain::has_zig(&path(workspace)) {
        let environment = folder(workspace);
        let requirements = workspace.target().join("toolchain-requirements.txt");
        let file = |source| ArtifactError::File { path: requirements.clone(), source };
        fs_err::create_dir_all(workspace.target()).map_err(file)?;
        fs_err::write(&requirements, REQUIREMENTS).map_err(file)?;
        let python = std::env::var("XTASK_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        run(ui, &python, &["-m", "venv", environment.as_str()]).await?;
        let pip = environment.join("bin/python3");
        let pinned = ["--require-hashes", "--only-binary", ":all:", "--requirement", requirements.as_str()];
        let install = ["-m", "pip", "--disable-pip-version-check", "install", "--quiet"];
        run(ui, pip.as_str(), &[&install[..], &pinned].concat()).await?;
    }
    Ok(())
}

/// The virtual environment.
fn folder(workspace: &Workspace) -> Utf8PathBuf {
    workspace.target().join("toolchain")
}

/// The search path, with the virtual environment first.
pub(super) fn path(workspace: &Workspace) -> std::ffi::OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = PathBuf::from(folder(workspace).join("bin"));
    let all = [installed].into_iter().chain(std::env::split_paths(&path));
    std::env::join_paths(all).unwrap_or(path)
}

async fn run(ui: &Ui, program: &str, arguments: &[&str]) -> Result<(), BuildError> {
    let command = format!("{program} {}", arguments.join(" "));
    let step = ui.step(&command);
    let mut process = Command::from(process::command(program));
    let status = process.args(arguments).stdout(Stdio::null()).kill_on_drop(true).status().await;
    let status = status.map_err(|source| BuildError::Start { program: program.to_owned(), source })?;
    if !status.success() {
        return Err(BuildError::Install { command });
    }
    step.done("installed");
    Ok(())
}
