//! Computes a plan.

use std::collections::BTreeMap;

use model::{
    foundation,
    rendered::{FunctionId, ParameterSource, RenderedFunction, RenderedStack, RenderedSystem},
};
use serde_json::Value;

use crate::{
    Action, CodeUpdate, Parameter, Plan, PlannedStack,
    artifacts::{Artifact, Artifacts},
    full_name,
    observed::{Observed, ObservedStack},
};

/// Compares the rendered systems and their artifacts with the deployed state.
///
/// # Panics
///
/// When `artifacts` lacks a function or layer of a template: the caller builds all that it renders.
#[must_use]
pub fn plan(stage: &str, systems: &[RenderedSystem], artifacts: &Artifacts, observed: &Observed) -> Plan {
    let mut plan = Plan { stacks: Vec::new(), code: Vec::new(), unreleased: Vec::new() };
    for stack in systems.iter().flat_map(|system| &system.stacks) {
        let existing = observed.stacks.get(&stack.name).filter(|deployed| !deployed.was_never_created());
        let planner = StackPlanner::new(stage, stack, existing, artifacts, observed);
        let action = planner.action();
        if action != Action::Create {
            plan.code.extend(planner.code_updates(&action));
        }
        if action == Action::None {
            plan.unreleased.extend(planner.unreleased());
        }
        plan.stacks.push(planner.planned(action));
    }
    plan
}

/// Plans one stack.
struct StackPlanner<'a> {
    stage: &'a str,
    stack: &'a RenderedStack,
    /// The deployed stack; `None` if its creation failed.
    existing: Option<&'a ObservedStack>,
    artifacts: &'a Artifacts,
    observed: &'a Observed,
    /// The stack's functions.
    functions: BTreeMap<&'a FunctionId, &'a RenderedFunction>,
    /// The parameters with the keys of functions' code.
    code_parameters: BTreeMap<&'a FunctionId, &'a str>,
}

impl<'a> StackPlanner<'a> {
    fn new(
        stage: &'a str,
        stack: &'a RenderedStack,
        existing: Option<&'a ObservedStack>,
        artifacts: &'a Artifacts,
        observed: &'a Observed,
    ) -> Self {
        let code = |(name, source): (&'a String, &'a ParameterSource)| match source {
            ParameterSource::FunctionCode(function) => Some((function, name.as_str())),
            _ => None,
        };
        Self {
            stage,
            stack,
            existing,
            artifacts,
            observed,
            functions: stack.functions.iter().map(|function| (&function.id, function)).collect(),
            // Of several parameters with one function's code, the first counts.
            code_parameters: stack.parameters.iter().rev().filter_map(code).collect(),
        }
    }

    fn planned(&self, action: Action) -> PlannedStack {
        let stack = self.stack;
        let parameters = stack.parameters.iter().map(|(name, source)| (name.clone(), self.parameter(name, source)));
        PlannedStack {
            system: stack.system.clone(),
            stack: stack.stack.clone(),
            name: stack.name.clone(),
            region: stack.region.clone(),
            action,
            parameters: parameters.collect(),
            depends_on: stack.depends_on.iter().map(|other| self.full_name(other)).collect(),
            template: stack.template.clone(),
        }
    }

    /// The name of another stack of the same system.
    fn full_name(&self, other: &str) -> String {
        full_name(&self.stack.system, other, self.stage)
    }

    fn action(&self) -> Action {
        let Some(existing) = self.existing else { return Action::Create };
        let mut reasons = Vec::new();
        if existing.template.as_ref() != Some(&self.stack.template) {
            reasons.push("template".to_owned());
        }
        for (name, source) in &self.stack.parameters {
            // Code and traffic change without CloudFormation; alone they are no reason for an update.
            if matches!(source, ParameterSource::FunctionCode(_) | ParameterSource::AliasVersion(_)) {
                continue;
            }
            let wanted = match self.parameter(name, source) {
                Parameter::Value(value) => Some(value),
                Parameter::Output { stack, output } => self.observed.output(&stack, &output),
                Parameter::Previous => None,
            };
            if wanted.is_some() && wanted.as_ref() != existing.parameters.get(name) {
                reasons.push(format!("parameter {name}"));
            }
        }
        if reasons.is_empty() { Action::None } else { Action::Update(reasons) }
    }

