//! The first step: which systems of which stage. It finds every mistake that can be found without AWS.

use std::collections::BTreeSet;

use model::{rendered::RenderedSystem, stage::Stage};
use plan::file::PlanFile;

use super::DeployArgs;
use crate::{
    context::Context,
    plan_file,
    render::{self, validate::Validator},
};

/// The systems to deploy, rendered and validated.
pub(super) struct Selection {
    pub(super) args: DeployArgs,
    pub(super) stage: Stage,
    /// The plan to carry out.
    pub(super) file: Option<PlanFile>,
    pub(super) systems: Vec<RenderedSystem>,
    /// The systems of which only some stacks are deployed, by name.
    pub(super) partial: BTreeSet<String>,
    pub(super) validator: Validator,
}

/// Selects the systems to deploy. A plan file replaces the selection and the allowances of the command line.
///
/// # Errors
///
/// When the stage, the plan file or the selection is wrong, or a template has findings.
pub(super) fn select(mut args: DeployArgs, context: &Context) -> miette::Result<Selection> {
    let stage = context.stage(&args.stage)?;
    let file = args.plan.as_deref().map(|path| plan_file::read(path, &stage.name)).transpose()?;
    if let Some(file) = &file {
        args.selection = file.selection.clone().into();
        args.allowances = file.allowances.clone().into();
    }
    let selected = render::select(&stage, context.render(&stage)?, &args.selection.selection())?;
    let (systems, partial) = (selected.systems, selected.partial);
    let validator = context.validator();
    validator.check_systems(&stage, &systems)?;
    Ok(Selection { args, stage, file, systems, partial, validator })
}
