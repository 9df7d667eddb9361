//! `check-live`: a deployed stage as its clients see it, and back where it was if that is not right.

use std::collections::BTreeSet;

use camino::Utf8Path;
use clap::Args;
use comfy_table::{ContentArrangement, Table, presets::UTF8_HORIZONTAL_ONLY};
use miette::{Diagnostic, IntoDiagnostic};
use serde_json::json;
use stacks::rendered::RenderedSystem;
use thiserror::Error;

use super::{
    guarded::checks,
    rollback::{self, RollbackArgs},
    session::{self, Session},
    status,
};
use crate::{
    deploy::{self, Outputs},
    error::{self, Exit},
    live::{self, Outcome},
    plan::full_name,
    record, stage,
    ui::{Format, Ui},
    workspace::Workspace,
};

/// Ask a deployed stage what its clients ask: health, who is turned away, browsers, and how fast it is.
#[derive(Debug, Args)]
pub struct CheckLiveArgs {
    /// The stage.
    #[arg(long)]
    stage: String,
    /// Only this system.
    #[arg(long)]
    system: Option<String>,
    /// Where a check fails, return each system that the `deploy` in the same --record released to its earlier release.
    #[arg(long)]
    rollback: bool,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Error, Diagnostic)]
#[error("stage {stage} does not do what it must: {}{}", failed.join("; "), after(.rolled_back))]
#[diagnostic(help("look at the functions' logs, mend it and deploy again"))]
struct Failed {
    stage: String,
    failed: Vec<String>,
    rolled_back: Vec<String>,
}

fn after(rolled_back: &[String]) -> String {
    if rolled_back.is_empty() { String::new() } else { format!(". Rolled back: {}", rolled_back.join(", ")) }
}

/// Runs the command. `record` is that of its job.
///
/// # Errors
///
/// When a check fails, or the stage cannot be looked at.
pub async fn run(
    args: CheckLiveArgs,
    record: Option<&Utf8Path>,
    workspace: &Workspace,
    ui: &Ui,
) -> miette::Result<Exit> {
    let session = Session::open(stage::load(workspace, &args.stage)?, workspace, ui).await?;
    let systems = session.select(args.system.as_deref(), None)?;
    let outcomes = look(&systems, &session, ui).await?;
    ui.note("checks", json!(outcomes));
    match args.format {
        Format::Text => ui.result(table(&outcomes)),
        Format::Json => ui.result(serde_json::to_string_pretty(&json!({ "checks": outcomes })).into_diagnostic()?),
    }
    let wrong: Vec<_> = outcomes.iter().filter(|outcome| !outcome.passed).collect();
    if wrong.is_empty() {
        return Ok(Exit::Success);
    }
    let failed =
        wrong.iter().map(|outcome| format!("{} {}: {}", outcome.system, outcome.kind, outcome.detail)).collect();
    let mut rolled_back = Vec::new();
    if args.rollback {
        let released = released(record)?;
        for system in systems.iter().filter(|system| is_released(system, &released)) {
            ui.say(format_args!("Returning {} to its earlier release", system.name));
            match rollback::run(RollbackArgs::last(&args.stage, &system.name), workspace, ui).await {
                Ok(_) => rolled_back.push(system.name.clone()),
                // The others can still be rolled back, and the failed check is told in any case.
                Err(report) => {
                    let causes = error::chain(report.as_ref()).join(": ");
                    ui.warn(format_args!("{} was NOT rolled back: {causes}", system.name));
                }
            }
        }
        ui.note("rolledBack", json!(rolled_back));
    }
    Err(Failed { stage: args.stage, failed, rolled_back }.into())
}

async fn look(systems: &[RenderedSystem], session: &Session, ui: &Ui) -> miette::Result<Vec<Outcome>> {
    let observed = deploy::observe::observe(&session.systems, &session.clients).await?;
    let outputs = session::outputs(&observed);
    let urls = status::urls(&session.systems, &outputs, session);
    let mut outcomes = Vec::new();
    for system in systems.iter().filter(|system| !system.smoke.is_empty() || !system.live.is_empty()) {
        let step = ui.step(format!("Check {} from outside", system.name));
        let token = token(system, session, &outputs, ui).await;
        let found = live::check(system, &checks(session, system, &outputs), token, &urls).await;
        let passed = found.iter().filter(|outcome| outcome.passed).count();
        step.done(format_args!("{passed} of {} right", found.len()));
        outcomes.extend(found);
    }
    Ok(outcomes)
}

/// The token of a user who is made for this, with a password that nobody needs to know, and deleted at once: a token is good
/// without its user. `None` where the system has no users, `Err` where nobody can sign in.
async fn token(
    system: &RenderedSystem,
    session: &Session,
    outputs: &Outputs,
    ui: &Ui,
) -> Option<Result<String, String>> {
    let sign_in = system.sign_in.as_ref()?;
    let stack = full_name(&system.name, &sign_in.stack, &session.stage.name);
    let output = |name: &str| outputs.get(&stack).and_then(|outputs| outputs.get(name));
    let (Some(pool), Some(client)) = (output(&sign_in.pool_output), output(&sign_in.client_output)) else {
        return Some(Err(format!("{stack} is not deployed")));
    };
    let mut random = [0_u8; 16];
    if let Err(error) = getrandom::fill(&mut random) {
        return Some(Err(error.to_string()));
    }
    // Of every kind of character that a pool may ask for.
    let password = format!("Aa1!{}", hex::encode(random));
    let cognito = session.clients.cognito();
    let signed_in = async {
        cognito.provide(pool, &sign_in.user, &sign_in.attributes, &password).await?;
        cognito.sign_in_by_srp(pool, client, &sign_in.user, &password).await
    };
    let signed_in = signed_in.await;
    if let Err(error) = cognito.forget(pool, &sign_in.user).await {
        ui.warn(format_args!("the user {} of the check is still there: {error}", sign_in.user));
    }
    Some(signed_in.map_err(|error| error.to_string()))
}

/// The functions that the deploys of this job gave another version to.
fn released(record: Option<&Utf8Path>) -> miette::Result<BTreeSet<String>> {
    let done = record.map(record::read).transpose()?.unwrap_or_default();
    let functions = done.iter().filter(|done| done.command == "deploy").filter_map(|done| done.notes.get("functions"));
    let changed = functions
        .filter_map(|functions| functions.as_array())
        .flatten()
        .filter(|function| !function["before"].is_null());
    Ok(changed.filter_map(|function| function["functionName"].as_str().map(str::to_owned)).collect())
}

fn is_released(system: &RenderedSystem, released: &BTreeSet<String>) -> bool {
    let mut functions = system.stacks.iter().flat_map(|stack| &stack.functions);
    functions.any(|function| released.contains(&function.function_name))
}

fn table(outcomes: &[Outcome]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["system", "check", "request", "", "answer"]);
    for outcome in outcomes {
        let mark = if outcome.passed { "✓" } else { "✗" };
        table.add_row([outcome.system.as_str(), outcome.kind, &outcome.what, mark, &outcome.detail]);
    }
    table
}
