//! Compares every stack of a stage with the baseline, and finds the changes that cannot be made.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    foundation,
    rendered::{ParameterSource, RenderedStack, RenderedSystem},
    stage::{Refusal, Stage},
};
use serde_json::Value;

use super::{Baseline, BaselineStack, StackAction, StackPreview};
use crate::{
    Action, Parameter, Plan, PlannedStack, api,
    changes::{
        Certainty, ResourceChange, StackChanges, compare,
        names::{StackSides, conflicts},
        resolve::Known,
    },
    findings::{Finding, findings},
    full_name,
    sides::Sides,
    widening::loses_protection,
};

/// A stack, compared with the baseline.
pub(super) struct Compared<'a> {
    pub(super) stack: &'a RenderedStack,
    planned: Option<&'a PlannedStack>,
    old: Option<&'a BaselineStack>,
    /// The parameters' values that are known before the deploy.
    parameters: BTreeMap<String, String>,
    changes: StackChanges,
    /// The parameters whose values change because a resource of another stack is replaced.
    changing: BTreeMap<String, Certainty>,
}

/// Compares every stack with the baseline, in deploy order: replaced resources change the stacks that take their outputs.
pub(super) fn compare_stacks<'a>(
    stage: &Stage,
    systems: &'a [RenderedSystem],
    baseline: &'a Baseline,
    plan: Option<&'a Plan>,
) -> Vec<Compared<'a>> {
    let mut compared: Vec<Compared<'a>> = Vec::new();
    let mut indices: BTreeMap<&str, usize> = BTreeMap::new();
    let planned = plan.into_iter().flat_map(|plan| &plan.stacks);
    let planned: BTreeMap<&str, _> = planned.map(|planned| (planned.name.as_str(), planned)).collect();
    for stack in systems.iter().flat_map(|system| &system.stacks) {
        let planned = planned.get(stack.name.as_str()).copied();
        let old = baseline.stacks.get(&stack.name);
        let parameters = planned.map(|planned| parameters(planned, old, baseline)).unwrap_or_default();
        let moved = |owner: &str, output: &str| {
            let owner = compared.get(*indices.get(owner)?)?;
            owner.changes.moved_outputs.get(output).copied()
        };
        let changing = changing_parameters(stage, stack, &moved);
        let after = Known { template: &stack.template, parameters: &parameters };
        let changes = compare(old.map(BaselineStack::known), Some(after), &changing);
        indices.insert(&stack.name, compared.len());
        compared.push(Compared { stack, planned, old, parameters, changes, changing });
    }
    compared
}

