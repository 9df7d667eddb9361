//! Plays a history from its seed to its end.

use std::{any::Any, collections::BTreeMap};

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

/// The stack of a history's thread. The futures of unoptimized commands are large.
const STACK: usize = 256 * 1024 * 1024;

/// Plays a history.
#[must_use]
pub fn run(history: &History, tools: &Tools) -> Outcome {
    let played = in_virtual_time(history.seed, async || {
        let world = World::new(history, tools);
        world.play(&history.steps).await;
        settle(&world).await;
        outcome(&world)
    });
    played.unwrap_or_else(|panic| {
        let violation = Violation { invariant: Invariant::Ends, at: 0, what: format!("panic: {}", text(&*panic)) };
        Outcome { violations: vec![violation], ..Outcome::default() }
    })
}

/// Runs work in virtual time, in a thread of its own: the SDK draws from the generator of the thread.
///
/// # Errors
///
/// The panic of the work.
///
/// # Panics
///
/// When the thread or its runtime cannot be made.
pub fn in_virtual_time<T: Send>(seed: u64, work: impl AsyncFnOnce() -> T + Send) -> std::thread::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || {
            fastrand::seed(seed);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
            runtime.expect("a runtime without I/O").block_on(work())
        });
        thread.expect("a thread").join()
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
