//! `check-rights`: compares the calls that functions make on the local cloud with the roles that another stage renders.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::SystemTime,
};

use aws_smithy_types::{DateTime, date_time::Format as TimeFormat};
use clap::Args;
use comfy_table::Table;
use miette::{Diagnostic, IntoDiagnostic};
use model::{
    foundation,
    parts::function::LIVE,
    rendered::{RenderedFunction, RenderedSystem},
    stage::Stage,
};
use serde_json::json;
use thiserror::Error;

use super::print_json;
use crate::{
    aws::{documents::Documents, lambda::Invocation},
    context::Context,
    deploy::{Outputs, observe::Extent},
    error::{Exit, one_line},
    live::{self, Endpoints},
    lock::HeldLocks,
    rights::{
        Coverage, Deployed, Judgement, Place, Recorder, Refused, Rendered, Role, Scheduled, Untriggered, coverage,
        judge, roles, scheduled,
    },
    session::{self, Locking, Session},
    stage, table,
    ui::{Format, Ui},
};

/// Compare the calls that functions make on the local cloud with the roles that another stage renders.
#[derive(Debug, Args)]
#[command(
    after_help = "Records the calls of every function while the systems' checks and the project's demos run and each schedule \
                  invokes its function once, then restores the functions. Fails if a role would refuse a call. Lists, for \
                  information, the routes and functions that were not exercised, whose permissions are not checked, and the grants \
                  that no call used: checks may not reach all code, and Lambda itself writes logs and polls queues."
)]
pub(crate) struct CheckRightsArgs {
    /// The stage whose functions are recorded: `local`, or one on an emulator.
    #[arg(long)]
    stage: String,
    /// Only this system.
    #[arg(long)]
    system: Option<String>,
    /// The stage whose roles are compared [default: the first stage on AWS].
    #[arg(long, value_name = "STAGE")]
    against: Option<String>,
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Error, Diagnostic)]
enum CheckRightsError {
    #[error("failed to check rights: the functions of stage {0} run on AWS; nothing was changed")]
    #[diagnostic(help("run `cargo xtask check-rights --stage local`"))]
    NotEmulated(String),
    #[error("failed to check rights: the project has no stage on AWS whose roles could be compared")]
    #[diagnostic(help("add the file of a stage on AWS, or select a stage with --against"))]
    NoStage,
    #[error("the roles of stage {against} do not match the recorded calls: {}", failures.join(", "))]
    #[diagnostic(help("grant the missing permissions in the system's definition, or fix the failed checks"))]
    Failed { against: String, failures: Vec<String> },
}

/// Runs the command.
///
/// # Errors
///
/// When a role would refuse a call, a check fails, or calls cannot be recorded.
pub(crate) async fn run(args: CheckRightsArgs, context: &Context) -> miette::Result<Exit> {
    let stage = context.stage(&args.stage)?;
    if !stage.is_local() && !stage.emulated {
        return Err(CheckRightsError::NotEmulated(stage.name).into());
    }
    let against = against(args.against.as_deref(), context)?;
    let rendered = context.render(&against)?;
    let session = Session::open(stage, context).await?;
    let mut systems = session.select(args.system.as_deref())?;
    systems.retain(|system| system.name != foundation::SYSTEM);
    context.ui.say(format_args!("Comparing with the roles that stage {} renders", against.name));

    let deployed = Deployed::read(&systems, &session.clients).await?;
    let here = Rendered { stage: &session.stage, systems: &systems };
    let roles = roles(Rendered { stage: &against, systems: &rendered }, here, &deployed)?;
    let Exercised { judgement, coverage, failed_checks } = recorded(&systems, &roles, &session).await?;
    match args.format {
        Format::Text => print_tables(&judgement, &coverage, &context.ui),
        Format::Json => {
            let mut report = serde_json::to_value(&judgement).into_diagnostic()?;
            report["against"] = json!(against.name);
            report["failedChecks"] = json!(failed_checks);
            report["uncalled"] = json!(coverage.uncalled);
            report["uninvoked"] = json!(coverage.uninvoked);
            report["untriggered"] = json!(coverage.untriggered);
            print_json(&report, &context.ui)?;
        }
    }
    warn(&judgement, &failed_checks, &context.ui);
    warn_of_gaps(&judgement, &coverage, &context.ui);
    if judgement.passes() && failed_checks.is_empty() {
        return Ok(Exit::Success);
    }
    let failures = failures(&judgement, failed_checks.len());
    Err(CheckRightsError::Failed { against: against.name, failures }.into())
}

