//! `notify`: what a job made of each system, told to those whom its alarms tell.

use camino::Utf8Path;
use clap::Args;
use miette::Diagnostic;
use model::rendered::{RenderedSystem, RenderedTopic};
use plan::full_name;
use thiserror::Error;

use super::summary::links;
use crate::session::Session;
use crate::{
    context::Context,
    error::{self, Exit},
    github::variable,
    notice::{Notice, Source, notices},
    record, render,
    sources::git::Git,
    workspace::Workspace,
};

/// Tell each system's alarm topic what became of it in the commands with the same --record.
#[derive(Debug, Args)]
#[command(
    after_help = "A system that nothing was done to is told nothing. What cannot be sent is a warning, and fails nothing. In GitHub Actions \
                        the message names GITHUB_ACTOR and links the run."
)]
pub struct NotifyArgs {
    /// The stage that the commands were for.
    #[arg(long)]
    stage: String,
    /// Only this system.
    #[arg(long)]
    system: Option<String>,
}

#[derive(Debug, Error, Diagnostic)]
enum NotifyError {
    #[error("there is no record to tell of")]
    #[diagnostic(help("name it: --record FILE, the same as for the other commands of the job"))]
    NoRecord,
    #[error("{stack} has no output {output}: it is not deployed yet")]
    NoTopic { stack: String, output: String },
}

/// Runs the command. `record` is that of its job.
///
/// # Errors
///
/// When there is no such stage or system, or no record is named. Whatever else goes wrong is a warning: a message is no reason
/// to fail a deploy.
pub async fn run(args: NotifyArgs, record: Option<&Utf8Path>, context: &Context) -> miette::Result<Exit> {
    let (_workspace, ui) = (&context.workspace, &context.ui);
    let record = record.ok_or(NotifyError::NoRecord)?;
    let stage = context.stage(&args.stage)?;
    let systems = render::select(&stage, context.render(&stage)?, args.system.as_deref(), None)?;
    let told: Vec<_> = systems.into_iter().filter(|system| system.alarm_topic.is_some()).collect();
    if let Err(report) = tell(record, &told, stage, context).await {
        ui.warn(format_args!("nobody was told: {}", error::chain(report.as_ref()).join(": ")));
    }
    Ok(Exit::Success)
}

async fn tell(
    record: &Utf8Path,
    systems: &[RenderedSystem],
    stage: model::stage::Stage,
    context: &Context,
) -> miette::Result<()> {
    let (workspace, ui) = (&context.workspace, &context.ui);
    let notices = notices(&record::read(record)?, systems);
    if notices.is_empty() {
        ui.say("There is nothing to tell.");
        return Ok(());
    }
    let session = Session::open(stage, context).await?;
    let source = source(&session, workspace);
    for notice in notices {
        let system = systems.iter().find(|system| system.name == notice.system);
        let Some((system, topic)) = system.and_then(|system| Some((system, system.alarm_topic.as_ref()?))) else {
            continue;
        };
        let subject = notice.subject(&session.stage.name);
        match send(&notice, &subject, system, topic, &source, &session).await {
            Ok(()) => ui.say(format_args!("✓ Told {}: {subject}", system.name)),
            // The others can still be told.
            Err(report) => {
                let chain = error::chain(report.as_ref()).join(": ");
                ui.warn(format_args!("{} was not told that {subject}: {chain}", system.name));
            }
        }
    }
    Ok(())
}

async fn send(
    notice: &Notice,
    subject: &str,
    system: &RenderedSystem,
    topic: &RenderedTopic,
    source: &Source,
    session: &Session,
) -> miette::Result<()> {
    let stack = full_name(&system.name, &topic.stack, &session.stage.name);
    let rendered = system.stacks.iter().find(|rendered| rendered.name == stack);
    let region = rendered.and_then(|rendered| rendered.region.as_deref());
    let state = session.clients.cloudformation(region).describe(&stack).await?;
    let arn = state.and_then(|state| state.outputs.get(&topic.output).cloned());
    let arn = arn.ok_or_else(|| NotifyError::NoTopic { stack, output: topic.output.clone() })?;
    let message = notice.message(&session.stage.name, source);
    Ok(session.clients.publish(region, &arn, subject, &message).await?)
}

/// Who and what, where the ledger does not tell: of a job the person who began it, who means more than the role that it works with.
fn source(session: &Session, workspace: &Workspace) -> Source {
    let links = links();
    let described = || Git::around(workspace.root()).ok().and_then(|git| git.describe());
    Source {
        who: variable("GITHUB_ACTOR").or_else(|| Some(session.caller.arn.clone())),
        commit: variable("GITHUB_SHA").or_else(described),
        run: links.run,
    }
}
