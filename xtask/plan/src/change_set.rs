//! Compares CloudFormation's change sets with the prediction.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    allow::Allowances,
    changes::{Certainty, ResourceAction, ResourceChange, StackChanges},
    findings::FindingKind,
    stateful::is_stateful,
};

/// The change of one resource in a change set (CloudFormation API reference, `ResourceChange`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeSetEntry {
    /// The logical ID.
    pub logical_id: String,
    /// The resource type.
    pub resource_type: String,
    /// `Add`, `Modify`, `Remove`, `Import`, `Dynamic` or `SyncWithActual`.
    pub action: String,
    /// `True`, `False` or `Conditional`; for modified resources only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub replacement: Option<String>,
}

impl ChangeSetEntry {
    /// The change as CloudFormation's console prints it.
    pub(crate) fn words(&self) -> String {
        match self.replacement.as_deref() {
            Some(replacement) => format!("{}, replacement {replacement}", self.action),
            None => self.action.clone(),
        }
    }

    fn replaces(&self) -> bool {
        self.action == "Modify" && self.replacement.as_deref() == Some("True")
    }

    /// Is the change consistent with the prediction? `Conditional` and `Dynamic` mean that CloudFormation does not know yet.
    fn agrees(&self, predicted: &ResourceChange) -> bool {
        match (self.action.as_str(), predicted.action) {
            ("Add" | "Import", action) => action == ResourceAction::Create,
            ("Remove", action) => action == ResourceAction::Delete,
            ("Modify", ResourceAction::Update) => !self.replaces() || predicted.certainty == Certainty::Unknown,
            ("Modify", ResourceAction::Replace) => {
                self.replacement.as_deref() != Some("False") || predicted.certainty != Certainty::Certain
            }
            ("Modify", _) => false,
            _ => true,
        }
    }
}

/// Describes the differences between a change set and the prediction.
///
/// A modification in place that only the change set has is not one: CloudFormation lists every resource that refers to a
/// changing one, and then finds most of them unchanged.
#[must_use]
pub fn disagreements(stack: &str, predicted: &StackChanges, entries: &[ChangeSetEntry]) -> Vec<String> {
    let by_id = by_logical_id(entries);
    let listed = entries.iter().filter_map(|entry| {
        let id = &entry.logical_id;
        match predicted.of(id) {
            Some(change) if entry.agrees(change) => None,
            Some(change) => {
                Some(format!("{stack}/{id}: predicted {}, change set: {}", word(change.action), entry.words()))
            }
            None if entry.action == "Modify" && !entry.replaces() => None,
            None => Some(format!("{stack}/{id}: predicted no change, change set: {}", entry.words())),
        }
    });
    // A change without property changes, of a policy attribute alone, is in no change set.
    let missing =
        predicted.resources.iter().filter(|change| !by_id.contains_key(change.logical_id.as_str())).filter_map(
            |change| {
                let certain = change.certainty == Certainty::Certain && change.action != ResourceAction::Update;
                let id = &change.logical_id;
                certain.then(|| format!("{stack}/{id}: predicted {}, not in the change set", word(change.action)))
            },
        );
    listed.chain(missing).collect()
}

/// Returns the entries of a change set by the logical IDs of their resources.
pub(crate) fn by_logical_id(entries: &[ChangeSetEntry]) -> BTreeMap<&str, &ChangeSetEntry> {
    // Of two entries for one resource, the first counts.
    entries.iter().rev().map(|entry| (entry.logical_id.as_str(), entry)).collect()
}

fn word(action: ResourceAction) -> &'static str {
    match action {
        ResourceAction::Create => "create",
        ResourceAction::Update => "update in place",
        ResourceAction::Replace => "replace",
        ResourceAction::Delete => "delete",
    }
}