/// Reads the stage whose roles are compared.
fn against(name: Option<&str>, context: &Context) -> miette::Result<Stage> {
    if let Some(name) = name {
        return Ok(context.stage(name)?);
    }
    for name in stage::names(&context.workspace)? {
        let stage = context.stage(&name)?;
        if !stage.is_local() && !stage.emulated {
            return Ok(stage);
        }
    }
    Err(CheckRightsError::NoStage.into())
}

/// What a recording found.
struct Exercised {
    judgement: Judgement,
    coverage: Coverage,
    failed_checks: Vec<String>,
}

/// Records the calls of the systems' functions while the systems are exercised, and judges them. The functions are put back even if the
/// exercise fails or the user interrupts it.
async fn recorded(systems: &[RenderedSystem], roles: &[Role], session: &Session) -> miette::Result<Exercised> {
    let observed = session.observe(Extent::Stacks).await?;
    let (outputs, bucket) = (session::outputs(&observed), session.bucket(&observed));
    let recorder = Recorder::new(Place::of(&session.stage), &session.clients)?;
    let interruption = &session.context.interruption;
    // While these are kept, an interrupted run waits until the functions are put back, and reports if there was no time for it.
    let (_subscription, _restoring) = (interruption.subscribe(), interruption.restoring(unrestored(systems)));
    let work = async |_: &HeldLocks<Documents>| {
        let exercise = exercise(systems, &outputs, &recorder, session).await;
        exercise.map(|(failed_checks, invoked)| {
            let recorded = recorder.recorded();
            let coverage = coverage(systems, &demonstrated(session), &invoked, &recorded);
            Exercised { judgement: judge(&recorded, roles), coverage, failed_checks }
        })
    };
    let mut stopped = Ok(());
    let restore = async { stopped = recorder.stop().await };
    let locking = Locking { systems, command: "check-rights", bucket };
    let exercised = session.locked_and_restored(locking, work, restore).await;
    if let (Err(_), Err(error)) = (&exercised, &stopped) {
        session.context.ui.warn(one_line(error));
    }
    let judged = session.explain(exercised)?;
    stopped?;
    Ok(judged)
}

/// What an interrupted run reports if it had no time to put the functions back.
fn unrestored(systems: &[RenderedSystem]) -> String {
    let systems: Vec<_> = systems.iter().map(|system| system.name.as_str()).collect();
    format!("functions of {} may still call the recorder, until the same command puts them back", systems.join(", "))
}

/// The routes that the project's demos call, by system.
fn demonstrated(session: &Session) -> BTreeMap<String, BTreeSet<String>> {
    let mut routes = BTreeMap::<_, BTreeSet<_>>::new();
    for demo in &session.context.application.demos {
        let own = demo.routes().iter().map(|route| (*route).to_owned());
        routes.entry(demo.system().to_owned()).or_default().extend(own);
    }
    routes
}

/// Records every function, then runs the systems' checks, the project's demos and each schedule once; returns those that failed, and the
/// functions that schedules have invoked. Latency is not measured, because a recording takes time.
async fn exercise(
    systems: &[RenderedSystem],
    outputs: &Outputs,
    recorder: &Recorder<'_>,
    session: &Session,
) -> miette::Result<(Vec<String>, BTreeSet<String>)> {
    let step = session.context.ui.step("Record the calls of the functions");
    let functions: Vec<&RenderedFunction> =
        systems.iter().flat_map(|system| &system.stacks).flat_map(|stack| &stack.functions).collect();
    for function in &functions {
        recorder.record(&function.function_name).await?;
    }
    step.done(format_args!("functions: {}", functions.len()));
    let unmeasured: Vec<_> = systems.iter().map(|system| RenderedSystem { latency: None, ..system.clone() }).collect();
    let results = live::check_systems(&unmeasured, &Endpoints::of(session).await?, session).await;
    let failed = results.iter().filter(|result| !result.passed);
    let mut failed: Vec<_> =
        failed.map(|result| format!("{} {}: {}", result.system, result.kind, result.detail)).collect();
    let ui = session.context.ui.clone().with_results_as_messages();
    let context = Context { ui, ..session.context.clone() };
    for demo in &context.application.demos {
        if systems.iter().any(|system| system.name == demo.system())
            && let Err(report) = demo.run(session, outputs, &context).await
        {
            failed.push(format!("{} demo: {}", demo.system(), one_line(report.as_ref())));
        }
    }
    let invoked = invoke_scheduled(systems, session, &mut failed).await;
    if !recorder.settled().await {
        context.ui.warn("the functions are still making calls; later calls are not compared");
    }
    Ok((failed, invoked))
}

