//! Histories that once violated an invariant, shortened.

use std::time::Duration;

use simulated_aws::faults::Fault;
use simulation::{
    builds::Conduct,
    faults::PlannedFault,
    history::{Actor, Command, Deed, History, Run, Scope, Step},
    run::run,
    shape::{Kind, Part, Shape, StackShape, SystemShape},
    world::Tools,
};

/// Each file is named after what it shows.
#[test]
fn histories_that_once_failed_violate_no_invariant() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/regressions");
    let tools = Tools::new().expect("folders");
    let mut played = 0;
    for file in fs_err::read_dir(folder).expect("the folder") {
        let path = file.expect("a file").path();
        let text = fs_err::read_to_string(&path).expect("text");
        let history: History = serde_json::from_str(&text).expect("a history");
        let outcome = run(&history, &tools);
        assert_eq!(outcome.violations, [], "{}\n{}", path.display(), outcome.log);
        played += 1;
    }
    assert!(played > 0);
}

fn deploy(faults: Vec<PlannedFault>) -> Step {
    let command = Command::Deploy { scope: Scope::All, allows: false };
    let run = Run { machine: 0, command, faults, interrupted: None };
    Step::Act(vec![Actor { after: 0, deed: Deed::Run(run) }])
}

fn of_one_function() -> Shape {
    let kind = Kind::Function { memory: 128, variable: 0, reads: false, alarm: false };
    let stack = StackShape { name: 0, parts: vec![Part { number: 0, kind }] };
    let system = SystemShape { name: 0, stacks: vec![stack], site: None, api: false };
    Shape { canary: false, express: false, systems: vec![system], next: 1 }
}

/// A release recorded the version before the last release, which a stale read of the alias showed.
#[test]
fn a_release_records_the_live_version_although_a_read_is_stale() {
    let tools = Tools::new().expect("folders");
    let code = || Step::Code { function: 0, conduct: Conduct::Good };
    // One of the bursts is at the read of the alias.
    for call in (24..52).step_by(4) {
        let stale = PlannedFault { call, calls: 4, kind: Fault::Stale(Duration::from_secs(60)) };
        let steps = vec![deploy(Vec::new()), code(), deploy(Vec::new()), code(), deploy(vec![stale])];
        let history = History { seed: 1, shape: of_one_function(), skews: [0; 3], steps };
        let outcome = run(&history, &tools);
        assert_eq!(outcome.violations, [], "stale from call {call}\n{}", outcome.log);
    }
}
