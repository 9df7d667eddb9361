//! From source to artifacts: one cargo call for all functions, a check of every binary, a zip of each.

mod cargo;
pub mod elf;
pub mod install;
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

/// The most a function and its layers may have unzipped (Lambda quotas page: 250 MB).
const UNZIPPED_LIMIT: u64 = 250 * 1024 * 1024;
/// The most a zip may have (Lambda quotas page: 50 MB, of one that is sent along with a call). Ours go through S3, where more is
/// possible; but then a function starts slowly, and nobody can upload it by hand.
const ZIPPED_LIMIT: u64 = 50 * 1024 * 1024;

/// What functions are built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// This machine: quick, for the local cloud.
    Native,
    /// The Lambda runtime: small, and the same bytes from any checkout.
    Lambda,
}

/// What to build.
#[derive(Debug, Clone)]
pub struct Request {
    /// The functions.
    pub functions: Vec<FunctionId>,
    /// Their instruction set.
    pub architecture: Architecture,
    /// What they are built for.
    pub mode: Mode,
    /// Another cargo profile than the mode's.
    pub profile: Option<String>,
}

/// Functions could not be built.
#[derive(Debug, Error, Diagnostic)]
pub enum BuildError {
    /// Cargo cannot be started.
    #[error("failed to start {program}")]
    #[diagnostic(help("install Rust with rustup, or mend PATH"))]
    Start {
        /// What was started.
        program: String,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// It does not compile.
    #[error("failed to compile {functions}; nothing was deployed")]
    #[diagnostic(help("mend the errors that cargo printed above"))]
    Compile {
        /// The functions that were asked for.
        functions: String,
    },
    /// A binary did not come out of the build.
    #[error("cargo built no binary `{binary}`")]
    #[diagnostic(help("lambdas/{system}/Cargo.toml needs a [[bin]] of that name"))]
    NoBinary {
        /// The binary.
        binary: String,
        /// The system.
        system: String,
    },
    /// Something to build with is missing.
    #[error("{missing}, which building for {target} needs, is not installed")]
    #[diagnostic(help("run `{install}`"))]
    Toolchain {
        /// What is missing.
        missing: &'static str,
        /// The target.
        target: String,
        /// How to get it.
        install: String,
    },
    /// Something to build with cannot be installed.
    #[error("failed to install what building takes: `{command}` failed")]
    #[diagnostic(help("it says why above; install it in another way, or run the command again"))]
    Install {
        /// What was run.
        command: String,
    },
    /// A binary would not run in Lambda.
    #[error("function {function} would not run: {reason}")]
    #[diagnostic(help("{help}"))]
    Binary {
        /// The function.
        function: String,
        /// Why.
        reason: String,
        /// What to do.
        help: &'static str,
    },
    /// It is larger than Lambda takes.
    #[error("function {function} is {} {what}, but may be at most {}", size(*.bytes), size(*.limit))]
    #[diagnostic(help("build with the `lambda` profile, or leave dependencies out"))]
    TooLarge {
        /// The function.
        function: String,
        /// `zipped` or `unzipped`.
        what: &'static str,
        /// Its size.
        bytes: u64,
        /// The most that it may be.
        limit: u64,
    },
    /// A zip cannot be made.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Artifact(#[from] ArtifactError),
}

/// Builds functions and layers into artifacts.
///
/// # Errors
///
/// When something does not compile, would not run in Lambda, is too large, or cannot be written.
pub async fn artifacts(
    request: &Request,
    layers: &[RenderedLayer],
    workspace: &Workspace,
    ui: &Ui,
) -> Result<Artifacts, BuildError> {
    let mut built = Artifacts::default();
    if !request.functions.is_empty() {
        let binaries = cargo::build(request, workspace, ui).await?;
        // Several functions may share a binary, which is zipped once.
        let by_binary: BTreeMap<_, _> = request.functions.iter().map(|function| (&function.binary, function)).collect();
        let packing = by_binary.into_values().map(|function| {
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
        gate(artifact, ui)?;
    }
    Ok(built)
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

/// An error where a function is too large, a warning where it is close.
fn gate(artifact: &Artifact, ui: &Ui) -> Result<(), BuildError> {
    let function = format!("{}-{}", artifact.system, artifact.name);
    for (bytes, limit, what) in
        [(artifact.unzipped, UNZIPPED_LIMIT, "unzipped"), (artifact.zipped, ZIPPED_LIMIT, "zipped")]
    {
        if bytes > limit {
            return Err(BuildError::TooLarge { function, what, bytes, limit });
        }
        if bytes > limit / 5 * 4 {
            ui.warn(format_args!("{function} is {} {what}; the limit is {}", size(bytes), size(limit)));
        }
    }
    Ok(())
}

/// A table of the artifacts, by system, and the time that building them took.
#[must_use]
pub fn table(built: &Artifacts, architecture: Architecture, elapsed: Duration) -> String {
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
    fn what_is_too_large_is_refused_by_either_size() {
        let ui = Ui::new();
        let gated = |zipped, unzipped| {
            let (system, name) = ("s".to_owned(), "f".to_owned());
            let (path, sha256) = ("f.zip".into(), String::new());
            gate(&Artifact { kind: ArtifactKind::Function, system, name, path, sha256, zipped, unzipped }, &ui)
        };
        assert!(gated(52_428_800, 262_144_000).is_ok());
        let error = gated(52_428_801, 0).expect_err("too large").to_string();
        assert!(error.contains("s-f is 52.4 MB zipped, but may be at most 52.4 MB"), "{error}");
        assert!(gated(0, 262_144_001).is_err_and(|error| error.to_string().contains("unzipped")));
    }
}