/// Invokes each function with a schedule once, as the schedule does; returns these functions, and adds failures to `failed`.
async fn invoke_scheduled(systems: &[RenderedSystem], session: &Session, failed: &mut Vec<String>) -> BTreeSet<String> {
    let time = DateTime::from_secs_f64(DateTime::from(SystemTime::now()).as_secs_f64().trunc());
    let time = time.fmt(TimeFormat::DateTime).unwrap_or_default();
    let place = Place::of(&session.stage);
    let mut invoked = BTreeSet::new();
    for Scheduled { system, rule, function, event } in systems.iter().flat_map(|of| scheduled(of, &place, &time)) {
        let step = session.context.ui.step(format!("Invoke {function} as {rule} does"));
        let payload = event.to_string().into_bytes();
        let failure = match session.clients.lambda().invoke(&function, LIVE, payload).await {
            Ok(Invocation { error: None, .. }) => None,
            Ok(Invocation { payload, .. }) => {
                Some(String::from_utf8_lossy(&payload).chars().take(500).collect::<String>())
            }
            Err(error) => Some(one_line(&error)),
        };
        step.done(if failure.is_some() { "failed" } else { "done" });
        failed.extend(failure.map(|failure| format!("{system} schedule {rule}: {function} failed with {failure}")));
        invoked.insert(function);
    }
    invoked
}

/// What does not fit, each as a number of things.
fn failures(judgement: &Judgement, failed_checks: usize) -> Vec<String> {
    let counts = [
        (judgement.refused.len(), "call would be refused", "calls would be refused"),
        (judgement.unknown.len(), "call cannot be judged", "calls cannot be judged"),
        (failed_checks, "check failed", "checks failed"),
    ];
    let counts = counts.into_iter().filter(|(count, ..)| *count > 0);
    counts.map(|(count, one, more)| format!("{count} {}", if count == 1 { one } else { more })).collect()
}

fn print_tables(judgement: &Judgement, coverage: &Coverage, ui: &Ui) {
    if !judgement.refused.is_empty() {
        ui.result(refused_table(&judgement.refused));
        ui.result("");
    }
    if !coverage.uncalled.is_empty() {
        ui.result(uncalled_table(coverage));
        ui.result("");
    }
    if !judgement.unused.is_empty() {
        ui.result(unused_table(judgement));
    }
}

fn uncalled_table(coverage: &Coverage) -> Table {
    let mut table = table::terminal(&["function", "route that no check calls"]);
    let rows = coverage.uncalled.iter();
    table.add_rows(table::grouped(rows.map(|uncalled| vec![uncalled.function.clone(), uncalled.route.clone()])));
    table
}

fn refused_table(refused: &[Refused]) -> Table {
    let mut table = table::terminal(&["function", "refused", "resource", "statement"]);
    let rows = refused.iter();
    table.add_rows(table::grouped(
        rows.map(|call| vec![call.function.clone(), call.action.clone(), call.resource.clone(), call.reason.clone()]),
    ));
    table
}

fn unused_table(judgement: &Judgement) -> Table {
    let mut table = table::terminal(&["function", "unused", "resource", "note"]);
    table.add_rows(table::grouped(judgement.unused.iter().map(|grant| {
        let note = if grant.used_by_lambda { "used by Lambda itself" } else { "" };
        vec![grant.function.clone(), grant.action.clone(), grant.resource.clone(), note.to_owned()]
    })));
    table
}

fn warn(judgement: &Judgement, failed_checks: &[String], ui: &Ui) {
    for call in &judgement.unknown {
        ui.warn(format_args!("{} calls {}, which cannot be judged", call.function, call.call));
    }
    for call in &judgement.conditional {
        let Refused { function, action, resource, reason } = call;
        ui.warn(format_args!("{function} calls {action} on {resource}, which {reason}"));
    }
    for unread in &judgement.unread {
        ui.warn(format_args!("{unread} is not in the templates, so its grants are not counted"));
    }
    for function in &judgement.absent {
        ui.warn(format_args!("{function} does not exist in the other stage, so its calls were not compared"));
    }
    for check in failed_checks {
        ui.warn(format_args!("a check failed: {check}"));
    }
}

