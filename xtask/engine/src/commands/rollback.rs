//! `rollback`: back to an earlier release, without CloudFormation.

use std::collections::BTreeMap;

use clap::Args;
use miette::Diagnostic;
use thiserror::Error;

use super::{
    guarded::{bucket, guarded, ledger, metadata, smoke_tests},
    release::has_functions,
    sites,
};
use crate::session::{self, Session};
use crate::{
    aws::documents::Documents,
    context::Context,
    deploy::{self, DeployError},
    error::{self, Exit},
    ledger::LedgerError,
    lock::HeldLocks,
    release::{ReleaseContext, ReleaseError, rollback::rollback},
};

/// Move every alias back to an earlier release, after probing it, and put its pages back; takes seconds.
#[derive(Debug, Args)]
#[command(
    after_help = "Only code, its configuration and the pages of sites go back; stacks stay as they are, and pages are told where \
                        things are now. The next deploy releases what the workspace says again."
)]
pub struct RollbackArgs {
    /// The stage.
    #[arg(long)]
    stage: String,
    /// Only this system.
    #[arg(long)]
    system: Option<String>,
    /// The number of the release to return to [default: the last one that was something else].
    #[arg(long, value_name = "NUMBER", requires = "system")]
    to: Option<u32>,
}

impl RollbackArgs {
    /// To the last release that was something else.
    pub(super) fn last(stage: &str, system: &str) -> Self {
        Self { stage: stage.to_owned(), system: Some(system.to_owned()), to: None }
    }
}

#[derive(Debug, Error, Diagnostic)]
#[error("not rolled back: {}", .0.join("; "))]
#[diagnostic(help("mend the cause and run the command for that system again, with --system"))]
struct Incomplete(Vec<String>);

/// Runs the command.
///
/// # Errors
///
/// When there is nothing to return to, its versions are gone or do not answer, or an alias cannot be moved.
pub async fn run(args: RollbackArgs, context: &Context) -> miette::Result<Exit> {
    let (workspace, ui) = (&context.workspace, &context.ui);
    let session = Session::open(context.stage(&args.stage)?, context).await?;
    let systems = session.select(args.system.as_deref(), None)?;
    let systems: Vec<_> = systems.into_iter().filter(has_functions).collect();
    if systems.is_empty() {
        return Err(LedgerError::NothingBefore.into());
    }
    let observed = deploy::observe::observe(&session.systems, &session.clients).await?;
    let Some(bucket) = bucket(&session, &observed) else {
        return Err(DeployError::NoFoundation { stage: session.stage.name.clone() }.into());
    };
    let work = async |locks: &HeldLocks<Documents>| {
        let (mut failed, mut returned) = (Vec::new(), 0);
        for system in &systems {
            let ledger = ledger(&session, &bucket, &system.name);
            let metadata = metadata(&session, system, &observed, None, workspace);
            let outputs = session::outputs(&observed);
            let smoke_tests = smoke_tests(&session, system, &outputs);
            let (code, clients) = (BTreeMap::new(), &session.clients);
            let pages = &sites::pages(system, &outputs, &bucket, &session, ui);
            let context = ReleaseContext {
                system,
                ledger: &ledger,
                locks,
                canary: None,
                smoke_tests,
                code,
                metadata,
                pages,
                clients,
                ui,
            };
            match rollback(&context, args.to).await {
                Ok(entry) => {
                    returned += 1;
                    let (what, outcome) = (entry.kind_text(), entry.outcome_text());
                    ui.say(format_args!("✓ {} release {}: {what}, {outcome}", system.name, entry.number));
                }
                // Of several systems, one that has nothing before stays as it is.
                Err(ReleaseError::Ledger(LedgerError::NothingBefore)) if systems.len() > 1 => {
                    ui.warn(format_args!("{} has no earlier release to return to: it stays", system.name));
                }
                Err(error) if systems.len() == 1 => return Err(error.into()),
                // The others are no worse off for being returned.
                Err(error) => failed.push(format!("{}: {}", system.name, error::chain(&error).join(": "))),
            }
        }
        match (failed.is_empty(), returned) {
            (true, 0) => Err(LedgerError::NothingBefore.into()),
            (true, _) => Ok(Exit::Success),
            (false, _) => Err(Incomplete(failed).into()),
        }
    };
    let result = guarded(&session, &systems, "rollback", Some(bucket.clone()), ui, work).await;
    session.explain(result)
}
