//! A plan as people and machines read it: what CloudFormation would do to each resource, and what of that is refused.
//!
//! The same whether the stage is compared with a commit or with its account; only the [`Baseline`] differs.

use std::collections::BTreeMap;

use model::{
    foundation,
    rendered::{ParameterSource, RenderedStack, RenderedSystem},
    stage::Stage,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Action, CodeUpdate, Parameter, Plan, PlannedStack,
    change_set::{ChangeSetEntry, disagreements},
    changes::{Certainty, ResourceAction, StackChanges, compare, resolve::Known},
    findings::{Finding, Sides, findings},
    forecast::{Forecast, Upcoming, forecast, quotas},
    full_name,
    observed::{ListedStack, Observed, ObservedStack},
    widening::loses_protection,
};

/// The version of the JSON form. A field that is added does not change it.
pub const FORMAT: u32 = 1;

/// What a stage is compared with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Baseline {
    /// What it is, for people: a commit, or an account.
    pub name: String,
    /// Its stacks, by name in CloudFormation.
    pub stacks: BTreeMap<String, BaselineStack>,
}

/// A stack to compare with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BaselineStack {
    /// Its template.
    pub template: Value,
    /// Its parameters' values, as far as they are known.
    pub parameters: BTreeMap<String, String>,
    /// Its outputs' values, as far as they are known.
    pub outputs: BTreeMap<String, String>,
}

impl Baseline {
    /// What is deployed.
    ///
    /// A stack that never came to be is none; of one that another tool made, everything counts as unknown.
    #[must_use]
    pub fn of(name: String, observed: &Observed) -> Self {
        let stacks = observed.stacks.iter().filter(|(_, stack)| !stack.was_never_created());
        let known = |stack: &ObservedStack| BaselineStack {
            template: stack.template.clone().unwrap_or_default(),
            parameters: stack.parameters.clone(),
            outputs: stack.outputs.clone(),
        };
        Self { name, stacks: stacks.map(|(name, stack)| (name.clone(), known(stack))).collect() }
    }
}

/// The functions that a deploy changes without CloudFormation: their code, or what users get of it.
#[must_use]
pub fn code(plan: &Plan) -> Vec<CodeChange> {
    let change = |update: &CodeUpdate| CodeChange {
        function: update.function_name.clone(),
        reason: "what is built differs from what is deployed".to_owned(),
    };
    let behind = plan.unreleased.iter().map(|function| CodeChange {
        function: function.clone(),
        reason: "users get another version than was deployed last; a deploy releases that".to_owned(),
    });
    plan.code.iter().map(change).chain(behind).collect()
}

/// What would change in a stage.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// [`FORMAT`].
    pub format_version: u32,
    /// The stage.
    pub stage: String,
    /// What it was compared with.
    pub against: String,
    /// Every stack that was looked at, in the order of a deploy.
    pub stacks: Vec<StackPreview>,
    /// Functions whose code would change.
    pub code: Vec<CodeChange>,
    /// Sites with files that would go up; offline that is not known.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub sites: Vec<SitePreview>,
    /// What deserves a second look.
    pub findings: Vec<Finding>,
    /// What a deploy would be like.
    pub forecast: Forecast,
    /// Where CloudFormation's own change sets and this plan disagree; empty unless they were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub disagreements: Vec<String>,
    /// What was changed by hand since the last deploy; empty unless it was looked for.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub drift: Vec<String>,
}

/// What would change of a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SitePreview {
    /// The site.
    pub site: String,
    /// The files that would go up, by their keys.
    pub files: Vec<String>,
}

/// What would change in a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StackPreview {
    /// Its name in CloudFormation.
    pub name: String,
    /// What would happen to it.
    pub action: StackAction,
    /// Its resources and outputs.
    #[serde(flatten)]
    pub changes: StackChanges,
    /// The stacks it waits for.
    pub depends_on: Vec<String>,
    /// What CloudFormation's own change set says, where one was made.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub change_set: Vec<ChangeSetEntry>,
    /// What a person can do about it, where a deploy does nothing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to_do: Option<String>,
}

/// What would happen to a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StackAction {
    /// It is made.
    Create,
    /// It is changed.
    Update,
    /// Nothing defines it any longer. A deploy leaves it alone.
    Orphan,
    /// Nothing.
    None,
}

/// A function whose code would change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CodeChange {
    /// Its name in Lambda.
    pub function: String,
    /// Why.
    pub reason: String,
}

