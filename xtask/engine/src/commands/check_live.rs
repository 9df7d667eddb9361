//! `check-live`: a deployed stage as its clients see it, and back where it was if that is not right.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8Path;
use clap::Args;
use comfy_table::{ContentArrangement, Table, presets::UTF8_HORIZONTAL_ONLY};
use miette::{Diagnostic, IntoDiagnostic};
use model::{parts::function::LIVE, rendered::RenderedSystem};
use serde_json::json;
use thiserror::Error;

use super::{
    guarded::smoke_tests,
    rollback::{self, RollbackArgs},
};
use crate::session::{self, Session};
use crate::{
    aws::lambda::Described,
    context::Context,
    deploy::{self, Outputs},
    error::{self, Exit},
    live::sign_in::TestUser,
    live::{self, Outcome},
    record::{self, Done},
    ui::{Format, Ui},
};

/// Ask a deployed stage what its clients ask: health, who is turned away, browsers, users, and how fast it is.
#[derive(Debug, Args)]
#[command(
    after_help = "What each system must do is said where it is defined, in stacks/src/systems. After a deploy that failed, --rollback \
                        looks only at the systems that it had released by then, and at none where it had released none."
)]
pub struct CheckLiveArgs {
    /// The stage.
    #[arg(long)]
    stage: String,
    /// Only this system.
    #[arg(long)]
    system: Option<String>,
    /// Return each system whose checks fail to its earlier release, if the `deploy` in the same --record released it; all that
    /// it released where the stage cannot be looked at.
    #[arg(long)]
    rollback: bool,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Error, Diagnostic)]
#[error("stage {stage} does not do what it must: {}{after}", failed.join("; "))]
#[diagnostic(help("look at the functions' logs, mend it and deploy again"))]
struct Failed {
    stage: String,
    failed: Vec<String>,
    after: Returned,
}

/// What was done about a failure.
#[derive(Debug, Default)]
struct Returned {
    rolled_back: Vec<String>,
    /// Systems that should have been, each with why they were not.
    left: Vec<(String, String)>,
}

impl std::fmt::Display for Returned {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.rolled_back.is_empty() {
            write!(formatter, ". Rolled back: {}", self.rolled_back.join(", "))?;
        }
        for (system, reason) in &self.left {
            write!(formatter, ". {system} was NOT rolled back: {reason}")?;
        }
        Ok(())
    }
}

/// What the deploys of this job did.
#[derive(Debug, Default, PartialEq, Eq)]
struct Before {
    /// The functions that they gave another version to.
    released: BTreeSet<String>,
    /// The systems that they completed a release of: one that was resumed or changed a page alone moved no function.
    systems: BTreeSet<String>,
    /// The stacks that they changed.
    stacks: BTreeSet<String>,
    /// Did one of them fail?
    failed: bool,
}

