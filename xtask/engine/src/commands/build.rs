//! `build`: builds functions and layers into zips.

use std::time::Instant;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use miette::Diagnostic;
use model::{
    rendered::{FunctionId, RenderedLayer, RenderedSystem},
    stage::{Architecture, Stage},
};
use plan::artifacts::Artifacts;
use serde_json::json;
use thiserror::Error;

use super::print_json;
use crate::{
    artifacts::folder::{self, FolderError},
    build::{self, Mode, Request},
    context::Context,
    error::Exit,
    render, site,
    sources::fingerprint::{Built, fingerprint},
    stage::closest,
    ui::Format,
    workspace::Workspace,
};

/// Build every function and layer into a reproducible zip under target/artifacts.
#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    /// The stage to build for: `local` is built for this machine, all others for Lambda.
    #[arg(long, default_value = "dev")]
    stage: String,
    /// Only this system's functions.
    #[arg(long)]
    system: Option<String>,
    /// Only this function, for example `upload` or `photos-upload`.
    #[arg(long)]
    function: Option<String>,
    /// The instruction set [default: the stage's].
    #[arg(long, value_enum)]
    arch: Option<Arch>,
    /// Also copy the artifacts into this folder, for `deploy --artifacts`. Build nothing if the folder has artifacts of the same sources.
    #[arg(long, value_name = "FOLDER", conflicts_with = "function")]
    out: Option<Utf8PathBuf>,
    /// The cargo profile [default: `lambda`, or `dev` for stage local].
    #[arg(long)]
    profile: Option<String>,
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// An instruction set, by Lambda's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Arch {
    /// Graviton.
    Arm64,
    /// Intel and AMD.
    #[value(name = "x86_64")]
    X86_64,
}

impl From<Arch> for Architecture {
    fn from(arch: Arch) -> Self {
        match arch {
            Arch::Arm64 => Self::Arm64,
            Arch::X86_64 => Self::X86_64,
        }
    }
}

#[derive(Debug, Error, Diagnostic)]
#[error("there is no function `{name}`{}", closest(.name, .known))]
#[diagnostic(help("choose one of {}", .known.join(", ")))]
struct UnknownFunction {
    name: String,
    known: Vec<String>,
}

/// Runs the command.
///
/// # Errors
///
/// When there is no such stage, system or function, or the build fails.
pub(crate) async fn run(args: BuildArgs, context: &Context) -> miette::Result<Exit> {
    let (workspace, ui) = (&context.workspace, &context.ui);
    let started = Instant::now();
    let stage = context.stage(&args.stage)?;
    let systems = render::select(&stage, context.render(&stage)?, args.system.as_deref(), None)?;
    let mut request = request(&stage, &systems);
    if let Some(name) = &args.function {
        let known = request.functions.iter().map(|function| function.function.to_owned()).collect();
        request.functions.retain(|function| function.function == *name || function.binary == *name);
        if request.functions.is_empty() {
            return Err(UnknownFunction { name: name.clone(), known }.into());
        }
    }
    request.architecture = args.arch.map_or(request.architecture, Into::into);
    request.profile = args.profile;
    let layers = if args.function.is_some() { Vec::new() } else { layers(&systems) };
    let built = match &args.out {
        Some(folder) => into_folder(folder, &request, &systems, context).await?,
        None => build::artifacts(&request, &layers, workspace, ui).await?,
    };
    match args.format {
        Format::Text => ui.result(build::table(&built, request.architecture, started.elapsed())),
        Format::Json => {
            let artifacts: Vec<_> = built.functions.values().chain(built.layers.values()).collect();
            print_json(&json!({ "architecture": request.architecture.as_str(), "artifacts": artifacts }), ui)?;
        }
    }
    Ok(Exit::Success)
}

/// Returns the artifacts of the systems: those in `folder`, or newly built ones.
pub(super) async fn artifacts(
    stage: &Stage,
    systems: &[RenderedSystem],
    folder: Option<&Utf8Path>,
    context: &Context,
) -> miette::Result<Artifacts> {
    let (workspace, ui) = (&context.workspace, &context.ui);
    site::check(systems, workspace)?;
    let Some(path) = folder else {
        return Ok(build::artifacts(&request(stage, systems), &layers(systems), workspace, ui).await?);
    };
    let listed = folder::list(path)?;
    if listed.architecture != stage.architecture.as_str() {
        let expected = stage.architecture.as_str().to_owned();
        let (folder, stage, actual) = (path.to_string(), stage.name.clone(), listed.architecture);
        return Err(FolderError::Architecture { folder, stage, actual, expected }.into());
    }
    let artifacts = folder::read(path)?;
    folder::check(path, &artifacts, systems)?;
    ui.say(format_args!("Using the artifacts in {path} without a build."));
    // Outside a repository, the sources cannot be compared.
    if sources_of(stage, systems, workspace).is_ok_and(|sources| sources != listed.sources) {
        ui.warn(format_args!(
            "the artifacts in {path} were built from other sources or with other settings; the ledger will nevertheless name the \
             commit of this workspace"
        ));
    }
    Ok(artifacts)
}

/// Builds into a folder, unless it has artifacts of the same sources and settings.
async fn into_folder(
    folder: &Utf8Path,
    request: &Request,
    systems: &[RenderedSystem],
    context: &Context,
) -> miette::Result<Artifacts> {
    let (workspace, ui) = (&context.workspace, &context.ui);
    let sources = sources(request, systems, workspace)?;
    if folder::list(folder).is_ok_and(|listed| listed.sources == sources) {
        let artifacts = folder::read(folder)?;
        if folder::check(folder, &artifacts, systems).is_ok() {
            ui.say(format_args!("The artifacts in {folder} are up to date: no build is needed."));
            return Ok(artifacts);
        }
    }
    let built = build::artifacts(request, &layers(systems), workspace, ui).await?;
    folder::write(folder, &built, request.architecture.as_str(), &sources)?;
    Ok(built)
}

/// Returns the hash of the sources and settings of a stage's artifacts.
pub(super) fn sources_of(stage: &Stage, systems: &[RenderedSystem], workspace: &Workspace) -> miette::Result<String> {
    sources(&request(stage, systems), systems, workspace)
}

fn sources(request: &Request, systems: &[RenderedSystem], workspace: &Workspace) -> miette::Result<String> {
    let settings = format!("{:?} {:?} {:?}", request.architecture, request.mode, request.profile);
    let layers = render::stacks_of(systems).flat_map(|stack| &stack.layers);
    let built = Built {
        packages: request.functions.iter().map(|function| function.system.as_str()).collect(),
        layers: layers.map(|layer| layer.source.as_str()).collect(),
    };
    Ok(fingerprint(workspace.root(), &built, &settings)?)
}

/// Returns the build mode of a stage: an emulator runs functions as processes of this machine.
pub(super) fn mode(stage: &Stage) -> Mode {
    if stage.is_local() || crate::session::emulator().is_some() { Mode::Native } else { Mode::Lambda }
}

fn request(stage: &Stage, systems: &[RenderedSystem]) -> Request {
    let functions: Vec<FunctionId> =
        render::stacks_of(systems).flat_map(|stack| &stack.functions).map(|function| function.id.clone()).collect();
    Request { functions, architecture: stage.architecture, mode: mode(stage), profile: None }
}

fn layers(systems: &[RenderedSystem]) -> Vec<RenderedLayer> {
    render::stacks_of(systems).flat_map(|stack| &stack.layers).cloned().collect()
}
