//! The routes that changed with the stacks of a deploy, and stay changed if a release fails.

use std::collections::BTreeMap;

use model::rendered::{ParameterSource, RenderedApi, RenderedStack, RenderedSystem};
use plan::{
    api::{deployments, route_changes},
    observed::Observed,
};

use crate::deploy::{Deployed, Done};

/// The changed routes of each system, in words, one item for each API.
pub(super) type ChangedRoutes = BTreeMap<String, Vec<String>>;

/// Compares the routes of changed stacks before and after the deploy.
pub(super) fn changed(systems: &[RenderedSystem], before: &Observed, deployed: &Deployed) -> ChangedRoutes {
    let is_changed = |stack: &&RenderedStack| deployed.stacks.get(&stack.name).is_some_and(|done| *done != Done::None);
    let of = |system: &RenderedSystem| {
        let stacks = system.stacks.iter().filter(is_changed);
        stacks.flat_map(|stack| of_stack(system, stack, before)).collect::<Vec<_>>()
    };
    let all = systems.iter().map(|system| (system.name.clone(), of(system)));
    all.filter(|(_, changed)| !changed.is_empty()).collect()
}

/// Describes the changed routes of a stack's APIs, and those that it adds to other APIs. An API that did not exist has none.
fn of_stack(system: &RenderedSystem, stack: &RenderedStack, before: &Observed) -> Vec<String> {
    let Some(old) = before.stacks.get(&stack.name).and_then(|old| old.template.as_ref()) else { return Vec::new() };
    let own = stack.apis.iter().filter(|api| !old["Resources"][&api.logical_id].is_null());
    let own = own.map(|api| (api, api.logical_id.as_str()));
    own.chain(apis_of_others(system, stack))
        .filter_map(|(api, reference)| {
            let changes = route_changes(old, &stack.template, reference);
            let deployment = |template| deployments("", template).remove(&format!("/{reference}"));
            let list =
                |what: &str, routes: &[String]| (!routes.is_empty()).then(|| format!("{what} {}", routes.join(", ")));
            let parts = [
                list("adds", &changes.added),
                list("changes", &changes.changed),
                list("no longer defines", &changes.removed),
            ];
            let parts: Vec<_> = parts.into_iter().flatten().collect();
            match parts.as_slice() {
                [] if deployment(old) == deployment(&stack.template) => None,
                [] => Some(format!("{} changes its settings", api.logical_id)),
                parts => Some(format!("{} {}", api.logical_id, parts.join("; "))),
            }
        })
        .collect()
}

/// Returns the APIs of other stacks that a stack refers to, each with the parameter of its ID.
fn apis_of_others<'a>(
    system: &'a RenderedSystem,
    stack: &'a RenderedStack,
) -> impl Iterator<Item = (&'a RenderedApi, &'a str)> {
    stack.parameters.iter().filter_map(|(parameter, source)| {
        let ParameterSource::Output { stack: owner, output } = source else { return None };
        let owner = system.stacks.iter().find(|other| other.stack == *owner)?;
        let api = owner.apis.iter().find(|api| api.id_output == *output)?;
        Some((api, parameter.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use model::{
        example::{Example, FeedsFetch, HistoryRoute, NOTES},
        parts::{
            function::Function,
            http_api::{HttpApi, HttpRouteSettings, HttpRoutes},
        },
        template::{Stack, System, Text},
    };
    use plan::observed::ObservedStack;
    use serde_json::json;

    use super::*;

    #[test]
    fn routes_that_change_with_a_stack_are_described() {
        let systems = Example::systems(&Example::stage_named("prod"));
        let notes = systems.iter().find(|system| system.name == NOTES).expect("notes");
        let stack = notes.stacks.iter().find(|stack| !stack.apis.is_empty()).expect("an API");
        let mut old = stack.template.clone();
        let resources = old["Resources"].as_object_mut().expect("resources");
        resources.remove("NotesApiNotesIdPut");
        resources["NotesApiNotesIdGet"]["Properties"]["AuthorizationType"] = json!("AWS_IAM");
        let observed = |template| {
            let stack_before = ObservedStack { template: Some(template), ..ObservedStack::default() };
            Observed { stacks: [(stack.name.clone(), stack_before)].into(), ..Observed::default() }
        };
        assert_eq!(of_stack(notes, stack, &observed(old)), ["NotesApi adds PUT /notes/{id}; changes GET /notes/{id}"]);
        assert_eq!(of_stack(notes, stack, &observed(stack.template.clone())), [""; 0]);
        assert_eq!(of_stack(notes, stack, &Observed::default()), [""; 0]);
    }

    #[test]
    fn routes_of_another_stacks_api_are_described_by_its_name() {
        let stage = Example::stage_named("prod");
        let mut api = Stack::new("api", "An API.");
        let handle = api.add(HttpApi::new("Api", "api".to_owned(), &stage));
        let mut more = Stack::new("more", "More routes.");
        let function = more.add(Function::new(&stage, FeedsFetch { stage: Text::from("prod") }));
        let open = |_: HistoryRoute| HttpRouteSettings { open: true, ..HttpRouteSettings::default() };
        more.add(HttpRoutes::new(&handle).routes_with(&function, open));
        let system = System::new("photos", [api, more]).render(&stage).expect("rendered");
        let stack = &system.stacks[1];
        let mut old = stack.template.clone();
        let observed = |template| {
            let before = ObservedStack { template: Some(template), ..ObservedStack::default() };
            Observed { stacks: [(stack.name.clone(), before)].into(), ..Observed::default() }
        };
        assert_eq!(of_stack(&system, stack, &observed(old.clone())), [""; 0]);
        old["Resources"].as_object_mut().expect("resources").remove("ApiNotesIdHistoryGet");
        assert_eq!(of_stack(&system, stack, &observed(old)), ["Api adds GET /notes/{id}/history"]);
    }
}
