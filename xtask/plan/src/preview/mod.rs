//! A readable plan: what CloudFormation would do to each resource, and which changes are refused.
//!
//! Offline and online plans differ only in their [`Baseline`]: a commit's templates, or the deployed stacks.

mod compared;

use std::collections::{BTreeMap, BTreeSet};

use model::{foundation, rendered::RenderedSystem, stage::Stage};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::compared::{compare_stacks, mark_conflicts};
use crate::{
    CodeUpdate, Plan,
    change_set::{ChangeSetEntry, disagreements},
    changes::{ResourceAction, StackChanges, compare, resolve::Known},
    findings::Finding,
    forecast::{ChangingStack, Forecast, forecast},
    observed::{ListedStack, Observed, ObservedStack},
    quotas::quotas,
    sizes::Sizes,
};

/// The version of the JSON format. Added fields do not change it.
pub const FORMAT: u32 = 1;

/// The state that a stage is compared with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Baseline {
    /// The commit or account, as it is printed.
    pub name: String,
    /// The stacks by name in CloudFormation.
    pub stacks: BTreeMap<String, BaselineStack>,
}

/// A stack of a baseline.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BaselineStack {
    /// The template.
    pub template: Value,
    /// The known values of parameters.
    pub parameters: BTreeMap<String, String>,
    /// The known values of outputs.
    pub outputs: BTreeMap<String, String>,
}

impl BaselineStack {
    fn known(&self) -> Known<'_> {
        Known { template: &self.template, parameters: &self.parameters }
    }
}

impl Baseline {
    /// The deployed stacks as a baseline.
    ///
    /// Leaves out stacks whose creation failed. A stack from another tool has an unknown template.
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

/// Returns the functions whose code, or whose released version, a deploy changes without CloudFormation.
#[must_use]
pub fn code(plan: &Plan) -> Vec<CodeChange> {
    let change = |update: &CodeUpdate| CodeChange {
        function: update.function_name.clone(),
        reason: "the built code differs from the deployed code".to_owned(),
    };
    let unreleased = plan.unreleased.iter().map(|function| CodeChange {
        function: function.clone(),
        reason: "`live` does not point to the last deployed version; a deploy releases that version".to_owned(),
    });
    plan.code.iter().map(change).chain(unreleased).collect()
}

/// The changes that a deploy would make to a stage.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// [`FORMAT`].
    pub format_version: u32,
    /// The stage.
    pub stage: String,
    /// The baseline.
    pub against: String,
    /// Every compared stack, in deploy order.
    pub stacks: Vec<StackPreview>,
    /// Functions whose code would change.
    pub code: Vec<CodeChange>,
    /// Sites with files to upload; unknown, and empty, offline.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub sites: Vec<SitePreview>,
    /// How full the roles of deploys are, if their stack changes.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub capacity: Vec<String>,
    /// Changes that need a review.
    pub findings: Vec<Finding>,
    /// The expected course of the deploy.
    pub forecast: Forecast,
    /// Differences between CloudFormation's change sets and this plan; empty unless change sets were created.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub disagreements: Vec<String>,
    /// Changes made outside of deploys; empty unless they were detected.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub drift: Vec<String>,
}

/// The changes of a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SitePreview {
    /// The site.
    pub site: String,
    /// The keys of the files to upload.
    pub files: Vec<String>,
}

/// The changes of a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StackPreview {
    /// The system; `None` for an orphaned stack of an unknown system.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub system: Option<String>,
    /// Its name in CloudFormation.
    pub name: String,
    /// The action on the stack.
    pub action: StackAction,
    /// The changes of its resources and outputs.
    #[serde(flatten)]
    pub changes: StackChanges,
    /// The stacks that are deployed before it.
    pub depends_on: Vec<String>,
    /// The entries of CloudFormation's change set, where one was created.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub change_set: Vec<ChangeSetEntry>,
    /// How to delete an orphaned stack by hand.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to_do: Option<String>,
}

/// The action of a deploy on a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StackAction {
    /// The stack is created.
    Create,
    /// The stack is updated.
    Update,
    /// The stack is no longer defined. A deploy leaves it alone.
    Orphan,
    /// The stack is unchanged.
    None,
}

/// A function whose code, or released version, would change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CodeChange {
    /// The function's name in Lambda.
    pub function: String,
    /// The reason.
    pub reason: String,
}

/// The numbers of resources that would be created, updated, replaced, deleted, and removed from their stack without deletion.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) create: usize,
    pub(crate) update: usize,
    pub(crate) replace: usize,
    pub(crate) delete: usize,
    pub(crate) retain: usize,
}

impl Counts {
    pub(crate) fn of<'a>(changes: impl IntoIterator<Item = &'a StackChanges>) -> Self {
        let mut counts = Self::default();
        for change in changes.into_iter().flat_map(|changes| &changes.resources) {
            match change.action {
                ResourceAction::Create => counts.create += 1,
                ResourceAction::Update => counts.update += 1,
                ResourceAction::Replace => counts.replace += 1,
                ResourceAction::Delete if change.retained => counts.retain += 1,
                ResourceAction::Delete => counts.delete += 1,
            }
        }
        counts
    }
}