/// Describes the stateful resources that the change set would delete or replace and that were neither predicted nor allowed.
#[must_use]
pub fn unpredicted_losses(
    stack: &str,
    predicted: &StackChanges,
    entries: &[ChangeSetEntry],
    allowances: &Allowances,
) -> Vec<String> {
    let stateful = entries.iter().filter(|entry| is_stateful(&entry.resource_type));
    stateful
        .filter_map(|entry| {
            let id = &entry.logical_id;
            let action = predicted.of(id).map(|change| change.action);
            let (kind, is_predicted, what) = match entry.action.as_str() {
                "Remove" => (FindingKind::DeletesData, action == Some(ResourceAction::Delete), "delete"),
                _ if entry.replaces() => {
                    (FindingKind::ReplacesData, action == Some(ResourceAction::Replace), "replace")
                }
                _ => return None,
            };
            // A predicted loss has been refused or allowed earlier.
            let is_allowed = is_predicted || allowances.includes(kind, stack, id);
            (!is_allowed).then(|| format!("{what} {id} ({})", entry.resource_type))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(resource_type: &str, action: &str, replacement: Option<&str>) -> ChangeSetEntry {
        ChangeSetEntry {
            logical_id: "A".to_owned(),
            resource_type: resource_type.to_owned(),
            action: action.to_owned(),
            replacement: replacement.map(str::to_owned),
        }
    }

    fn predicted(action: ResourceAction, certainty: Certainty) -> StackChanges {
        let change = ResourceChange {
            logical_id: "A".to_owned(),
            resource_type: "AWS::S3::Bucket".to_owned(),
            action,
            certainty,
            causes: Vec::new(),
            properties: Vec::new(),
            retained: false,
            impossible: None,
        };
        StackChanges { resources: vec![change], ..StackChanges::default() }
    }

    #[test]
    fn only_inconsistent_changes_are_disagreements() {
        use ResourceAction::{Create, Delete, Replace, Update};
        let sure = Certainty::Certain;
        let count = |action, certainty, set: &str, replacement| {
            disagreements("s", &predicted(action, certainty), &[entry("AWS::S3::Bucket", set, replacement)]).len()
        };
        for (action, certainty, set, replacement, expected) in [
            (Create, sure, "Add", None, 0),
            (Create, sure, "Import", None, 0),
            (Delete, sure, "Remove", None, 0),
            (Update, sure, "Modify", Some("False"), 0),
            (Update, sure, "Modify", Some("True"), 1),
            (Update, Certainty::Unknown, "Modify", Some("True"), 0),
            (Update, sure, "Modify", Some("Conditional"), 0),
            (Replace, sure, "Modify", Some("True"), 0),
            (Replace, sure, "Modify", Some("False"), 1),
            (Replace, Certainty::Conditional, "Modify", Some("False"), 0),
            (Create, sure, "Remove", None, 1),
        ] {
            assert_eq!(
                count(action, certainty, set, replacement),
                expected,
                "{action:?} {certainty:?} {set} {replacement:?}"
            );
        }
        assert_eq!(disagreements("s", &predicted(Delete, sure), &[]).len(), 1);
        assert_eq!(disagreements("s", &predicted(Update, sure), &[]).len(), 0);
        let none = StackChanges::default();
        assert_eq!(disagreements("s", &none, &[entry("AWS::S3::Bucket", "Modify", Some("False"))]).len(), 0);
        assert_eq!(disagreements("s", &none, &[entry("AWS::S3::Bucket", "Remove", None)]).len(), 1);
    }

    #[test]
    fn losses_that_were_not_predicted_are_found() {
        let none = Allowances::default();
        let replaced = [entry("AWS::S3::Bucket", "Modify", Some("True"))];
        let update = predicted(ResourceAction::Update, Certainty::Certain);
        assert_eq!(unpredicted_losses("s", &update, &replaced, &none), ["replace A (AWS::S3::Bucket)"]);
        let replace = predicted(ResourceAction::Replace, Certainty::Certain);
        assert_eq!(unpredicted_losses("s", &replace, &replaced, &none), Vec::<String>::new());
        let removed = [entry("AWS::S3::Bucket", "Remove", None)];
        assert_eq!(unpredicted_losses("s", &update, &removed, &none), ["delete A (AWS::S3::Bucket)"]);
        let harmless = [entry("AWS::SNS::Topic", "Remove", None)];
        assert_eq!(unpredicted_losses("s", &update, &harmless, &none), Vec::<String>::new());
    }
}
