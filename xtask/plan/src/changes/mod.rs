//! What CloudFormation would do to each resource, from two templates and AWS's schemas: pure, and without an account.
//!
//! The rules are those of the CloudFormation user guide, "Update behaviors of stack resources": a changed create-only
//! property replaces; what refers to a replaced resource changes with it, and may be replaced in turn.

pub mod behavior;
mod compare;
mod documented;
pub mod references;
pub mod resolve;

use std::collections::BTreeMap;

pub use behavior::Certainty;
pub use compare::compare;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What would happen to a stack's resources.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StackChanges {
    /// Every resource that would be touched, by logical ID.
    pub resources: Vec<ResourceChange>,
    /// Outputs that would be added, changed or removed.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub outputs: Vec<PropertyChange>,
    /// Outputs whose value would change with a replaced resource, and how sure that is.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub moved_outputs: BTreeMap<String, Certainty>,
}

/// What would happen to one resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceChange {
    /// Its logical ID.
    pub logical_id: String,
    /// Its type.
    pub resource_type: String,
    /// What would happen.
    pub action: ResourceAction,
    /// How sure that is.
    pub certainty: Certainty,
    /// Why it would be replaced: paths of properties, each with how sure that is.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub causes: Vec<Cause>,
    /// What differs.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub properties: Vec<PropertyChange>,
    /// Does the template keep what would be deleted or replaced?
    pub retained: bool,
    /// Why CloudFormation would refuse the change.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub impossible: Option<String>,
}

/// What CloudFormation would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResourceAction {
    /// Make it.
    Create,
    /// Change it in place.
    Update,
    /// Make another in its place, then remove it.
    Replace,
    /// Remove it.
    Delete,
}

/// Why a resource would be replaced.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    /// The property whose change replaces, as the schemas spell its path.
    pub property: String,
    /// How sure that is.
    pub certainty: Certainty,
    /// Under which condition, where the documentation says so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub condition: Option<String>,
    /// The replaced resource, or the parameter, that it changes with.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub follows: Option<String>,
}

/// A difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PropertyChange {
    /// Where, `/` between steps: within `Properties`, or an attribute such as `DeletionPolicy`.
    pub path: String,
    /// What was there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub old: Option<Value>,
    /// What would be there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub new: Option<Value>,
    /// The replaced resource, or the parameter, that it changes with; its value is known after the deploy.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub follows: Option<String>,
}

impl StackChanges {
    /// The change of one resource, where there is one.
    #[must_use]
    pub fn of(&self, logical_id: &str) -> Option<&ResourceChange> {
        self.resources.iter().find(|change| change.logical_id == logical_id)
    }
}

#[cfg(test)]
mod edits;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
