//! The outputs that selected stacks need from stacks that are not selected. They must exist before the first change.

use std::collections::BTreeSet;

use model::rendered::{ParameterSource, RenderedStack, RenderedSystem};

use crate::{full_name, observed::Observed};

/// An output that a selected stack needs, and that no deployed or selected stack has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MissingOutput {
    /// The stack that needs it, by its name in CloudFormation.
    pub stack: String,
    /// The stack that should have it, by its name in CloudFormation.
    pub owner: String,
    /// The owner's name within its system.
    pub owner_part: String,
    /// The output.
    pub output: String,
    /// Whether the owner is deployed, without the output.
    pub is_deployed: bool,
}

/// Returns the names, within their system, of stacks that are not selected and whose outputs the selected stacks need.
#[must_use]
pub fn needed_stacks(selected: &RenderedSystem) -> Vec<&str> {
    let (present, needed) = (stacks_of(selected), selected.stacks.iter().flat_map(|stack| &stack.depends_on));
    let needed: BTreeSet<_> = needed.map(String::as_str).filter(|name| !present.contains(name)).collect();
    needed.into_iter().collect()
}

/// Returns the outputs that selected stacks need from stacks that are neither selected nor deployed with these outputs.
#[must_use]
pub fn missing_outputs(stage: &str, selected: &[RenderedSystem], observed: &Observed) -> Vec<MissingOutput> {
    let of_system = |system: &RenderedSystem| {
        let present = stacks_of(system);
        system.stacks.iter().flat_map(|stack| missing_of(stage, &present, stack, observed)).collect::<Vec<_>>()
    };
    selected.iter().flat_map(of_system).collect()
}

/// `present` are the selected stacks of the system, by their names within it.
fn missing_of(stage: &str, present: &BTreeSet<&str>, stack: &RenderedStack, observed: &Observed) -> Vec<MissingOutput> {
    let missing = |source: &ParameterSource| {
        let ParameterSource::Output { stack: owner, output } = source else { return None };
        let name = full_name(&stack.system, owner, stage);
        let deployed = observed.stacks.get(&name).filter(|deployed| !deployed.was_never_created());
        let exists =
            present.contains(owner.as_str()) || deployed.is_some_and(|owner| owner.outputs.contains_key(output));
        (!exists).then(|| MissingOutput {
            stack: stack.name.clone(),
            owner: name,
            owner_part: owner.clone(),
            output: output.clone(),
            is_deployed: deployed.is_some(),
        })
    };
    stack.parameters.values().filter_map(missing).collect()
}

fn stacks_of(system: &RenderedSystem) -> BTreeSet<&str> {
    system.stacks.iter().map(|stack| stack.stack.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use model::example::{Example, NOTES};

    use super::*;
    use crate::observed::ObservedStack;

    /// The stack `api` of the example alone, which takes the table's name and ARN of stack `data`.
    fn api_alone() -> Vec<RenderedSystem> {
        let mut systems = Example::systems(&Example::stage_named("local"));
        systems.retain(|system| system.name == NOTES);
        systems[0].stacks.retain(|stack| stack.stack == "api");
        systems
    }

    fn missing(systems: &[RenderedSystem], status: &str, outputs: &[&str]) -> Vec<MissingOutput> {
        let outputs = outputs.iter().map(|name| ((*name).to_owned(), "value".to_owned())).collect();
        let stack = ObservedStack { status: status.to_owned(), outputs, ..ObservedStack::default() };
        let stacks = [("notes-data-local".to_owned(), stack)].into();
        missing_outputs("local", systems, &Observed { stacks, ..Observed::default() })
    }

    #[test]
    fn the_stack_and_the_outputs_that_are_missing_are_named() {
        let systems = api_alone();
        assert_eq!(needed_stacks(&systems[0]), ["data"]);
        let all = missing_outputs("local", &systems, &Observed::default());
        let outputs: Vec<_> = all.iter().map(|missing| missing.output.as_str()).collect();
        assert!(outputs.len() >= 2, "{outputs:?}");
        for missing in &all {
            assert_eq!((missing.stack.as_str(), missing.owner.as_str()), ("notes-api-local", "notes-data-local"));
            assert!(!missing.is_deployed && missing.owner_part == "data");
        }
        assert_eq!(missing(&systems, "ROLLBACK_COMPLETE", &outputs), all, "the stack was never created");
        let older = missing(&systems, "CREATE_COMPLETE", &outputs[1..]);
        assert_eq!(older.len(), 1);
        assert!(older[0].is_deployed && older[0].output == outputs[0]);
        assert_eq!(missing(&systems, "UPDATE_COMPLETE", &outputs), []);
    }

    #[test]
    fn an_output_of_a_selected_stack_is_not_missing() {
        let mut systems = Example::systems(&Example::stage_named("local"));
        systems.retain(|system| system.name == NOTES);
        assert_eq!(missing_outputs("local", &systems, &Observed::default()), []);
        assert_eq!(needed_stacks(&systems[0]), Vec::<&str>::new());
    }
}
