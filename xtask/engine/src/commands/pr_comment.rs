//! `pr-comment`: the offline plan of every stage under a pull request, as one comment that is updated in place.

use ::plan::{preview::Preview, show};
use clap::Args;
use serde_json::Value;

use super::plan;
use crate::{
    context::Context,
    error::Exit,
    github::{self, Github, variable},
};

/// How the comment is known again.
const MARKER: &str = "<!-- cargo xtask pr-comment -->";

/// Put the offline plan of every stage under a pull request, as one comment that is updated in place.
#[derive(Debug, Args)]
#[command(
    after_help = "Needs no account. Where GITHUB_REPOSITORY, GITHUB_TOKEN or the number are not set, and in pull requests of forks, \
                        whose token only reads, the plan is only printed, and added to the job's summary."
)]
pub struct PrCommentArgs {
    /// The pull request [default: that of GITHUB_EVENT_PATH].
    #[arg(long)]
    number: Option<u64>,
    /// Compare with the templates committed here [default: the branch that is merged into, or the merge base with main].
    #[arg(long, value_name = "COMMIT")]
    against: Option<String>,
}

/// Runs the command.
///
/// # Errors
///
/// When a stage is wrong, the history cannot be read, or GitHub does not answer.
pub async fn run(args: PrCommentArgs, context: &Context) -> miette::Result<Exit> {
    let (_workspace, ui) = (&context.workspace, &context.ui);
    let base = variable("GITHUB_BASE_REF").map(|branch| format!("origin/{branch}"));
    let previews = plan::offline_everywhere(args.against.or(base), context).await?;
    let text = comment(&previews);
    ui.result(text.trim_end());
    github::add_summary(&text)?;
    let number = args.number.or_else(pull_request);
    let (Some(github), Some(number)) = (Github::from_environment(), number) else {
        ui.say("There is no pull request to write it under: set GITHUB_REPOSITORY, GITHUB_TOKEN and --number.");
        return Ok(Exit::Success);
    };
    match github.comment(number, MARKER, &text).await {
        Ok(address) => ui.say(format_args!("✓ Wrote {address}")),
        Err(error) if error.is_forbidden() => ui.warn(format_args!("the comment was not written: {error}")),
        Err(error) => return Err(error.into()),
    }
    Ok(Exit::Success)
}

fn comment(previews: &[Preview]) -> String {
    let plans: Vec<_> = previews.iter().map(show::markdown).collect();
    format!("## What this would change\n\n{}\n", plans.join("\n").trim_end())
}

/// The number in the event that started the run.
fn pull_request() -> Option<u64> {
    let event = fs_err::read_to_string(variable("GITHUB_EVENT_PATH")?).ok()?;
    let event: Value = serde_json::from_str(&event).ok()?;
    event["pull_request"]["number"].as_u64()
}
