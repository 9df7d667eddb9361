//! `rollback`: back to an earlier release, without CloudFormation.

use std::collections::BTreeMap;

use clap::Args;

use super::{
    guarded::{book, bucket, checks, facts, guarded},
    release::has_functions,
    session::{self, Session},
};
use crate::{
    deploy::{self, DeployError},
    error::Exit,
    ledger::LedgerError,
    release::{Context, rollback::rollback},
    stage,
    ui::Ui,
    workspace::Workspace,
};

/// Move every alias back to an earlier release, after probing it; takes seconds.
#[derive(Debug, Args)]
#[command(
    after_help = "Only code and its configuration go back; stacks stay as they are. The next deploy releases what the \
                        workspace says again."
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

/// Runs the command.
///
/// # Errors
///
/// When there is nothing to return to, its versions are gone or do not answer, or an alias cannot be moved.
pub async fn run(args: RollbackArgs, workspace: &Workspace, ui: &Ui) -> miette::Result<Exit> {
    let session = Session::open(stage::load(workspace, &args.stage)?, workspace, ui).await?;
    let systems = session.select(args.system.as_deref(), None)?;
    let systems: Vec<_> = systems.into_iter().filter(has_functions).collect();
    if systems.is_empty() {
        return Err(LedgerError::NothingBefore.into());
    }
    let observed = deploy::observe::observe(&session.systems, &session.clients).await?;
    let Some(bucket) = bucket(&session, &observed) else {
        return Err(DeployError::NoFoundation { stage: session.stage.name.clone() }.into());
    };
    let work = async {
        for system in &systems {
            let book = book(&session, &bucket, &system.name);
            let facts = facts(&session, system, &observed, None, workspace);
            let checks = checks(&session, system, &session::outputs(&observed));
            let code = BTreeMap::new();
            let context = Context { book: &book, canary: None, checks, code, facts, clients: &session.clients, ui };
            let entry = rollback(system, args.to, &context).await?;
            ui.say(format_args!("✓ {} release {}: {}", system.name, entry.number, entry.kind_in_words()));
        }
        Ok(Exit::Success)
    };
    let result = guarded(&session, &systems, "rollback", Some(bucket.clone()), ui, work).await;
    session.explain(result)
}
