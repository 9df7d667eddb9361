//! What mends a stack that is stuck.

use super::CloudFormation;
use crate::aws::{AwsError, error::failed};

impl CloudFormation {
    /// Starts rolling back an update that failed and was left so.
    ///
    /// # Errors
    ///
    /// When the call fails.
    pub async fn roll_back(&self, stack: &str) -> Result<(), AwsError> {
        let request = self.client.rollback_stack().stack_name(stack);
        request.send().await.map_err(|error| failed("cloudformation:RollbackStack", error))?;
        Ok(())
    }

    /// Stops an update that is under way, so that the stack goes back to what it was.
    ///
    /// # Errors
    ///
    /// When the call fails.
    pub async fn cancel_update(&self, stack: &str) -> Result<(), AwsError> {
        let request = self.client.cancel_update_stack().stack_name(stack);
        request.send().await.map_err(|error| failed("cloudformation:CancelUpdateStack", error))?;
        Ok(())
    }

    /// Starts going back once more after that failed, leaving resources as they are that are named.
    ///
    /// # Errors
    ///
    /// When the call fails.
    pub async fn continue_rollback(&self, stack: &str, skip: Vec<String>) -> Result<(), AwsError> {
        let skip = (!skip.is_empty()).then_some(skip);
        let request = self.client.continue_update_rollback().stack_name(stack).set_resources_to_skip(skip);
        request.send().await.map_err(|error| failed("cloudformation:ContinueUpdateRollback", error))?;
        Ok(())
    }

    /// Starts deleting a stack whose deletion failed, leaving resources where they are that are named.
    ///
    /// # Errors
    ///
    /// When the call fails.
    pub async fn delete_retaining(&self, stack: &str, retain: Vec<String>) -> Result<(), AwsError> {
        let request = self.client.delete_stack().stack_name(stack).set_retain_resources(Some(retain));
        request.send().await.map_err(|error| failed("cloudformation:DeleteStack", error))?;
        Ok(())
    }
}
