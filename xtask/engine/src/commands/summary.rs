//! `summary`: what a job did, for people who were not there.

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

/// Say what the commands with the same --record did, also in the job's summary where GITHUB_STEP_SUMMARY is set.
#[derive(Debug, Args)]
#[command(
    after_help = "Links come from GITHUB_SERVER_URL, GITHUB_REPOSITORY, GITHUB_SHA and GITHUB_RUN_ID, where they are set."
)]
pub struct SummaryArgs {
    /// The stage that the commands were for.
    #[arg(long, required_unless_present = "jobs", conflicts_with = "jobs")]
    stage: Option<String>,
    /// Sum up other jobs instead, from NEEDS, GitHub's `toJSON(needs)`; exit 1 when one of them did not succeed.
    #[arg(long)]
    jobs: bool,
}

#[derive(Debug, Error, Diagnostic)]
enum SummaryError {
    #[error("not every job succeeded")]
    #[diagnostic(help("look at the jobs that did not"))]
    Jobs,
    #[error("--jobs reads NEEDS, which is not set")]
    #[diagnostic(help("in the workflow: env: {{ NEEDS: \"${{{{ toJSON(needs) }}}}\" }}"))]
    NoNeeds,
    #[error("there is no record to sum up")]
    #[diagnostic(help("name it: --record FILE, the same as for the other commands of the job"))]
    NoRecord,
}

/// Runs the command. `record` is that of its job.
///
/// # Errors
///
/// When the record cannot be read, or, with `--jobs`, one of them did not succeed.
pub fn run(args: &SummaryArgs, record: Option<&Utf8Path>, context: &Context) -> miette::Result<Exit> {
    let ui = &context.ui;
    let Some(stage) = &args.stage else {
        let needs = variable("NEEDS").ok_or(SummaryError::NoNeeds)?;
        let needs: Value = serde_json::from_str(&needs).into_diagnostic().wrap_err("failed to read NEEDS")?;
        let (text, good) = summary::jobs(&needs);
        ui.result(text.trim_end());
        github::add_summary(&text)?;
        return if good { Ok(Exit::Success) } else { Err(SummaryError::Jobs.into()) };
    };
    let done = record::read(record.ok_or(SummaryError::NoRecord)?)?;
    let text = summary::markdown(stage, &done, &links());
    ui.result(text.trim_end());
    github::add_summary(&text)?;
    Ok(Exit::Success)
}

/// Where the job is seen, where it is one.
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
