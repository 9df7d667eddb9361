//! `check-live`: tests a deployed stage from outside, and rolls back the releases that fail.

use std::collections::BTreeSet;

use camino::Utf8Path;
use clap::Args;
use comfy_table::Table;
use miette::Diagnostic;
use model::rendered::RenderedSystem;
use serde_json::json;
use thiserror::Error;

use super::{
    print_json,
    rollback::{self, RollbackArgs},
};
use crate::{
    context::Context,
    error::{self, Exit},
    ledger::Entry,
    live::{
        self, Endpoints,
        rollback::{JobChanges, Rollbacks},
    },
    record,
    report::{CheckLiveReport, CheckResult, Draft},
    session::Session,
    table,
    ui::Format,
};

/// Test a deployed stage from outside: health, authorization, CORS, sign-in, latency.
#[derive(Debug, Args)]
#[command(
    after_help = "Each system declares its checks where it is defined. After a failed deploy, --rollback only checks the systems \
                  that the deploy changed; if it changed none, nothing is checked."
)]
pub(crate) struct CheckLiveArgs {
    /// The stage.
    #[arg(long)]
    stage: String,
    /// Only this system.
    #[arg(long)]
    system: Option<String>,
    /// Roll back each system that fails its checks, if a `deploy` with the same --record released it. If the stage cannot be
    /// checked, roll back every system that was released.
    #[arg(long)]
    rollback: bool,
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Error, Diagnostic)]
#[error("stage {stage} failed its checks: {}{rollbacks}", failed.join("; "))]
#[diagnostic(help("check the functions' logs, fix the cause and deploy again"))]
struct Failed {
    stage: String,
    failed: Vec<String>,
    rollbacks: Rollbacks,
}

/// Runs the command. `record` is the record of its job.
///
/// # Errors
///
/// When a check fails, or the stage cannot be checked.
pub(crate) async fn run(
    args: CheckLiveArgs,
    record: Option<&Utf8Path>,
    context: &Context,
    draft: &Draft<CheckLiveReport>,
) -> miette::Result<Exit> {
    let job = if args.rollback { record.map(record::read).transpose()?.unwrap_or_default() } else { Vec::new() };
    let changes = JobChanges::of(&job);
    let session = Session::open(context.stage(&args.stage)?, context).await?;
    let systems = changes.affected(session.select(args.system.as_deref())?);
    if systems.is_empty() {
        context
            .ui
            .say("No checks run: the deploy failed before it changed anything, and users get the earlier release.");
        return Ok(Exit::Success);
    }
    let rollback =
        Rollback { is_wanted: args.rollback, systems: &systems, changes: &changes, session: &session, draft };
    let results = match check(&systems, &session, draft).await {
        Ok(results) => results,
        Err(report) => {
            // A stage that cannot be checked may be broken, so every release of this job is rolled back.
            let all = systems.iter().map(|system| system.name.clone()).collect();
            let rollbacks = rollback.run(&all).await;
            return Err(report.wrap_err(format!("failed to check stage {}{rollbacks}", args.stage)));
        }
    };
    print(&results, args.format, context)?;
    let wrong: Vec<_> = results.iter().filter(|result| !result.passed).collect();
    if wrong.is_empty() {
        return Ok(Exit::Success);
    }
    let failed = wrong.iter().map(|result| format!("{} {}: {}", result.system, result.kind, result.detail)).collect();
    let rollbacks = rollback.run(&wrong.iter().map(|result| result.system.clone()).collect()).await;
    Err(Failed { stage: args.stage, failed, rollbacks }.into())
}

async fn check(
    systems: &[RenderedSystem],
    session: &Session,
    draft: &Draft<CheckLiveReport>,
) -> miette::Result<Vec<CheckResult>> {
    let endpoints = Endpoints::of(session).await?;
    let checks = live::check_systems(systems, &endpoints, session).await;
    let live = live::live_versions(systems, session).await;
    draft.update(|report| {
        report.checks.clone_from(&checks);
        report.urls = endpoints.urls;
        report.live = live;
    });
    Ok(checks)
}

/// The rollback that follows failed checks.
struct Rollback<'a> {
    is_wanted: bool,
    systems: &'a [RenderedSystem],
    changes: &'a JobChanges,
    session: &'a Session,
    draft: &'a Draft<CheckLiveReport>,
}

impl Rollback<'_> {
    /// Rolls back those of the failed systems that this job released. A rollback that fails does not stop the others.
    async fn run(&self, failed: &BTreeSet<String>) -> Rollbacks {
        let mut rollbacks = Rollbacks::default();
        if !self.is_wanted {
            return rollbacks;
        }
        let on_close = |entry: &Entry| self.draft.update(|report| report.releases.push(entry.into()));
        for system in self.changes.to_roll_back(self.systems, failed) {
            self.session.context.ui.say(format_args!("Rolling back {system}"));
            let args = RollbackArgs::last(&self.session.stage.name, system);
            match rollback::roll_back(args, &self.session.context, &on_close).await {
                Ok(_) => rollbacks.rolled_back.push(system.to_owned()),
                Err(report) => rollbacks.failed.push((system.to_owned(), error::one_line(report.as_ref()))),
            }
        }
        self.draft.update(|report| {
            report.rolled_back.clone_from(&rollbacks.rolled_back);
            report.not_rolled_back = rollbacks.failed.iter().map(|(system, _)| system.clone()).collect();
        });
        rollbacks
    }
}

fn print(results: &[CheckResult], format: Format, context: &Context) -> miette::Result<()> {
    let ui = &context.ui;
    match format {
        Format::Text => ui.result(results_table(results)),
        Format::Json => print_json(&json!({ "checks": results }), ui)?,
    }
    for result in results {
        if let Some(warning) = &result.warning {
            ui.warn(format_args!("{} {}: {warning}", result.system, result.kind));
        }
    }
    Ok(())
}

fn results_table(results: &[CheckResult]) -> Table {
    let mut table = table::terminal(&["system", "check", "request", "", "response"]);
    for result in results {
        let mark = match (result.passed, &result.warning) {
            (false, _) => "✗",
            (true, Some(_)) => "!",
            (true, None) => "✓",
        };
        table.add_row([result.system.as_str(), result.kind.as_str(), &result.request, mark, &result.detail]);
    }
    table
}
