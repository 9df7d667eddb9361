//! What would change: computed from what is deployed, what is rendered and what is built, before anything is touched.
//!
//! Pure and synchronous. A plan leaves no choices to whoever carries it out; nothing here may know AWS.

pub mod allow;
pub mod artifacts;
pub mod change_set;
pub mod changes;
pub mod drift;
pub mod file;
pub mod findings;
pub mod forecast;
pub mod graph;
pub mod observed;
pub mod orphaned;
mod policy;
pub mod preview;
pub mod show;
pub mod stateful;
pub mod states;
mod widening;

use std::collections::BTreeMap;

use model::{
    foundation,
    rendered::{ParameterSource, RenderedFunction, RenderedStack, RenderedSystem},
};
use observed::{Observed, ObservedStack};
use serde::Serialize;
use serde_json::Value;

use crate::artifacts::{Artifact, Artifacts};

/// Everything that would change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// Every stack, in an order in which they can be deployed.
    pub stacks: Vec<PlannedStack>,
    /// Functions whose code changes without CloudFormation.
    pub code: Vec<CodeUpdate>,
    /// Functions whose `live` is another version than what was deployed last, after a rollback or an interrupted run, and
    /// which a deploy releases though nothing else of them changes.
    pub unreleased: Vec<String>,
}

/// One stack.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlannedStack {
    /// The system.
    pub system: String,
    /// The stack's name within the system.
    pub stack: String,
    /// Its name in CloudFormation.
    pub name: String,
    /// Its region, where that is not the stage's.
    pub region: Option<String>,
    /// What is done with it.
    pub action: Action,
    /// Every parameter's value.
    pub parameters: BTreeMap<String, Parameter>,
    /// The stacks, by name in CloudFormation, whose outputs it takes.
    pub depends_on: Vec<String>,
    /// The template.
    #[serde(skip)]
    pub template: Value,
}

/// What is done with a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is created; one that never came to be is deleted first.
    Create,
    /// It is updated, for these reasons.
    Update(Vec<String>),
    /// Nothing, unless an output it takes turns out to change.
    None,
}

/// A parameter's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Parameter {
    /// This one.
    Value(String),
    /// The one the stack has.
    Previous,
    /// An output of another stack, known once that is deployed.
    Output {
        /// The other stack, by name in CloudFormation.
        stack: String,
        /// The output.
        output: String,
    },
}

/// A function whose code changes without CloudFormation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CodeUpdate {
    /// The system.
    pub system: String,
    /// The function's name in Lambda.
    pub function_name: String,
    /// The zip's key in the artifact bucket.
    pub key: String,
    /// What Lambda will report as `CodeSha256`.
    pub code_sha256: String,
}

impl Plan {
    /// Would nothing change?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.code.is_empty()
            && self.unreleased.is_empty()
            && self.stacks.iter().all(|stack| stack.action == Action::None)
    }
}

impl Plan {
    /// Does it do something to this system?
    #[must_use]
    pub fn touches(&self, system: &RenderedSystem) -> bool {
        let mut functions = system.stacks.iter().flat_map(|stack| &stack.functions);
        let moves = |function: &RenderedFunction| {
            let name = &function.function_name;
            self.unreleased.contains(name) || self.code.iter().any(|code| code.function_name == *name)
        };
        self.stacks.iter().any(|stack| stack.system == system.name && stack.action != Action::None)
            || functions.any(moves)
    }
}

/// Compares what is rendered and built with what is deployed.
///
/// # Panics
///
/// When a template names a function or layer that was not built: the caller builds what it renders.
#[must_use]
pub fn plan(stage: &str, systems: &[RenderedSystem], artifacts: &Artifacts, observed: &Observed) -> Plan {
    let mut plan = Plan { stacks: Vec::new(), code: Vec::new(), unreleased: Vec::new() };
    for stack in systems.iter().flat_map(|system| &system.stacks) {
        let deployed = observed.stacks.get(&stack.name);
        let action = action(stage, stack, artifacts, deployed, observed);
        if action != Action::Create {
            plan.code.extend(code_updates(stack, &action, artifacts, deployed, observed));
        }
        if action == Action::None {
            plan.unreleased.extend(unreleased(stack, artifacts, observed));
        }
        let parameters = stack
            .parameters
            .iter()
            .map(|(name, source)| (name.clone(), parameter(stage, stack, name, source, artifacts, deployed, observed)))
            .collect();
        plan.stacks.push(PlannedStack {
            system: stack.system.clone(),
            stack: stack.stack.clone(),
            name: stack.name.clone(),
            region: stack.region.clone(),
            action,
            parameters,
            depends_on: stack.depends_on.iter().map(|other| full_name(&stack.system, other, stage)).collect(),
            template: stack.template.clone(),
        });
    }
    plan
}

fn action(
    stage: &str,
    stack: &RenderedStack,
    artifacts: &Artifacts,
    deployed: Option<&ObservedStack>,
    observed: &Observed,
) -> Action {
    let Some(deployed) = deployed.filter(|deployed| !deployed.was_never_created()) else { return Action::Create };
    let mut reasons = Vec::new();
    if deployed.template.as_ref() != Some(&stack.template) {
        reasons.push("template".to_owned());
    }
    for (name, source) in &stack.parameters {
        // Code and traffic have ways of their own; they alone are no reason to ask CloudFormation.
        if matches!(source, ParameterSource::FunctionCode(_) | ParameterSource::AliasVersion(_)) {
            continue;
        }
        let wanted = match parameter(stage, stack, name, source, artifacts, Some(deployed), observed) {
            Parameter::Value(value) => Some(value),
            Parameter::Output { stack, output } => observed.output(&stack, &output),
            Parameter::Previous => None,
        };
        if wanted.is_some() && wanted.as_ref() != deployed.parameters.get(name) {
            reasons.push(format!("parameter {name}"));
        }
    }
    if reasons.is_empty() { Action::None } else { Action::Update(reasons) }
}

