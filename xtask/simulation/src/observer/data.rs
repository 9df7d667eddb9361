//! No stateful resource is replaced, emptied or deleted unasked.
//!
//! A resource counts from the first success of its stack: what a failed creation made is empty, and CloudFormation deletes it again.

use std::collections::{BTreeMap, BTreeSet};

use simulated_aws::{account::Account, stateful::Stateful};

use super::view;

/// What was seen of stateful resources.
#[derive(Debug, Clone, Default)]
pub(super) struct Data {
    /// Those of stacks that have succeeded, with stack and logical ID.
    settled: BTreeMap<Stateful, (String, String)>,
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
        let Self { settled, asked, asked_types } = self;
        settled.retain(|resource, (stack, logical_id)| {
            let exists = present.contains(resource);
            let is_asked = asked.contains(&format!("{stack}/{logical_id}"))
                || asked_types.contains(resource.resource_type.as_str());
            if !exists && !is_asked {
                wrong.push(format!(
                    "{} {} ({stack}/{logical_id}) is deleted unasked",
                    resource.resource_type, resource.physical_id
                ));
            }
            exists
        });
        for stack in view::stacks(account).into_iter().filter(view::Stack::has_succeeded) {
            for (logical_id, resource) in &stack.resources {
                let found = present.iter().find(|found| {
                    found.resource_type == resource.resource_type && found.physical_id == resource.physical_id
                });
                let Some(found) = found else { continue };
                settled.insert(found.clone(), (stack.name.clone(), logical_id.clone()));
            }
        }
        wrong
    }
}
