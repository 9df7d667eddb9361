//! No stateful resource is replaced, emptied or deleted unasked.
//!
//! A resource counts from the first success of its stack: what a failed creation made is empty, and CloudFormation deletes it again.
//! A replaced resource that its template retains is lost to the system, which sees a new, empty one
//! (xtask/docs/decisions/stateful-resources.md, "Data is never replaced or deleted by accident"). Only a new stack may begin with new ones.

use std::collections::{BTreeMap, BTreeSet};

use simulated_aws::{account::Account, stateful::Stateful};

use super::view;

/// What was seen of stateful resources.
#[derive(Debug, Clone, Default)]
pub(super) struct Data {
    /// Those of stacks that have succeeded, with stack and logical ID.
    settled: BTreeMap<Stateful, (String, String)>,
    /// The present resource of each stack's ID and logical ID.
    present: BTreeMap<(String, String), Stateful>,
    /// The resources that a run may delete, as `stack/logical ID`.
    asked: BTreeSet<String>,
    /// The types that a run may delete wherever they are.
    asked_types: BTreeSet<&'static str>,
}

/// The types that `destroy` deletes with their stacks, and with `--delete-data` itself.
const LOGS: &str = "AWS::Logs::LogGroup";
const WITH_DATA: [&str; 3] = [LOGS, "AWS::S3::Bucket", "AWS::Cognito::UserPool"];

impl Data {
    /// A run was asked to delete these resources, each `stack/logical ID`.
    pub(super) fn ask(&mut self, resources: impl IntoIterator<Item = String>) {
        self.asked.extend(resources);
    }

    /// A run was asked to destroy stacks, or a person deletes one.
    pub(super) fn ask_destruction(&mut self, data: bool) {
        self.asked_types.extend(if data { &WITH_DATA[..] } else { &WITH_DATA[..1] });
    }

    /// Looks at the account after something has happened; returns what is wrong.
    pub(super) fn check(&mut self, account: &Account) -> Vec<String> {
        let present: BTreeSet<Stateful> = account.stateful().into_iter().collect();
        let mut wrong = Vec::new();
        let Self { settled, present: known, asked, asked_types } = self;
        let is_asked = |stack: &str, logical_id: &str| asked.contains(&format!("{stack}/{logical_id}"));
        settled.retain(|resource, (stack, logical_id)| {
            let exists = present.contains(resource);
            let is_asked = is_asked(stack, logical_id) || asked_types.contains(resource.resource_type.as_str());
            if !exists && !is_asked {
                wrong.push(format!(
                    "{} {} ({stack}/{logical_id}) is deleted unasked",
                    resource.resource_type, resource.physical_id
                ));
            }
            exists
        });
        let by_id: BTreeMap<_, _> =
            present.iter().map(|found| ((found.resource_type.as_str(), found.physical_id.as_str()), found)).collect();
        for owned in view::settled_resources(account) {
            let Some(found) = by_id.get(&(owned.resource_type, owned.physical_id)).copied() else { continue };
            let (stack, logical_id) = (owned.stack.to_owned(), owned.logical_id.to_owned());
            let before = known.insert((owned.stack_id.to_owned(), logical_id.clone()), found.clone());
            let replaced = before.filter(|before| before != found && present.contains(before));
            if let Some(before) = replaced.filter(|_| !is_asked(&stack, &logical_id)) {
                let (kind, old, new) = (&before.resource_type, &before.physical_id, &found.physical_id);
                wrong.push(format!("{kind} {old} ({stack}/{logical_id}) is retained and replaced by {new} unasked"));
            }
            settled.insert(found.clone(), (stack, logical_id));
        }
        wrong
    }
}