/// Marks the resources that cannot be created because their names are taken, within a stack or by another one.
pub(super) fn mark_conflicts(stage: &Stage, compared: &mut [Compared<'_>], baseline: &Baseline) {
    let none = StackChanges::default();
    let mut before: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for Compared { stack, .. } in compared.iter() {
        let direct = stack.depends_on.iter().map(|other| full_name(&stack.system, other, &stage.name));
        let all =
            direct.flat_map(|name| before.get(name.as_str()).cloned().unwrap_or_default().into_iter().chain([name]));
        before.insert(&stack.name, all.collect());
    }
    let (nothing, no_parameter) = (BTreeSet::new(), BTreeMap::new());
    let mut sides: Vec<_> = compared
        .iter()
        .map(|compared| StackSides {
            stack: &compared.stack.name,
            region: Some(compared.stack.region.as_deref().unwrap_or(&stage.region)),
            old: compared.old.map(BaselineStack::known),
            new: Some(Known { template: &compared.stack.template, parameters: &compared.parameters }),
            changes: &compared.changes,
            changing: &compared.changing,
            after: before.get(compared.stack.name.as_str()).unwrap_or(&nothing),
        })
        .collect();
    // The region of a stack that is not selected or no longer defined is not known: it may have been another one.
    let others = baseline.stacks.iter().filter(|(name, _)| !before.contains_key(name.as_str()));
    sides.extend(others.map(|(name, old)| StackSides {
        stack: name,
        region: None,
        old: Some(old.known()),
        new: None,
        changes: &none,
        changing: &no_parameter,
        after: &nothing,
    }));
    let found = conflicts(&sides);
    let mut changes: BTreeMap<&str, &mut StackChanges> =
        compared.iter_mut().map(|compared| (compared.stack.name.as_str(), &mut compared.changes)).collect();
    for conflict in found {
        let stack = changes.get_mut(conflict.stack.as_str());
        if let Some(change) = stack.and_then(|changes| changes.of_mut(&conflict.logical_id)) {
            change.impossible.get_or_insert(conflict.why);
        }
    }
}

impl Compared<'_> {
    /// The findings of all changes of the stack.
    pub(super) fn findings(&self, stage: &Stage) -> Vec<Finding> {
        let of = |change: &ResourceChange| {
            let old = self.old.and_then(|old| old.template["Resources"].get(&change.logical_id));
            let new = self.stack.template["Resources"].get(&change.logical_id);
            let loses_protection = loses_protection(change, old, &self.changes);
            let sides = Sides { stack: &self.stack.name, old, new, loses_protection };
            findings(change, &sides, &self.refused(stage, &sides))
        };
        let old = self.old.map(|old| &old.template);
        let api = api::findings(&self.stack.name, old, &self.stack.template, &self.changes);
        self.changes.resources.iter().flat_map(of).chain(api).collect()
    }

    /// The kinds that the stage refuses for one resource. Permissions are wider by nature in foundation, which only `bootstrap` changes, and
    /// in a new role with a permissions boundary, which foundation defines.
    fn refused(&self, stage: &Stage, sides: &Sides<'_>) -> Vec<Refusal> {
        let is_bounded = |new: &Value| !new["Properties"]["PermissionsBoundary"].is_null();
        let is_new_and_bounded = sides.old.is_none() && sides.new.is_some_and(is_bounded);
        let accepts_wider = self.stack.system == foundation::SYSTEM || is_new_and_bounded;
        let refused = stage.refuse.iter().copied();
        refused.filter(|kind| !(accepts_wider && *kind == Refusal::WidensIam)).collect()
    }

    pub(super) fn preview(self, stage: &Stage) -> StackPreview {
        let stack = self.stack;
        let depends_on = stack.depends_on.iter().map(|other| full_name(&stack.system, other, &stage.name)).collect();
        let action = action(self.stack, self.old, &self.changes, self.planned);
        let (system, name, change_set) = (Some(stack.system.clone()), stack.name.clone(), Vec::new());
        StackPreview { system, name, action, changes: self.changes, depends_on, change_set, to_do: None }
    }
}

/// Parameters whose values change because a resource of another stack is replaced. `moved` returns how certainly an output of a
/// stack, by its name in CloudFormation, changes.
fn changing_parameters(
    stage: &Stage,
    stack: &RenderedStack,
    moved: &dyn Fn(&str, &str) -> Option<Certainty>,
) -> BTreeMap<String, Certainty> {
    let of = |source: &ParameterSource| {
        let ParameterSource::Output { stack: other, output } = source else { return None };
        moved(&full_name(&stack.system, other, &stage.name), output)
    };
    stack.parameters.iter().filter_map(|(name, source)| Some((name.clone(), of(source)?))).collect()
}

/// The parameters' values that are known before the deploy.
fn parameters(planned: &PlannedStack, old: Option<&BaselineStack>, baseline: &Baseline) -> BTreeMap<String, String> {
    if planned.action == Action::None {
        // Code and traffic change without CloudFormation.
        return old.map(|old| old.parameters.clone()).unwrap_or_default();
    }
    let value = |name: &String, parameter: &Parameter| match parameter {
        Parameter::Value(value) => Some(value.clone()),
        Parameter::Previous => old?.parameters.get(name).cloned(),
        Parameter::Output { stack, output } => baseline.stacks.get(stack)?.outputs.get(output).cloned(),
    };
    planned.parameters.iter().filter_map(|(name, parameter)| Some((name.clone(), value(name, parameter)?))).collect()
}

/// The action on a stack, by the planner's rule: offline, without a plan, a stack is updated if its template differs.
fn action(
    stack: &RenderedStack,
    old: Option<&BaselineStack>,
    changes: &StackChanges,
    planned: Option<&PlannedStack>,
) -> StackAction {
    match (planned.map(|planned| &planned.action), old) {
        (Some(Action::Create), _) | (_, None) => StackAction::Create,
        (Some(Action::Update(_)), _) => StackAction::Update,
        (_, Some(old)) => {
            // A value of another stack may change while the template stays the same.
            let is_unchanged = changes.resources.is_empty() && changes.outputs.is_empty();
            let is_same = is_unchanged && (planned.is_some() || old.template == stack.template);
            if is_same { StackAction::None } else { StackAction::Update }
        }
    }
}
