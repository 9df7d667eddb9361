//! Helpers for tests that read templates.

use model::{
    foundation,
    rendered::{RenderedStack, RenderedSystem},
    stage::Stage,
};
use serde_json::Value;

/// All stages of this repository.
pub(super) const STAGES: [&str; 4] = ["local", "dev", "staging", "prod"];

/// The text of a stage's file.
pub(super) fn stage_text(name: &str) -> &'static str {
    match name {
        "local" => include_str!("../../stages/local.yaml"),
        "dev" => include_str!("../../stages/dev.yaml"),
        "staging" => include_str!("../../stages/staging.yaml"),
        "prod" => include_str!("../../stages/prod.yaml"),
        other => panic!("no {other}"),
    }
}

/// The path of a stage's file.
pub(super) fn stage_file(name: &str) -> String {
    format!("stacks/stages/{name}.yaml")
}

/// A stage as its committed file defines it.
pub(super) fn stage(name: &str) -> Stage {
    Stage::parse(name, stage_text(name), &stage_file(name)).expect("a stage")
}

/// All systems of a stage, foundation included.
pub(super) fn all_rendered(stage_name: &str) -> Vec<RenderedSystem> {
    let stage = stage(stage_name);
    foundation::complete(&stage, super::render(&stage).expect("rendered"), &[]).expect("complete")
}

/// A system of a stage.
pub(super) fn rendered(system: &str, stage_name: &str) -> RenderedSystem {
    all_rendered(stage_name).into_iter().find(|rendered| rendered.name == system).expect("the system")
}

/// Returns a stack of a system.
pub(super) fn stack<'a>(system: &'a RenderedSystem, name: &str) -> &'a RenderedStack {
    system.stacks.iter().find(|stack| stack.stack == name).expect("the stack")
}

/// A resource's properties.
pub(super) fn properties<'a>(stack: &'a RenderedStack, logical_id: &str) -> &'a Value {
    let properties = &stack.template["Resources"][logical_id]["Properties"];
    assert!(properties.is_object(), "no {logical_id}");
    properties
}

/// Returns the resources of a type, by logical ID.
pub(super) fn of_type<'a>(stack: &'a RenderedStack, resource_type: &str) -> Vec<(&'a str, &'a Value)> {
    let resources = stack.template["Resources"].as_object().expect("resources").iter();
    resources
        .filter(|(_, resource)| resource["Type"] == resource_type)
        .map(|(id, resource)| (id.as_str(), resource))
        .collect()
}

/// Returns the actions that a role allows, each with its resources as text.
pub(super) fn allowed(stack: &RenderedStack, role: &str) -> Vec<(String, String)> {
    let statements = &properties(stack, role)["Policies"][0]["PolicyDocument"]["Statement"];
    let statements = statements.as_array().expect("statements").iter();
    statements
        .flat_map(|statement| {
            let actions = statement["Action"].as_array().expect("actions").iter();
            actions.map(|action| (action.as_str().expect("an action").to_owned(), statement["Resource"].to_string()))
        })
        .collect()
}

/// Returns the actions that a role allows on resources whose text contains `part`, each once, sorted.
pub(super) fn actions_on(stack: &RenderedStack, role: &str, part: &str) -> Vec<String> {
    let on = allowed(stack, role).into_iter().filter(|(_, resource)| resource.contains(part));
    let mut actions: Vec<_> = on.map(|(action, _)| action).collect();
    actions.sort();
    actions.dedup();
    actions
}

/// Returns an alarm's comparison, threshold, period in seconds and number of periods.
pub(super) fn alarm(stack: &RenderedStack, logical_id: &str) -> (String, f64, i64, i64) {
    let alarm = properties(stack, logical_id);
    let period = alarm["Period"].as_i64().or_else(|| alarm["Metrics"][1]["MetricStat"]["Period"].as_i64());
    (
        alarm["ComparisonOperator"].as_str().expect("a comparison").to_owned(),
        alarm["Threshold"].as_f64().expect("a threshold"),
        period.expect("a period"),
        alarm["EvaluationPeriods"].as_i64().expect("periods"),
    )
}

/// Asserts that no template of the system contains the account of its stage.
pub(super) fn assert_names_no_account(system: &str) {
    for name in STAGES {
        let account = stage(name).account;
        for stack in &rendered(system, name).stacks {
            assert!(!stack.template.to_string().contains(&account), "{}", stack.name);
        }
    }
}

/// Asserts that all resources of these types are retained when their stack is deleted.
pub(super) fn assert_retained(system: &RenderedSystem, types: &[&str]) {
    for stack in &system.stacks {
        for (id, resource) in types.iter().flat_map(|name| of_type(stack, name)) {
            assert_eq!(resource["DeletionPolicy"], "RetainExceptOnCreate", "{id}");
            assert_eq!(resource["UpdateReplacePolicy"], "Retain", "{id}");
        }
    }
}
