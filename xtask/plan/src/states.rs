//! The meaning of each stack status, and its repair.

use serde::Serialize;

/// The repair of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Repair {
    /// None: the state is healthy.
    None,
    /// Delete it without loss; the next deploy creates it.
    Delete,
    /// Wait for the operation in progress.
    Wait,
    /// Wait, or cancel the update so that it rolls back, if the stack is named.
    WaitOrCancel,
    /// Continue the rollback, skipping only the named resources.
    ContinueRollback,
    /// Roll it back to its last stable state.
    RollBack,
    /// Deploy its last working template again, without rollback and in express mode. CloudFormation refuses anything else, and only a
    /// person knows the template.
    Replay,
    /// Delete it again, retaining the named resources.
    DeleteRetaining,
    /// Deploy again.
    Deploy,
}

impl Repair {
    /// Does the state end without a repair?
    #[must_use]
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Wait | Self::WaitOrCancel)
    }
}

/// The meaning of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Meaning {
    /// A description, to follow the stack's name.
    pub meaning: &'static str,
    /// The repair.
    pub repair: Repair,
}

/// Every status of a stack: CloudFormation user guide, "Stack status codes".
const STACKS: &[(&str, &str, Repair)] = &[
    ("CREATE_COMPLETE", "it was created", Repair::None),
    ("UPDATE_COMPLETE", "it was updated", Repair::None),
    ("IMPORT_COMPLETE", "it imported resources", Repair::None),
    ("UPDATE_ROLLBACK_COMPLETE", "its last update failed and was rolled back", Repair::None),
    ("IMPORT_ROLLBACK_COMPLETE", "its last import failed and was rolled back", Repair::None),
    ("DELETE_COMPLETE", "it was deleted", Repair::None),
    ("REVIEW_IN_PROGRESS", "its first change set was never executed: it is empty", Repair::Delete),
    ("ROLLBACK_COMPLETE", "its creation failed and was rolled back: it is empty", Repair::Delete),
    ("ROLLBACK_FAILED", "its creation failed, and so did the rollback: it never worked", Repair::Delete),
    ("CREATE_FAILED", "its creation failed: it never worked", Repair::Delete),
    ("UPDATE_FAILED", "its update failed and was not rolled back", Repair::RollBack),
    ("UPDATE_ROLLBACK_FAILED", "its update failed, and so did the rollback", Repair::ContinueRollback),
    ("IMPORT_ROLLBACK_FAILED", "its import failed, and so did the rollback", Repair::ContinueRollback),
    ("DELETE_FAILED", "some of its resources could not be deleted", Repair::DeleteRetaining),
    ("CREATE_IN_PROGRESS", "it is being created", Repair::Wait),
    ("UPDATE_IN_PROGRESS", "it is being updated", Repair::WaitOrCancel),
    ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "it was updated, and its former resources are being deleted", Repair::Wait),
    ("ROLLBACK_IN_PROGRESS", "its creation failed, and its resources are being deleted", Repair::Wait),
    ("UPDATE_ROLLBACK_IN_PROGRESS", "its update failed and is being rolled back", Repair::Wait),
    (
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        "its update was rolled back, and the resources of the update are being deleted",
        Repair::Wait,
    ),
    ("DELETE_IN_PROGRESS", "it is being deleted", Repair::Wait),
    ("IMPORT_IN_PROGRESS", "it is importing resources", Repair::Wait),
    ("IMPORT_ROLLBACK_IN_PROGRESS", "its import failed and is being rolled back", Repair::Wait),
];

/// The meaning of `UPDATE_FAILED` after an express update whose rollback was disabled. CloudFormation refuses to roll it back, to update
/// it in another mode or with rollback, and to replace resources of it (measured: aws-cdk-cli, issues 1739 and 1973).
const EXPRESS_UPDATE_FAILED: Meaning = Meaning {
    meaning: "its update in express mode failed with rollback disabled, and CloudFormation does not roll such an update back",
    repair: Repair::Replay,
};

/// Returns the meaning of the status of a stack whose last operation may have been in express mode. See [`stack`].
#[must_use]
pub fn stack_in(status: &str, is_express: bool) -> Meaning {
    if is_express && status == "UPDATE_FAILED" { EXPRESS_UPDATE_FAILED } else { stack(status) }
}

/// Returns the meaning of a stack's status after an operation in standard mode. An unknown status is waited for if its name says that it is in progress, and needs
/// no repair otherwise: CloudFormation refuses impossible operations itself.
#[must_use]
pub fn stack(status: &str) -> Meaning {
    let known = STACKS.iter().find(|(name, _, _)| *name == status);
    match known {
        Some((_, meaning, repair)) => Meaning { meaning, repair: *repair },
        None if status.ends_with("_IN_PROGRESS") => {
            Meaning { meaning: "an operation is in progress", repair: Repair::Wait }
        }
        None => Meaning { meaning: "its status is unknown to this version", repair: Repair::None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_status_has_one_meaning() {
        assert_eq!(STACKS.len(), 23, "the page lists 23");
        let mut names: Vec<_> = STACKS.iter().map(|(name, _, _)| *name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 23);
        for (status, _, repair) in STACKS.iter().filter(|(status, _, _)| status.ends_with("_IN_PROGRESS")) {
            let is_transient = *status != "REVIEW_IN_PROGRESS";
            assert_eq!(repair.is_transient(), is_transient, "{status}");
        }
    }

    #[test]
    fn only_stacks_that_never_worked_are_deleted() {
        for (status, _, _) in STACKS.iter().filter(|(_, _, repair)| *repair == Repair::Delete) {
            assert!(
                !status.contains("UPDATE") && !status.contains("IMPORT") && !status.starts_with("DELETE"),
                "{status}"
            );
        }
    }

    #[test]
    fn express_mode_changes_the_meaning_of_a_failed_update_alone() {
        for (status, ..) in STACKS {
            assert_eq!(stack_in(status, false), stack(status));
            assert_eq!(stack_in(status, true) == stack(status), *status != "UPDATE_FAILED", "{status}");
        }
        assert_eq!(stack("UPDATE_FAILED").repair, Repair::RollBack);
        assert_eq!(stack_in("UPDATE_FAILED", true).repair, Repair::Replay);
    }

    #[test]
    fn an_unknown_status_needs_no_repair() {
        assert_eq!(stack("SOMETHING_NEW_IN_PROGRESS").repair, Repair::Wait);
        assert_eq!(stack("SOMETHING_NEW").repair, Repair::None);
    }
}
