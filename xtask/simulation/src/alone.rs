//! Runs that no other actor accompanies: the account after one of them is that run's doing alone, so its end can be judged strictly.
//!
//! A deploy of everything that succeeds leaves the account as the workspace says. A deploy that nothing hinders succeeds. A run without
//! faults leaves no release open and no traffic split.

use simulated_aws::{account::Account, faults::Fault};

use crate::{
    builds::Conduct,
    history::{Command, Run, Scope},
    observer::{Invariant, expected::Expected, view},
    process::{self, Finished},
    project::STAGE,
    settle,
    shape::{Kind, SYSTEMS, Shape},
    world::{State, World},
};

/// The states from which a deploy brings a stack to the workspace's: absent, updatable, or never created (xtask/plan/src/states.rs has all).
const DEPLOYABLE: [&str; 7] = [
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "IMPORT_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
    "ROLLBACK_COMPLETE",
    "REVIEW_IN_PROGRESS",
];

/// Runs a command and checks its end.
pub(crate) async fn run(world: &World, run: &Run) -> (String, Finished) {
    let before = Before::of(world, run);
    if let (Command::Deploy { scope: Scope::All, .. }, Some(why)) = (&run.command, before.obstacle) {
        world.log.line(format_args!("-- the next run may fail: {why}"));
    }
    let (name, finished) = process::run(world, run).await;
    if finished != Finished::Skipped {
        for what in before.check(world, run, (&name, &finished)) {
            world.observer.report(
                Invariant::Converges,
                world.aws.now(),
                format!("`{}` ({name}) {what}", run.command.name()),
            );
        }
    }
    (name, finished)
}

/// What is known before a run.
#[derive(Debug)]
pub(crate) struct Before {
    expected: Expected,
    /// Why a deploy may fail; `None` if it must succeed.
    obstacle: Option<&'static str>,
    is_unsettled: bool,
}

impl Before {
    pub(crate) fn of(world: &World, run: &Run) -> Self {
        let state = world.state.borrow();
        let expected = Expected::of(&world.tools, &state.shape, &state.codes);
        let of_workspace = obstacle_in_workspace(&state, run);
        let obstacle = of_workspace.or_else(|| world.aws.read(|account| obstacle(account, &state.shape, &expected)));
        Self { expected, obstacle, is_unsettled: world.aws.read(unsettled).is_some() }
    }

    /// Returns what is wrong after the run.
    pub(crate) fn check(&self, world: &World, run: &Run, (name, finished): (&str, &Finished)) -> Vec<String> {
        if run.interrupted.is_some() || !is_carried_through(run) {
            return Vec::new();
        }
        let mut wrong = Vec::new();
        if let Command::Destroy { data, .. } = run.command
            && finished.has_succeeded()
        {
            let systems = run.command.destroyed(&world.state.borrow().shape);
            let remains = world.aws.read(|account| self.remains(account, systems.as_deref(), data));
            wrong.extend(remains.map(|what| format!("succeeds, but {what} exists")));
        }
        let is_deploy = matches!(run.command, Command::Deploy { scope: Scope::All, .. });
        if is_deploy && finished.has_succeeded() {
            let difference = world.aws.read(|account| self.expected.difference(account));
            wrong.extend(difference.map(|what| format!("succeeds, but {what}")));
        }
        if is_deploy && self.obstacle.is_none() {
            if !finished.has_succeeded() {
                wrong.push(format!("fails although nothing hinders it: {}", finished.why()));
            }
            // A function that CloudFormation has just updated may still refuse new code: the engine waits, and repeats the call.
            let mut conflicts = world.observer.conflicts_of(name);
            conflicts.retain(|call| !call.ends_with("/code"));
            if run.faults.is_empty() && !conflicts.is_empty() {
                wrong.push(format!("changes functions that are being updated: {}", conflicts.join(", ")));
            }
        }
        // Versions that a person has deleted cannot be returned to.
        if !self.is_unsettled && !world.state.borrow().is_changed_by_hand {
            wrong.extend(world.aws.read(unsettled).map(|what| format!("ends, but {what}")));
        }
        wrong
    }
}

impl Before {
    /// What a destruction of these systems had to delete: their stacks, and with the data the buckets and user pools that are tagged with one
    /// (xtask/docs/decisions/stateful-resources.md, "Stateful resources outlive their stack").
    fn remains(&self, account: &Account, systems: Option<&[String]>, data: bool) -> Option<String> {
        let stacks: Vec<_> = self.expected.stacks(systems).collect();
        if let Some((stack, _)) = stacks.iter().find(|(name, region)| view::deployed(account, region, name).is_some()) {
            return Some(format!("stack {stack}"));
        }
        let mut resources = view::deletable_data(account).into_iter().filter(|_| data);
        let found = resources.find(|(_, owner)| stacks.iter().any(|(stack, _)| stack == owner));
        found.map(|(resource, stack)| format!("{resource} of stack {stack}"))
    }
}

