//! The cargo call that builds all functions.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Stdio,
};

use camino::Utf8PathBuf;
use cargo_metadata::Message;
use model::rendered::FunctionId;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{ChildStderr, ChildStdout, Command},
};

use super::{BuildError, Mode, Request, install, toolchain};
use crate::{
    ui::{Step, Ui},
    workspace::Workspace,
};

/// The prefixes of cargo's variables that the inner cargo inherits. `cargo run` sets others, which would mislead it or rebuild
/// needlessly.
const KEPT: &[&str] = &[
    "CARGO_HOME",
    "CARGO_TARGET_DIR",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_INCREMENTAL",
    "CARGO_TERM_",
    "CARGO_NET_",
    "CARGO_HTTP_",
    "CARGO_REGISTRIES_",
    "CARGO_REGISTRY_",
    "CARGO_SOURCE_",
    "CARGO_TARGET_",
    "CARGO_BUILD_",
    "CARGO_PROFILE_",
];

/// Builds all functions; returns the path of each binary.
pub(super) async fn build(
    request: &Request,
    workspace: &Workspace,
    ui: &Ui,
) -> Result<BTreeMap<String, Utf8PathBuf>, BuildError> {
    let tool = toolchain::choose(request, workspace)?;
    let mut command = Command::new("cargo");
    command.args(&tool.arguments).current_dir(workspace.root()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("CARGO") && !KEPT.iter().any(|kept| name.starts_with(kept)) {
            command.env_remove(&name);
        }
    }
    if request.mode == Mode::Lambda {
        command.env("CARGO_ENCODED_RUSTFLAGS", remapped(workspace)).env("PATH", install::path(workspace));
    }
    let profile = request.profile.as_deref().unwrap_or(tool.profile);
    command.args(["--profile", profile, "--target-dir", workspace.target().as_str()]);
    command.args(["--message-format=json-render-diagnostics", "--ignore-rust-version"]);
    command.args(selection(&request.functions));

    let step = ui.step(format!("Build {} functions ({profile}, {})", request.functions.len(), tool.target));
    let binaries = run(command, request, ui, &step).await?;
    step.done("built");
    Ok(binaries)
}

/// The packages and binaries to build, each once: functions may share a binary.
fn selection(functions: &[FunctionId]) -> Vec<String> {
    let packages: BTreeSet<_> = functions.iter().map(|function| &function.system).collect();
    let binaries: BTreeSet<_> = functions.iter().map(|function| &function.binary).collect();
    let packages = packages.into_iter().flat_map(|package| ["--package", package]);
    let binaries = binaries.into_iter().flat_map(|binary| ["--bin", binary]);
    packages.chain(binaries).map(str::to_owned).collect()
}

async fn run(
    mut command: Command,
    request: &Request,
    ui: &Ui,
    step: &Step,
) -> Result<BTreeMap<String, Utf8PathBuf>, BuildError> {
    let start = |source| BuildError::Start { program: "cargo".to_owned(), source };
    let mut child = command.kill_on_drop(true).spawn().map_err(start)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let ((), binaries) = tokio::join!(show_progress(stderr, ui, step), read_binaries(stdout));
    let status = child.wait().await.map_err(start)?;
    if !status.success() {
        let binaries: BTreeSet<_> = request.functions.iter().map(|function| function.binary.as_str()).collect();
        return Err(BuildError::Compile { binaries: binaries.into_iter().collect::<Vec<_>>().join(", ") });
    }
    for function in &request.functions {
        if !binaries.contains_key(&function.binary) {
            let (binary, system) = (function.binary.to_owned(), function.system.to_owned());
            return Err(BuildError::NoBinary { binary, system });
        }
    }
    Ok(binaries)
}

/// Shows what cargo compiles, and prints its warnings and errors.
async fn show_progress(stderr: Option<ChildStderr>, ui: &Ui, step: &Step) {
    let Some(stderr) = stderr else { return };
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        match line.trim_start().split_once(' ') {
            Some(("Compiling" | "Building" | "Downloading" | "Downloaded", _)) if ui.is_terminal() => {
                step.detail(line.trim());
            }
            Some((
                "Compiling" | "Finished" | "Downloading" | "Downloaded" | "Locking" | "Updating" | "Blocking",
                _,
            )) => {}
            _ => ui.say(&line),
        }
    }
}

/// Reads the paths of the binaries from cargo's messages.
async fn read_binaries(stdout: Option<ChildStdout>) -> BTreeMap<String, Utf8PathBuf> {
    let mut binaries = BTreeMap::new();
    let Some(stdout) = stdout else { return binaries };
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(Message::CompilerArtifact(artifact)) = serde_json::from_str(&line) else { continue };
        if let Some(executable) = artifact.executable {
            binaries.insert(artifact.target.name.clone(), Utf8PathBuf::from(executable.as_str()));
        }
    }
    binaries
}

/// The user's flags, and flags that replace the paths of this checkout and of cargo's home in panic messages: two checkouts build the
/// same binary.
fn remapped(workspace: &Workspace) -> String {
    const SEPARATOR: &str = "\u{1f}";
    let mut flags: Vec<String> = match (std::env::var("CARGO_ENCODED_RUSTFLAGS"), std::env::var("RUSTFLAGS")) {
        (Ok(encoded), _) => encoded.split(SEPARATOR).map(str::to_owned).collect(),
        (_, Ok(plain)) => plain.split_whitespace().map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    flags.retain(|flag| !flag.is_empty());
    let home = std::env::var("CARGO_HOME").ok().or_else(|| Some(format!("{}/.cargo", std::env::var("HOME").ok()?)));
    if let Some(home) = home {
        flags.push(format!("--remap-path-prefix={home}=/cargo"));
    }
    flags.push(format!("--remap-path-prefix={}=/workspace", workspace.root()));
    flags.join(SEPARATOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_binary_is_built_once() {
        let functions = ["submit", "fetch", "api"].map(|function| FunctionId {
            system: "notes".to_owned(),
            function: function.to_owned(),
            binary: if function == "api" { "notes-api" } else { "notes-worker" }.to_owned(),
            logical_id: String::new(),
        });
        assert_eq!(selection(&functions), ["--package", "notes", "--bin", "notes-api", "--bin", "notes-worker"]);
    }
}
