//! What `deploy` does once its stacks are as planned: releases of systems, one after another, with their sites.

use std::collections::BTreeSet;

use model::rendered::RenderedSystem;
use plan::artifacts::Artifacts;
use plan::observed::Observed;
use serde_json::json;

use super::{
    super::{
        guarded::{canary, ledger, metadata, smoke_tests},
        release::has_functions,
        sites,
    },
    DeployArgs,
};
use crate::session::Session;
use crate::{
    aws::documents::Documents,
    context::Context,
    deploy::{self, Deployed},
    lock::HeldLocks,
    release::{self, ReleaseContext, Released},
    site::Published,
    ui::Ui,
};

/// What is released.
pub(super) struct Made<'a> {
    pub(super) deployed: &'a Deployed,
    pub(super) observed: &'a Observed,
    /// The functions that were there before.
    pub(super) existed: &'a BTreeSet<String>,
    pub(super) artifacts: &'a Artifacts,
    pub(super) plan: String,
    /// Is a change of a site still to be confirmed? Where nothing else changes, nobody was asked yet.
    pub(super) asks: bool,
}

/// Releases every system; what its functions and its sites are now.
pub(super) async fn release(
    args: &DeployArgs,
    selected: &[RenderedSystem],
    made: Made<'_>,
    locks: &HeldLocks<Documents>,
    session: &Session,
    context: &Context,
) -> miette::Result<(Vec<Released>, Vec<Published>)> {
    let (_workspace, ui) = (&context.workspace, &context.ui);
    let (mut released, mut published) = (Vec::new(), Vec::new());
    let bucket = deploy::artifact_bucket(&session.stage.name, &made.deployed.outputs);
    let Some(bucket) = bucket else { return Ok((released, published)) };
    let mut systems = selected.iter().filter(|system| has_functions(system) || !system.sites.is_empty());
    while let Some(system) = systems.next() {
        match one(args, system, &made, locks, &bucket, session, context).await {
            Ok((now, sites)) => {
                released.extend(now);
                published.extend(sites);
            }
            Err(error) => {
                say_how_far(&system.name, &released, systems.map(|system| system.name.as_str()).collect(), ui);
                return Err(error);
            }
        }
        // Noted at once: what a later failure leaves live can still be checked and rolled back.
        ui.note("functions", json!(released));
        ui.note("sites", json!(published));
    }
    ui.note("allReleased", true);
    Ok((released, published))
}

async fn one(
    args: &DeployArgs,
    system: &RenderedSystem,
    made: &Made<'_>,
    locks: &HeldLocks<Documents>,
    bucket: &str,
    session: &Session,
    context: &Context,
) -> miette::Result<(Vec<Released>, Vec<Published>)> {
    let (workspace, ui) = (&context.workspace, &context.ui);
    let outputs = &made.deployed.outputs;
    let created = |function: &str| !made.existed.contains(function);
    let functions = system.stacks.iter().flat_map(|stack| &stack.functions);
    let code = functions
        .map(|function| (function.function_name.clone(), made.artifacts.functions[&function.id.binary].code_sha256()));
    let pages = sites::pages(system, outputs, bucket, session, ui);
    // Everything that can refuse it comes before anything moves.
    let kept = sites::keep(&pages, made.asks, session, context).await?;
    let ledger = ledger(session, bucket, &system.name);
    let mut metadata = metadata(session, system, made.observed, Some(made.plan.clone()), workspace);
    metadata.sites.clone_from(&kept);
    let context = ReleaseContext {
        system,
        ledger: &ledger,
        locks,
        canary: canary(session, args.strategy, args.bake),
        smoke_tests: smoke_tests(session, system, outputs),
        code: code.collect(),
        metadata,
        pages: &pages,
        clients: &session.clients,
        ui,
    };
    let released = if has_functions(system) { release::release(&context, created).await? } else { Vec::new() };
    // Where nothing was to be released, a page may still have been left behind, or what it is told has changed.
    pages.publish(&kept).await?;
    Ok((released, pages.published()))
}

/// Systems are released one after another; where one fails, those before it stay released.
fn say_how_far(failed: &str, released: &[Released], untried: Vec<&str>, ui: &Ui) {
    ui.note("notReleased", json!({ "failed": failed, "untried": untried }));
    let moved: Vec<_> = released.iter().filter(|released| released.before.is_some()).collect();
    if !moved.is_empty() {
        let moved: Vec<_> = moved.iter().map(|moved| format!("{} {}", moved.function_name, moved.version)).collect();
        ui.warn(format_args!("what was released before {failed} stays live: {}", moved.join(", ")));
    }
    if !untried.is_empty() {
        ui.warn(format_args!("not released, because {failed} failed: {}", untried.join(", ")));
    }
}