impl Command {
    /// The systems that the command destroys; `None` for the whole stage, and if it destroys none.
    pub(crate) fn destroyed(&self, shape: &Shape) -> Option<Vec<String>> {
        let Self::Destroy { system: Some(target), .. } = self else { return None };
        Some(vec![shape.systems[usize::from(*target) % shape.systems.len()].name().to_owned()])
    }
}

/// Whether the run's calls succeed: the SDK repeats a single call whose response was lost.
fn is_carried_through(run: &Run) -> bool {
    match run.faults.as_slice() {
        [] => true,
        [fault] => fault.calls == 1 && fault.kind == Fault::LostResponse,
        _ => false,
    }
}

fn obstacle_in_workspace(state: &State, run: &Run) -> Option<&'static str> {
    let Command::Deploy { scope: Scope::All, allows } = run.command else {
        return Some("it is no deploy of everything");
    };
    let shape = &state.shape;
    let binaries = shape.functions().map(|(system, part)| crate::project::function_name(system, part.number).binary());
    let mut conducts = binaries.map(|binary| state.codes.get(&binary).copied().unwrap_or_default().conduct);
    let present: Vec<_> = crate::commands::stateful(shape).collect();
    if state.is_changed_by_hand {
        Some("a person has changed the account")
    } else if shape.canary {
        Some("metrics decide about a canary, and chance about metrics")
    } else if conducts.any(|conduct| conduct != Conduct::Good) {
        Some("a function's code is bad")
    } else if !allows && state.known.iter().any(|resource| !present.contains(resource)) {
        Some("the plan may delete data")
    } else {
        None
    }
}

fn obstacle(account: &Account, shape: &Shape, expected: &Expected) -> Option<&'static str> {
    let mut stacks = expected.stacks(None).filter_map(|(name, region)| view::deployed(account, region, name));
    if !account.resource_faults.is_empty() {
        Some("resources fail")
    } else if stacks.any(|(status, _)| !DEPLOYABLE.contains(&status)) {
        Some("a stack is stuck or busy")
    } else if view::has_fresh_lock(account) {
        Some("a lock may be held")
    } else if settle::orphaned(account).iter().any(|(_, kind, id)| is_in_the_way(shape, kind, id)) {
        Some("a retained resource has a name of the project")
    } else if has_other_table(account, shape) {
        Some("a table would be replaced")
    } else {
        None
    }
}

/// Whether a resource that no stack owns may have a name that the project needs. Numbers in names are never used again.
fn is_in_the_way(shape: &Shape, resource_type: &str, physical_id: &str) -> bool {
    let number = |text: &str| {
        let digits = text.trim_start_matches(|letter: char| letter.is_ascii_lowercase());
        if digits.len() < text.len() { digits.parse::<u8>().ok() } else { None }
    };
    let numbers: Vec<_> = physical_id.split(['-', '/', ':']).filter_map(number).collect();
    let mut parts = shape.stacks().flat_map(|(_, stack)| &stack.parts);
    // The names of user pools are not unique.
    !resource_type.starts_with("AWS::Cognito::")
        && (numbers.is_empty() || parts.any(|part| numbers.contains(&part.number)))
}

/// Whether a table has another key than the project says.
fn has_other_table(account: &Account, shape: &Shape) -> bool {
    let tables = view::tables(account);
    let mut parts = shape.stacks().flat_map(|(system, stack)| stack.parts.iter().map(move |part| (system, part)));
    parts.any(|(system, part)| {
        let Kind::Table { key } = part.kind else { return false };
        let found = tables.get(&format!("{}-{}-{STAGE}", system.name(), part.name()));
        found.is_some_and(|found| (found == "PK") != (key == 0))
    })
}

/// A release that is open, or traffic that is split.
fn unsettled(account: &Account) -> Option<String> {
    let open = SYSTEMS.iter().find_map(|system| view::open_release(account, system).map(|number| (system, number)));
    if let Some((system, number)) = open {
        return Some(format!("release {number} of {system} is open"));
    }
    let mut functions = view::functions(account).into_iter();
    let split = functions.find(|name| view::live(account, name).is_some_and(|live| !live.shares.is_empty()));
    split.map(|function| format!("the traffic of {function} is split"))
}
