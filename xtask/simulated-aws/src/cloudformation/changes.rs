//! Compares a template with a stack: the changes of a change set (CloudFormation API reference, `ResourceChange`).
//!
//! CloudFormation compares with what it has deployed, not with what exists. A value that only the operation will show, such as the ID of
//! a replacement, makes a change dynamic: `Replacement` is then `Conditional`.

use std::collections::{BTreeMap, BTreeSet};

use plan::changes::{Certainty, schema};
use serde_json::Value;

use super::{
    resolve::Context,
    state::{Refused, Resource, Stack},
    template::{Policy, Version, references},
};
use crate::{
    account::Account,
    resources::{Inspected, ids, inspect},
};

/// The reason of a change set without changes (CloudFormation user guide, "View a change set").
pub(super) const NO_CHANGES: &str =
    "The submitted information didn't contain changes. Submit different information to create a change set.";
/// The reason of a change set that a validation refuses (CloudFormation user guide, "Validate stack deployments").
const REFUSED: &str = "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]. To troubleshoot Early \
                       Validation errors, use the DescribeEvents API for detailed failure information.";

/// The change of one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) action: &'static str,
    pub(super) logical_id: String,
    pub(super) physical_id: String,
    pub(super) resource_type: String,
    /// `True`, `False` or `Conditional`; for `Modify` only.
    pub(super) replacement: Option<&'static str>,
    pub(super) details: Vec<Detail>,
}

/// The change of one property or attribute (CloudFormation API reference, `ResourceChangeDetail`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Detail {
    /// `Properties`, or the name of the attribute.
    pub(super) attribute: &'static str,
    pub(super) property: Option<String>,
    pub(super) recreation: &'static str,
    pub(super) is_static: bool,
}

/// The changes from a stack to a version.
#[derive(Debug, Default)]
pub(super) struct Compared {
    pub(super) changes: Vec<Change>,
    pub(super) refusals: Vec<Refused>,
    /// Whether anything changes, outputs and tags included.
    pub(super) has_changes: bool,
}

impl Compared {
    /// The reason why the change set fails, if it does.
    pub(super) fn failure(&self) -> Option<&'static str> {
        match (self.has_changes, self.refusals.is_empty()) {
            (false, _) => Some(NO_CHANGES),
            (_, false) => Some(REFUSED),
            _ => None,
        }
    }
}

/// The comparison in progress.
struct Comparison<'a> {
    account: &'a Account,
    stack: &'a Stack,
    version: &'a Version,
    imports: bool,
    /// Resources that are created or replaced.
    unknown: BTreeSet<String>,
    /// Resources that are updated in place.
    modified: BTreeSet<String>,
    found: Compared,
}

/// Compares a stack with the version that it is to have. An error is the reason why the change set fails.
pub(super) fn compare(account: &Account, stack: &Stack, version: &Version, imports: bool) -> Result<Compared, String> {
    let (unknown, modified, found) = (BTreeSet::new(), BTreeSet::new(), Compared::default());
    let mut comparison = Comparison { account, stack, version, imports, unknown, modified, found };
    for id in version.template.order()?.into_iter().filter(|id| version.includes(id)) {
        match stack.resources.get(id).filter(|resource| resource.is_owned()) {
            None => comparison.added(id),
            Some(existing) => comparison.existing(id, existing)?,
        }
    }
    comparison.removed();
    let place = stack.place();
    let has_outputs = comparison.context(&place).outputs()? != *stack.outputs;
    let has_tags = stack.version.as_ref().is_some_and(|old| old.tags != version.tags);
    let mut found = comparison.found;
    found.changes.sort_by(|one, other| one.logical_id.cmp(&other.logical_id));
    found.has_changes = !found.changes.is_empty() || has_outputs || has_tags || stack.version.is_none();
    Ok(found)
}

