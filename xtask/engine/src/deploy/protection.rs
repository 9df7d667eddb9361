//! Termination protection: CloudFormation refuses to delete the stacks of a protected stage.
//!
//! A change set cannot set it, so it is set after the change (CloudFormation API reference, `UpdateTerminationProtection`). A stack whose
//! creation failed is never protected, so that the next deploy can delete it.

use plan::PlannedStack;

use super::{DeployContext, DeployError, aws};
use crate::aws::{cloudformation::CloudFormation, error::ErrorKind};

/// Protects a stack, if the stage is protected. Without the permission, it prints a warning: workflows cannot change foundation's stacks.
///
/// # Errors
///
/// When a lock is lost, or the call fails for another reason.
pub(super) async fn protect(
    context: &DeployContext<'_>,
    cloudformation: &CloudFormation,
    stack: &PlannedStack,
) -> Result<(), DeployError> {
    if !context.protects {
        return Ok(());
    }
    context.locks.ensure_held(&stack.system).await?;
    match cloudformation.protect(&stack.name).await {
        Err(error) if error.kind == ErrorKind::AccessDenied => {
            context.ui.warn(format_args!(
                "failed to set termination protection of {}: the caller lacks the permission; run `cargo xtask bootstrap --stage {}`",
                stack.name, context.stage
            ));
            Ok(())
        }
        protected => protected.map_err(aws(&stack.name)),
    }
}
