//! How many calls each command may make, and how many of them may wait for each other. On AWS a call takes 20 to 100 ms, so these numbers
//! decide how long a command takes.

use simulation::{
    history::{Command, Scope},
    measure::{Measured, Stage},
    shape::{Kind, Part, Shape, StackShape, SystemShape},
};

/// A project of three systems, each with a data stack and a stack of four functions, and of a site each.
const SYSTEMS: u8 = 3;
const FUNCTIONS_A_SYSTEM: u8 = 4;
/// The functions, and the sites.
const FUNCTIONS: u32 = 12;
const SITES: u32 = 3;
/// The regions that a stage's stacks may be in, whose stacks are listed: each list is one page here.
const REGIONS: u32 = 2;

fn project() -> Shape {
    let mut next = 0;
    let mut part = |kind| {
        next += 1;
        Part { number: next - 1, kind }
    };
    let function = |_| Kind::Function { memory: 128, variable: 0, reads: false, alarm: false };
    let mut system = |name| {
        let data = StackShape { name: 0, parts: vec![part(Kind::Table { key: 0 })] };
        let work = StackShape { name: 1, parts: (0..FUNCTIONS_A_SYSTEM).map(function).map(&mut part).collect() };
        SystemShape { name, stacks: vec![data, work], site: Some(0), api: true }
    };
    let systems = (0..SYSTEMS).map(&mut system).collect();
    Shape { canary: false, express: false, systems, next }
}

/// The time of a probe beyond that of its call, in rounds: a cold start and a request of the simulated functions.
const PROBE: u32 = 3;

/// The rounds of the release of each further system.
const ANOTHER_SYSTEM: u32 = 14;

struct Budget {
    calls: u32,
    rounds: u32,
}

fn holds(what: &str, budget: &Budget, measured: &Measured) {
    let (calls, rounds) = (measured.calls(), measured.rounds());
    assert!(
        calls <= budget.calls && rounds <= budget.rounds,
        "{what}: at most {} calls in {} rounds are allowed\n{measured}",
        budget.calls,
        budget.rounds
    );
}

fn deploy() -> Command {
    Command::Deploy { scope: Scope::All, allows: false }
}

/// The budget of a deploy with nothing to do: the lists of stacks and of functions, `live` of each function, two calls for each system's
/// ledger and each site, and five more.
const NOTHING: Budget = Budget { calls: REGIONS + 1 + FUNCTIONS + 2 * SYSTEMS as u32 + 2 * SITES + 5, rounds: 6 };

#[test]
fn a_deploy_with_nothing_to_do() {
    let measured = Stage::measure(&project(), async |stage| stage.run(deploy()).await);
    holds("deploy, nothing changed", &NOTHING, &measured);
    let none = ["cloudformation:GetTemplate", "s3:PutObject", "lambda:GetAlias", "lambda:ListAliases"];
    assert!(none.iter().all(|call| !measured.by_operation.contains_key(*call)), "{measured}");
}

#[test]
fn a_deploy_of_new_code() {
    for changed in [1, 4, 12] {
        let measured = Stage::measure(&project(), async |stage| {
            stage.change_code(0..changed).await;
            stage.run(deploy()).await
        });
        // Systems are released one after another, because a failure of one leaves the others as they are.
        let systems = u32::from(changed.div_ceil(FUNCTIONS_A_SYSTEM));
        let calls = NOTHING.calls + 10 * u32::from(changed) + 12 * systems;
        let budget = Budget { calls, rounds: 20 + PROBE + (systems - 1) * ANOTHER_SYSTEM };
        holds(&format!("deploy, code of {changed} functions changed"), &budget, &measured);
    }
}

#[test]
fn the_status_of_a_stage() {
    let measured = Stage::measure(&project(), async |stage| stage.run(Command::Status).await);
    holds("status", &Budget { calls: 1 + FUNCTIONS + 3, rounds: 4 }, &measured);
}

#[test]
fn a_rollback_of_one_system() {
    let measured = Stage::measure(&project(), async |stage| {
        stage.change_code(0..FUNCTIONS_A_SYSTEM).await;
        stage.run(deploy()).await;
        stage.run(Command::Rollback(Some(0))).await
    });
    let budget = Budget { calls: 6 * u32::from(FUNCTIONS_A_SYSTEM) + 12, rounds: 12 + PROBE };
    holds("rollback of one system", &budget, &measured);
}
