//! Resolves the parameters of a stack with the outputs of deployed stacks. Pure.

use std::collections::BTreeMap;

use model::foundation;
use plan::{Parameter, PlannedStack};

use super::{DeployError, Outputs};
use crate::aws::cloudformation::ParameterValue;

/// Resolves the parameters' values, with the outputs of other stacks.
///
/// # Errors
///
/// When an output does not exist.
pub(super) fn resolve(
    stage: &str,
    stack: &PlannedStack,
    outputs: &Outputs,
    exists: bool,
) -> Result<BTreeMap<String, ParameterValue>, DeployError> {
    let value = |parameter: &Parameter| match parameter {
        Parameter::Value(value) => Ok(ParameterValue::Value(value.clone())),
        // The stack was deleted between plan and deploy; it is created again.
        Parameter::Previous if !exists => Ok(ParameterValue::Value(String::new())),
        Parameter::Previous => Ok(ParameterValue::Previous),
        Parameter::Output { stack: owner, output } => match outputs.get(owner).map(|outputs| outputs.get(output)) {
            Some(Some(value)) => Ok(ParameterValue::Value(value.clone())),
            Some(None) => Err(DeployError::NoOutput {
                stack: stack.name.clone(),
                owner: owner.clone(),
                output: output.clone(),
                command: deploy_command(stage, stack, owner),
            }),
            None => Err(no_stack(stage, stack, owner)),
        },
    };
    stack.parameters.iter().map(|(name, parameter)| Ok((name.clone(), value(parameter)?))).collect()
}

/// The error of a stack that takes a value of a stack that is not deployed.
pub(super) fn no_stack(stage: &str, stack: &PlannedStack, owner: &str) -> DeployError {
    let command = deploy_command(stage, stack, owner);
    DeployError::NoStack { stack: stack.name.clone(), owner: owner.to_owned(), command }
}

/// The command that deploys a stack that another takes values of: one of its own system, or of foundation.
fn deploy_command(stage: &str, stack: &PlannedStack, owner: &str) -> String {
    let is_own = owner.strip_prefix(&stack.system).is_some_and(|rest| rest.starts_with('-'));
    let system = if is_own { stack.system.as_str() } else { foundation::SYSTEM };
    format!("cargo xtask deploy --stage {stage} --system {system}")
}

/// Returns whether the outputs that a stack takes have the values that it was deployed with.
pub(super) fn takes_same_outputs(
    parameters: &BTreeMap<String, ParameterValue>,
    deployed: &BTreeMap<String, String>,
    stack: &PlannedStack,
) -> bool {
    stack.parameters.iter().filter(|(_, parameter)| matches!(parameter, Parameter::Output { .. })).all(|(name, _)| {
        match &parameters[name] {
            ParameterValue::Value(value) => deployed.get(name) == Some(value),
            ParameterValue::Previous => true,
        }
    })
}

#[cfg(test)]
mod tests {
    use miette::Diagnostic;
    use plan::Action;
    use serde_json::json;

    use super::*;

    fn stack(owner: &str) -> PlannedStack {
        let parameter = Parameter::Output { stack: owner.to_owned(), output: "TableName".to_owned() };
        PlannedStack {
            system: "notes".to_owned(),
            stack: "api".to_owned(),
            name: "notes-api-dev".to_owned(),
            region: None,
            action: Action::None,
            parameters: [("Table".to_owned(), parameter)].into(),
            depends_on: Vec::new(),
            template: json!({}),
        }
    }

    fn message(owner: &str, outputs: &Outputs) -> String {
        let error = resolve("dev", &stack(owner), outputs, false).expect_err("no output");
        let help = error.help().map(|help| help.to_string()).unwrap_or_default();
        format!("{error}; {help}")
    }

    #[test]
    fn a_missing_output_is_explained_by_its_stack() {
        let absent = message("notes-data-dev", &Outputs::new());
        assert!(absent.contains("notes-data-dev, which is not deployed"), "{absent}");
        assert!(absent.contains("`cargo xtask deploy --stage dev --system notes`"), "{absent}");
        let earlier = Outputs::from([("notes-data-dev".to_owned(), BTreeMap::new())]);
        let earlier = message("notes-data-dev", &earlier);
        assert!(
            earlier.contains("output TableName of notes-data-dev, but notes-data-dev is deployed without it"),
            "{earlier}"
        );
        assert!(earlier.contains("`cargo xtask deploy --stage dev --system notes`"), "{earlier}");
        let bucket = message("foundation-artifacts-dev", &Outputs::new());
        assert!(bucket.contains("--system foundation`"), "{bucket}");
    }
}