    fn parameter(&self, name: &str, source: &ParameterSource) -> Parameter {
        match source {
            ParameterSource::ArtifactBucket => Parameter::Output {
                stack: full_name(foundation::SYSTEM, foundation::ARTIFACTS, self.stage),
                output: foundation::ARTIFACT_BUCKET_OUTPUT.to_owned(),
            },
            ParameterSource::FunctionCode(function) => Parameter::Value(self.artifact(function).key()),
            ParameterSource::LayerCode { system, layer } => {
                Parameter::Value(self.artifacts.layers[&(system.clone(), layer.clone())].key())
            }
            ParameterSource::Output { stack: other, output } => {
                Parameter::Output { stack: self.full_name(other), output: output.clone() }
            }
            ParameterSource::OidcProviderExists { .. } if self.has_parameter(name) => Parameter::Previous,
            ParameterSource::OidcProviderExists { issuer } => {
                Parameter::Value(self.observed.issuers.contains(issuer).to_string())
            }
            ParameterSource::AliasVersion(function) => self.alias_version(name, function),
        }
    }

    fn has_parameter(&self, name: &str) -> bool {
        self.existing.is_some_and(|existing| existing.parameters.contains_key(name))
    }

    fn alias_version(&self, name: &str, function: &FunctionId) -> Parameter {
        if !self.has_parameter(name) {
            return Parameter::Value(String::new());
        }
        let rendered = self.functions.get(function);
        let (Some(rendered), Some(existing)) = (rendered, self.existing) else { return Parameter::Previous };
        let alias = |template| alias_resource(template, &rendered.alias_logical_id);
        // Only a changed alias resource needs the version that is live.
        if alias(&self.stack.template) == existing.template.as_ref().and_then(alias) {
            return Parameter::Previous;
        }
        let deployed = self.observed.functions.get(&rendered.function_name);
        deployed.and_then(|function| function.live.clone()).map_or(Parameter::Previous, Parameter::Value)
    }

    /// The functions whose code CloudFormation does not change: those that differ in a stack that is not updated, and in one that
    /// is, those whose parameter already has the built key because their code was changed without CloudFormation since.
    fn code_updates(&self, action: &Action) -> Vec<CodeUpdate> {
        let is_changed = |function: &&RenderedFunction| {
            let built = self.artifact(&function.id).code_sha256();
            match self.observed.functions.get(&function.function_name) {
                Some(deployed) => {
                    deployed.code_sha256 != built && (*action == Action::None || self.has_built_key(function))
                }
                // In an updated stack, CloudFormation creates it.
                None => *action == Action::None,
            }
        };
        let update = |function: &RenderedFunction| {
            let artifact = self.artifact(&function.id);
            CodeUpdate {
                system: self.stack.system.clone(),
                function_name: function.function_name.clone(),
                key: artifact.key(),
                code_sha256: artifact.code_sha256(),
            }
        };
        self.stack.functions.iter().filter(is_changed).map(update).collect()
    }

    /// Does the deployed parameter already have the key of the built code?
    fn has_built_key(&self, function: &RenderedFunction) -> bool {
        let parameter = self.code_parameters.get(&function.id);
        let deployed = parameter.and_then(|name| self.existing?.parameters.get(*name));
        deployed == Some(&self.artifact(&function.id).key())
    }

    /// The functions whose code is deployed, but not released.
    fn unreleased(&self) -> Vec<String> {
        let is_unreleased = |function: &&RenderedFunction| {
            let built = self.artifact(&function.id).code_sha256();
            let deployed = self.observed.functions.get(&function.function_name);
            deployed.is_some_and(|deployed| deployed.code_sha256 == built && deployed.is_unreleased)
        };
        self.stack.functions.iter().filter(is_unreleased).map(|function| function.function_name.clone()).collect()
    }

    fn artifact(&self, function: &FunctionId) -> &Artifact {
        &self.artifacts.functions[&function.binary]
    }
}

fn alias_resource<'a>(template: &'a Value, logical_id: &str) -> Option<&'a Value> {
    template.get("Resources")?.get(logical_id)
}
