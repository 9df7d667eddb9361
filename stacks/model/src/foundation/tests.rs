//! Foundation of the example project.

use serde_json::{Value, json};

use super::*;
use crate::{
    example::{Example, NOTES},
    project::Project as _,
    rendered::RenderedStack,
};

fn stack<'a>(systems: &'a [RenderedSystem], system: &str, name: &str) -> &'a RenderedStack {
    let system = systems.iter().find(|rendered| rendered.name == system).expect("the system");
    system.stacks.iter().find(|stack| stack.stack == name).expect("the stack")
}

/// The actions that a role's own policy allows.
fn actions(role: &Value) -> Vec<&str> {
    let statements = role["Properties"]["Policies"][0]["PolicyDocument"]["Statement"].as_array().expect("statements");
    statements
        .iter()
        .flat_map(|statement| statement["Action"].as_array().expect("actions"))
        .filter_map(Value::as_str)
        .collect()
}

#[test]
fn foundation_comes_first_and_has_a_pipeline_only_where_workflows_deploy() {
    for (stage, stacks) in [("local", &["artifacts"][..]), ("prod", &["artifacts", "api-gateway", "pipeline"])] {
        let systems = Example::systems(&Example::stage_named(stage));
        let names: Vec<_> = systems[0].stacks.iter().map(|stack| stack.stack.as_str()).collect();
        assert_eq!((systems[0].name.as_str(), &names[..]), (SYSTEM, stacks), "{stage}");
    }
}

#[test]
fn roles_of_the_systems_have_the_boundary_where_workflows_deploy() {
    let boundary = json!({ "Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/foundation-boundary-prod" });
    for (stage, expected) in [("local", Value::Null), ("prod", boundary)] {
        let systems = Example::systems(&Example::stage_named(stage));
        let role = &stack(&systems, NOTES, "api").template["Resources"]["ApiFunctionRole"];
        assert_eq!(role["Properties"]["PermissionsBoundary"], expected, "{stage}");
    }
}

#[test]
fn the_deploy_role_may_change_the_systems_and_the_plan_role_may_not() {
    let systems = Example::systems(&Example::stage_named("prod"));
    let resources = &stack(&systems, SYSTEM, pipeline::STACK).template["Resources"];
    for action in ["cloudformation:ExecuteChangeSet", "lambda:UpdateAlias", "s3:PutObject", "sns:Publish"] {
        assert!(actions(&resources["DeployRole"]).contains(&action), "{action}");
        assert!(!actions(&resources["PlanRole"]).contains(&action), "{action}");
    }
    assert!(actions(&resources["PlanRole"]).contains(&"cloudformation:DescribeStacks"));
}

#[test]
fn a_role_with_a_managed_policy_is_refused() {
    let stage = Example::stage_named("prod");
    let role =
        json!({ "Type": "AWS::IAM::Role", "Properties": { "ManagedPolicyArns": ["arn:aws:iam::aws:policy/Any"] } });
    let template = json!({ "Resources": { "Role": role } });
    let [system, name, full_name] = ["old", "work", "old-work-prod"].map(str::to_owned);
    let deployed = RenderedStack::deployed(system, name, full_name, None, template);
    let error =
        complete(&stage, Example.render(&stage).expect("rendered"), &[deployed]).expect_err("refused").to_string();
    assert!(error.starts_with("old: Role of old-work-prod has ManagedPolicyArns"), "{error}");
}
