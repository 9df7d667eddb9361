//! `pr-comment`: posts each stage's offline plan as a pull request comment, and updates it in place.

use clap::Args;
use plan::{preview::Preview, show};
use serde_json::Value;

use super::plan as plan_command;
use crate::{
    context::Context,
    error::Exit,
    github::{self, Github, variable},
};

/// The first line of the comment, by which the next run finds it.
const MARKER: &str = "<!-- cargo xtask pr-comment -->";

/// Post each stage's offline plan as a pull request comment, and update it in place.
#[derive(Debug, Args)]
#[command(
    after_help = "Needs no AWS account. The plan is also printed and added to the job's summary. No comment is posted if \
                  GITHUB_REPOSITORY, GITHUB_TOKEN or the number is missing, or in pull requests of forks, whose token can only \
                  read."
)]
pub(crate) struct PrCommentArgs {
    /// The number of the pull request [default: from GITHUB_EVENT_PATH].
    #[arg(long)]
    number: Option<u64>,
    /// Compare with the templates of this commit [default: the target branch, or the merge base with main].
    #[arg(long, value_name = "COMMIT")]
    against: Option<String>,
}

/// Runs the command.
///
/// # Errors
///
/// When a stage is wrong, the history cannot be read, or GitHub does not respond.
pub(crate) async fn run(args: PrCommentArgs, context: &Context) -> miette::Result<Exit> {
    let ui = &context.ui;
    let base = variable("GITHUB_BASE_REF").map(|branch| format!("origin/{branch}"));
    let previews = plan_command::offline_everywhere(args.against.or(base), context).await?;
    let text = comment(&previews);
    ui.result(text.trim_end());
    github::add_summary(&text)?;
    let number = args.number.or_else(pull_request);
    let (Some(github), Some(number)) = (Github::from_environment(), number) else {
        ui.say("No comment is posted: set GITHUB_REPOSITORY, GITHUB_TOKEN and --number to post one.");
        return Ok(Exit::Success);
    };
    match github.comment(number, MARKER, &text).await {
        Ok(address) => ui.say(format_args!("✓ Posted {address}")),
        Err(error) if error.is_forbidden() => ui.warn(format_args!("no comment was posted: {error}")),
        Err(error) => return Err(error.into()),
    }
    Ok(Exit::Success)
}

fn comment(previews: &[Preview]) -> String {
    let plans: Vec<_> = previews.iter().map(show::markdown).collect();
    format!("## What this would change\n\n{}\n", plans.join("\n").trim_end())
}

/// The pull request of the event that started the run.
fn pull_request() -> Option<u64> {
    let event = fs_err::read_to_string(variable("GITHUB_EVENT_PATH")?).ok()?;
    let event: Value = serde_json::from_str(&event).ok()?;
    event["pull_request"]["number"].as_u64()
}
