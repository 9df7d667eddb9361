//! Stacks of a stage that nothing defines any longer: a deploy leaves them alone, so a plan must name them.

use std::collections::BTreeSet;

use model::{rendered::RenderedSystem, stage::Stage};

use super::observed::ListedStack;

/// Which of an account's stacks a deploy of this stage once made, and no system defines now; of one system, where it is named.
///
/// A stack is of this stage where its tags say so and its name is what these tags make of it, so that whoever else tags
/// stacks is not accused. `systems` are all of the stage's, whatever was selected.
#[must_use]
pub fn orphaned_stacks<'a>(
    stage: &Stage,
    systems: &[RenderedSystem],
    system: Option<&str>,
    listed: &'a [ListedStack],
) -> Vec<&'a ListedStack> {
    let stacks = systems.iter().flat_map(|system| &system.stacks);
    // One that moved to another region leaves another of the same name behind.
    let place = |region: Option<&str>| region.unwrap_or(&stage.region).to_owned();
    let defined: BTreeSet<_> = stacks.map(|stack| (stack.name.clone(), place(stack.region.as_deref()))).collect();
    let ours =
        |stack: &&ListedStack| stack.part(&stage.name).is_some_and(|(of, _)| system.is_none_or(|system| system == of));
    let is_left = |stack: &&ListedStack| {
        !defined.contains(&(stack.name.clone(), stack.region.clone())) && !stack.status.starts_with("DELETE_IN")
    };
    listed.iter().filter(ours).filter(is_left).collect()
}

#[cfg(test)]
mod tests {
    use model::template::{Resource, Stack, System};

    use super::*;

    fn stage() -> Stage {
        Stage::parse("dev", "account: '111122223333'\nregion: eu-central-1", "dev.yaml").expect("a stage")
    }

    fn listed(name: &str, tags: [&str; 3]) -> ListedStack {
        let tags = ["system", "stack", "stage"].into_iter().zip(tags);
        ListedStack {
            name: name.to_owned(),
            region: stage().region,
            status: "UPDATE_COMPLETE".to_owned(),
            tags: tags.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        }
    }

    fn left_of(system: Option<&str>, listed: &[ListedStack]) -> Vec<String> {
        let stage = stage();
        let mut data = Stack::new("data", "What is kept.");
        data.resource("Queue", Resource::new("AWS::SQS::Queue", serde_json::json!({})));
        let shop = System::new("shop", [data]).render(&stage).expect("rendered");
        orphaned_stacks(&stage, &[shop], system, listed).iter().map(|stack| stack.name.clone()).collect()
    }

    #[test]
    fn a_stack_that_is_defined_is_not_left_and_one_of_a_known_or_a_former_system_is() {
        let there = [
            listed("shop-data-dev", ["shop", "data", "dev"]),
            listed("shop-api-dev", ["shop", "api", "dev"]),
            listed("old-web-dev", ["old", "web", "dev"]),
        ];
        assert_eq!(left_of(None, &there), ["shop-api-dev", "old-web-dev"]);
        assert_eq!(left_of(Some("shop"), &there), ["shop-api-dev"]);
    }

    #[test]
    fn other_stages_and_other_tools_are_not_accused() {
        let mut untagged = listed("shop-api-dev", ["shop", "api", "dev"]);
        untagged.tags.clear();
        let mut half = listed("shop-api-dev", ["shop", "api", "dev"]);
        half.tags.remove("stack");
        let mut going = listed("shop-api-dev", ["shop", "api", "dev"]);
        going.status = "DELETE_IN_PROGRESS".to_owned();
        let there = [
            listed("shop-api-prod", ["shop", "api", "prod"]),
            listed("network-dev", ["shop", "network", "dev"]),
            untagged,
            half,
            going,
        ];
        assert_eq!(left_of(None, &there), [""; 0]);
    }

    #[test]
    fn a_stack_that_moved_leaves_the_one_in_its_old_region() {
        let mut there = [listed("shop-data-dev", ["shop", "data", "dev"])];
        there[0].region = "ap-southeast-2".to_owned();
        assert_eq!(left_of(None, &there), ["shop-data-dev"]);
    }
}
