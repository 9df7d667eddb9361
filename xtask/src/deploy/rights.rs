//! What deploying a stage may do, while the stage still runs what an earlier commit said.
//!
//! `bootstrap` gives what the deployed stacks need as well as what the workspace's do, so that it never takes a right from code
//! that runs, or from the deploy that is to remove it. A deploy leaves what nothing needs any longer to the next `bootstrap`.

use std::collections::BTreeSet;

use futures_util::future::try_join_all;
use stacks::{
    rendered::{RenderedStack, RenderedSystem},
    stage::Stage,
    systems::foundation,
};

use crate::{
    aws::{AwsError, Clients, cloudformation::StackState},
    plan::{full_name, observed::Observed},
};

/// The stage's stacks as they are deployed, whether the workspace still defines them or not; those of foundation are left out.
/// They are known by the tags that every deploy gives them.
///
/// # Errors
///
/// When a call fails.
pub async fn deployed(
    stage: &Stage,
    systems: &[RenderedSystem],
    clients: &Clients,
) -> Result<Vec<RenderedStack>, AwsError> {
    let defined: Vec<_> = systems.iter().flat_map(|system| &system.stacks).collect();
    // A stack that must be in the stage's own region is found with all others there.
    let elsewhere = defined.iter().filter_map(|stack| stack.region.as_deref()).filter(|region| *region != stage.region);
    let regions: BTreeSet<_> = elsewhere.map(Some).chain([None]).collect();
    let found = try_join_all(regions.into_iter().map(|region| deployed_in(stage, region, clients))).await?;
    let mut found: Vec<_> = found.into_iter().flatten().collect();
    for stack in &mut found {
        if let Some(defined) = defined.iter().find(|defined| defined.name == stack.name) {
            stack.region.clone_from(&defined.region);
        }
    }
    Ok(found)
}

async fn deployed_in(stage: &Stage, region: Option<&str>, clients: &Clients) -> Result<Vec<RenderedStack>, AwsError> {
    let cloudformation = clients.cloudformation(region);
    let mut stacks = Vec::new();
    for (name, state) in cloudformation.describe_all().await? {
        let Some((system, stack)) = part(&name, &state, stage) else { continue };
        if let Some(template) = cloudformation.template(&name).await? {
            let region = region.map(str::to_owned);
            stacks.push(RenderedStack::deployed(system, stack, name, region, template));
        }
    }
    Ok(stacks)
}

/// The system and its stack that a stack of the stage is. Others may use such tags too, so its name must say the same.
fn part(name: &str, state: &StackState, stage: &Stage) -> Option<(String, String)> {
    let tag = |name: &str| state.tags.get(name).cloned();
    let (system, stack) = (tag("system")?, tag("stack")?);
    let is_ours = tag("stage")? == stage.name && name == full_name(&system, &stack, &stage.name);
    (is_ours && system != foundation::SYSTEM).then_some((system, stack))
}

/// These systems, with what deploying may do left as it is where the workspace would only take something away; says whether
/// it would.
#[must_use]
pub fn leave_what_narrows(mut systems: Vec<RenderedSystem>, observed: &Observed) -> (Vec<RenderedSystem>, bool) {
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
    fn only_a_stack_whose_name_says_what_its_tags_say_is_ours() {
        let text = include_str!("../../../stacks/stages/staging.yaml");
        let stage = Stage::parse("staging", text, "staging.yaml").expect("a stage");
        let state = |stage: &str, system: &str| {
            let tags = [("stage", stage), ("system", system), ("stack", "api")];
            let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
            StackState {
                status: "CREATE_COMPLETE".to_owned(),
                reason: None,
                parameters: Default::default(),
                outputs: Default::default(),
                tags,
            }
        };
        let ours = Some(("old".to_owned(), "api".to_owned()));
        assert_eq!(part("old-api-staging", &state("staging", "old"), &stage), ours);
        assert_eq!(part("billing", &state("staging", "billing"), &stage), None, "somebody else's");
        assert_eq!(part("old-api-prod", &state("prod", "old"), &stage), None, "another stage's");
        assert_eq!(part("foundation-api-staging", &state("staging", "foundation"), &stage), None);
    }
}