/// Runs the command. `record` is that of its job.
///
/// # Errors
///
/// When a check fails, or the stage cannot be looked at.
pub async fn run(args: CheckLiveArgs, record: Option<&Utf8Path>, context: &Context) -> miette::Result<Exit> {
    let (_workspace, ui) = (&context.workspace, &context.ui);
    let before = if args.rollback {
        before(&record.map(record::read).transpose()?.unwrap_or_default())
    } else {
        Before::default()
    };
    let session = Session::open(context.stage(&args.stage)?, context).await?;
    let mut systems = session.select(args.system.as_deref(), None)?;
    if before.failed {
        // A changed stack is live as soon as it is changed, whatever was released.
        let is_changed =
            |system: &RenderedSystem| system.stacks.iter().any(|stack| before.stacks.contains(&stack.name));
        systems.retain(|system| is_released(system, &before) || is_changed(system));
        if systems.is_empty() {
            ui.say(
                "The deploy failed before it changed anything: users get what they got before, and nothing is checked.",
            );
            return Ok(Exit::Success);
        }
    }
    let outcomes = match look(&systems, &session, ui).await {
        Ok(outcomes) => outcomes,
        Err(report) => {
            // Nobody knows whether it works, so it is not left to users.
            let every = systems.iter().map(|system| system.name.as_str()).collect();
            let after = roll_back(&args, &systems, &every, &before, context).await;
            return Err(report.wrap_err(format!("stage {} cannot be looked at{after}", args.stage)));
        }
    };
    ui.note("checks", json!(outcomes));
    match args.format {
        Format::Text => ui.result(table(&outcomes)),
        Format::Json => ui.result(serde_json::to_string_pretty(&json!({ "checks": outcomes })).into_diagnostic()?),
    }
    for outcome in &outcomes {
        if let Some(warning) = &outcome.warning {
            ui.warn(format_args!("{} {}: {warning}", outcome.system, outcome.kind));
        }
    }
    let wrong: Vec<_> = outcomes.iter().filter(|outcome| !outcome.passed).collect();
    if wrong.is_empty() {
        return Ok(Exit::Success);
    }
    let failed =
        wrong.iter().map(|outcome| format!("{} {}: {}", outcome.system, outcome.kind, outcome.detail)).collect();
    let broken = wrong.iter().map(|outcome| outcome.system.as_str()).collect();
    let after = roll_back(&args, &systems, &broken, &before, context).await;
    Err(Failed { stage: args.stage, failed, after }.into())
}

/// Returns those of the broken systems that this job has released.
async fn roll_back(
    args: &CheckLiveArgs,
    systems: &[RenderedSystem],
    broken: &BTreeSet<&str>,
    before: &Before,
    context: &Context,
) -> Returned {
    let (_workspace, ui) = (&context.workspace, &context.ui);
    let mut returned = Returned::default();
    if !args.rollback {
        return returned;
    }
    let is_ours = |system: &&RenderedSystem| broken.contains(system.name.as_str()) && is_released(system, before);
    for system in systems.iter().filter(is_ours) {
        ui.say(format_args!("Returning {} to its earlier release", system.name));
        match rollback::run(RollbackArgs::last(&args.stage, &system.name), context).await {
            Ok(_) => returned.rolled_back.push(system.name.clone()),
            // The others can still be rolled back, and the failed check is told in any case.
            Err(report) => returned.left.push((system.name.clone(), error::chain(report.as_ref()).join(": "))),
        }
    }
    ui.note("rolledBack", json!(returned.rolled_back));
    ui.note("notRolledBack", json!(returned.left.iter().map(|(system, _)| system).collect::<Vec<_>>()));
    returned
}

async fn look(systems: &[RenderedSystem], session: &Session, ui: &Ui) -> miette::Result<Vec<Outcome>> {
    let observed = deploy::observe::observe(&session.systems, &session.clients).await?;
    let outputs = session::outputs(&observed);
    let urls = session.urls(&outputs);
    let mut outcomes = Vec::new();
    for system in systems.iter().filter(|system| !system.smoke.is_empty() || !system.live.is_empty()) {
        let step = ui.step(format!("Check {} from outside", system.name));
        let token = token(system, session, &outputs, ui).await;
        let found = live::check(system, &smoke_tests(session, system, &outputs), token, &urls).await;
        let passed = found.iter().filter(|outcome| outcome.passed).count();
        step.done(format_args!("{passed} of {} right", found.len()));
        outcomes.extend(found);
    }
    ui.note("urls", json!(urls));
    ui.note("live", json!(live_functions(systems, session, ui).await));
    Ok(outcomes)
}

/// What is live, for the summary; what cannot be described is left out, for no check depends on it.
async fn live_functions(systems: &[RenderedSystem], session: &Session, ui: &Ui) -> BTreeMap<String, Described> {
    let lambda = session.clients.lambda();
    let mut found = BTreeMap::new();
    for function in systems.iter().flat_map(|system| &system.stacks).flat_map(|stack| &stack.functions) {
        match lambda.describe(&function.function_name, LIVE).await {
            Ok(described) => found.extend(described.map(|described| (function.function_name.clone(), described))),
            Err(error) => ui.warn(format_args!("{} is not described: {error}", function.function_name)),
        }
    }
    found
}