fn parameter(
    stage: &str,
    stack: &RenderedStack,
    name: &str,
    source: &ParameterSource,
    artifacts: &Artifacts,
    deployed: Option<&ObservedStack>,
    observed: &Observed,
) -> Parameter {
    match source {
        ParameterSource::ArtifactBucket => Parameter::Output {
            stack: full_name(foundation::SYSTEM, foundation::ARTIFACTS, stage),
            output: foundation::ARTIFACT_BUCKET_OUTPUT.to_owned(),
        },
        ParameterSource::FunctionCode(function) => Parameter::Value(artifacts.functions[&function.binary].key()),
        ParameterSource::LayerCode { system, layer } => {
            Parameter::Value(artifacts.layers[&(system.clone(), layer.clone())].key())
        }
        ParameterSource::Output { stack: other, output } => {
            Parameter::Output { stack: full_name(&stack.system, other, stage), output: output.clone() }
        }
        ParameterSource::OidcProviderExists { issuer } => {
            match deployed.filter(|deployed| !deployed.was_never_created()) {
                Some(deployed) if deployed.parameters.contains_key(name) => Parameter::Previous,
                _ => Parameter::Value(observed.issuers.contains(issuer).to_string()),
            }
        }
        ParameterSource::AliasVersion(function) => {
            let known = deployed
                .is_some_and(|deployed| !deployed.was_never_created() && deployed.parameters.contains_key(name));
            if !known {
                return Parameter::Value(String::new());
            }
            let alias = stack.functions.iter().find(|candidate| candidate.id == *function);
            let (Some(alias), Some(deployed)) = (alias, deployed) else { return Parameter::Previous };
            // Only a changed alias resource needs to know the version that is really live.
            if alias_resource(&stack.template, &alias.alias_logical_id)
                == deployed.template.as_ref().and_then(|template| alias_resource(template, &alias.alias_logical_id))
            {
                return Parameter::Previous;
            }
            let live = observed.functions.get(&alias.function_name).and_then(|function| function.live.clone());
            live.map_or(Parameter::Previous, Parameter::Value)
        }
    }
}

fn alias_resource<'a>(template: &'a Value, logical_id: &str) -> Option<&'a Value> {
    template.get("Resources")?.get(logical_id)
}

/// The functions whose code CloudFormation is not asked to change: of a stack that is not updated all that differ, of one that is
/// those whose parameter has the wanted key already, because their code was changed past CloudFormation since.
fn code_updates(
    stack: &RenderedStack,
    action: &Action,
    artifacts: &Artifacts,
    deployed: Option<&ObservedStack>,
    observed: &Observed,
) -> Vec<CodeUpdate> {
    let unseen = |function: &RenderedFunction| {
        let parameter = stack
            .parameters
            .iter()
            .find_map(|(name, source)| (*source == ParameterSource::FunctionCode(function.id.clone())).then_some(name));
        let key = artifacts.functions[&function.id.binary].key();
        parameter.and_then(|name| deployed?.parameters.get(name)) == Some(&key)
    };
    let changed = |function: &&RenderedFunction| {
        let built = artifacts.functions[&function.id.binary].code_sha256();
        match observed.functions.get(&function.function_name) {
            Some(there) => there.code_sha256 != built && (*action == Action::None || unseen(function)),
            // CloudFormation makes it.
            None => *action == Action::None,
        }
    };
    stack
        .functions
        .iter()
        .filter(changed)
        .map(|function| {
            let artifact = &artifacts.functions[&function.id.binary];
            CodeUpdate {
                system: stack.system.clone(),
                function_name: function.function_name.clone(),
                key: artifact.key(),
                code_sha256: artifact.code_sha256(),
            }
        })
        .collect()
}

/// The functions that are as they should be, but for `live`.
fn unreleased(stack: &RenderedStack, artifacts: &Artifacts, observed: &Observed) -> Vec<String> {
    let behind = |function: &&RenderedFunction| {
        let built = artifacts.functions[&function.id.binary].code_sha256();
        let there = observed.functions.get(&function.function_name);
        there.is_some_and(|there| there.code_sha256 == built && there.is_unreleased)
    };
    stack.functions.iter().filter(behind).map(|function| function.function_name.clone()).collect()
}

/// The artifacts a plan needs in the bucket.
#[must_use]
pub fn required_artifacts<'a>(plan: &Plan, artifacts: &'a Artifacts) -> Vec<&'a Artifact> {
    let keys: Vec<&String> = plan
        .stacks
        .iter()
        .filter(|stack| stack.action != Action::None)
        .flat_map(|stack| stack.parameters.values())
        .filter_map(|parameter| match parameter {
            Parameter::Value(value) => Some(value),
            _ => None,
        })
        .chain(plan.code.iter().map(|code| &code.key))
        .collect();
    artifacts
        .functions
        .values()
        .chain(artifacts.layers.values())
        .filter(|artifact| keys.contains(&&artifact.key()))
        .collect()
}

/// A stack's name in CloudFormation.
pub fn full_name(system: &str, stack: &str, stage: &str) -> String {
    format!("{system}-{stack}-{stage}")
}
