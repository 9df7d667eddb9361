//! Plays a history from its seed to its end.

use std::{
    any::Any,
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::{
    history::History,
    observer::{Invariant, Violation},
    settle::settle,
    world::{Tools, World},
};

/// The result of a history.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// The violated invariants.
    pub violations: Vec<Violation>,
    /// The log.
    pub log: String,
    /// How many calls AWS got.
    pub calls: u64,
    /// How many seconds passed in the simulation.
    pub seconds: u64,
    /// How often each kind of operation ran.
    pub workloads: BTreeMap<&'static str, u64>,
    /// How often each kind of fault happened.
    pub faults: BTreeMap<&'static str, u64>,
}

/// Plays a history.
///
/// # Panics
///
/// When the runtime cannot be made.
#[must_use]
pub fn run(history: &History, tools: &Tools) -> Outcome {
    // The SDK draws from the generator of the thread.
    fastrand::seed(history.seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without I/O");
    let played = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let world = World::new(history, tools);
            world.play(&history.steps).await;
            settle(&world, tools).await;
            outcome(&world)
        })
    }));
    played.unwrap_or_else(|panic| {
        let violation = Violation { invariant: Invariant::Ends, at: 0, what: format!("panic: {}", text(&*panic)) };
        Outcome { violations: vec![violation], ..Outcome::default() }
    })
}

fn outcome(world: &World) -> Outcome {
    let violations = world.observer.violations();
    for violation in &violations {
        world.log.line(format_args!("!! {violation}"));
    }
    let state = world.state.borrow();
    Outcome {
        violations,
        log: world.log.text(),
        calls: state.calls,
        seconds: world.aws.now().elapsed().as_secs(),
        workloads: state.workloads.clone(),
        faults: world.plan.happened(),
    }
}

fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("of an unknown kind").to_owned()
}
