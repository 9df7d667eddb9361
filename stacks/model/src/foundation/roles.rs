//! The names of the systems' roles. CloudFormation shortens the name of a long stack in generated names, so a pattern for them would match
//! names of other stages.

use serde_json::json;

use super::SYSTEM;
use crate::{
    rendered::{RenderedStack, RenderedSystem},
    stage::Stage,
    template::{RenderError, json::sorted},
};

/// The maximum length of a role's name (IAM user guide, "IAM and AWS STS quotas").
const LIMIT: usize = 64;

/// Names all roles of these systems that have no name: `<system>-<stack>-<logical ID>-<stage>`.
///
/// # Errors
///
/// When a name would be too long.
pub(super) fn name(systems: &mut [RenderedSystem], stage: &Stage) -> Result<(), RenderError> {
    for stack in systems.iter_mut().flat_map(|system| &mut system.stacks) {
        let prefix = format!("{}-{}", stack.system, stack.stack);
        let roles = unnamed(stack);
        for logical_id in &roles {
            let name = format!("{prefix}-{logical_id}-{}", stage.name);
            if name.len() > LIMIT {
                let message = format!(
                    "role {logical_id} would be named {name}, which has {} characters, but IAM allows {LIMIT}; set RoleName to \
                     `{}-…-{}`",
                    name.len(),
                    stack.system,
                    stage.name
                );
                return Err(RenderError::Settings { system: stack.system.clone(), message });
            }
            stack.template["Resources"][logical_id]["Properties"]["RoleName"] = json!(name);
        }
        if !roles.is_empty() {
            stack.template = sorted(std::mem::take(&mut stack.template));
        }
    }
    Ok(())
}

fn unnamed(stack: &RenderedStack) -> Vec<String> {
    let resources = stack.template["Resources"].as_object().into_iter().flatten();
    let is_unnamed = |(_, resource): &(&String, &serde_json::Value)| {
        resource["Type"] == "AWS::IAM::Role" && resource["Properties"]["RoleName"].is_null() && stack.system != SYSTEM
    };
    resources.filter(is_unnamed).map(|(logical_id, _)| logical_id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::{Resource, Stack, System};

    fn named(logical_id: &str, properties: serde_json::Value) -> Result<serde_json::Value, String> {
        let stage = Stage::example("dev");
        let mut stack = Stack::new("api", "Api.");
        stack.resource(logical_id, Resource::new("AWS::IAM::Role", properties));
        let mut systems = [System::new("shop", [stack]).render(&stage).expect("rendered")];
        name(&mut systems, &stage).map_err(|error| error.to_string())?;
        Ok(systems[0].stacks[0].template["Resources"][logical_id]["Properties"]["RoleName"].clone())
    }

    #[test]
    fn a_role_s_name_ends_with_the_stage_and_a_given_one_stays() {
        assert_eq!(named("ListRole", json!({})), Ok(json!("shop-api-ListRole-dev")));
        assert_eq!(named("ListRole", json!({ "RoleName": "mine" })), Ok(json!("mine")));
        let error = named(&"Long".repeat(14), json!({})).expect_err("too long");
        assert!(error.contains("IAM allows 64; set RoleName to `shop-…-dev`"), "{error}");
    }
}
