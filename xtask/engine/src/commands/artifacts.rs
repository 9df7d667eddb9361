//! `artifacts`: finds the run at GitHub that has already built the workspace's artifacts, and downloads them.

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use model::{foundation::pipeline::DEPLOY_WORKFLOW, stage::Stage};
use serde_json::Value;

use super::{build::StageSources, print_outputs};
use crate::{
    artifacts::folder,
    context::Context,
    error::Exit,
    github::{
        self, Github,
        runs::{self, Candidate, Trusted, Unused},
    },
    ui::Format,
};

/// Print the name of this workspace's artifacts at GitHub, and the run that has already built them.
#[derive(Debug, Args)]
#[command(
    after_help = "Prints `name`, `run` and `attestations` (whether the stage requires them), and sets them as outputs of a GitHub \
                  Actions step. `run` is empty if no run is accepted, or if GITHUB_REPOSITORY or GITHUB_TOKEN is not set. A run is \
                  accepted if a push to a --branch of this repository started --workflow, the run succeeded, and its commit is \
                  on that branch, was its head, and has the same sources. The command checks the ten newest runs and prints why it rejects one. \
                  Without --out, it verifies neither zips nor attestations."
)]
pub(crate) struct ArtifactsArgs {
    /// The stage; stages of one architecture share their artifacts.
    #[arg(long)]
    stage: String,
    /// A branch whose runs are trusted.
    #[arg(long = "branch", value_name = "BRANCH", default_values_t = ["develop".to_owned(), "main".to_owned()])]
    branches: Vec<String>,
    /// The trusted workflow, a file in .github/workflows.
    #[arg(long, value_name = "FILE", default_value = DEPLOY_WORKFLOW)]
    workflow: String,
    /// Verify the list's attestation and that each zip matches the list, then store the artifacts in this folder.
    #[arg(long, value_name = "FOLDER")]
    out: Option<Utf8PathBuf>,
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the command.
///
/// # Errors
///
/// When the sources cannot be read, or GitHub refuses.
pub(crate) async fn run(args: ArtifactsArgs, context: &Context) -> miette::Result<Exit> {
    let ui = &context.ui;
    let stage = context.stage(&args.stage)?;
    let sources = StageSources::of(&stage, context)?;
    let name = format!("artifacts-{}-{}", stage.architecture.as_str(), &sources.fingerprint.hash[..16]);
    let search = Search { args: &args, stage: &stage, sources: &sources, root: context.workspace.root() };
    let mut run = String::new();
    if let Some(github) = Github::from_environment() {
        for artifact in github.artifacts(&name).await? {
            let id = runs::run_of(&artifact);
            match search.take(&artifact, &github).await {
                Ok(()) => {
                    run = id.to_string();
                    break;
                }
                Err(Unused::Refused(reason)) => ui.say(format_args!("Run {id} is not used: {reason}.")),
                Err(Unused::Github(error)) => return Err(error.into()),
            }
        }
    }
    if run.is_empty() {
        ui.say("No run has usable artifacts, so they must be built.");
    }
    let outputs = [("name", name), ("run", run), ("attestations", has_attestations(&stage).to_string())];
    github::set_outputs(&outputs)?;
    print_outputs(&outputs, args.format, ui);
    Ok(Exit::Success)
}

fn has_attestations(stage: &Stage) -> bool {
    stage.pipeline.as_ref().is_some_and(|pipeline| pipeline.attestations)
}

/// What artifacts are searched for.
struct Search<'a> {
    args: &'a ArtifactsArgs,
    stage: &'a Stage,
    sources: &'a StageSources<'a>,
    root: &'a Utf8Path,
}

impl Search<'_> {
    /// Checks an artifact and its run, and downloads the artifact.
    async fn take(&self, artifact: &Value, github: &Github) -> Result<(), Unused> {
        let trusted = Trusted { workflow: &self.args.workflow, branches: &self.args.branches };
        let candidate = github.check_run(artifact, trusted, &self.sources.fingerprint, self.root).await?;
        match &self.args.out {
            Some(out) => self.download(&candidate, trusted, out, github).await,
            None => Ok(()),
        }
    }

    /// Downloads an artifact into a temporary folder, and copies it from there once everything is verified.
    async fn download(
        &self,
        candidate: &Candidate,
        trusted: Trusted<'_>,
        out: &Utf8Path,
        github: &Github,
    ) -> Result<(), Unused> {
        let failed = |reason: String| Unused::Refused(format!("its artifact cannot be stored: {reason}"));
        let temporary = tempfile::tempdir().map_err(|error| failed(error.to_string()))?;
        let folder = Utf8Path::from_path(temporary.path());
        let folder = folder.ok_or_else(|| failed("the path of temporary files is not UTF-8".to_owned()))?;
        github.download(candidate, folder).await?;
        if has_attestations(self.stage) {
            let list = folder.join(folder::LIST);
            github.verify_attestation(&list, &trusted.path(), candidate).map_err(Unused::Refused)?;
        }
        self.sources.take(folder, out).map_err(Unused::Refused)
    }
}
