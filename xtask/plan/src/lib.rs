//! Plans: every change of a deploy, computed from the rendered systems, the built artifacts and the deployed state.
//!
//! The crate is pure and synchronous: it knows no AWS SDK and does no I/O. The engine observes, and executes a plan without
//! making choices of its own. Read [`Plan`] and [`plan`] first, then [`preview`], which is the plan that people read.

pub mod allow;
pub mod api;
pub mod artifacts;
pub mod change_set;
pub mod changes;
pub mod drift;
pub mod file;
pub mod findings;
pub mod forecast;
pub mod graph;
pub mod needed;
pub mod observed;
pub mod orphaned;
mod planner;
mod policy;
pub mod preview;
mod quotas;
mod reached;
pub mod show;
mod sides;
mod sizes;
pub mod stateful;
pub mod states;
mod widening;

use std::collections::{BTreeMap, BTreeSet};

use model::rendered::RenderedSystem;
pub use planner::plan;
use serde::Serialize;
use serde_json::Value;

use crate::artifacts::{Artifact, Artifacts};

/// Every change of a deploy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// Every stack, in deploy order.
    pub stacks: Vec<PlannedStack>,
    /// The functions whose code changes without CloudFormation.
    pub code: Vec<CodeUpdate>,
    /// The functions, by name in Lambda, that are unchanged except that `live` does not point to the last deployed version:
    /// after a rollback or an interrupted run. A deploy releases that version.
    pub unreleased: Vec<String>,
}

/// The plan of one stack.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlannedStack {
    /// The system.
    pub system: String,
    /// The stack's name within the system.
    pub stack: String,
    /// The stack's name in CloudFormation.
    pub name: String,
    /// The stack's region, if it is not the stage's.
    pub region: Option<String>,
    /// The action on the stack.
    pub action: Action,
    /// The values of all parameters.
    pub parameters: BTreeMap<String, Parameter>,
    /// The stacks, by name in CloudFormation, whose outputs are parameters of this one.
    pub depends_on: Vec<String>,
    /// The template.
    #[serde(skip)]
    pub template: Value,
}

/// The action on a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Creates the stack, after deleting one whose creation failed.
    Create,
    /// Updates the stack for these reasons.
    Update(Vec<String>),
    /// Does nothing, unless an output of another stack turns out to change.
    None,
}

/// The value of a parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Parameter {
    /// A known value.
    Value(String),
    /// The deployed value.
    Previous,
    /// An output of another stack, which is known after that stack is deployed.
    Output {
        /// The other stack, by name in CloudFormation.
        stack: String,
        /// The output.
        output: String,
    },
}

/// A change of a function's code without CloudFormation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CodeUpdate {
    /// The system.
    pub system: String,
    /// The function's name in Lambda.
    pub function_name: String,
    /// The zip's key in the artifact bucket.
    pub key: String,
    /// The `CodeSha256` that Lambda will report.
    pub code_sha256: String,
}

impl Plan {
    /// Does the plan change nothing?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let is_unchanged = |stack: &PlannedStack| stack.action == Action::None;
        self.code.is_empty() && self.unreleased.is_empty() && self.stacks.iter().all(is_unchanged)
    }

    /// Must the resources of a stack be ready before another stack is created or updated, which takes values from it?
    #[must_use]
    pub fn is_awaited(&self, stack: &str) -> bool {
        let mut changing = self.stacks.iter().filter(|other| other.action != Action::None);
        changing.any(|other| other.depends_on.iter().any(|needed| needed == stack))
    }

    /// Does the plan change a stack or a function of the system?
    #[must_use]
    pub fn touches(&self, system: &RenderedSystem) -> bool {
        let changed: BTreeSet<_> =
            self.unreleased.iter().chain(self.code.iter().map(|code| &code.function_name)).collect();
        let mut functions = system.stacks.iter().flat_map(|stack| &stack.functions);
        self.stacks.iter().any(|stack| stack.system == system.name && stack.action != Action::None)
            || functions.any(|function| changed.contains(&function.function_name))
    }
}

/// Returns the artifacts that a plan uploads to the bucket.
#[must_use]
pub fn required_artifacts<'a>(plan: &Plan, artifacts: &'a Artifacts) -> Vec<&'a Artifact> {
    let changing = plan.stacks.iter().filter(|stack| stack.action != Action::None);
    let values = changing.flat_map(|stack| stack.parameters.values()).filter_map(|parameter| match parameter {
        Parameter::Value(value) => Some(value),
        Parameter::Previous | Parameter::Output { .. } => None,
    });
    let keys: BTreeSet<_> = values.chain(plan.code.iter().map(|code| &code.key)).collect();
    let all = artifacts.functions.values().chain(artifacts.layers.values());
    all.filter(|artifact| keys.contains(&artifact.key())).collect()
}

/// Returns a stack's name in CloudFormation.
pub fn full_name(system: &str, stack: &str, stage: &str) -> String {
    format!("{system}-{stack}-{stage}")
}

#[cfg(test)]
mod growth;
#[cfg(test)]
mod tests;