impl Preview {
    /// Would a deploy change nothing? Orphaned stacks do not count: a deploy leaves them alone.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let is_unchanged = |stack: &StackPreview| matches!(stack.action, StackAction::None | StackAction::Orphan);
        self.code.is_empty() && self.sites.is_empty() && self.stacks.iter().all(is_unchanged)
    }

    /// The stacks that are no longer defined.
    pub fn orphans(&self) -> impl Iterator<Item = &StackPreview> {
        self.stacks.iter().filter(|stack| stack.action == StackAction::Orphan)
    }

    /// The findings that the plan is refused for.
    pub fn refused(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.refused)
    }
}

/// Adds CloudFormation's change sets by stack, and their differences from the prediction.
pub fn add_change_sets(preview: &mut Preview, change_sets: &BTreeMap<String, Vec<ChangeSetEntry>>) {
    for stack in &mut preview.stacks {
        if let Some(entries) = change_sets.get(&stack.name) {
            preview.disagreements.extend(disagreements(&stack.name, &stack.changes, entries));
            stack.change_set.clone_from(entries);
        }
    }
}

/// Compares a stage's systems with a baseline.
///
/// `plan` holds the parameters' values. It is known online only: it needs built functions and an account.
#[must_use]
pub fn preview(
    stage: &Stage,
    systems: &[RenderedSystem],
    baseline: &Baseline,
    plan: Option<&Plan>,
    code: Vec<CodeChange>,
) -> Preview {
    let mut compared = compare_stacks(stage, systems, baseline, plan);
    mark_conflicts(stage, &mut compared, baseline);
    let mut found = Vec::new();
    let mut compared_stacks = compared.iter();
    for system in systems {
        let stacks = Sizes::by_name(&system.stacks);
        // Every stack was compared, in this order.
        for (stack, compared) in system.stacks.iter().zip(compared_stacks.by_ref()) {
            found.extend(compared.findings(stage));
            found.extend(quotas(&Sizes { stack, stacks: &stacks, region: &stage.region }));
        }
    }
    let stacks: Vec<_> = compared.into_iter().map(|compared| compared.preview(stage)).collect();
    let (forecast, capacity) = (forecast_of(systems, &stacks, baseline), capacity_of(stage, systems, &stacks));
    Preview {
        format_version: FORMAT,
        stage: stage.name.clone(),
        against: baseline.name.clone(),
        stacks,
        code,
        sites: Vec::new(),
        capacity,
        findings: found,
        forecast,
        disagreements: Vec::new(),
        drift: Vec::new(),
    }
}

/// Describes how full the roles of deploys are, if their stack changes.
fn capacity_of(stage: &Stage, systems: &[RenderedSystem], stacks: &[StackPreview]) -> Vec<String> {
    let changing = stacks.iter().filter(|stack| stack.action != StackAction::None);
    let changing: BTreeSet<&str> = changing.map(|stack| stack.name.as_str()).collect();
    let rendered = systems.iter().flat_map(|system| &system.stacks);
    let changing = rendered.filter(|stack| changing.contains(stack.name.as_str()));
    changing.flat_map(|stack| foundation::usages(stack, &stage.region)).map(|usage| usage.to_string()).collect()
}

/// Forecasts the changes. Every stack waits for foundation, whose bucket holds its template and artifacts.
fn forecast_of(systems: &[RenderedSystem], stacks: &[StackPreview], baseline: &Baseline) -> Forecast {
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
    let changing_stacks: Vec<_> = changing
        .iter()
        .map(|(stack, depends_on)| {
            let deployed = baseline.stacks.get(&stack.name).map_or(&serde_json::Value::Null, |old| &old.template);
            ChangingStack { name: &stack.name, depends_on, changes: &stack.changes, deployed }
        })
        .collect();
    forecast(&changing_stacks)
}

/// Adds the baseline's stacks that the workspace no longer defines.
pub fn add_orphans(preview: &mut Preview, baseline: &Baseline) {
    let known: BTreeSet<_> = preview.stacks.iter().map(|stack| stack.name.clone()).collect();
    for (name, old) in baseline.stacks.iter().filter(|(name, _)| !known.contains(*name)) {
        let side = Known { template: &old.template, parameters: &old.parameters };
        let changes = compare(Some(side), None, &BTreeMap::new());
        preview.stacks.push(orphan(None, name, changes, "delete it in CloudFormation once it is unused".to_owned()));
        preview.findings.push(Finding::orphaned(name));
    }
}

/// Adds the account's stacks that are no longer defined. Their resources are not inspected.
pub fn add_orphaned_stacks(preview: &mut Preview, orphaned: &[&ListedStack]) {
    let stage = preview.stage.clone();
    preview.findings.extend(orphaned.iter().map(|stack| Finding::orphaned(&stack.name)));
    preview.stacks.extend(orphaned.iter().map(|stack| {
        let delete = format!("aws cloudformation delete-stack --stack-name {} --region {}", stack.name, stack.region);
        let system = stack.part(&stage).map(|(system, _)| system.to_owned());
        orphan(system, &stack.name, StackChanges::default(), format!("once it is unused, run `{delete}`"))
    }));
}

fn orphan(system: Option<String>, name: &str, changes: StackChanges, to_do: String) -> StackPreview {
    StackPreview {
        system,
        name: name.to_owned(),
        action: StackAction::Orphan,
        changes,
        depends_on: Vec::new(),
        change_set: Vec::new(),
        to_do: Some(to_do),
    }
}
