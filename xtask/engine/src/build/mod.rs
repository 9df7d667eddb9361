//! Builds functions and layers into artifacts: one cargo call, then a check and a zip of each binary.

mod cargo;
pub(crate) mod install;
pub(crate) mod limits;
mod toolchain;
mod units;

use std::{
    collections::{BTreeMap, BTreeSet},
    process::ExitStatus,
    time::Duration,
};

use camino::Utf8PathBuf;
use miette::Diagnostic;
use model::{
    rendered::{FunctionId, RenderedLayer},
    stage::Architecture,
};
use plan::artifacts::{Artifact, ArtifactKind, Artifacts};
use thiserror::Error;

pub(crate) use self::cargo::Compiled;
use crate::{
    artifacts::{
        self, ArtifactError,
        elf::{self, BinaryError, Platform},
    },
    table,
    ui::{Ui, size},
    workspace::Workspace,
};

/// The target of a build.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    /// This machine, for the local cloud: fast to build.
    #[default]
    Native,
    /// The Lambda runtime: small binaries, with the same bytes from any checkout.
    Lambda,
}

/// The input of a build.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    /// The functions.
    pub(crate) functions: Vec<FunctionId>,
    /// The packages of all functions of the project, which decide the features of the functions' dependencies.
    pub(crate) packages: BTreeSet<String>,
    /// The instruction set.
    pub(crate) architecture: Architecture,
    /// The target.
    pub(crate) mode: Mode,
    /// A cargo profile instead of the mode's.
    pub(crate) profile: Option<String>,
}

impl Request {
    /// Where the functions run.
    pub(crate) fn platform(&self) -> Platform {
        match self.mode {
            Mode::Native => Platform::Native,
            Mode::Lambda => Platform::Lambda(self.architecture),
        }
    }

    /// Lambda's name of the instruction set that is built for.
    pub(crate) fn instruction_set(&self) -> &'static str {
        match (self.mode, std::env::consts::ARCH) {
            (Mode::Native, "aarch64") => Architecture::Arm64.as_str(),
            (Mode::Native, machine) => machine,
            (Mode::Lambda, _) => self.architecture.as_str(),
        }
    }
}

/// What was built.
#[derive(Debug, Clone, Default)]
pub(crate) struct Built {
    /// The zips.
    pub(crate) artifacts: Artifacts,
    /// What cargo built them from; `None` without functions.
    pub(crate) compiled: Option<Compiled>,
}

/// Functions could not be built.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum BuildError {
    /// A program cannot be started.
    #[error("failed to start {program}")]
    #[diagnostic(help("install Rust with rustup, or correct PATH"))]
    Start {
        /// The program.
        program: String,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The functions do not compile.
    #[error("failed to compile {binaries}; nothing was deployed")]
    #[diagnostic(help("fix the errors that cargo printed above"))]
    Compile {
        /// The binaries to build.
        binaries: String,
    },
    /// Cargo failed without an error message.
    #[error("failed to compile {binaries}: cargo printed no error and ended with {status}; nothing was deployed")]
    #[diagnostic(help(
        "run `cargo build --workspace --ignore-rust-version` to see the cause; if a signal ended cargo, the machine may lack memory"
    ))]
    Silent {
        /// The binaries to build.
        binaries: String,
        /// How cargo ended.
        status: ExitStatus,
    },
    /// The build did not produce a binary.
    #[error("cargo built no binary `{binary}`; nothing was deployed")]
    #[diagnostic(help(
        "add a [[bin]] of that name to lambdas/{system}/Cargo.toml, and lambdas/{system} to `members` in Cargo.toml"
    ))]
    NoBinary {
        /// The binary.
        binary: String,
        /// The system.
        system: String,
    },
    /// A tool is missing.
    #[error("failed to build for {target}: {missing} is not installed; nothing was deployed")]
    #[diagnostic(help("run `{install}`"))]
    Toolchain {
        /// The tool.
        missing: &'static str,
        /// The target.
        target: String,
        /// The command that installs it.
        install: String,
    },
    /// A tool cannot be installed.
    #[error("failed to install the build tools: `{command}` failed")]
    #[diagnostic(help("check the output above, then run the command again, or install the tool by other means"))]
    Install {
        /// The command that failed.
        command: String,
    },
    /// A binary would not run where it is deployed to.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Binary(#[from] BinaryError),
    /// An artifact is too large for Lambda.
    #[error("{artifact} is {bytes} bytes {what}; Lambda's limit is {limit} bytes; nothing was deployed")]
    #[diagnostic(help("remove files or dependencies, or build with the `lambda` profile"))]
    TooLarge {
        /// The artifact, or a function with its layers.
        artifact: String,
        /// `zipped` or `unzipped`.
        what: &'static str,
        /// Its size.
        bytes: u64,
        /// The largest size.
        limit: u64,
    },
    /// A zip cannot be written.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Artifact(#[from] ArtifactError),
}

