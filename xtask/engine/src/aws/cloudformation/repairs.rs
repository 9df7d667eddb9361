//! Calls that repair a stuck stack.

use super::CloudFormation;
use crate::aws::{AwsError, Resource, error::failed};

impl CloudFormation {
    /// Starts to roll back a failed update.
    pub(crate) async fn roll_back(&self, stack: &str) -> Result<(), AwsError> {
        let request = self.client.rollback_stack().stack_name(stack);
        request.send().await.map_err(failed("cloudformation:RollbackStack", Resource::stack(stack)))?;
        Ok(())
    }

    /// Cancels an update in progress; the stack rolls back.
    pub(crate) async fn cancel_update(&self, stack: &str) -> Result<(), AwsError> {
        let request = self.client.cancel_update_stack().stack_name(stack);
        request.send().await.map_err(failed("cloudformation:CancelUpdateStack", Resource::stack(stack)))?;
        Ok(())
    }

    /// Continues a failed rollback, without the resources in `skip`.
    pub(crate) async fn continue_rollback(&self, stack: &str, skip: Vec<String>) -> Result<(), AwsError> {
        let skip = (!skip.is_empty()).then_some(skip);
        let request = self.client.continue_update_rollback().stack_name(stack).set_resources_to_skip(skip);
        request.send().await.map_err(failed("cloudformation:ContinueUpdateRollback", Resource::stack(stack)))?;
        Ok(())
    }

    /// Starts to delete a stack whose deletion failed, and retains the resources in `retain`.
    pub(crate) async fn delete_retaining(&self, stack: &str, retain: Vec<String>) -> Result<(), AwsError> {
        let request = self.client.delete_stack().stack_name(stack).set_retain_resources(Some(retain));
        request.send().await.map_err(failed("cloudformation:DeleteStack", Resource::stack(stack)))?;
        Ok(())
    }
}