impl Comparison<'_> {
    fn context<'c>(&'c self, place: &'c super::resolve::Place) -> Context<'c> {
        let (unknown, modified) = (Some(&self.unknown), Some(&self.modified));
        Context { version: self.version, place, resources: &self.stack.resources, unknown, modified }
    }

    fn push(&mut self, action: &'static str, id: &str, physical_id: String, resource_type: &str) {
        let (logical_id, resource_type) = (id.to_owned(), resource_type.to_owned());
        let change = Change { action, logical_id, physical_id, resource_type, replacement: None, details: Vec::new() };
        self.found.changes.push(change);
    }

    /// A resource that is created, or imported if it exists (CloudFormation user guide, "Import AWS resources into a CloudFormation
    /// stack automatically").
    fn added(&mut self, id: &str) {
        self.unknown.insert(id.to_owned());
        let resource_type = self.version.template.resource_type(id).to_owned();
        let Some((name, physical_id)) = self.taken(id, &resource_type) else {
            return self.push("Add", id, String::new(), &resource_type);
        };
        let is_retained = self.version.template.policy(id, "DeletionPolicy") != Policy::Delete;
        let has_other_stack =
            self.account.cloudformation.owner(&self.stack.region, &resource_type, &physical_id).is_some();
        if self.imports && is_retained && name == physical_id && !has_other_stack {
            return self.push("Import", id, physical_id, &resource_type);
        }
        self.found.refusals.push(Refused {
            logical_id: id.to_owned(),
            reason: format!("Resource of type '{resource_type}' with identifier '{name}' already exists."),
            resource_type: resource_type.clone(),
            physical_id,
        });
        self.push("Add", id, String::new(), &resource_type);
    }

    /// The static custom name of a resource that exists already, and its physical ID.
    fn taken(&self, id: &str, resource_type: &str) -> Option<(String, String)> {
        let name = schema::unique_name(resource_type)?;
        let name = self.version.template.resource(id)["Properties"][name].as_str()?;
        let physical_id = ids::named(&self.account.id, &self.stack.region, resource_type, name);
        let found = inspect(self.account, &self.stack.region, resource_type, &physical_id);
        (found != Inspected::Missing).then(|| (name.to_owned(), physical_id))
    }

    fn existing(&mut self, id: &str, existing: &Resource) -> Result<(), String> {
        let resource_type = self.version.template.resource_type(id);
        if resource_type != existing.resource_type {
            return Err(format!(
                "Update of resource type is not permitted. The new template modifies resource type of the following resources: [{id}]"
            ));
        }
        let place = self.stack.place();
        let new = self.context(&place).properties(id)?;
        let mut details = if new == *existing.properties { Vec::new() } else { self.properties(id, existing, &new) };
        details.extend(self.attributes(id));
        if details.is_empty() {
            return Ok(());
        }
        let is = |recreation: &str, is_static: bool| {
            details.iter().any(|detail| detail.recreation == recreation && detail.is_static == is_static)
        };
        let replacement = match is("Always", true) {
            true => "True",
            false if is("Always", false) || is("Conditionally", true) || is("Conditionally", false) => "Conditional",
            false => "False",
        };
        let set = if replacement == "False" { &mut self.modified } else { &mut self.unknown };
        // What changes only if another resource's attribute does is not followed further.
        if details.iter().any(|detail| detail.is_static) || replacement != "False" {
            set.insert(id.to_owned());
        }
        self.found.changes.push(Change {
            action: "Modify",
            logical_id: id.to_owned(),
            physical_id: existing.physical_id.clone(),
            resource_type: resource_type.to_owned(),
            replacement: Some(replacement),
            details,
        });
        Ok(())
    }

    fn properties(&self, id: &str, existing: &Resource, new: &Value) -> Vec<Detail> {
        let old = &*existing.properties;
        let mut causes: BTreeMap<String, Certainty> = BTreeMap::new();
        for (path, certainty) in schema::replaced_by(&existing.resource_type, old, new) {
            let property = path.split('/').next().unwrap_or_default().to_owned();
            let cause = causes.entry(property).or_insert(certainty);
            *cause = certainty.max(*cause);
        }
        let keys: BTreeSet<_> =
            [old, new].into_iter().filter_map(Value::as_object).flat_map(|all| all.keys()).collect();
        let written = &self.version.template.resource(id)["Properties"];
        let changed = keys.into_iter().filter(|key| old.get(*key) != new.get(*key));
        changed
            .map(|key| {
                let mut targets = BTreeSet::new();
                references(&written[key], &mut targets);
                let follows = |id: &&str| self.unknown.contains(*id) || self.modified.contains(*id);
                Detail {
                    attribute: "Properties",
                    property: Some(key.clone()),
                    recreation: match causes.get(key) {
                        Some(Certainty::Certain) => "Always",
                        Some(Certainty::Conditional) => "Conditionally",
                        _ => "Never",
                    },
                    is_static: !targets.iter().any(follows),
                }
            })
            .collect()
    }

    /// The changed attributes of a resource (CloudFormation API reference, `ResourceChange`, `Scope`).
    fn attributes(&self, id: &str) -> impl Iterator<Item = Detail> {
        const ATTRIBUTES: [&str; 5] =
            ["CreationPolicy", "DeletionPolicy", "Metadata", "UpdatePolicy", "UpdateReplacePolicy"];
        let old = self.stack.version.as_ref().map(|version| version.template.resource(id));
        let new = self.version.template.resource(id);
        let changed = ATTRIBUTES.into_iter().filter(move |name| old.is_some_and(|old| old[*name] != new[*name]));
        changed.map(|attribute| Detail { attribute, property: None, recreation: "Never", is_static: true })
    }

    fn removed(&mut self) {
        let stack = self.stack;
        let removed = stack.resources.iter().filter(|(id, resource)| resource.is_owned() && !self.version.includes(id));
        for (id, resource) in removed.collect::<Vec<_>>() {
            self.push("Remove", id, resource.physical_id.clone(), &resource.resource_type);
        }
    }
}