/// Warns of what was not exercised, so that a missing permission of it is not found.
fn warn_of_gaps(judgement: &Judgement, coverage: &Coverage, ui: &Ui) {
    gaps(judgement, coverage).iter().for_each(|gap| ui.warn(gap));
}

fn gaps(judgement: &Judgement, coverage: &Coverage) -> Vec<String> {
    let mut gaps = Vec::new();
    for function in &coverage.uninvoked {
        gaps.push(format!("no check, demo or schedule invokes {function}, so its permissions are not checked"));
    }
    for Untriggered { function, rule } in &coverage.untriggered {
        gaps.push(format!("no check or demo causes an event that {rule} sends to {function}"));
    }
    for function in judgement.silent.iter().filter(|function| !coverage.uninvoked.contains(function)) {
        gaps.push(format!("{function} made no call"));
    }
    let routes = coverage.uncalled.len();
    if routes > 0 {
        let noun = if routes == 1 { "route" } else { "routes" };
        gaps.push(format!("no check or demo calls {routes} {noun}, so their permissions are not checked"));
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rights::{Uncalled, Unknown, Unused};

    fn judgement() -> Judgement {
        let function = || "notes-api-local".to_owned();
        let refused = |action: &str| Refused {
            function: function(),
            action: action.to_owned(),
            resource: "arn:t".to_owned(),
            reason: "closest: allow dynamodb:Query on arn:t".to_owned(),
        };
        Judgement {
            refused: vec![refused("dynamodb:GetItem"), refused("dynamodb:PutItem")],
            unknown: vec![Unknown { function: function(), call: "kms Decrypt".to_owned() }],
            unused: vec![Unused {
                function: function(),
                action: "logs:PutLogEvents".to_owned(),
                resource: "*".to_owned(),
                used_by_lambda: true,
            }],
            ..Judgement::default()
        }
    }

    #[test]
    fn the_tables_name_function_action_resource_and_statement() {
        let lines = |table: &Table| table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
        let refused = lines(&refused_table(&judgement().refused));
        let expected = [
            "notes-api-local  dynamodb:GetItem  arn:t     closest: allow dynamodb:Query on arn:t",
            "                 dynamodb:PutItem  arn:t     closest: allow dynamodb:Query on arn:t",
        ];
        assert_eq!(refused[2..], expected);
        let unused = lines(&unused_table(&judgement()));
        assert_eq!(unused[2..], ["notes-api-local  logs:PutLogEvents  *         used by Lambda itself"]);
    }

    #[test]
    fn routes_and_functions_that_were_not_exercised_are_listed() {
        let uncalled = |route: &str| Uncalled { function: "notes-api-local".to_owned(), route: route.to_owned() };
        let coverage = Coverage {
            uncalled: vec![uncalled("DELETE /notes/{id}"), uncalled("POST /notes")],
            uninvoked: vec!["notes-sweep-local".to_owned()],
            untriggered: vec![Untriggered { function: "notes-sweep-local".to_owned(), rule: "Done".to_owned() }],
        };
        let table = uncalled_table(&coverage);
        let lines: Vec<_> = table.lines().map(|line| line.trim_end().to_owned()).collect();
        assert_eq!(lines[2..], ["notes-api-local  DELETE /notes/{id}", "                 POST /notes"]);
        let silent = vec!["notes-mail-local".to_owned(), "notes-sweep-local".to_owned()];
        let expected = [
            "no check, demo or schedule invokes notes-sweep-local, so its permissions are not checked",
            "no check or demo causes an event that Done sends to notes-sweep-local",
            "notes-mail-local made no call",
            "no check or demo calls 2 routes, so their permissions are not checked",
        ];
        assert_eq!(gaps(&Judgement { silent, ..Judgement::default() }, &coverage), expected);
        assert!(gaps(&Judgement::default(), &Coverage::default()).is_empty());
    }

    #[test]
    fn failures_are_counted_and_unused_grants_are_none() {
        let expected = ["2 calls would be refused", "1 call cannot be judged", "3 checks failed"];
        assert_eq!(failures(&judgement(), 3), expected);
        let unused = Judgement { refused: Vec::new(), unknown: Vec::new(), ..judgement() };
        assert!(unused.passes() && failures(&unused, 0).is_empty());
        assert!(!judgement().passes() && !failures(&judgement(), 0).is_empty());
    }
}
