//! Express mode: operations that end once the configuration of each resource is applied (CloudFormation user guide, "Deploy CloudFormation
//! stacks faster with express mode").

use super::{invalid, state::Stack};
use crate::wire::{Element, Form, Refusal};

/// The reason in the event of a resource that CloudFormation has not waited for (aws-cdk-cli, pull request 1689).
pub(super) const COMPLETED: &str =
    "Resource operation completed using Express Mode. It may continue becoming available in the background.";
/// Why a replacement fails without rollback (CloudFormation user guide, "Choose how to handle failures when provisioning resources":
/// immutable update types; the text in aws-cdk-cli, issue 1931).
pub(super) const NO_REPLACEMENT: &str = "Replacement type updates not supported on stack with disable-rollback.";

/// How an operation is deployed (CloudFormation API reference, `DeploymentConfig`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Deployment {
    /// The mode, if the call named one.
    mode: Option<&'static str>,
    /// Whether a failure is kept instead of rolled back.
    pub(super) keeps_failed: bool,
}

impl Deployment {
    /// Reads the parameter `DeploymentConfig`. In express mode, rollback is disabled by default (the user guide; the API reference says that
    /// it is enabled).
    pub(super) fn read(form: &Form) -> Result<Self, Refusal> {
        let mode = match form.get("DeploymentConfig.Mode") {
            None => None,
            Some("STANDARD") => Some("STANDARD"),
            Some("EXPRESS") => Some("EXPRESS"),
            Some(other) => {
                return Err(invalid(format!(
                    "1 validation error detected: Value '{other}' at 'deploymentConfig.mode' failed to satisfy constraint: Member must \
                     satisfy enum value set: [EXPRESS, STANDARD]"
                )));
            }
        };
        let keeps_failed = match form.get("DeploymentConfig.DisableRollback") {
            Some(disabled) => disabled == "true",
            None => mode == Some("EXPRESS"),
        };
        Ok(Self { mode, keeps_failed })
    }

    /// The same deployment, which keeps a failure if another parameter says so.
    pub(super) fn or_keeping(self, keeps_failed: bool) -> Self {
        Self { keeps_failed: self.keeps_failed || keeps_failed, ..self }
    }

    pub(super) fn is_express(self) -> bool {
        self.mode == Some("EXPRESS")
    }

    /// Refuses another mode after a failure that was kept in express mode (aws-cdk-cli, issue 1739).
    pub(super) fn check_mode(self, stack: &Stack) -> Result<(), Refusal> {
        if stack.status == "UPDATE_FAILED" && stack.deployment.is_express() && !self.is_express() {
            return Err(invalid(
                "This stack is in a UPDATE_FAILED state from a previous operation that used EXPRESS deployment mode with \
                 disable-rollback. Follow-up operations must use the same DeploymentConfig (mode=EXPRESS) until the stack reaches a \
                 *_COMPLETE state.",
            ));
        }
        Ok(())
    }

    /// Refuses an update with rollback after a failure that was kept (CloudFormation user guide, "Choose how to handle failures when
    /// provisioning resources"; the text in aws-cdk-cli, issue 1973).
    pub(super) fn check_rollback(self, stack: &Stack) -> Result<(), Refusal> {
        if stack.status == "UPDATE_FAILED" && !self.keeps_failed {
            return Err(invalid(
                "This stack is currently in a non-terminal [UPDATE_FAILED] state. To update the stack from this state, please use the \
                 disable-rollback parameter with update-stack API. To rollback to the last known good state, use the rollback-stack API",
            ));
        }
        Ok(())
    }

    /// The element `DeploymentConfig` of a description.
    pub(super) fn print(self) -> Option<Element> {
        let mode = Element::text("Mode", self.mode?);
        Some(Element::new("DeploymentConfig").with(mode).with(Element::text("DisableRollback", self.keeps_failed)))
    }
}

/// Refuses to roll a failure back that was kept in express mode (aws-cdk-cli, issue 1739).
pub(super) fn refuse_rollback(stack: &Stack) -> Result<(), Refusal> {
    if stack.deployment.is_express() && matches!(stack.status, "CREATE_FAILED" | "UPDATE_FAILED") {
        return Err(invalid(
            "RollbackStack is not supported for stacks that were last updated using EXPRESS deployment mode and are in a failed state",
        ));
    }
    Ok(())
}
