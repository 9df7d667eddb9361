//! The permissions of deploys, while the stage still runs the stacks of an earlier commit.
//!
//! `bootstrap` grants what the deployed stacks need in addition to what the workspace's stacks need. So it never revokes a permission that
//! running code uses, or that the deploy needs that will remove that code. A deploy leaves unused permissions to the next `bootstrap`.

use std::collections::BTreeMap;

use model::{
    foundation,
    rendered::{RenderedStack, RenderedSystem},
    stage::Stage,
};
use plan::observed::{ListedStack, Observed};

use super::observe::listed;
use crate::aws::{AwsError, Clients};

/// Reads the stage's deployed stacks, including orphaned ones, without foundation's. They are found by the tags that every deploy sets.
pub(crate) async fn deployed(
    stage: &Stage,
    systems: &[RenderedSystem],
    clients: &Clients,
) -> Result<Vec<RenderedStack>, AwsError> {
    let defined: BTreeMap<_, _> =
        systems.iter().flat_map(|system| &system.stacks).map(|stack| (stack.name.as_str(), &stack.region)).collect();
    let elsewhere = defined.values().filter_map(|region| region.as_deref());
    let regions = elsewhere.chain([clients.region()]).collect();
    let mut found = Vec::new();
    for listed in listed(&regions, clients).await? {
        let Some((system, stack)) = part(&listed, stage) else { continue };
        let Some(template) = clients.cloudformation(Some(&listed.region)).template(&listed.name).await? else {
            continue;
        };
        let region = match defined.get(listed.name.as_str()) {
            Some(region) => (*region).clone(),
            None => Some(listed.region).filter(|region| *region != stage.region),
        };
        found.push(RenderedStack::deployed(system, stack, listed.name, region, template));
    }
    Ok(found)
}

/// The system and the name within it of a listed stack, unless it belongs to foundation or not to this stage.
fn part(listed: &ListedStack, stage: &Stage) -> Option<(String, String)> {
    let (system, stack) = listed.part(&stage.name).filter(|(system, _)| *system != foundation::SYSTEM)?;
    Some((system.to_owned(), stack.to_owned()))
}

/// Keeps the deployed permissions of deploys if the workspace would only narrow them; returns whether it would.
pub(crate) fn keep_wider_permissions(
    mut systems: Vec<RenderedSystem>,
    observed: &Observed,
) -> (Vec<RenderedSystem>, bool) {
    let own =
        systems.iter_mut().filter(|system| system.name == foundation::SYSTEM).flat_map(|system| &mut system.stacks);
    let mut narrows = false;
    for stack in own.filter(|stack| stack.stack == foundation::pipeline::STACK) {
        let deployed = observed.stacks.get(&stack.name).and_then(|deployed| deployed.template.as_ref());
        if let Some(deployed) = deployed.filter(|deployed| foundation::only_narrows(deployed, &stack.template)) {
            stack.template = deployed.clone();
            narrows = true;
        }
    }
    (systems, narrows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_belongs_to_the_stage_if_its_name_matches_its_tags() {
        let text = "account: '111122223333'\nregion: eu-central-1\n";
        let stage = Stage::parse("staging", text, "staging.yaml").expect("a stage");
        let of = |name: &str, stage: &str, system: &str| {
            let tags = [("stage", stage), ("system", system), ("stack", "api")];
            let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
            ListedStack { name: name.to_owned(), tags, ..ListedStack::default() }
        };
        let own = Some(("old".to_owned(), "api".to_owned()));
        assert_eq!(part(&of("old-api-staging", "staging", "old"), &stage), own);
        assert_eq!(part(&of("billing", "staging", "billing"), &stage), None, "foreign");
        assert_eq!(part(&of("old-api-prod", "prod", "old"), &stage), None, "another stage's");
        assert_eq!(part(&of("foundation-api-staging", "staging", "foundation"), &stage), None);
    }
}
