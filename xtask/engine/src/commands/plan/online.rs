//! The plan against the deployed stacks.

use std::collections::BTreeMap;

use camino::Utf8Path;
use model::{rendered::RenderedSystem, stage::Stage};
use plan::{
    Plan,
    file::{Inputs, PlanFile},
    observed::Observed,
    preview::{self, Preview},
};

use super::{
    super::{build, set_sha256_output},
    PlanArgs,
};
use crate::{
    aws::drift::Drift,
    context::Context,
    deploy::{self, observe::Extent},
    error::one_line,
    lock::HeldLocks,
    plan_file,
    planning::{self, Scope},
    render::{self, Selected},
    session::{self, Session},
};

/// Compares the rendered templates and the built functions with the deployed stage.
///
/// # Errors
///
/// When a template has findings, a selected stack needs one that is not deployed, the build fails, or a call fails.
pub(super) async fn plan(
    stage: Stage,
    selected: &Selected,
    args: &PlanArgs,
    context: &Context,
) -> miette::Result<Preview> {
    let Selected { systems: selected, partial } = selected;
    context.validator().check_systems(&stage, selected)?;
    // A plan changes nothing: the deploy refuses other sources.
    let folder = args.artifacts.as_deref().map(|path| build::Folder { path, allows_other_sources: true });
    let session = if partial.is_empty() {
        None
    } else {
        let session = Session::open(stage.clone(), context).await?;
        planning::refuse_missing(selected, partial, &session.observe(Extent::Stacks).await?, &session)?;
        Some(session)
    };
    let artifacts = build::artifacts(&stage, selected, folder, context).await?;
    let session = match session {
        Some(session) => session,
        None => Session::open(stage, context).await?,
    };
    let preview = async {
        let observation = session.observe_and_list(Extent::Everything).await?;
        let observed = &observation.observed;
        let selected = &session.without_narrowing(selected, observed);
        let plan = plan::plan(&session.stage.name, selected, &artifacts, observed);
        let mut preview = planning::preview(selected, &plan, observed, &session);
        let selection = args.selection.selection();
        let scope = Scope { selection: &selection, partial, released: &BTreeMap::new() };
        planning::complete(&mut preview, selected, &observation, scope, &session).await;
        add_change_sets(&mut preview, &plan, observed, &session).await;
        if args.drift {
            add_drift(&mut preview, selected, observed, &session).await?;
        }
        if let Some(path) = &args.out {
            let inputs = planning::all_inputs(selected, &artifacts, observed, &session)?;
            write(path, args, inputs, preview.clone(), context)?;
        }
        Ok(preview)
    };
    session.explain(preview.await)
}

fn write(
    path: &Utf8Path,
    args: &PlanArgs,
    inputs: Inputs,
    mut preview: Preview,
    context: &Context,
) -> miette::Result<()> {
    // The caller warns of unmet allowances.
    let _unmet = args.allowances.allowances().apply(&mut preview.findings);
    let stage = preview.stage.clone();
    plan_file::write(&PlanFile::new(args.selection.selection(), args.allowances.allowances(), inputs, preview), path)?;
    set_sha256_output(path)?;
    context.ui.say(format_args!("Wrote {path}; execute it with `cargo xtask deploy --stage {stage} --plan {path}`"));
    Ok(())
}

/// Adds CloudFormation's own change sets as a second opinion. The plan is complete without them, so a failure is a warning.
async fn add_change_sets(preview: &mut Preview, plan: &Plan, observed: &Observed, session: &Session) {
    let outputs = session::outputs(observed);
    let ui = &session.context.ui;
    let (locks, on_change) = (HeldLocks::none(), |_: &str| {});
    let context = session.deploy_context(&locks, &on_change);
    match deploy::preview_change_sets(context, plan, observed, &outputs).await {
        Ok(change_sets) => preview::add_change_sets(preview, &change_sets),
        Err(error) => {
            ui.warn(format_args!("failed to get CloudFormation's own change sets: {}", one_line(&error)));
        }
    }
}

async fn add_drift(
    preview: &mut Preview,
    selected: &[RenderedSystem],
    observed: &Observed,
    session: &Session,
) -> miette::Result<()> {
    let ui = &session.context.ui;
    for stack in render::stacks_of(selected).filter(|stack| observed.stacks.contains_key(&stack.name)) {
        let step = ui.step(format!("Detect drift of {}", stack.name));
        match session.clients.cloudformation(stack.region.as_deref()).drift(&stack.name).await? {
            Drift::Detected(found) => {
                step.done(format_args!("{} found", found.len()));
                preview.drift.extend(found);
            }
            Drift::Unknown(reason) => {
                step.done("unknown");
                ui.warn(format_args!("failed to detect drift of {}: {reason}", stack.name));
            }
        }
    }
    Ok(())
}
