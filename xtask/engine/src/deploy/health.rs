//! The meaning of a stack's status for a deploy, and the next step for a stack that a deploy cannot fix.

use plan::states::{self, Repair};

use super::{DeployError, operation::EMPTY};

/// The meaning of a stack's status for a deploy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    /// It can be updated.
    Updatable,
    /// It has no resources, because none of its change sets was executed: another change set can create it.
    Empty,
    /// Its creation never succeeded, so deleting it loses nothing.
    NeverCreated,
    /// An operation is in progress.
    InProgress,
    /// It needs a repair that a deploy does not make.
    Stuck,
}

pub(super) fn health(status: &str) -> Health {
    if status == EMPTY {
        return Health::Empty;
    }
    match states::stack(status).repair {
        Repair::None | Repair::Deploy => Health::Updatable,
        Repair::Delete => Health::NeverCreated,
        Repair::Wait | Repair::WaitOrCancel => Health::InProgress,
        Repair::ContinueRollback | Repair::RollBack | Repair::DeleteRetaining => Health::Stuck,
    }
}

/// Returns whether a stack with this status is neither changing nor in need of a repair.
pub(crate) fn is_at_rest(status: &str) -> bool {
    health(status) == Health::Updatable
}

/// A stack that a command names in a next step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StackPlace<'a> {
    /// The stage's name.
    pub(crate) stage: &'a str,
    /// The region, also if it is the stage's.
    pub(crate) region: &'a str,
    /// The stack's name.
    pub(crate) stack: &'a str,
}

impl StackPlace<'_> {
    /// The error of a stack that is stuck, before a deploy changes it.
    pub(super) fn stuck(self, status: &str) -> DeployError {
        let (stack, status) = (self.stack.to_owned(), status.to_owned());
        DeployError::Stuck { next: self.repair(&status).unwrap_or_default(), stack, status }
    }

    /// The next step after an operation that ended in this status.
    pub(crate) fn after(self, status: &str) -> String {
        let cause = "fix the cause";
        match self.repair(status) {
            Some(repair) => format!("{cause}; {} is in {status}: {repair}", self.stack),
            None => format!("{cause}, then run the same command again; {} is in {status}", self.stack),
        }
    }

    /// The steps that repair a stuck stack, which the same command would refuse.
    fn repair(self, status: &str) -> Option<String> {
        let Self { stage, region, stack } = self;
        match states::stack(status).repair {
            // Only a person knows whether the stack should go, and with which of its resources.
            Repair::DeleteRetaining => Some(format!(
                "delete it again with `{}`, then deploy again; `cargo xtask doctor --stage {stage}` shows the cause, and how to retain a \
                 resource that cannot be deleted",
                delete_again(stack, Some(region))
            )),
            Repair::ContinueRollback | Repair::RollBack => Some(format!(
                "run `cargo xtask doctor --stage {stage}` to see the repair, add --fix to apply it, then deploy again"
            )),
            Repair::None | Repair::Delete | Repair::Wait | Repair::WaitOrCancel | Repair::Deploy => None,
        }
    }
}

/// The command that repeats a failed deletion. `destroy` would delete the system's other stacks as well.
pub(crate) fn delete_again(stack: &str, region: Option<&str>) -> String {
    let region = region.map(|region| format!(" --region {region}")).unwrap_or_default();
    format!("aws cloudformation delete-stack --stack-name {stack}{region}")
}

#[cfg(test)]
mod tests {
    use miette::Diagnostic;

    use super::*;

    const PLACE: StackPlace<'_> = StackPlace { stage: "dev", region: "eu-west-1", stack: "notes-api-dev" };

    #[test]
    fn each_status_has_one_meaning() {
        for (status, expected) in [
            ("CREATE_COMPLETE", Health::Updatable),
            ("UPDATE_ROLLBACK_COMPLETE", Health::Updatable),
            ("ROLLBACK_COMPLETE", Health::NeverCreated),
            ("REVIEW_IN_PROGRESS", Health::Empty),
            ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", Health::InProgress),
            ("DELETE_IN_PROGRESS", Health::InProgress),
            ("UPDATE_ROLLBACK_FAILED", Health::Stuck),
        ] {
            assert_eq!(health(status), expected, "{status}");
        }
    }

    #[test]
    fn every_stuck_stack_has_a_next_step_that_repairs_it() {
        for status in ["UPDATE_FAILED", "UPDATE_ROLLBACK_FAILED", "IMPORT_ROLLBACK_FAILED", "DELETE_FAILED"] {
            assert_eq!(health(status), Health::Stuck, "{status}");
            let hint = PLACE.stuck(status).help().map(|help| help.to_string()).unwrap_or_default();
            assert!(hint.contains("`cargo xtask doctor --stage dev`"), "{status}: {hint}");
            assert!(hint.contains("then deploy again"), "{status}: {hint}");
            // `doctor --fix` alone leaves a failed deletion to a person.
            assert_eq!(hint.contains("add --fix to apply it"), status != "DELETE_FAILED", "{status}: {hint}");
            let delete = "`aws cloudformation delete-stack --stack-name notes-api-dev --region eu-west-1`";
            assert_eq!(hint.contains(delete), status == "DELETE_FAILED", "{status}: {hint}");
            assert!(PLACE.after(status).ends_with(&hint), "{status}");
        }
        let other = "fix the cause, then run the same command again; notes-api-dev is in ROLLBACK_COMPLETE";
        assert_eq!(PLACE.after("ROLLBACK_COMPLETE"), other);
    }
}