/// How many resources would be created, updated, replaced and deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Created.
    pub create: usize,
    /// Updated in place.
    pub update: usize,
    /// Replaced, or perhaps.
    pub replace: usize,
    /// Deleted, or left behind.
    pub delete: usize,
}

impl Counts {
    /// The counts of these changes.
    #[must_use]
    pub fn of<'a>(changes: impl IntoIterator<Item = &'a StackChanges>) -> Self {
        let mut counts = Self::default();
        for change in changes.into_iter().flat_map(|changes| &changes.resources) {
            match change.action {
                ResourceAction::Create => counts.create += 1,
                ResourceAction::Update => counts.update += 1,
                ResourceAction::Replace => counts.replace += 1,
                ResourceAction::Delete => counts.delete += 1,
            }
        }
        counts
    }
}

impl Preview {
    /// Would nothing change? What nothing defines any longer is left alone.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let stays = |stack: &StackPreview| matches!(stack.action, StackAction::None | StackAction::Orphan);
        self.code.is_empty() && self.sites.is_empty() && self.stacks.iter().all(stays)
    }

    /// The stacks that nothing defines any longer.
    pub fn orphans(&self) -> impl Iterator<Item = &StackPreview> {
        self.stacks.iter().filter(|stack| stack.action == StackAction::Orphan)
    }

    /// What the plan is refused for.
    pub fn refused(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.refused)
    }
}

/// Adds what CloudFormation's change sets say, by stack, and where that is not what was predicted.
pub fn add_change_sets(preview: &mut Preview, verdicts: &BTreeMap<String, Vec<ChangeSetEntry>>) {
    for stack in &mut preview.stacks {
        if let Some(verdicts) = verdicts.get(&stack.name) {
            preview.disagreements.extend(disagreements(&stack.name, &stack.changes, verdicts));
            stack.change_set.clone_from(verdicts);
        }
    }
}

/// Compares a stage's systems with a baseline.
///
/// `plan` is what a deploy would do, where that is known (it needs built functions and an account); it tells the
/// parameters' values.
#[must_use]
pub fn preview(
    stage: &Stage,
    systems: &[RenderedSystem],
    baseline: &Baseline,
    plan: Option<&Plan>,
    code: Vec<CodeChange>,
) -> Preview {
    let mut stacks: Vec<StackPreview> = Vec::new();
    let mut found = Vec::new();
    for stack in systems.iter().flat_map(|system| &system.stacks) {
        let planned = plan.and_then(|plan| plan.stacks.iter().find(|planned| planned.name == stack.name));
        let old = baseline.stacks.get(&stack.name);
        let moved = moved(stage, stack, &stacks);
        let changes = changes(stack, old, planned, &moved, baseline);
        for change in &changes.resources {
            let resource = |template: Option<&Value>| {
                template.and_then(|template| template["Resources"].get(&change.logical_id).cloned())
            };
            let (old, new) = (resource(old.map(|old| &old.template)), resource(Some(&stack.template)));
            let loses_protection = loses_protection(change, old.as_ref(), &changes);
            let sides = Sides { stack: &stack.name, old: old.as_ref(), new: new.as_ref(), loses_protection };
            found.extend(findings(change, &sides, &stage.refuse));
        }
        found.extend(quotas(&stack.name, &stack.template));
        let depends_on = stack.depends_on.iter().map(|other| full_name(&stack.system, other, &stage.name)).collect();
        let action = action(old.is_some(), &changes, planned);
        let (name, change_set) = (stack.name.clone(), Vec::new());
        stacks.push(StackPreview { name, action, changes, depends_on, change_set, to_do: None });
    }
    let forecast = forecast_of(systems, &stacks);
    Preview {
        format_version: FORMAT,
        stage: stage.name.clone(),
        against: baseline.name.clone(),
        stacks,
        code,
        sites: Vec::new(),
        findings: found,
        forecast,
        disagreements: Vec::new(),
        drift: Vec::new(),
    }
}

