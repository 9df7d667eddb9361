//! `rollback`: returns to an earlier release, without CloudFormation.

use clap::Args;
use miette::Diagnostic;
use model::rendered::RenderedSystem;
use plan::observed::Observed;
use thiserror::Error;

use crate::{
    aws::documents::Documents,
    context::Context,
    deploy::observe::Extent,
    error::{self, Exit},
    ledger::{Entry, LedgerError},
    lock::HeldLocks,
    release::{ReleaseError, rollback::rollback},
    report::{Draft, ReleasesReport},
    session::{self, Session, has_functions},
};

/// Return to an earlier release: shift each alias back after a probe, and put the sites' pages back. Takes seconds.
#[derive(Debug, Args)]
#[command(
    after_help = "Code, its configuration and the pages of sites are rolled back. Stacks stay as they are, and the pages use the \
                  current URLs. The next deploy releases the workspace again."
)]
pub(crate) struct RollbackArgs {
    /// The stage.
    #[arg(long)]
    stage: String,
    /// Only this system.
    #[arg(long)]
    system: Option<String>,
    /// The number of the release to return to [default: the last one that differs].
    #[arg(long, value_name = "NUMBER", requires = "system")]
    to: Option<u32>,
}

impl RollbackArgs {
    /// Returns a system to its last release that differs.
    pub(super) fn last(stage: &str, system: &str) -> Self {
        Self { stage: stage.to_owned(), system: Some(system.to_owned()), to: None }
    }
}

#[derive(Debug, Error, Diagnostic)]
#[error("failed to roll back some of the systems: {}", failed.join("; "))]
#[diagnostic(help("fix the causes, then run {commands}"))]
struct Incomplete {
    /// The systems that failed, with the reasons.
    failed: Vec<String>,
    /// The commands that roll them back.
    commands: String,
}

/// Returns the commands that roll back each of these systems.
fn commands(stage: &str, systems: &[String]) -> String {
    let commands = systems.iter().map(|system| format!("`cargo xtask rollback --stage {stage} --system {system}`"));
    commands.collect::<Vec<_>>().join(" and ")
}

/// Runs the command.
///
/// # Errors
///
/// When there is no earlier release, its versions are deleted or fail their probes, or an alias cannot be shifted.
pub(crate) async fn run(args: RollbackArgs, context: &Context, draft: &Draft<ReleasesReport>) -> miette::Result<Exit> {
    roll_back(args, context, &|entry| draft.update(|report| report.releases.push(entry.into()))).await
}

/// Rolls back; calls `on_close` with each ledger entry that is closed.
pub(super) async fn roll_back(
    args: RollbackArgs,
    context: &Context,
    on_close: &dyn Fn(&Entry),
) -> miette::Result<Exit> {
    let read = async |session: &Session| session.observe(Extent::Templates).await;
    let (session, observed) = Session::open_and_read(context.stage(&args.stage)?, context, read).await?;
    let systems = session.select(args.system.as_deref())?;
    let systems: Vec<_> = systems.into_iter().filter(has_functions).collect();
    if systems.is_empty() {
        return Err(LedgerError::NothingBefore { stage: session.stage.name.clone() }.into());
    }
    let observed = observed?;
    let bucket = session.require_bucket(&observed)?;
    let steps = Rollback { session: &session, observed: &observed, bucket: &bucket, to: args.to, on_close };
    let work = async |locks: &HeldLocks<Documents>| steps.run(&systems, locks).await;
    let result = session.locked(&systems, "rollback", Some(bucket.clone()), work).await;
    session.explain(result)
}

struct Rollback<'a> {
    session: &'a Session,
    observed: &'a Observed,
    bucket: &'a str,
    to: Option<u32>,
    on_close: &'a dyn Fn(&Entry),
}

impl Rollback<'_> {
    /// Rolls back one system after another. One that fails does not stop the others.
    async fn run(&self, systems: &[RenderedSystem], locks: &HeldLocks<Documents>) -> miette::Result<Exit> {
        let ui = &self.session.context.ui;
        let (mut failed, mut failed_systems, mut count) = (Vec::new(), Vec::new(), 0);
        for system in systems {
            match self.one(system, locks).await {
                Ok(entry) => {
                    count += 1;
                    let (kind, outcome) = (entry.kind_text(), entry.outcome_text());
                    ui.say(format_args!("✓ {} release {}: {kind}, {outcome}", system.name, entry.number));
                }
                Err(ReleaseError::Ledger(LedgerError::NothingBefore { .. })) if systems.len() > 1 => {
                    ui.warn(format_args!("{} has no earlier release and stays unchanged", system.name));
                }
                Err(error) if systems.len() == 1 => return Err(error.into()),
                Err(error) => {
                    failed_systems.push(system.name.clone());
                    failed.push(format!("{}: {}", system.name, error::one_line(&error)));
                }
            }
        }
        match (failed.is_empty(), count) {
            (true, 0) => Err(LedgerError::NothingBefore { stage: self.session.stage.name.clone() }.into()),
            (true, _) => Ok(Exit::Success),
            (false, _) => {
                let commands = commands(&self.session.stage.name, &failed_systems);
                Err(Incomplete { failed, commands }.into())
            }
        }
    }

    async fn one(&self, system: &RenderedSystem, locks: &HeldLocks<Documents>) -> Result<Entry, ReleaseError> {
        let outputs = session::outputs(self.observed);
        let release = self.session.release_of(system, self.observed, &outputs, self.bucket);
        rollback(&release.context(locks, self.on_close), self.to).await
    }
}
