//! `summary`: prints what a job did.

use camino::Utf8Path;
use clap::Args;
use miette::{Diagnostic, IntoDiagnostic, WrapErr};
use serde_json::Value;
use thiserror::Error;

use crate::{
    context::Context,
    error::Exit,
    github::{self, variable},
    record,
    summary::{self, Links},
};

/// Print what the commands with the same --record did, and add it to the job's summary.
#[derive(Debug, Args)]
#[command(
    after_help = "The links use GITHUB_SERVER_URL, GITHUB_REPOSITORY, GITHUB_SHA and GITHUB_RUN_ID; GITHUB_STEP_SUMMARY is the job's summary."
)]
pub(crate) struct SummaryArgs {
    /// The stage of the commands.
    #[arg(long, required_unless_present = "jobs", conflicts_with = "jobs")]
    stage: Option<String>,
    /// Summarize other jobs instead, from NEEDS, GitHub's `toJSON(needs)`; exit 1 if one did not succeed.
    #[arg(long)]
    jobs: bool,
}

#[derive(Debug, Error, Diagnostic)]
enum SummaryError {
    #[error("some of the jobs did not succeed")]
    #[diagnostic(help("check the logs of the jobs that did not succeed"))]
    Jobs,
    #[error("failed to summarize the jobs: NEEDS is not set")]
    #[diagnostic(help("add to the workflow's step: env: {{ NEEDS: \"${{{{ toJSON(needs) }}}}\" }}"))]
    NoNeeds,
    #[error("failed to read the job's record: --record is missing")]
    #[diagnostic(help("add --record with the same file as the other commands of the job"))]
    NoRecord,
}

/// Runs the command. `record` is the record of its job.
///
/// # Errors
///
/// When the record cannot be read, or, with `--jobs`, a job did not succeed.
pub(crate) fn run(args: &SummaryArgs, record: Option<&Utf8Path>, context: &Context) -> miette::Result<Exit> {
    let ui = &context.ui;
    let Some(stage) = &args.stage else {
        let needs = variable("NEEDS").ok_or(SummaryError::NoNeeds)?;
        let needs: Value = serde_json::from_str(&needs).into_diagnostic().wrap_err("failed to read NEEDS")?;
        let (text, all_succeeded) = summary::jobs(&needs);
        ui.result(text.trim_end());
        github::add_summary(&text)?;
        return if all_succeeded { Ok(Exit::Success) } else { Err(SummaryError::Jobs.into()) };
    };
    let job = record::read(record.ok_or(SummaryError::NoRecord)?)?;
    let text = summary::markdown(stage, &job, &links());
    ui.result(text.trim_end());
    github::add_summary(&text)?;
    Ok(Exit::Success)
}

/// The URLs of the run and its commit, in GitHub Actions.
pub(super) fn links() -> Links {
    let repository = || Some(format!("{}/{}", variable("GITHUB_SERVER_URL")?, variable("GITHUB_REPOSITORY")?));
    let run = || Some(format!("{}/actions/runs/{}", repository()?, variable("GITHUB_RUN_ID")?));
    let commit = || {
        let hash = variable("GITHUB_SHA")?;
        let address = format!("{}/commit/{hash}", repository()?);
        Some((hash, address))
    };
    Links { run: run(), commit: commit() }
}
