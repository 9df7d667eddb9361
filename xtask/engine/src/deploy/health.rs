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

/// Returns what a status means; `is_express` is whether the stack's last operation was in express mode.
pub(super) fn health(status: &str, is_express: bool) -> Health {
    if status == EMPTY {
        return Health::Empty;
    }
    match states::stack_in(status, is_express).repair {
        Repair::None | Repair::Deploy => Health::Updatable,
        Repair::Delete => Health::NeverCreated,
        Repair::Wait | Repair::WaitOrCancel => Health::InProgress,
        Repair::ContinueRollback | Repair::RollBack | Repair::Replay | Repair::DeleteRetaining => Health::Stuck,
    }
}

/// Returns whether a stack with this status is neither changing nor in need of a repair.
pub(crate) fn is_at_rest(status: &str, is_express: bool) -> bool {
    health(status, is_express) == Health::Updatable
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
    pub(super) fn stuck(self, status: &str, is_express: bool) -> DeployError {
        let (stack, status) = (self.stack.to_owned(), status.to_owned());
        DeployError::Stuck { next: self.repair(&status, is_express).unwrap_or_default(), stack, status }
    }

    /// The next step after an operation that ended in this status.
    pub(crate) fn after(self, status: &str, is_express: bool) -> String {
        let cause = "fix the cause";
        match self.repair(status, is_express) {
            Some(repair) => format!("{cause}; {} is in {status}: {repair}", self.stack),
            None => format!("{cause}, then run the same command again; {} is in {status}", self.stack),
        }
    }

    /// The steps that repair a stuck stack, which the same command would refuse.
    fn repair(self, status: &str, is_express: bool) -> Option<String> {
        let Self { stage, region, stack } = self;
        match states::stack_in(status, is_express).repair {
            // Only a person knows whether the stack should go, and with which of its resources.
            Repair::DeleteRetaining => Some(format!(
                "delete it again with `{}`, then deploy again; `cargo xtask doctor --stage {stage}` shows the cause, and how to retain a \
                 resource that cannot be deleted",
                delete_again(stack, Some(region))
            )),
            Repair::Replay => Some(format!(
                "run `cargo xtask doctor --stage {stage}`, which prints the command that ends this state; then deploy again"
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

/// The command that deploys the last working template of a stack again, with all its parameters, in the only way that CloudFormation accepts
/// after a failed express update without rollback.
pub(crate) fn replay<'a>(
    stack: &str,
    region: Option<&str>,
    parameters: impl ExactSizeIterator<Item = &'a String>,
) -> String {
    let region = region.map(|region| format!(" --region {region}")).unwrap_or_default();
    let given = if parameters.len() == 0 { "" } else { " --parameters" };
    let parameters: String = parameters.map(|name| format!(" ParameterKey={name},UsePreviousValue=true")).collect();
    format!(
        "aws cloudformation update-stack --stack-name {stack}{region} --deployment-config Mode=EXPRESS,DisableRollback=true \
         --template-body file://template.yaml --capabilities CAPABILITY_NAMED_IAM{given}{parameters}"
    )
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
            for is_express in [false, true] {
                assert_eq!(health(status, is_express), expected, "{status}");
            }
        }
    }

    #[test]
    fn a_failed_express_update_is_left_to_a_command_that_doctor_prints() {
        assert_eq!(health("UPDATE_FAILED", true), Health::Stuck);
        let stuck = PLACE.stuck("UPDATE_FAILED", true);
        let hint = stuck.help().map(|help| help.to_string()).unwrap_or_default();
        let expected =
            "run `cargo xtask doctor --stage dev`, which prints the command that ends this state; then deploy again";
        assert_eq!(hint, expected);
        assert!(PLACE.after("UPDATE_FAILED", true).ends_with(expected));
        let parameters = ["One".to_owned(), "Two".to_owned()];
        assert_eq!(
            replay("notes-api-dev", Some("eu-west-1"), parameters.iter()),
            "aws cloudformation update-stack --stack-name notes-api-dev --region eu-west-1 --deployment-config \
             Mode=EXPRESS,DisableRollback=true --template-body file://template.yaml --capabilities CAPABILITY_NAMED_IAM --parameters \
             ParameterKey=One,UsePreviousValue=true ParameterKey=Two,UsePreviousValue=true"
        );
        assert!(replay("s", None, [].iter()).ends_with("CAPABILITY_NAMED_IAM"));
    }

    #[test]
    fn every_stuck_stack_has_a_next_step_that_repairs_it() {
        for status in ["UPDATE_FAILED", "UPDATE_ROLLBACK_FAILED", "IMPORT_ROLLBACK_FAILED", "DELETE_FAILED"] {
            assert_eq!(health(status, false), Health::Stuck, "{status}");
            let hint = PLACE.stuck(status, false).help().map(|help| help.to_string()).unwrap_or_default();
            assert!(hint.contains("`cargo xtask doctor --stage dev`"), "{status}: {hint}");
            assert!(hint.contains("then deploy again"), "{status}: {hint}");
            // `doctor --fix` alone leaves a failed deletion to a person.
            assert_eq!(hint.contains("add --fix to apply it"), status != "DELETE_FAILED", "{status}: {hint}");
            let delete = "`aws cloudformation delete-stack --stack-name notes-api-dev --region eu-west-1`";
            assert_eq!(hint.contains(delete), status == "DELETE_FAILED", "{status}: {hint}");
            assert!(PLACE.after(status, false).ends_with(&hint), "{status}");
        }
        let other = "fix the cause, then run the same command again; notes-api-dev is in ROLLBACK_COMPLETE";
        assert_eq!(PLACE.after("ROLLBACK_COMPLETE", true), other);
    }
}