/// The ID token of a test user that is created for this check and deleted at once.
///
/// `None` where the system has no users, `Err` where the user cannot sign in.
async fn token(
    system: &RenderedSystem,
    session: &Session,
    outputs: &Outputs,
    ui: &Ui,
) -> Option<Result<String, String>> {
    let user = match TestUser::of(system, session, outputs)? {
        Ok(user) => user,
        Err(error) => return Some(Err(error.to_string())),
    };
    let token = user.id_token().await;
    if let Err(error) = user.delete().await {
        ui.warn(format_args!("failed to delete the check's test user of {}: {error}", system.name));
    }
    Some(token.map_err(|error| error.to_string()))
}

/// What the deploys of this job did, from its record.
fn before(done: &[Done]) -> Before {
    let deploys = || done.iter().filter(|done| done.command == "deploy");
    let listed = |note| deploys().flat_map(move |done| done.list(note));
    let changed = listed("functions").filter(|function| !function["before"].is_null());
    let completed = listed("releases").filter(|release| release["outcome"]["state"] == "released");
    Before {
        systems: completed.filter_map(|release| release["system"].as_str().map(str::to_owned)).collect(),
        stacks: listed("changedStacks").filter_map(|stack| stack.as_str().map(str::to_owned)).collect(),
        released: changed.filter_map(|function| function["functionName"].as_str().map(str::to_owned)).collect(),
        failed: deploys().any(|done| !done.succeeded),
    }
}

fn is_released(system: &RenderedSystem, before: &Before) -> bool {
    let mut functions = system.stacks.iter().flat_map(|stack| &stack.functions);
    before.systems.contains(&system.name) || functions.any(|function| before.released.contains(&function.function_name))
}

fn table(outcomes: &[Outcome]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["system", "check", "request", "", "answer"]);
    for outcome in outcomes {
        let mark = match (outcome.passed, &outcome.warning) {
            (false, _) => "✗",
            (true, Some(_)) => "!",
            (true, None) => "✓",
        };
        table.add_row([outcome.system.as_str(), outcome.kind, &outcome.what, mark, &outcome.detail]);
    }
    table
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn deploy(succeeded: bool, functions: Value) -> Done {
        let notes = serde_json::Map::from_iter([("functions".to_owned(), functions)]);
        Done { command: "deploy".to_owned(), succeeded, failure: Vec::new(), seconds: 1.0, notes }
    }

    #[test]
    fn released_is_what_a_deploy_gave_another_version_to_even_if_it_failed_then() {
        let functions = json!([
            { "functionName": "one", "version": "2", "before": "1" },
            { "functionName": "two", "version": "2", "before": null },
        ]);
        let failed = before(&[deploy(false, functions)]);
        let (released, stacks) = (BTreeSet::from(["one".to_owned()]), BTreeSet::new());
        assert_eq!(failed, Before { released, stacks, failed: true, ..Before::default() });
        let nothing = Done { notes: serde_json::Map::new(), ..deploy(false, Value::Null) };
        assert_eq!(before(&[nothing]), Before { failed: true, ..Before::default() });
        let notes = serde_json::Map::from_iter([("changedStacks".to_owned(), json!(["notes-api-staging"]))]);
        let half_done = Done { notes, ..deploy(false, Value::Null) };
        assert_eq!(before(&[half_done]).stacks, BTreeSet::from(["notes-api-staging".to_owned()]));
        let releases = json!([
            { "system": "notes", "outcome": { "state": "released" } },
            { "system": "feeds", "outcome": { "state": "reverted", "why": "it is slow" } },
        ]);
        let notes = serde_json::Map::from_iter([("releases".to_owned(), releases)]);
        let resumed = Done { notes, ..deploy(true, Value::Null) };
        assert_eq!(before(&[resumed]).systems, BTreeSet::from(["notes".to_owned()]));
        assert_eq!(before(&[]), Before::default());
    }
}
