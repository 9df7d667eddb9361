//! The cargo call that builds all functions.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Stdio,
};

use camino::Utf8PathBuf;
use cargo_metadata::{Message, cargo_platform::Cfg};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{ChildStderr, ChildStdout, Command},
};

use super::{BuildError, Mode, Request, install, toolchain, units::Units};
use crate::{
    artifacts::folder::UNOPTIMIZED,
    process,
    sources::configuration::{self, Configuration},
    ui::{Step, Ui},
    workspace::Workspace,
};

/// What cargo built.
#[derive(Debug, Clone, Default)]
pub(crate) struct Compiled {
    /// The path of each binary.
    pub(super) binaries: BTreeMap<String, Utf8PathBuf>,
    /// The target in the words of the build.
    pub(crate) target: String,
    /// The profile.
    pub(crate) profile: String,
    /// The `opt-level` of the binaries, as cargo reports it: [`UNOPTIMIZED`] if one of them is.
    pub(crate) optimization: String,
    /// Where the inputs of the build are written down.
    pub(crate) units: Units,
}

/// Builds all functions.
pub(super) async fn build(request: &Request, workspace: &Workspace, ui: &Ui) -> Result<Compiled, BuildError> {
    let tool = toolchain::choose(request, workspace)?;
    let mut command = Command::from(process::nested_cargo());
    command.args(&tool.arguments).current_dir(workspace.root()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if request.mode == Mode::Lambda {
        let flags = remapped(toolchain::target(request.architecture), workspace);
        command.env("CARGO_ENCODED_RUSTFLAGS", flags).env("PATH", install::path(workspace));
    }
    let profile = request.profile.as_deref().unwrap_or(tool.profile);
    command.args(["--profile", profile, "--target-dir", workspace.target().as_str()]);
    command.args(["--message-format=json-render-diagnostics", "--ignore-rust-version"]);
    command.args(selection(request));

    let count = request.functions.len();
    let functions = if count == 1 { "function" } else { "functions" };
    let step = ui.step(format!("Build {count} {functions} ({profile}, {})", tool.target));
    let compiled = run(command, request, ui, &step).await?;
    step.done("built");
    Ok(Compiled { target: tool.target, profile: profile.to_owned(), ..compiled })
}

/// The packages and binaries to build, each once: functions may share a binary.
///
/// Cargo unifies the features of the selected packages, so the same packages are selected for any set of functions: otherwise a
/// build of one system would give its functions other dependencies, and other bytes, than a build of all. For the machine it is the
/// whole workspace, for Lambda the packages of all functions. Of these packages, cargo compiles the selected binaries only.
fn selection(request: &Request) -> Vec<String> {
    let packages: Vec<_> = match request.mode {
        Mode::Native => vec!["--workspace"],
        Mode::Lambda => request.packages.iter().flat_map(|package| ["--package", package]).collect(),
    };
    let binaries: BTreeSet<_> = request.functions.iter().map(|function| &function.binary).collect();
    let binaries = binaries.into_iter().flat_map(|binary| ["--bin", binary]);
    packages.into_iter().chain(binaries).map(str::to_owned).collect()
}

async fn run(mut command: Command, request: &Request, ui: &Ui, step: &Step) -> Result<Compiled, BuildError> {
    let start = |source| BuildError::Start { program: "cargo".to_owned(), source };
    let mut child = command.kill_on_drop(true).spawn().map_err(start)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (printed, compiled) = tokio::join!(show_progress(stderr, ui, step), read_messages(stdout));
    let status = child.wait().await.map_err(start)?;
    if !status.success() {
        let binaries: BTreeSet<_> = request.functions.iter().map(|function| function.binary.as_str()).collect();
        let binaries = binaries.into_iter().collect::<Vec<_>>().join(", ");
        return Err(if printed { BuildError::Compile { binaries } } else { BuildError::Silent { binaries, status } });
    }
    for function in &request.functions {
        if !compiled.binaries.contains_key(&function.binary) {
            let (binary, system) = (function.binary.to_owned(), function.system.to_owned());
            return Err(BuildError::NoBinary { binary, system });
        }
    }
    Ok(compiled)
}

/// Shows what cargo compiles, and prints its warnings and errors. Returns whether it printed an error.
async fn show_progress(stderr: Option<ChildStderr>, ui: &Ui, step: &Step) -> bool {
    let mut printed = false;
    let Some(stderr) = stderr else { return printed };
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
            _ => {
                printed |= is_error(&line);
                ui.say(&line);
            }
        }
    }
    printed
}

