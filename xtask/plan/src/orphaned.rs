//! Orphaned stacks: a stage's stacks that are no longer defined. A deploy leaves them alone, so a plan names them.

use std::collections::BTreeSet;

use model::{rendered::RenderedSystem, stage::Stage};

use crate::observed::ListedStack;

/// Returns the stacks in an account that a deploy of this stage created and no system defines any longer; those of `system` only,
/// if one is given.
///
/// `systems` are all systems of the stage, regardless of the selection.
/// See [`ListedStack::part`] for the stacks that belong to a stage.
#[must_use]
pub fn orphaned_stacks<'a>(
    stage: &Stage,
    systems: &[RenderedSystem],
    system: Option<&str>,
    listed: &'a [ListedStack],
) -> Vec<&'a ListedStack> {
    let stacks = systems.iter().flat_map(|system| &system.stacks);
    // A stack that moved to another region leaves one of the same name in its former region.
    let region = |region: Option<&str>| region.unwrap_or(&stage.region).to_owned();
    let defined: BTreeSet<_> = stacks.map(|stack| (stack.name.clone(), region(stack.region.as_deref()))).collect();
    let is_selected =
        |stack: &&ListedStack| stack.part(&stage.name).is_some_and(|(of, _)| system.is_none_or(|system| system == of));
    let is_orphaned = |stack: &&ListedStack| {
        !defined.contains(&(stack.name.clone(), stack.region.clone())) && !stack.status.starts_with("DELETE_IN")
    };
    listed.iter().filter(is_selected).filter(is_orphaned).collect()
}

#[cfg(test)]
mod tests {
    use model::template::{Resource, Stack, System};

    use super::*;
    use crate::preview::{Preview, add_orphaned_stacks};

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

    fn orphaned(system: Option<&str>, listed: &[ListedStack]) -> Vec<String> {
        let stage = stage();
        let mut data = Stack::new("data", "Data.");
        data.resource("Queue", Resource::new("AWS::SQS::Queue", serde_json::json!({})));
        let shop = System::new("shop", [data]).render(&stage).expect("rendered");
        orphaned_stacks(&stage, &[shop], system, listed).iter().map(|stack| stack.name.clone()).collect()
    }

    #[test]
    fn undefined_stacks_of_known_and_former_systems_are_orphaned() {
        let there = [
            listed("shop-data-dev", ["shop", "data", "dev"]),
            listed("shop-api-dev", ["shop", "api", "dev"]),
            listed("old-web-dev", ["old", "web", "dev"]),
        ];
        assert_eq!(orphaned(None, &there), ["shop-api-dev", "old-web-dev"]);
        assert_eq!(orphaned(Some("shop"), &there), ["shop-api-dev"]);
    }

    #[test]
    fn orphaned_stacks_are_warnings() {
        let there = listed("old-web-dev", ["old", "web", "dev"]);
        let mut preview = Preview { stage: "dev".to_owned(), ..Preview::default() };
        add_orphaned_stacks(&mut preview, &[&there]);
        let [finding] = &preview.findings[..] else { panic!("{:?}", preview.findings) };
        assert_eq!((finding.stack.as_str(), finding.refused), ("old-web-dev", false));
        assert!(preview.is_empty());
    }

    #[test]
    fn stacks_of_other_stages_and_tools_are_not_orphaned() {
        let mut untagged = listed("shop-api-dev", ["shop", "api", "dev"]);
        untagged.tags.clear();
        let mut half = listed("shop-api-dev", ["shop", "api", "dev"]);
        half.tags.remove("stack");
        let mut deleting = listed("shop-api-dev", ["shop", "api", "dev"]);
        deleting.status = "DELETE_IN_PROGRESS".to_owned();
        let there = [
            listed("shop-api-prod", ["shop", "api", "prod"]),
            listed("network-dev", ["shop", "network", "dev"]),
            untagged,
            half,
            deleting,
        ];
        assert_eq!(orphaned(None, &there), [""; 0]);
    }

    #[test]
    fn a_stack_that_moved_is_orphaned_in_its_former_region() {
        let mut there = [listed("shop-data-dev", ["shop", "data", "dev"])];
        there[0].region = "ap-southeast-2".to_owned();
        assert_eq!(orphaned(None, &there), ["shop-data-dev"]);
    }
}
