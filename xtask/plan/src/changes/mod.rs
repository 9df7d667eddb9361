//! Predicts what CloudFormation does to each resource, from two templates and AWS's resource schemas.
//!
//! The rules are those of the CloudFormation user guide, "Update behaviors of stack resources": a changed create-only
//! property replaces its resource; a resource that refers to a replaced one changes with it, and may be replaced in turn.

mod behavior;
mod compare;
mod documented;
pub(crate) mod names;
pub(crate) mod references;
pub(crate) mod resolve;
pub mod schema;

use std::collections::BTreeMap;

pub use behavior::Certainty;
pub(crate) use compare::compare;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// The changes of a stack's resources and outputs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StackChanges {
    /// The changing resources, ordered by logical ID, by which [`StackChanges::of`] searches.
    #[serde(deserialize_with = "ordered")]
    pub resources: Vec<ResourceChange>,
    /// The outputs that are added, changed or removed.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub outputs: Vec<PropertyChange>,
    /// The outputs whose values change with a replaced resource.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub moved_outputs: BTreeMap<String, Certainty>,
}

/// The change of one resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceChange {
    /// The logical ID.
    pub logical_id: String,
    /// The resource type.
    pub resource_type: String,
    /// The action on the resource.
    pub action: ResourceAction,
    /// The certainty of the action.
    pub certainty: Certainty,
    /// The causes of a replacement.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub causes: Vec<Cause>,
    /// The differences.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub properties: Vec<PropertyChange>,
    /// Does the template retain the resource that is deleted or replaced?
    pub retained: bool,
    /// The reason, if CloudFormation would refuse the change.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub impossible: Option<String>,
}

/// An action of CloudFormation on a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResourceAction {
    /// Creates it.
    Create,
    /// Updates it in place.
    Update,
    /// Creates another in its place, then deletes it.
    Replace,
    /// Deletes it.
    Delete,
}

/// A cause of a replacement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    /// The path of the property whose change replaces the resource, as the schemas spell it.
    pub property: String,
    /// The certainty of the replacement.
    pub certainty: Certainty,
    /// The documented condition of the replacement.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub condition: Option<String>,
    /// The replaced resource, or the parameter, that the property changes with.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub follows: Option<String>,
}

/// The difference of a property.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PropertyChange {
    /// The path within `Properties`, with `/` between steps, or an attribute such as `DeletionPolicy`.
    pub path: String,
    /// The old value.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub old: Option<Value>,
    /// The new value.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub new: Option<Value>,
    /// The replaced resource, or the parameter, that the property changes with; the value is known after the deploy.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub follows: Option<String>,
}

impl StackChanges {
    /// Returns the change of a resource.
    #[must_use]
    pub fn of(&self, logical_id: &str) -> Option<&ResourceChange> {
        self.index_of(logical_id).map(|index| &self.resources[index])
    }

    pub(crate) fn of_mut(&mut self, logical_id: &str) -> Option<&mut ResourceChange> {
        self.index_of(logical_id).map(|index| &mut self.resources[index])
    }

    fn index_of(&self, logical_id: &str) -> Option<usize> {
        self.resources.binary_search_by(|change| change.logical_id.as_str().cmp(logical_id)).ok()
    }
}

/// A plan's file may have been edited.
fn ordered<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ResourceChange>, D::Error> {
    let mut resources = Vec::<ResourceChange>::deserialize(deserializer)?;
    resources.sort_by(|one, other| one.logical_id.cmp(&other.logical_id));
    Ok(resources)
}

#[cfg(test)]
mod edits;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
