//! `build`: functions and layers into zips.

use std::time::Instant;

use clap::Args;
use contract::FunctionName;
use miette::{Diagnostic, IntoDiagnostic};
use serde_json::json;
use stacks::{
    rendered::{RenderedLayer, RenderedSystem},
    stage::{Architecture, Stage},
};
use thiserror::Error;

use crate::{
    artifacts::Artifacts,
    build::{self, Mode, Request},
    error::Exit,
    render,
    stage::{self, closest},
    ui::{Format, Ui},
    workspace::Workspace,
};

/// Build every function and layer into a reproducible zip under target/artifacts.
#[derive(Debug, Args)]
pub struct BuildArgs {
    /// The stage to build for; `local` is built for this machine, all others for Lambda.
    #[arg(long, default_value = "dev")]
    stage: String,
    /// Only this system's functions.
    #[arg(long)]
    system: Option<String>,
    /// Only this function, `upload` or `media-uploader-upload`.
    #[arg(long)]
    function: Option<String>,
    /// Another instruction set than the stage's.
    #[arg(long, value_enum)]
    arch: Option<Arch>,
    /// Another cargo profile than `lambda`, or `dev` for local.
    #[arg(long)]
    profile: Option<String>,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// An instruction set, as Lambda names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Arch {
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
#[diagnostic(help("functions to choose from: {}", .known.join(", ")))]
struct UnknownFunction {
    name: String,
    known: Vec<String>,
}

/// Runs the command.
///
/// # Errors
///
/// When something asked for does not exist, or cannot be built.
pub async fn run(args: BuildArgs, workspace: &Workspace, ui: &Ui) -> miette::Result<Exit> {
    let started = Instant::now();
    let stage = stage::load(workspace, &args.stage)?;
    let systems = render::select(&stage, render::stage(&stage)?, args.system.as_deref(), None)?;
    let mut request = request(&stage, &systems);
    if let Some(name) = &args.function {
        let known = request.functions.iter().map(|function| function.function.to_owned()).collect();
        request.functions.retain(|function| function.function == name || function.binary == name);
        if request.functions.is_empty() {
            return Err(UnknownFunction { name: name.clone(), known }.into());
        }
    }
    request.architecture = args.arch.map_or(request.architecture, Into::into);
    request.profile = args.profile;
    let layers = if args.function.is_some() { Vec::new() } else { layers(&systems) };
    let built = build::artifacts(&request, &layers, workspace, ui).await?;
    match args.format {
        Format::Text => ui.result(build::table(&built, request.architecture, started.elapsed())),
        Format::Json => {
            let artifacts: Vec<_> = built.functions.values().chain(built.layers.values()).collect();
            let report = json!({ "architecture": request.architecture.as_str(), "artifacts": artifacts });
            ui.result(serde_json::to_string_pretty(&report).into_diagnostic()?);
        }
    }
    Ok(Exit::Success)
}

/// Builds everything that these systems need in a stage.
pub(super) async fn artifacts(
    stage: &Stage,
    systems: &[RenderedSystem],
    profile: Option<String>,
    workspace: &Workspace,
    ui: &Ui,
) -> miette::Result<Artifacts> {
    let request = Request { profile, ..request(stage, systems) };
    Ok(build::artifacts(&request, &layers(systems), workspace, ui).await?)
}

fn request(stage: &Stage, systems: &[RenderedSystem]) -> Request {
    let functions: Vec<FunctionName> =
        render::stacks_of(systems).flat_map(|stack| &stack.functions).map(|function| function.name).collect();
    let mode = if stage.is_local() { Mode::Native } else { Mode::Lambda };
    Request { functions, architecture: stage.architecture, mode, profile: None }
}

fn layers(systems: &[RenderedSystem]) -> Vec<RenderedLayer> {
    render::stacks_of(systems).flat_map(|stack| &stack.layers).cloned().collect()
}
