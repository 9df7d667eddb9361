//! Folders of artifacts: those of `build --out` and `--artifacts`, and downloaded ones.

use camino::Utf8Path;
use model::{rendered::RenderedSystem, stage::Stage};
use plan::artifacts::Artifacts;

use super::{super::set_sha256_output, layers, request, sources};
use crate::{
    artifacts::folder::{self, FolderError, Origin, Wanted},
    build::{self, Built, Mode, Request},
    context::Context,
    error::one_line,
    sources::{configuration, fingerprint::Fingerprint, inputs::Inputs},
};

/// A folder of artifacts that a command uses instead of a build.
#[derive(Debug, Clone, Copy)]
pub(in crate::commands) struct Folder<'a> {
    pub(in crate::commands) path: &'a Utf8Path,
    /// Whether artifacts of other sources than the workspace's are a warning instead of an error.
    pub(in crate::commands) allows_other_sources: bool,
}

/// Returns the artifacts of a folder. Their sources must be those of the workspace; other settings of the build are a warning.
pub(super) fn of_folder(
    folder: Folder<'_>,
    stage: &Stage,
    systems: &[RenderedSystem],
    context: &Context,
) -> miette::Result<Artifacts> {
    let (ui, path) = (&context.ui, folder.path);
    let request = request(stage, systems, context);
    let artifacts = folder::read(path, wanted(&request, stage))?;
    folder::check(path, &artifacts, systems)?;
    ui.say(format_args!("Using the artifacts in {path} without a build."));
    let origin = folder::origin(path)?;
    let compared = sources(&request, stage, context);
    let (other_sources, difference) = match &compared {
        Ok(sources) => (other_sources(&origin, sources, context), difference(&origin, sources, context)),
        Err(error) => (Some(format!("the sources cannot be compared: {}", one_line(error.as_ref()))), None),
    };
    match (other_sources, difference) {
        (Some(difference), _) if !folder.allows_other_sources => {
            let hint = format!(
                "build them from this checkout with `cargo xtask build --stage {} --out {path}`, or add --allow-other-sources to \
                 `cargo xtask deploy --stage {} --artifacts {path}`",
                stage.name, stage.name
            );
            return Err(FolderError::OtherSources { folder: path.to_string(), difference, hint }.into());
        }
        (Some(difference), _) => ui.warn(format_args!(
            "the artifacts in {path} were built from other sources ({difference}), but the release records the commit of this checkout"
        )),
        (None, Some(difference)) => {
            ui.warn(format_args!("the artifacts in {path} were built with other settings ({difference})"));
        }
        (None, None) => {}
    }
    Ok(artifacts)
}

/// What differs between the files that artifacts were built from and those of the workspace.
fn other_sources(origin: &Origin, sources: &Fingerprint, context: &Context) -> Option<String> {
    if origin.content != sources.content {
        return Some("a package or a layer differs".to_owned());
    }
    Some(format!("{} differs", origin.inputs.as_ref()?.different_source(context.workspace.root())?))
}

/// Builds into a folder, unless it has artifacts of the same sources and settings.
pub(super) async fn into_folder(
    folder: &Utf8Path,
    request: &Request,
    stage: &Stage,
    systems: &[RenderedSystem],
    context: &Context,
) -> miette::Result<Artifacts> {
    let (workspace, ui) = (&context.workspace, &context.ui);
    let sources = sources(request, stage, context)?;
    let existing = existing(folder, &sources, wanted(request, stage), systems, context);
    let artifacts = if let Some(artifacts) = existing {
        ui.say(format_args!("The artifacts in {folder} are up to date: no build is needed."));
        artifacts
    } else {
        let built = build::artifacts(request, &layers(systems), workspace, ui).await?;
        let origin = origin(&built, request, &sources, stage, context)?;
        folder::write(folder, &built.artifacts, origin)?;
        built.artifacts
    };
    // Later jobs compare the list with this hash, and the zips with the list.
    set_sha256_output(&folder.join(folder::LIST))?;
    Ok(artifacts)
}

/// Returns the artifacts of a folder if they are those that a build would make.
fn existing(
    folder: &Utf8Path,
    sources: &Fingerprint,
    wanted: Wanted<'_>,
    systems: &[RenderedSystem],
    context: &Context,
) -> Option<Artifacts> {
    folder::origin(folder).ok()?;
    match same(folder, sources, wanted, systems, context) {
        Ok(artifacts) => Some(artifacts),
        Err(reason) => {
            context.ui.say(format_args!("Building the artifacts in {folder} again: {reason}."));
            None
        }
    }
}

/// Returns the artifacts of a folder if they are those that a build of the whole stage would make; otherwise the reason.
fn same(
    folder: &Utf8Path,
    sources: &Fingerprint,
    wanted: Wanted<'_>,
    systems: &[RenderedSystem],
    context: &Context,
) -> Result<Artifacts, String> {
    let refused = |error: FolderError| one_line(&error);
    if let Some(difference) = difference(&folder::origin(folder).map_err(refused)?, sources, context) {
        return Err(difference);
    }
    let artifacts = folder::read(folder, wanted).map_err(refused)?;
    folder::check(folder, &artifacts, systems).map_err(refused)?;
    Ok(artifacts)
}

/// The sources of all artifacts of a stage, and a check of downloaded ones.
pub(in crate::commands) struct StageSources<'a> {
    stage: &'a Stage,
    systems: Vec<RenderedSystem>,
    pub(in crate::commands) fingerprint: Fingerprint,
    context: &'a Context,
}

impl<'a> StageSources<'a> {
    /// Hashes the sources.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub(in crate::commands) fn of(stage: &'a Stage, context: &'a Context) -> miette::Result<Self> {
        let systems = context.render(stage)?;
        let fingerprint = sources(&request(stage, &systems, context), stage, context)?;
        Ok(Self { stage, systems, fingerprint, context })
    }

    /// Copies downloaded artifacts into `to` if they are those that a build would make; otherwise, returns the reason.
    pub(in crate::commands) fn take(&self, downloaded: &Utf8Path, to: &Utf8Path) -> Result<(), String> {
        let Self { stage, systems, fingerprint, context } = self;
        let wanted = wanted(&request(stage, systems, context), stage);
        let artifacts = same(downloaded, fingerprint, wanted, systems, context)?;
        let copied = folder::origin(downloaded).and_then(|origin| folder::write(to, &artifacts, origin));
        copied.map_err(|error| one_line(&error))
    }
}

/// What differs between the sources of artifacts and those of the workspace.
fn difference(origin: &Origin, sources: &Fingerprint, context: &Context) -> Option<String> {
    if origin.content != sources.content {
        return Some("a package or a layer differs".to_owned());
    }
    if origin.sources != sources.hash {
        return Some("the compiler or a setting differs".to_owned());
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
        sources.content.clone_from(&sources.hash);
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
        content: sources.content,
        // Without them, the artifacts are built again next time.
        inputs: inputs.inspect_err(|error| tracing::debug!(%error, "failed to read cargo's dep-info")).ok(),
    })
}

fn wanted<'a>(request: &Request, stage: &'a Stage) -> Wanted<'a> {
    Wanted { stage: &stage.name, platform: request.platform() }
}
