//! `notify`: sends what became of each system to its alarm topic.

use camino::Utf8Path;
use clap::Args;
use miette::Diagnostic;
use model::{
    rendered::{RenderedSystem, RenderedTopic},
    stage::Stage,
};
use plan::full_name;
use thiserror::Error;

use super::summary::links;
use crate::{
    context::Context,
    error::{Exit, one_line},
    github::variable,
    notice::{Notice, Source, notices},
    record, render,
    session::Session,
};

/// Send what became of each system in a job to the system's alarm topic.
#[derive(Debug, Args)]
#[command(
    after_help = "Reads the commands with the same --record. A system that the job did not change gets no message. A message that \
                  cannot be sent is a warning and does not fail the command. In GitHub Actions, messages name GITHUB_ACTOR and link \
                  to the run."
)]
pub(crate) struct NotifyArgs {
    /// The stage of the commands.
    #[arg(long)]
    stage: String,
    /// Only this system.
    #[arg(long)]
    system: Option<String>,
}

#[derive(Debug, Error, Diagnostic)]
enum NotifyError {
    #[error("failed to read the job's record: --record is missing")]
    #[diagnostic(help("add --record with the same file as the other commands of the job"))]
    NoRecord,
    #[error("{stack} has no output {output}: it is not deployed yet")]
    NoTopic { stack: String, output: String },
}

/// Runs the command. `record` is the record of its job.
///
/// # Errors
///
/// When there is no such stage or system, or --record is missing. Every other failure is a warning: a message that is not sent
/// does not fail a deploy.
pub(crate) async fn run(args: NotifyArgs, record: Option<&Utf8Path>, context: &Context) -> miette::Result<Exit> {
    let record = record.ok_or(NotifyError::NoRecord)?;
    let stage = context.stage(&args.stage)?;
    let mut systems = render::select_system(&stage, context.render(&stage)?, args.system.as_deref())?;
    systems.retain(|system| system.alarm_topic.is_some());
    if let Err(report) = notify(record, &systems, stage, context).await {
        context.ui.warn(format_args!("no message was sent: {}", one_line(report.as_ref())));
    }
    Ok(Exit::Success)
}

async fn notify(record: &Utf8Path, systems: &[RenderedSystem], stage: Stage, context: &Context) -> miette::Result<()> {
    let ui = &context.ui;
    let notices = notices(&record::read(record)?, systems);
    if notices.is_empty() {
        ui.say("No system changed: no message is sent.");
        return Ok(());
    }
    let session = Session::open(stage, context).await?;
    let source = source(&session);
    for notice in notices {
        let system = systems.iter().find(|system| system.name == notice.system);
        let Some((system, topic)) = system.and_then(|system| Some((system, system.alarm_topic.as_ref()?))) else {
            continue;
        };
        let subject = notice.subject(&session.stage.name);
        match send(&notice, system, topic, &source, &session).await {
            Ok(()) => ui.say(format_args!("✓ Sent to the alarm topic of {}: {subject}", system.name)),
            // The other systems' messages can still be sent.
            Err(report) => {
                let error = one_line(report.as_ref());
                ui.warn(format_args!("failed to send to the alarm topic of {}: {subject}: {error}", system.name));
            }
        }
    }
    Ok(())
}

async fn send(
    notice: &Notice,
    system: &RenderedSystem,
    topic: &RenderedTopic,
    source: &Source,
    session: &Session,
) -> miette::Result<()> {
    let stage = &session.stage.name;
    let stack = full_name(&system.name, &topic.stack, stage);
    let rendered = system.stacks.iter().find(|rendered| rendered.name == stack);
    let region = rendered.and_then(|rendered| rendered.region.as_deref());
    let state = session.clients.cloudformation(region).describe(&stack).await?;
    let arn = state.and_then(|state| state.outputs.get(&topic.output).cloned());
    let arn = arn.ok_or_else(|| NotifyError::NoTopic { stack, output: topic.output.clone() })?;
    let (subject, message) = (notice.subject(stage), notice.message(stage, source));
    Ok(session.clients.publish(region, &arn, &subject, &message).await?)
}

/// The origin of the notices. In a job, the person who started it says more than the role that it works with.
fn source(session: &Session) -> Source {
    Source {
        deployer: variable("GITHUB_ACTOR").or_else(|| Some(session.caller.arn.clone())),
        commit: variable("GITHUB_SHA").or_else(|| session.commit()),
        run: links().run,
    }
}
