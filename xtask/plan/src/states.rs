//! What every state of a stack or a function means, and its one repair.

use serde::Serialize;

/// What is to be done about a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Repair {
    /// Nothing: it is well.
    None,
    /// Delete it; nothing is lost, and the next deploy makes it.
    Delete,
    /// Wait until whoever is at work on it is done.
    Wait,
    /// Wait, or stop the update, if it is named, so that it goes back.
    WaitOrCancel,
    /// Continue the rollback, skipping only what is named.
    ContinueRollback,
    /// Roll it back to what it last was.
    RollBack,
    /// Delete it again, retaining what is named.
    DeleteRetaining,
    /// Deploy again.
    Deploy,
}

impl Repair {
    /// Does the state pass by itself?
    #[must_use]
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Wait | Self::WaitOrCancel)
    }
}

/// What a state means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Meaning {
    /// In words.
    pub meaning: &'static str,
    /// What is to be done.
    pub repair: Repair,
}

/// Every status of a stack: CloudFormation user guide, "Stack status codes".
const STACKS: &[(&str, &str, Repair)] = &[
    ("CREATE_COMPLETE", "it is as it was created", Repair::None),
    ("UPDATE_COMPLETE", "it is as it was last updated", Repair::None),
    ("IMPORT_COMPLETE", "it took resources in", Repair::None),
    ("UPDATE_ROLLBACK_COMPLETE", "its last update failed, and it is what it was before", Repair::None),
    ("IMPORT_ROLLBACK_COMPLETE", "its last import failed, and it is what it was before", Repair::None),
    ("DELETE_COMPLETE", "it is gone", Repair::None),
    ("REVIEW_IN_PROGRESS", "a change set was made for it and never executed: it is empty", Repair::Delete),
    ("ROLLBACK_COMPLETE", "its creation failed, and what it had made is gone", Repair::Delete),
    ("ROLLBACK_FAILED", "its creation failed, and so did taking it back: it never worked", Repair::Delete),
    ("CREATE_FAILED", "its creation failed: it never worked", Repair::Delete),
    ("UPDATE_FAILED", "its update failed and was not rolled back", Repair::RollBack),
    ("UPDATE_ROLLBACK_FAILED", "its update failed, and so did going back", Repair::ContinueRollback),
    ("IMPORT_ROLLBACK_FAILED", "its import failed, and so did going back", Repair::ContinueRollback),
    ("DELETE_FAILED", "something in it could not be deleted", Repair::DeleteRetaining),
    ("CREATE_IN_PROGRESS", "it is being created", Repair::Wait),
    ("UPDATE_IN_PROGRESS", "it is being updated", Repair::WaitOrCancel),
    (
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "it was updated, and what it no longer needs is being deleted",
        Repair::Wait,
    ),
    ("ROLLBACK_IN_PROGRESS", "its creation failed, and what it had made is being deleted", Repair::Wait),
    ("UPDATE_ROLLBACK_IN_PROGRESS", "its update failed, and it is going back", Repair::Wait),
    (
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        "its update failed, and what that had made is being deleted",
        Repair::Wait,
    ),
    ("DELETE_IN_PROGRESS", "it is being deleted", Repair::Wait),
    ("IMPORT_IN_PROGRESS", "it is taking resources in", Repair::Wait),
    ("IMPORT_ROLLBACK_IN_PROGRESS", "its import failed, and it is going back", Repair::Wait),
];

/// What a stack's status means. One that the table does not know is waited for where its name says that it passes, and else
/// taken for well: CloudFormation refuses what cannot be.
#[must_use]
pub fn stack(status: &str) -> Meaning {
    let known = STACKS.iter().find(|(name, _, _)| *name == status);
    match known {
        Some((_, meaning, repair)) => Meaning { meaning, repair: *repair },
        None if status.ends_with("_IN_PROGRESS") => {
            Meaning { meaning: "somebody is at work on it", repair: Repair::Wait }
        }
        None => Meaning { meaning: "a status that this version does not know", repair: Repair::None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_of_the_documentation_has_one_meaning() {
        assert_eq!(STACKS.len(), 23, "the page lists 23");
        let mut names: Vec<_> = STACKS.iter().map(|(name, _, _)| *name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 23);
        for (status, _, repair) in STACKS.iter().filter(|(status, _, _)| status.ends_with("_IN_PROGRESS")) {
            let passing = *status != "REVIEW_IN_PROGRESS";
            assert_eq!(repair.is_transient(), passing, "{status}");
        }
    }

    #[test]
    fn nothing_that_ever_worked_is_deleted() {
        for (status, _, _) in STACKS.iter().filter(|(_, _, repair)| *repair == Repair::Delete) {
            assert!(
                !status.contains("UPDATE") && !status.contains("IMPORT") && !status.starts_with("DELETE"),
                "{status}"
            );
        }
    }

    #[test]
    fn an_unknown_status_is_no_reason_to_do_anything() {
        assert_eq!(stack("SOMETHING_NEW_IN_PROGRESS").repair, Repair::Wait);
        assert_eq!(stack("SOMETHING_NEW").repair, Repair::None);
    }
}
