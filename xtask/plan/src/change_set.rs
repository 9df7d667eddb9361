//! What CloudFormation's own change set says, held against the prediction.

use serde::{Deserialize, Serialize};

use super::{
    allow::Allowances,
    changes::{Certainty, ResourceAction, ResourceChange, StackChanges},
    findings::FindingKind,
    stateful::is_stateful,
};

/// What a change set says of one resource: CloudFormation API reference, `ResourceChange`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeSetEntry {
    /// Its logical ID.
    pub logical_id: String,
    /// Its type.
    pub resource_type: String,
    /// `Add`, `Modify`, `Remove`, `Import`, `Dynamic` or `SyncWithActual`.
    pub action: String,
    /// `True`, `False` or `Conditional`; only of what is modified.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub replacement: Option<String>,
}

impl ChangeSetEntry {
    /// As the console shows it.
    #[must_use]
    pub fn words(&self) -> String {
        match self.replacement.as_deref() {
            Some(replacement) => format!("{}, replacement {replacement}", self.action),
            None => self.action.clone(),
        }
    }

    fn replaces(&self) -> bool {
        self.action == "Modify" && self.replacement.as_deref() == Some("True")
    }

    /// Could this be what was predicted? `Conditional` and `Dynamic` are CloudFormation's ways of not knowing yet.
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

/// Where a change set and the prediction disagree, in words.
///
/// A resource that only CloudFormation modifies in place is no disagreement: it re-evaluates whatever refers to
/// something that changes, and finds most of it unchanged.
#[must_use]
pub fn disagreements(stack: &str, predicted: &StackChanges, verdicts: &[ChangeSetEntry]) -> Vec<String> {
    let of = |id: &str| verdicts.iter().find(|verdict| verdict.logical_id == id);
    let seen = verdicts.iter().filter_map(|verdict| {
        let id = &verdict.logical_id;
        match predicted.of(id) {
            Some(change) if verdict.agrees(change) => None,
            Some(change) => {
                Some(format!("{stack}/{id}: predicted {}, change set: {}", word(change.action), verdict.words()))
            }
            None if verdict.action == "Modify" && !verdict.replaces() => None,
            None => Some(format!("{stack}/{id}: predicted no change, change set: {}", verdict.words())),
        }
    });
    // What has no property changes (a policy attribute alone) is in no change set.
    let missing = predicted.resources.iter().filter(|change| of(&change.logical_id).is_none()).filter_map(|change| {
        let certain = change.certainty == Certainty::Certain && change.action != ResourceAction::Update;
        let id = &change.logical_id;
        certain.then(|| format!("{stack}/{id}: predicted {}, not in the change set", word(change.action)))
    });
    seen.chain(missing).collect()
}

fn word(action: ResourceAction) -> &'static str {
    match action {
        ResourceAction::Create => "create",
        ResourceAction::Update => "update in place",
        ResourceAction::Replace => "replace",
        ResourceAction::Delete => "delete",
    }
}

/// Data that the change set would lose and that neither the prediction showed nor anybody named, in words.
#[must_use]
pub fn unpredicted_losses(
    stack: &str,
    predicted: &StackChanges,
    verdicts: &[ChangeSetEntry],
    allowances: &Allowances,
) -> Vec<String> {
    let losing = verdicts.iter().filter(|verdict| is_stateful(&verdict.resource_type));
    losing
        .filter_map(|verdict| {
            let id = &verdict.logical_id;
            let action = predicted.of(id).map(|change| change.action);
            let (kind, shown, what) = match verdict.action.as_str() {
                "Remove" => (FindingKind::DeletesData, action == Some(ResourceAction::Delete), "delete"),
                _ if verdict.replaces() => {
                    (FindingKind::ReplacesData, action == Some(ResourceAction::Replace), "replace")
                }
                _ => return None,
            };
            // What the prediction shows was refused, or named, before this.
            let passes = shown || allowances.has(kind, stack, id);
            (!passes).then(|| format!("{what} {id} ({})", verdict.resource_type))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(kind: &str, action: &str, replacement: Option<&str>) -> ChangeSetEntry {
        ChangeSetEntry {
            logical_id: "A".to_owned(),
            resource_type: kind.to_owned(),
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
    fn agreement_needs_no_words_and_disagreement_is_said() {
        use ResourceAction::{Create, Delete, Replace, Update};
        let sure = Certainty::Certain;
        let said = |action, certainty, set: &str, replacement| {
            disagreements("s", &predicted(action, certainty), &[verdict("AWS::S3::Bucket", set, replacement)]).len()
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
                said(action, certainty, set, replacement),
                expected,
                "{action:?} {certainty:?} {set} {replacement:?}"
            );
        }
        assert_eq!(disagreements("s", &predicted(Delete, sure), &[]).len(), 1);
        assert_eq!(disagreements("s", &predicted(Update, sure), &[]).len(), 0);
        let none = StackChanges::default();
        assert_eq!(disagreements("s", &none, &[verdict("AWS::S3::Bucket", "Modify", Some("False"))]).len(), 0);
        assert_eq!(disagreements("s", &none, &[verdict("AWS::S3::Bucket", "Remove", None)]).len(), 1);
    }

    #[test]
    fn data_that_only_the_change_set_would_lose_is_found() {
        let none = Allowances::default();
        let replaced = [verdict("AWS::S3::Bucket", "Modify", Some("True"))];
        let update = predicted(ResourceAction::Update, Certainty::Certain);
        assert_eq!(unpredicted_losses("s", &update, &replaced, &none), ["replace A (AWS::S3::Bucket)"]);
        let replace = predicted(ResourceAction::Replace, Certainty::Certain);
        assert_eq!(unpredicted_losses("s", &replace, &replaced, &none), Vec::<String>::new());
        let removed = [verdict("AWS::S3::Bucket", "Remove", None)];
        assert_eq!(unpredicted_losses("s", &update, &removed, &none), ["delete A (AWS::S3::Bucket)"]);
        let harmless = [verdict("AWS::SNS::Topic", "Remove", None)];
        assert_eq!(unpredicted_losses("s", &update, &harmless, &none), Vec::<String>::new());
    }
}