/// The forecast of what changes. Everything waits for foundation, whose bucket it is uploaded to.
fn forecast_of(systems: &[RenderedSystem], stacks: &[StackPreview]) -> Forecast {
    let foundation = systems.iter().filter(|system| system.name == foundation::SYSTEM);
    let first: Vec<_> = foundation.flat_map(|system| &system.stacks).map(|stack| stack.name.clone()).collect();
    let waits_for = |stack: &StackPreview| {
        let more = if first.contains(&stack.name) { &[][..] } else { &first };
        stack.depends_on.iter().chain(more).cloned().collect::<Vec<_>>()
    };
    let changing: Vec<_> = stacks
        .iter()
        .filter(|stack| stack.action != StackAction::None)
        .map(|stack| (stack, waits_for(stack)))
        .collect();
    let upcoming: Vec<_> = changing
        .iter()
        .map(|(stack, depends_on)| Upcoming { name: &stack.name, depends_on, changes: &stack.changes })
        .collect();
    forecast(&upcoming)
}

/// Adds stacks that the baseline has and the workspace defines no more.
pub fn add_orphans(preview: &mut Preview, baseline: &Baseline) {
    let known: Vec<_> = preview.stacks.iter().map(|stack| stack.name.clone()).collect();
    for (name, old) in baseline.stacks.iter().filter(|(name, _)| !known.contains(name)) {
        let side = Known { template: &old.template, parameters: &old.parameters };
        let changes = compare(Some(side), None, &BTreeMap::new());
        preview.stacks.push(orphan(name, changes, "delete it in CloudFormation once nothing needs it".to_owned()));
    }
}

/// Adds stacks of the account that nothing defines any longer. What they hold is not looked at.
pub fn add_orphaned_stacks(preview: &mut Preview, left: &[&ListedStack]) {
    preview.stacks.extend(left.iter().map(|stack| {
        let delete = format!("aws cloudformation delete-stack --stack-name {} --region {}", stack.name, stack.region);
        orphan(&stack.name, StackChanges::default(), format!("once nothing needs it, `{delete}`"))
    }));
}

fn orphan(name: &str, changes: StackChanges, to_do: String) -> StackPreview {
    StackPreview {
        name: name.to_owned(),
        action: StackAction::Orphan,
        changes,
        depends_on: Vec::new(),
        change_set: Vec::new(),
        to_do: Some(to_do),
    }
}

/// Parameters whose values change because something in another stack is replaced.
fn moved(stage: &Stage, stack: &RenderedStack, before: &[StackPreview]) -> BTreeMap<String, Certainty> {
    let of = |source: &ParameterSource| {
        let ParameterSource::Output { stack: other, output } = source else { return None };
        let owner = full_name(&stack.system, other, &stage.name);
        before.iter().find(|stack| stack.name == owner)?.changes.moved_outputs.get(output).copied()
    };
    stack.parameters.iter().filter_map(|(name, source)| Some((name.clone(), of(source)?))).collect()
}

fn changes(
    stack: &RenderedStack,
    old: Option<&BaselineStack>,
    planned: Option<&PlannedStack>,
    moved: &BTreeMap<String, Certainty>,
    baseline: &Baseline,
) -> StackChanges {
    let parameters = planned.map(|planned| parameters(planned, old, baseline)).unwrap_or_default();
    let before = old.map(|old| Known { template: &old.template, parameters: &old.parameters });
    let after = Known { template: &stack.template, parameters: &parameters };
    compare(before, Some(after), moved)
}

/// The values a deploy would send, as far as they are known before it.
fn parameters(planned: &PlannedStack, old: Option<&BaselineStack>, baseline: &Baseline) -> BTreeMap<String, String> {
    if planned.action == Action::None {
        // Code and traffic go their own way: CloudFormation is sent nothing.
        return old.map(|old| old.parameters.clone()).unwrap_or_default();
    }
    let value = |name: &String, parameter: &Parameter| match parameter {
        Parameter::Value(value) => Some(value.clone()),
        Parameter::Previous => old?.parameters.get(name).cloned(),
        Parameter::Output { stack, output } => baseline.stacks.get(stack)?.outputs.get(output).cloned(),
    };
    planned.parameters.iter().filter_map(|(name, parameter)| Some((name.clone(), value(name, parameter)?))).collect()
}

fn action(exists: bool, changes: &StackChanges, planned: Option<&PlannedStack>) -> StackAction {
    let nothing = changes.resources.is_empty() && changes.outputs.is_empty();
    match planned.map(|planned| &planned.action) {
        Some(Action::Create) => StackAction::Create,
        Some(Action::Update(_)) => StackAction::Update,
        _ if !exists => StackAction::Create,
        _ if nothing => StackAction::None,
        _ => StackAction::Update,
    }
}
