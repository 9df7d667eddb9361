//! CloudFormation: stacks, change sets, events and drift, in all regions of the account.
//!
//! Read `state` for what a stack is, `operation` for how one changes, and `phases` for its statuses. Handlers are in `change_sets`,
//! `control` and `reads`; `changes` compares, and `resolve` computes intrinsic functions.
//!
//! The model does not have: nested stacks, stack sets, exports between stacks, stack policies, rollback triggers, notifications,
//! macros, templates in YAML, custom resources, and imports with `ResourcesToImport`.

mod apply;
mod change_sets;
mod changes;
mod control;
mod deletion;
mod drift;
mod express;
mod faults;
mod input;
mod operation;
mod phases;
mod print;
mod reads;
mod resolve;
mod state;
mod template;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

pub use self::faults::{ResourceAction, ResourceEffect, ResourceFault};
pub use self::state::{Resource, Stack};
use self::{
    drift::Detection,
    operation::{Operation, Task},
    template::Template,
};
use crate::{
    account::Account,
    chance::hash,
    wire::{Call, Handled, Refusal},
};

/// The state of CloudFormation in all regions.
#[derive(Debug, Clone, Default)]
pub struct CloudFormation {
    /// All stacks by ID, deleted ones included.
    stacks: BTreeMap<String, Arc<Stack>>,
    /// The IDs of living stacks, by region and name.
    names: BTreeMap<(String, String), String>,
    /// The tags of living stacks, by region and name.
    tags: BTreeMap<(String, String), Arc<BTreeMap<String, String>>>,
    /// Templates that were read, by their hash.
    templates: Arc<BTreeMap<u64, Arc<Template>>>,
    detections: BTreeMap<String, Detection>,
    last_number: u64,
}

impl CloudFormation {
    /// Returns all stacks, deleted ones included.
    pub fn stacks(&self) -> impl Iterator<Item = &Stack> {
        self.stacks.values().map(|stack| &**stack)
    }

    /// Returns a living stack.
    #[must_use]
    pub fn stack(&self, region: &str, name: &str) -> Option<&Stack> {
        let id = self.names.get(&(region.to_owned(), name.to_owned()))?;
        self.stacks.get(id).map(|stack| &**stack)
    }

    /// Returns the living stack that has a resource, and the logical ID.
    #[must_use]
    pub fn owner(&self, region: &str, resource_type: &str, physical_id: &str) -> Option<(&Stack, &str)> {
        let living = self.names.values().filter_map(|id| self.stacks.get(id)).filter(|stack| stack.region == region);
        living.flat_map(|stack| stack.resources.iter().map(move |found| (stack, found))).find_map(|(stack, found)| {
            let (id, resource) = found;
            let is_it = resource.physical_id == physical_id && resource.resource_type == resource_type;
            (is_it && resource.is_owned()).then_some((&**stack, id.as_str()))
        })
    }

    /// Returns a stack by its name in a region, or its ID. Only the ID finds a deleted stack.
    fn find(&self, region: &str, name_or_id: &str) -> Option<&Stack> {
        match self.stacks.get(name_or_id) {
            Some(stack) => Some(stack),
            None => self.stack(region, name_or_id),
        }
    }

    fn stack_mut(&mut self, id: &str) -> Option<&mut Stack> {
        self.stacks.get_mut(id).map(Arc::make_mut)
    }

    fn operation(&self, id: &str) -> Option<&Operation> {
        self.stacks.get(id)?.operation.as_ref()
    }

    fn operation_mut(&mut self, id: &str) -> Option<&mut Operation> {
        self.stack_mut(id)?.operation.as_mut()
    }

    fn task_mut(&mut self, id: &str, key: &str) -> Option<&mut Task> {
        self.operation_mut(id)?.tasks.get_mut(key)
    }

    fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// Reads a template, once for each text.
    fn template(&mut self, text: &str) -> Result<Arc<Template>, String> {
        let key = hash(0, text.as_bytes());
        if let Some(known) = self.templates.get(&key).filter(|known| known.text == text) {
            return Ok(known.clone());
        }
        let template = Arc::new(Template::parse(text)?);
        Arc::make_mut(&mut self.templates).insert(key, template.clone());
        Ok(template)
    }
}

/// Returns the tags that CloudFormation gives to a resource: those of its stack, and three of its own (CloudFormation user guide, "Resource
/// tags").
#[must_use]
pub fn tags(account: &Account, region: &str, stack: &str, logical_id: &str) -> BTreeMap<String, String> {
    let key = (region.to_owned(), stack.to_owned());
    let mut tags = account.cloudformation.tags.get(&key).map(|tags| (**tags).clone()).unwrap_or_default();
    let id = account.cloudformation.names.get(&key).cloned().unwrap_or_default();
    for (name, value) in [("stack-name", stack.to_owned()), ("stack-id", id), ("logical-id", logical_id.to_owned())] {
        tags.insert(format!("aws:cloudformation:{name}"), value);
    }
    tags
}

/// Carries out a call.
pub(crate) fn handle(account: &mut Account, call: &Call) -> Handled {
    let form = &call.form();
    let region = call.region.as_str();
    match call.operation.as_str() {
        "CreateChangeSet" => change_sets::create(account, region, form),
        "DescribeChangeSet" => change_sets::describe(account, region, form),
        "ExecuteChangeSet" => change_sets::execute(account, region, form),
        "DeleteChangeSet" => change_sets::delete(account, region, form),
        "ListChangeSets" => change_sets::list(account, region, form),
        "CreateStack" => control::create(account, region, form),
        "UpdateStack" => control::update(account, region, form),
        "DeleteStack" => control::delete(account, region, form),
        "UpdateTerminationProtection" => control::protect(account, region, form),
        "CancelUpdateStack" => control::cancel(account, region, form),
        "RollbackStack" => control::roll_back(account, region, form),
        "ContinueUpdateRollback" => control::continue_rollback(account, region, form),
        "DescribeStacks" => reads::describe_stacks(account, region, form),
        "ListStacks" => reads::list_stacks(account, region, form),
        "GetTemplate" => reads::template(account, region, form),
        "DescribeStackEvents" => reads::stack_events(account, region, form),
        "DescribeEvents" => reads::operation_events(account, region, form),
        "ListStackResources" => reads::resources(account, region, form),
        "DetectStackDrift" => drift::detect(account, region, form),
        "DescribeStackDriftDetectionStatus" => drift::status(account, form),
        "DescribeStackResourceDrifts" => drift::drifts(account, region, form),
        _ => Err(Refusal::unknown(call)),
    }
}

/// CloudFormation API reference, "Common errors": `ValidationError`.
fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::bad_request("ValidationError", message)
}
