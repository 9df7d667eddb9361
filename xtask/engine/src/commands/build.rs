//! `build`: builds functions and layers into zips.

mod folders;

use std::{collections::BTreeSet, time::Instant};

use camino::Utf8PathBuf;
use clap::Args;
use miette::Diagnostic;
use model::{
    rendered::{FunctionId, RenderedLayer, RenderedSystem},
    stage::{Architecture, Stage},
};
use plan::artifacts::Artifacts;
use serde_json::json;
use thiserror::Error;

pub(super) use self::folders::{Folder, StageSources};
use self::folders::{into_folder, of_folder};
use super::print_json;
use crate::{
    build::{self, Mode, Request, limits},
    context::Context,
    error::{Exit, one_line},
    render, site,
    sources::{
        configuration,
        fingerprint::{self, Fingerprint, fingerprint},
    },
    stage::{self, closest},
    ui::Format,
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
    let systems = render::select_system(&stage, context.render(&stage)?, args.system.as_deref())?;
    let mut request = request(&stage, &systems, context);
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
        Some(folder) => into_folder(folder, &request, &stage, &systems, context).await?,
        None => build::artifacts(&request, &layers, workspace, ui).await?.artifacts,
    };
    limits::check(&built, &systems, ui)?;
    match args.format {
        Format::Text => ui.result(build::table(&built, request.instruction_set(), started.elapsed())),
        Format::Json => {
            let artifacts: Vec<_> = built.functions.values().chain(built.layers.values()).collect();
            print_json(&json!({ "architecture": request.instruction_set(), "artifacts": artifacts }), ui)?;
        }
    }
    Ok(Exit::Success)
}

/// Returns the artifacts of the systems: those in `folder`, or newly built ones.
pub(super) async fn artifacts(
    stage: &Stage,
    systems: &[RenderedSystem],
    folder: Option<Folder<'_>>,
    context: &Context,
) -> miette::Result<Artifacts> {
    let (workspace, ui) = (&context.workspace, &context.ui);
    site::check(systems, workspace)?;
    let artifacts = match (folder, context.surroundings.simulated()) {
        (Some(folder), _) => of_folder(folder, stage, systems, context)?,
        (None, Some(simulated)) => simulated.builds.artifacts(stage, systems),
        (None, None) => {
            let request = request(stage, systems, context);
            build::artifacts(&request, &layers(systems), workspace, ui).await?.artifacts
        }
    };
    limits::check(&artifacts, systems, ui)?;
    Ok(artifacts)
}

/// Hashes the sources of all functions and layers of a stage, whichever are requested: the packages of all decide the features of
/// each, and a folder of all artifacts serves a deploy of one system.
fn sources(request: &Request, stage: &Stage, context: &Context) -> miette::Result<Fingerprint> {
    let settings = format!("{} {:?} {:?}", request.instruction_set(), request.mode, request.profile);
    let systems = context.render(stage)?;
    let stacks = || render::stacks_of(&systems);
    let functions = stacks().flat_map(|stack| &stack.functions).map(|function| function.id.system.as_str());
    let built = fingerprint::Built {
        packages: request.packages.iter().map(String::as_str).chain(functions).collect(),
        layers: stacks().flat_map(|stack| &stack.layers).map(|layer| layer.source.as_str()).collect(),
        has_all_manifests: request.mode == Mode::Native,
    };
    Ok(fingerprint(context.workspace.root(), &built, &settings, &configuration::environment())?)
}

/// Returns the build mode of a stage: an emulator runs functions as processes of this machine. The stage alone decides: a variable that
/// points the AWS clients elsewhere must not change what is built.
pub(super) fn mode(stage: &Stage) -> Mode {
    if stage.is_local() || stage.emulated { Mode::Native } else { Mode::Lambda }
}

fn request(stage: &Stage, systems: &[RenderedSystem], context: &Context) -> Request {
    let functions: Vec<FunctionId> =
        render::stacks_of(systems).flat_map(|stack| &stack.functions).map(|function| function.id.clone()).collect();
    let mode = mode(stage);
    let mut packages: BTreeSet<_> = functions.iter().map(|function| function.system.clone()).collect();
    if mode == Mode::Lambda {
        packages.extend(packages_of_project(context));
    }
    Request { functions, packages, architecture: stage.architecture, mode, profile: None }
}

/// The packages of all functions of the project, in every stage. A stage that cannot be read has a warning instead: another stage can
/// still be built.
fn packages_of_project(context: &Context) -> BTreeSet<String> {
    let systems_of = |name: &str| {
        let stage = context.stage(name)?;
        context.application.project.render(&stage).map_err(|error| miette::miette!("{error}"))
    };
    let mut packages = BTreeSet::new();
    for name in stage::names(&context.workspace).unwrap_or_default() {
        match systems_of(&name) {
            Ok(systems) => {
                let functions = render::stacks_of(&systems).flat_map(|stack| &stack.functions);
                packages.extend(functions.map(|function| function.id.system.clone()));
            }
            Err(error) => context.ui.warn(format_args!(
                "failed to read the functions of stage {name}; without them, dependencies may be built with other features: {}",
                one_line(error.as_ref())
            )),
        }
    }
    packages
}

fn layers(systems: &[RenderedSystem]) -> Vec<RenderedLayer> {
    render::stacks_of(systems).flat_map(|stack| &stack.layers).cloned().collect()
}

#[cfg(test)]
mod tests {
    use model::example::Example;

    use super::*;

    #[test]
    fn the_stage_alone_decides_where_its_functions_run() {
        let (local, mut prod) = (Example::stage_named("local"), Example::stage_named("prod"));
        assert_eq!((mode(&local), mode(&prod)), (Mode::Native, Mode::Lambda));
        prod.emulated = true;
        assert_eq!(mode(&prod), Mode::Native);
    }
}