/// Whether a line of cargo's output begins an error, coloured or not.
fn is_error(line: &str) -> bool {
    // `cargo zigbuild` writes its own with a capital letter.
    console::strip_ansi_codes(line).to_ascii_lowercase().starts_with("error")
}

/// Reads the binaries, their profile and the units of the build from cargo's messages.
async fn read_messages(stdout: Option<ChildStdout>) -> Compiled {
    let mut compiled = Compiled::default();
    let Some(stdout) = stdout else { return compiled };
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(message) = serde_json::from_str::<Message>(&line) else { continue };
        compiled.units.add(&message);
        if let Message::CompilerArtifact(artifact) = message
            && let Some(executable) = artifact.executable
            && artifact.target.is_bin()
        {
            // A profile may have another level for one package.
            if compiled.optimization != UNOPTIMIZED {
                compiled.optimization = artifact.profile.opt_level;
            }
            compiled.binaries.insert(artifact.target.name, executable);
        }
    }
    compiled
}

/// The flags of the user, and flags that replace the paths of this checkout and of cargo's home in panic messages: two checkouts build
/// the same binary. The variable for all of them overrides every other place, so it also has the flags of those.
fn remapped(target: &str, workspace: &Workspace) -> String {
    const SEPARATOR: &str = "\u{1f}";
    let environment = configuration::environment();
    let configuration = Configuration::around(workspace.root(), &environment);
    let mut flags = configuration.rustflags(target, || cfg(target, workspace), &environment);
    if let Some(home) = configuration::cargo_home(&environment) {
        flags.push(format!("--remap-path-prefix={home}=/cargo"));
    }
    flags.push(format!("--remap-path-prefix={}=/workspace", workspace.root()));
    flags.join(SEPARATOR)
}

/// The configuration of a target, for conditions such as `cfg(unix)`. If the compiler fails, the build fails with its error.
fn cfg(target: &str, workspace: &Workspace) -> Vec<Cfg> {
    let mut rustc = process::command("rustc");
    let output = rustc.args(["--print", "cfg", "--target", target]).current_dir(workspace.root()).output();
    let printed = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    printed.lines().filter_map(|line| line.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use model::{rendered::FunctionId, stage::Architecture};

    use super::*;

    fn request(mode: Mode, functions: &[(&str, &str)]) -> Request {
        let id = |(function, binary): &(&str, &str)| FunctionId {
            system: "notes".to_owned(),
            function: (*function).to_owned(),
            binary: (*binary).to_owned(),
            logical_id: String::new(),
        };
        Request {
            functions: functions.iter().map(id).collect(),
            packages: ["feeds", "notes"].map(str::to_owned).into(),
            architecture: Architecture::Arm64,
            mode,
            profile: None,
        }
    }

    #[test]
    fn a_shared_binary_is_built_once_and_the_packages_do_not_depend_on_the_functions() {
        let all = [("submit", "notes-worker"), ("fetch", "notes-worker"), ("api", "notes-api")];
        let binaries = ["--bin", "notes-api", "--bin", "notes-worker"];
        assert_eq!(selection(&request(Mode::Native, &all)), [&["--workspace"], &binaries[..]].concat());
        assert_eq!(selection(&request(Mode::Native, &all[..1])), ["--workspace", "--bin", "notes-worker"]);
        let packages = ["--package", "feeds", "--package", "notes"];
        assert_eq!(selection(&request(Mode::Lambda, &all)), [&packages, &binaries[..]].concat());
        let one = selection(&request(Mode::Lambda, &all[2..]));
        assert_eq!(one, [&packages, &["--bin", "notes-api"][..]].concat());
    }

    #[test]
    fn only_an_error_counts_as_one() {
        assert!(is_error("error[E0308]: mismatched types") && is_error("\u{1b}[1m\u{1b}[91merror\u{1b}[0m: no"));
        assert!(is_error("Error: failed to find zig"));
        assert!(!is_error("warning: unused") && !is_error("   Compiling notes v0.1.0"));
    }
}
