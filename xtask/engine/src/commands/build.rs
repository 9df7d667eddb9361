//! `build`: builds functions and layers into zips.

use std::{collections::BTreeSet, time::Instant};

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
    artifacts::folder::{self, Origin, Wanted},
    build::{self, Built, Mode, Request, limits},
    context::Context,
    error::{Exit, one_line},
    render, site,
    sources::{
        configuration,
        fingerprint::{self, Fingerprint, fingerprint},
        inputs::Inputs,
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
    let systems = render::select(&stage, context.render(&stage)?, args.system.as_deref(), None)?;
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
    folder: Option<&Utf8Path>,
    context: &Context,
) -> miette::Result<Artifacts> {
    let (workspace, ui) = (&context.workspace, &context.ui);
    site::check(systems, workspace)?;
    let request = request(stage, systems, context);
    let artifacts = match folder {
        Some(path) => of_folder(path, &request, stage, systems, context)?,
        None => build::artifacts(&request, &layers(systems), workspace, ui).await?.artifacts,
    };
    limits::check(&artifacts, systems, ui)?;
    Ok(artifacts)
}

/// Returns the artifacts of a folder, and warns if they were not built from the workspace as it is.
fn of_folder(
    path: &Utf8Path,
    request: &Request,
    stage: &Stage,
    systems: &[RenderedSystem],
    context: &Context,
) -> miette::Result<Artifacts> {
    let ui = &context.ui;
    let artifacts = folder::read(path, wanted(request, stage))?;
    folder::check(path, &artifacts, systems)?;
    ui.say(format_args!("Using the artifacts in {path} without a build."));
    let compared =
        sources(request, stage, context).and_then(|sources| Ok(difference(&folder::origin(path)?, &sources, context)));
    match compared {
        Ok(None) => {}
        Ok(Some(difference)) => ui.warn(format_args!(
            "the artifacts in {path} were built from other sources or settings ({difference}), but the ledger will record the commit of \
             this workspace"
        )),
        Err(error) => ui.warn(format_args!("failed to compare the sources of {path}: {}", one_line(error.as_ref()))),
    }
    Ok(artifacts)
}

/// Builds into a folder, unless it has artifacts of the same sources and settings.
async fn into_folder(
    folder: &Utf8Path,
    request: &Request,
    stage: &Stage,
    systems: &[RenderedSystem],
    context: &Context,
) -> miette::Result<Artifacts> {
    let (workspace, ui) = (&context.workspace, &context.ui);
    let sources = sources(request, stage, context)?;
    if let Some(artifacts) = existing(folder, &sources, wanted(request, stage), systems, context) {
        ui.say(format_args!("The artifacts in {folder} are up to date: no build is needed."));
        return Ok(artifacts);
    }
    let built = build::artifacts(request, &layers(systems), workspace, ui).await?;
    let origin = origin(&built, request, &sources, stage, context)?;
    folder::write(folder, &built.artifacts, origin)?;
    Ok(built.artifacts)
}

/// Returns the artifacts of a folder if they are those that a build would make.
fn existing(
    folder: &Utf8Path,
    sources: &Fingerprint,
    wanted: Wanted<'_>,
    systems: &[RenderedSystem],
    context: &Context,
) -> Option<Artifacts> {
    let origin = folder::origin(folder).ok()?;
    if let Some(difference) = difference(&origin, sources, context) {
        context.ui.say(format_args!("The artifacts in {folder} are not up to date: {difference}."));
        return None;
    }
    match folder::read(folder, wanted) {
        Ok(artifacts) => folder::check(folder, &artifacts, systems).is_ok().then_some(artifacts),
        Err(error) => {
            context.ui.warn(format_args!("rebuilding the artifacts in {folder}: {}", one_line(&error)));
            None
        }
    }
}

/// What differs between the sources of artifacts and those of the workspace.
fn difference(origin: &Origin, sources: &Fingerprint, context: &Context) -> Option<String> {
    if origin.sources != sources.hash {
        return Some("a package, a layer or a setting differs".to_owned());
    }
    let Some(inputs) = &origin.inputs else { return Some("cargo reported no inputs".to_owned()) };
    let different = inputs.difference(context.workspace.root(), &configuration::environment())?;
    Some(format!("{different} differs"))
}

/// How artifacts were built, for their list.
fn origin(
    built: &Built,
    request: &Request,
    before: &Fingerprint,
    stage: &Stage,
    context: &Context,
) -> miette::Result<Origin> {
    let mut sources = sources(request, stage, context)?;
    if sources != *before {
        context.ui.warn("sources changed during the build, so the artifacts may contain either version");
        sources.hash = "changed during the build".to_owned();
    }
    let compiled = built.compiled.clone().unwrap_or_default();
    let inputs = match &built.compiled {
        Some(compiled) => compiled.units.inputs(&context.workspace, &sources, &configuration::environment()),
        None => Ok(Inputs::default()),
    };
    Ok(Origin {
        architecture: request.instruction_set().to_owned(),
        native: request.mode == Mode::Native,
        target: compiled.target,
        profile: compiled.profile,
        optimization: compiled.optimization,
        sources: sources.hash,
        // Without them, the artifacts are built again next time.
        inputs: inputs.inspect_err(|error| tracing::debug!(%error, "failed to read cargo's dep-info")).ok(),
    })
}

fn wanted<'a>(request: &Request, stage: &'a Stage) -> Wanted<'a> {
    Wanted { stage: &stage.name, platform: request.platform() }
}

/// Returns the hash of the sources and settings of a stage's artifacts.
pub(super) fn sources_of(stage: &Stage, context: &Context) -> miette::Result<String> {
    Ok(sources(&request(stage, &context.render(stage)?, context), stage, context)?.hash)
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