/// Builds functions and layers into artifacts.
///
/// # Errors
///
/// When something does not compile, would not run in Lambda, or cannot be written.
pub(crate) async fn artifacts(
    request: &Request,
    layers: &[RenderedLayer],
    workspace: &Workspace,
    ui: &Ui,
) -> Result<Built, BuildError> {
    let mut built = Built::default();
    if !request.functions.is_empty() {
        let compiled = cargo::build(request, workspace, ui).await?;
        let packing = one_per_binary(&request.functions).map(|function| {
            let (function, binary) = (function.clone(), compiled.binaries[&function.binary].clone());
            let (platform, workspace) = (request.platform(), workspace.clone());
            tokio::task::spawn_blocking(move || pack(function, &binary, platform, &workspace))
        });
        for packed in futures_util::future::join_all(packing).await {
            let (function, artifact) = packed.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
            built.artifacts.functions.insert(function.binary, artifact);
        }
        built.compiled = Some(compiled);
    }
    for layer in layers {
        let artifact = artifacts::pack_layer(workspace, &layer.system, &layer.layer, &layer.source)?;
        built.artifacts.layers.insert((layer.system.clone(), layer.layer.clone()), artifact);
    }
    Ok(built)
}

/// One function of each binary: functions may share a binary, which is zipped once.
fn one_per_binary(functions: &[FunctionId]) -> impl Iterator<Item = &FunctionId> {
    let by_binary: BTreeMap<_, _> = functions.iter().map(|function| (&function.binary, function)).collect();
    by_binary.into_values()
}

fn pack(
    function: FunctionId,
    binary: &Utf8PathBuf,
    platform: Platform,
    workspace: &Workspace,
) -> Result<(FunctionId, Artifact), BuildError> {
    // A binary for this machine was built by this machine.
    if let Platform::Lambda(_) = platform {
        let bytes = fs_err::read(binary).map_err(|source| ArtifactError::File { path: binary.clone(), source })?;
        elf::check(&function.binary, &bytes, platform)?;
    }
    let (name, reuse) = (function.artifact_name(), platform == Platform::Native);
    let artifact = artifacts::pack_function(workspace, &function.system, name, binary, reuse)?;
    Ok((function, artifact))
}

/// A table of the artifacts, by system, and the time that building them took.
pub(crate) fn table(built: &Artifacts, architecture: &str, elapsed: Duration) -> String {
    let mut artifacts: Vec<_> = built.functions.values().chain(built.layers.values()).collect();
    artifacts.sort_by_key(|artifact| (&artifact.system, artifact.kind == ArtifactKind::Layer, &artifact.name));
    let rows = artifacts.into_iter().map(|artifact| {
        let architecture = match artifact.kind {
            ArtifactKind::Function => architecture,
            ArtifactKind::Layer => "any",
        };
        vec![
            artifact.system.clone(),
            artifact.name.clone(),
            architecture.to_owned(),
            size(artifact.unzipped),
            size(artifact.zipped),
            artifact.sha256[..12].to_owned(),
        ]
    });
    let mut table = table::terminal(&["system", "artifact", "architecture", "size", "zipped", "sha256"]);
    table.add_rows(table::grouped(rows));
    format!("{table}\nbuilt in {}", crate::ui::duration(elapsed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_binary_is_packed_once() {
        let functions = ["submit", "fetch", "api"].map(|function| FunctionId {
            system: "notes".to_owned(),
            function: function.to_owned(),
            binary: if function == "api" { "notes-api" } else { "notes-worker" }.to_owned(),
            logical_id: String::new(),
        });
        let names: Vec<_> = one_per_binary(&functions).map(FunctionId::artifact_name).collect();
        assert_eq!(names, ["api", "worker"]);
    }
}
