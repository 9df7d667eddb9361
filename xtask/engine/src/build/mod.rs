//! Builds functions and layers into artifacts: one cargo call, then a check and a zip of each binary.

mod cargo;
pub(crate) mod elf;
pub(crate) mod install;
mod toolchain;

use std::{collections::BTreeMap, time::Duration};

use camino::Utf8PathBuf;
use miette::Diagnostic;
use model::{
    rendered::{FunctionId, RenderedLayer},
    stage::Architecture,
};
use plan::artifacts::{Artifact, ArtifactKind, Artifacts};
use thiserror::Error;

use crate::{
    artifacts::{self, ArtifactError},
    table,
    ui::{Ui, size},
    workspace::Workspace,
};

/// The largest unzipped size of a function with its layers (Lambda quotas page: 250 MB).
const UNZIPPED_LIMIT: u64 = 250 * 1024 * 1024;
/// The largest zip (Lambda quotas page: 50 MB in a request). Larger zips are possible through S3, but such a function starts slowly and
/// cannot be uploaded by hand.
const ZIPPED_LIMIT: u64 = 50 * 1024 * 1024;

/// The target of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// This machine, for the local cloud: fast to build.
    Native,
    /// The Lambda runtime: small binaries, with the same bytes from any checkout.
    Lambda,
}

/// The input of a build.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// The functions.
    pub(crate) functions: Vec<FunctionId>,
    /// The instruction set.
    pub(crate) architecture: Architecture,
    /// The target.
    pub(crate) mode: Mode,
    /// A cargo profile instead of the mode's.
    pub(crate) profile: Option<String>,
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
    /// The build did not produce a binary.
    #[error("cargo built no binary `{binary}`; nothing was deployed")]
    #[diagnostic(help("add a [[bin]] of that name to lambdas/{system}/Cargo.toml"))]
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
    /// A binary would not run in Lambda.
    #[error("binary {binary} would not run in Lambda: {reason}")]
    #[diagnostic(help("{help}"))]
    Binary {
        /// The binary.
        binary: String,
        /// The reason.
        reason: String,
        /// The hint.
        help: &'static str,
    },
    /// An artifact is too large for Lambda.
    #[error("artifact {artifact} is {} {what}; the limit is {}", size(*.bytes), size(*.limit))]
    #[diagnostic(help("build with the `lambda` profile, or remove dependencies"))]
    TooLarge {
        /// The artifact.
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
/// When something does not compile, would not run in Lambda, is too large, or cannot be written.
pub(crate) async fn artifacts(
    request: &Request,
    layers: &[RenderedLayer],
    workspace: &Workspace,
    ui: &Ui,
) -> Result<Artifacts, BuildError> {
    let mut built = Artifacts::default();
    if !request.functions.is_empty() {
        let binaries = cargo::build(request, workspace, ui).await?;
        let packing = one_per_binary(&request.functions).map(|function| {
            let (function, binary) = (function.clone(), binaries[&function.binary].clone());
            let (architecture, mode, workspace) = (request.architecture, request.mode, workspace.clone());
            tokio::task::spawn_blocking(move || pack(function, &binary, architecture, mode, &workspace))
        });
        for packed in futures_util::future::join_all(packing).await {
            let (function, artifact) = packed.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
            built.functions.insert(function.binary, artifact);
        }
    }
    for layer in layers {
        let artifact = artifacts::pack_layer(workspace, &layer.system, &layer.layer, &layer.source)?;
        built.layers.insert((layer.system.clone(), layer.layer.clone()), artifact);
    }
    for artifact in built.functions.values() {
        check_size(artifact, ui)?;
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
    architecture: Architecture,
    mode: Mode,
    workspace: &Workspace,
) -> Result<(FunctionId, Artifact), BuildError> {
    elf::check(&function.binary, binary, architecture, mode)?;
    let name = function.artifact_name();
    let artifact = artifacts::pack_function(workspace, &function.system, name, binary, mode == Mode::Native)?;
    Ok((function, artifact))
}

/// Fails if an artifact is too large; warns if it is close to a limit.
fn check_size(artifact: &Artifact, ui: &Ui) -> Result<(), BuildError> {
    let name = format!("{}-{}", artifact.system, artifact.name);
    for (bytes, limit, what) in
        [(artifact.unzipped, UNZIPPED_LIMIT, "unzipped"), (artifact.zipped, ZIPPED_LIMIT, "zipped")]
    {
        if bytes > limit {
            return Err(BuildError::TooLarge { artifact: name, what, bytes, limit });
        }
        if bytes > limit / 5 * 4 {
            ui.warn(format_args!("{name} is {} {what}; the limit is {}", size(bytes), size(limit)));
        }
    }
    Ok(())
}

/// A table of the artifacts, by system, and the time that building them took.
pub(crate) fn table(built: &Artifacts, architecture: Architecture, elapsed: Duration) -> String {
    let mut artifacts: Vec<_> = built.functions.values().chain(built.layers.values()).collect();
    artifacts.sort_by_key(|artifact| (&artifact.system, artifact.kind == ArtifactKind::Layer, &artifact.name));
    let rows = artifacts.into_iter().map(|artifact| {
        let architecture = match artifact.kind {
            ArtifactKind::Function => architecture.as_str(),
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

    #[test]
    fn either_size_can_be_too_large() {
        let ui = Ui::new();
        let checked = |zipped, unzipped| {
            let (system, name) = ("s".to_owned(), "f".to_owned());
            let (path, sha256) = ("f.zip".into(), String::new());
            check_size(&Artifact { kind: ArtifactKind::Function, system, name, path, sha256, zipped, unzipped }, &ui)
        };
        assert!(checked(52_428_800, 262_144_000).is_ok());
        let error = checked(52_428_801, 0).expect_err("too large").to_string();
        assert!(error.contains("s-f is 52.4 MB zipped; the limit is 52.4 MB"), "{error}");
        assert!(checked(0, 262_144_001).is_err_and(|error| error.to_string().contains("unzipped")));
    }
}
