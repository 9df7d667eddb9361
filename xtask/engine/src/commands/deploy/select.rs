//! The first step: which systems of which stage. It finds every mistake that can be found without AWS.

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
        args.system.clone_from(&file.system);
        args.stack.clone_from(&file.stack);
        args.allowances = file.allowances.clone().into();
    }
    let systems = render::select(&stage, context.render(&stage)?, args.system.as_deref(), args.stack.as_deref())?;
    let validator = Validator::remembering(context.workspace.target().join("validated"));
    validator.check_systems(&stage, &systems)?;
    Ok(Selection { args, stage, file, systems, validator })
}
