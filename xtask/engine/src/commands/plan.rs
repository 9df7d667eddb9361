//! `plan`: shows what a deploy would change, compared with a commit or with what is deployed.

mod offline;
mod online;

use camino::Utf8PathBuf;
use clap::{Args, ValueEnum};
use miette::Diagnostic;
use plan::{
    preview::{self, Preview},
    show,
};
use serde_json::json;
use thiserror::Error;

use super::{AllowanceArgs, SelectionArgs, print_json};
use crate::{
    context::Context,
    error::Exit,
    github, planning,
    render::{self, validate},
    stage,
    ui::Ui,
};

/// Show what a deploy would change: resource by resource, without touching anything.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "Offline, the rendered templates are compared with those of a commit: no account, no credentials. With --online, \
                  and always for stage local, they are compared with the deployed stacks."
)]
pub(crate) struct PlanArgs {
    /// The stage; repeat it for several [default: every stage but local].
    #[arg(long)]
    stage: Vec<String>,
    #[command(flatten)]
    selection: SelectionArgs,
    /// Compare with the templates of this commit, for example HEAD [default: the merge base with origin/main, or with main].
    #[arg(long, value_name = "COMMIT", conflicts_with_all = ["online", "drift", "out"])]
    against: Option<String>,
    /// Compare with the deployed stacks, and with CloudFormation's own change sets.
    #[arg(long)]
    online: bool,
    /// Like --online, and detect drift with CloudFormation; takes minutes.
    #[arg(long)]
    drift: bool,
    /// Like --online, and write the plan with the hash of its inputs, for `deploy --plan`.
    #[arg(long, value_name = "FILE")]
    out: Option<Utf8PathBuf>,
    /// Like --online, with the artifacts in this folder, written by `build --out`.
    #[arg(long, value_name = "FOLDER")]
    artifacts: Option<Utf8PathBuf>,
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    format: PlanFormat,
    /// Exit 0 without changes, 2 with changes, 3 when the plan is refused.
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    allowances: AllowanceArgs,
}

/// The format of a plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum PlanFormat {
    /// For people.
    #[default]
    Text,
    /// For machines.
    Json,
    /// For a pull request comment, and the job's summary if GITHUB_STEP_SUMMARY is set.
    Markdown,
}

#[derive(Debug, Error, Diagnostic)]
enum PlanError {
    #[error("failed to compare stage local with a commit: it has no committed templates")]
    #[diagnostic(help("run the command without --against: stage local is compared with the deployed stacks"))]
    LocalHasNoCommits,
    #[error("failed to write the plan: --out writes the plan of one stage, but {} are selected", .0.len())]
    #[diagnostic(help("select one stage with --stage: {}", .0.join(", ")))]
    OneStage(Vec<String>),
}

/// Runs the command.
///
/// # Errors
///
/// When a stage is wrong, the history cannot be read, or, online, a call fails.
pub(crate) async fn run(args: PlanArgs, context: &Context) -> miette::Result<Exit> {
    let previews = previews(&args, context).await?;
    print(&previews, args.format, &context.ui)?;
    Ok(if args.exit_code { exit(&previews) } else { Exit::Success })
}

/// Compares every stage but local with a commit.
pub(super) async fn offline_everywhere(against: Option<String>, context: &Context) -> miette::Result<Vec<Preview>> {
    previews(&PlanArgs { against, ..PlanArgs::default() }, context).await
}

async fn previews(args: &PlanArgs, context: &Context) -> miette::Result<Vec<Preview>> {
    let names = match args.stage.as_slice() {
        [] => stage::names(&context.workspace)?.into_iter().filter(|name| name != "local").collect(),
        named => named.to_vec(),
    };
    if args.out.is_some() && names.len() != 1 {
        return Err(PlanError::OneStage(names).into());
    }
    let mut previews = Vec::new();
    for name in &names {
        let stage = context.stage(name)?;
        let systems = context.render(&stage)?;
        let selected = render::select(&stage, systems, &args.selection.selection())?;
        if stage.is_local() && args.against.is_some() {
            return Err(PlanError::LocalHasNoCommits.into());
        }
        let mut preview = if args.online || args.drift || args.out.is_some() || stage.is_local() {
            online::plan(stage, &selected, args, context).await?
        } else {
            validate::require(&stage, &selected.systems)?;
            offline::plan(&stage, &selected.systems, args, context)?
        };
        planning::accept(&args.allowances.allowances(), &mut preview, &context.ui);
        previews.push(preview);
    }
    Ok(previews)
}

fn exit(previews: &[Preview]) -> Exit {
    if previews.iter().any(|preview| preview.refused().next().is_some()) {
        Exit::Refused
    } else if previews.iter().any(|preview| !preview.is_empty()) {
        Exit::Changes
    } else {
        Exit::Success
    }
}

fn print(previews: &[Preview], format: PlanFormat, ui: &Ui) -> miette::Result<()> {
    match format {
        PlanFormat::Text => previews.iter().for_each(|preview| ui.plan_result(preview)),
        PlanFormat::Markdown => {
            let plans: Vec<_> = previews.iter().map(show::markdown).collect();
            plans.iter().for_each(|plan| ui.result(plan.trim_end()));
            github::add_summary(&plans.concat())?;
        }
        PlanFormat::Json => print_json(&json!({ "formatVersion": preview::FORMAT, "stages": previews }), ui)?,
    }
    Ok(())
}
