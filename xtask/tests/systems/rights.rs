//! What `check-rights` exercises of the real systems.

use std::collections::{BTreeMap, BTreeSet};

use engine::{
    application::Demo as _,
    rights::{Place, coverage, scheduled},
};
use model::rendered::RenderedSystem;
use verbs::Demo;

use crate::{rendered, stage};

fn named(name: &str) -> RenderedSystem {
    rendered(&stage("local")).into_iter().find(|system| system.name == name).expect("the system")
}

#[test]
fn the_demo_s_routes_exist_and_count_as_called() {
    let system = named(Demo.system());
    let uncalled = |demonstrated: &BTreeMap<String, BTreeSet<String>>| {
        let coverage = coverage(std::slice::from_ref(&system), demonstrated, &BTreeSet::new(), &BTreeMap::new());
        coverage.uncalled.into_iter().map(|uncalled| uncalled.route).collect::<BTreeSet<_>>()
    };
    let routes: BTreeSet<_> = Demo.routes().iter().map(|route| (*route).to_owned()).collect();
    let without = uncalled(&BTreeMap::new());
    let with = uncalled(&[(system.name.clone(), routes.clone())].into());
    assert!(
        system
            .stacks
            .iter()
            .flat_map(|stack| &stack.apis)
            .any(|api| { routes.iter().all(|route| api.methods.iter().any(|method| method.title() == *route)) })
    );
    assert!(with.is_disjoint(&routes), "{with:?}");
    assert!(with.is_subset(&without), "{with:?}");
}

#[test]
fn every_schedule_invokes_a_function() {
    let stage = stage("local");
    let mut found = Vec::new();
    for system in rendered(&stage) {
        let schedules = system.stacks.iter().filter_map(|stack| stack.template["Resources"].as_object()).flatten();
        let schedules = schedules.filter(|(_, rule)| !rule["Properties"]["ScheduleExpression"].is_null()).count();
        let invocations = scheduled(&system, &Place::of(&stage), "2026-11-30T10:00:00Z");
        assert_eq!(invocations.len(), schedules, "{}", system.name);
        found.extend(invocations.into_iter().map(|invocation| invocation.function));
    }
    for function in
        ["thakii-maintenance-local", "listbackup-backup-processors-local-jobScheduler", "analyticbot-local-cleanup"]
    {
        assert!(found.contains(&function.to_owned()), "{function}: {found:?}");
    }
}
