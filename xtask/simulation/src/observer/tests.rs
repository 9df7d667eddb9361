//! Violations that are planted: what the engine never does, in the name of one of its processes.

use serde_json::{Value, json};
use simulated_aws::{Step, account::Account, wire::Call};

mod ends;
mod runs;

use super::{Invariant, Running, artifact_bucket, effect::stack_name, view};
use crate::{
    builds::{Code, Conduct, behavior},
    by_hand::s3,
    history::{Command, History, Run, Scope},
    process::{self, Finished},
    project::{REGION, STAGE, function_name},
    run::in_virtual_time,
    shape::{Kind, Part, Shape, StackShape, SystemShape},
    world::{Tools, World},
};

/// The process in whose name calls are planted. It holds no lock.
const PROCESS: &str = "machine2/9";
const FUNCTION: &str = "alpha-function0-rehearsal";

/// Runs a test in virtual time.
fn played(test: impl AsyncFnOnce() + Send) {
    if let Err(panic) = in_virtual_time(5, test) {
        std::panic::resume_unwind(panic);
    }
}

/// One system: a function, a table and a secret, and with `served` also a site and an API.
fn shape(served: bool) -> Shape {
    let parts =
        [Kind::Function { memory: 128, variable: 0, reads: true, alarm: false }, Kind::Table { key: 0 }, Kind::Secret];
    let parts = parts.into_iter().enumerate();
    let parts = parts.map(|(number, kind)| Part { number: u8::try_from(number).expect("small"), kind }).collect();
    let stacks = vec![StackShape { name: 0, parts }];
    let system = SystemShape { name: 0, stacks, site: served.then_some(1), api: served };
    Shape { canary: false, express: false, systems: vec![system], next: 3 }
}

/// An empty account, and this project.
fn world(shape: Shape) -> World {
    let history = History { seed: 5, shape, skews: [0; 3], steps: Vec::new() };
    World::new(&history, &Tools::new().expect("folders"))
}

fn change_code(world: &World, number: u16, conduct: Conduct) {
    world.state.borrow_mut().codes.insert("alpha-function0".to_owned(), Code { number, conduct });
}

async fn deploy(world: &World) -> (String, Finished) {
    let command = Command::Deploy { scope: Scope::All, allows: false };
    process::run(world, &Run { machine: 0, command, faults: Vec::new(), interrupted: None }).await
}

/// A world with one deployed system, whose function is released twice.
async fn deployed() -> World {
    deployed_as(shape(false)).await
}

async fn deployed_as(shape: Shape) -> World {
    let world = world(shape);
    for number in 1..=2 {
        change_code(&world, number, Conduct::Good);
        let (_, finished) = deploy(&world).await;
        world.log_calls();
        assert!(finished.has_succeeded(), "{}\n{}", finished.why(), world.log.text());
    }
    assert_eq!(world.observer.violations(), [], "{}", world.log.text());
    world
}

/// Carries out a call in the name of a process of the engine; returns the violations that the observer sees.
fn plant(world: &World, call: &Call) -> Vec<(Invariant, String)> {
    plant_in(world, Running::default(), call)
}

/// The same, in a run of another kind.
fn plant_in(world: &World, running: Running, call: &Call) -> Vec<(Invariant, String)> {
    world.observer.starts(PROCESS, running);
    let observer = world.observer.clone();
    // `change` also shows the observer a change by hand, which must come after the call.
    world.aws.change(|account| {
        let reply = simulated_aws::handle(account, call).expect("carried out");
        observer.lock().step(account, &Step::Called { process: PROCESS, call, reply: &reply });
    });
    found(world)
}

/// Carries out a call as a person.
fn by_hand(world: &World, call: &Call) {
    world.aws.change(|account| simulated_aws::handle(account, call)).expect("carried out");
}

fn found(world: &World) -> Vec<(Invariant, String)> {
    world.observer.violations().into_iter().map(|violation| (violation.invariant, violation.what)).collect()
}

fn assert_found(found: &[(Invariant, String)], invariant: Invariant, what: &str) {
    let is_found = found.iter().any(|(kind, text)| *kind == invariant && text.contains(what));
    assert!(is_found, "{invariant:?} with `{what}` is not among {found:#?}");
}

fn lambda(method: &str, path: &str, body: &Value) -> Call {
    Call {
        service: "lambda".to_owned(),
        region: REGION.to_owned(),
        method: method.to_owned(),
        path: format!("/2015-03-31/functions/{FUNCTION}{path}"),
        body: body.to_string().into_bytes(),
        ..Call::default()
    }
}

fn live(world: &World) -> view::Live {
    world.aws.read(|account| view::live(account, FUNCTION)).expect("released")
}

#[test]
fn a_shift_without_an_open_release_and_without_the_lock_is_found() {
    played(async || {
        let world = deployed().await;
        let other = if live(&world).version == "1" { "2" } else { "1" };
        let found = plant(&world, &lambda("PUT", "/aliases/live", &json!({ "FunctionVersion": other })));
        assert_found(&found, Invariant::Traffic, "no release is open");
        assert_found(&found, Invariant::Lock, "without its lock, which is free");
    });
}

#[test]
fn a_shift_to_a_version_that_fails_its_probe_is_found() {
    played(async || {
        let world = deployed().await;
        let shape = world.state.borrow().shape.clone();
        let id = function_name(&shape.systems[0], 0).into();
        let zip = behavior(&id, Code { number: 9, conduct: Conduct::Broken }).zip();
        world.aws.change(|account| {
            let zip = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, zip);
            simulated_aws::handle(account, &lambda("PUT", "/code", &json!({ "ZipFile": zip }))).expect("updated");
        });
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
        world.aws.change(|account| {
            simulated_aws::handle(account, &lambda("POST", "/versions", &json!({}))).expect("published")
        });
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
        let newest = world.aws.read(|account| {
            account.lambda.function(REGION, FUNCTION).and_then(|function| function.versions.keys().next_back().copied())
        });
        let version = newest.expect("a version").to_string();
        let found = plant(&world, &lambda("PUT", "/aliases/live", &json!({ "FunctionVersion": version })));
        assert_found(&found, Invariant::Traffic, "which fails its probe");
    });
}

#[test]
fn the_deletion_of_a_version_that_a_release_needs_is_found() {
    played(async || {
        let world = deployed().await;
        let other = if live(&world).version == "1" { "2" } else { "1" };
        let mut call = lambda("DELETE", "", &Value::Null);
        call.query = vec![("Qualifier".to_owned(), other.to_owned())];
        assert_found(&plant(&world, &call), Invariant::InUse, "needs it");
    });
}

#[test]
fn the_deletion_of_an_artifact_in_use_and_of_a_release_is_found() {
    played(async || {
        let world = deployed().await;
        let key = world.aws.read(|account| {
            let parameters = view::parameters(account);
            parameters.into_iter().find(|value| value.starts_with("artifacts/")).expect("the key of the code")
        });
        assert_found(&plant(&world, &s3("DELETE", artifact_bucket(), &key, b"")), Invariant::InUse, "refers to it");
        let release = "releases/alpha/00000001.json";
        assert_found(
            &plant(&world, &s3("DELETE", artifact_bucket(), release, b"")),
            Invariant::InUse,
            "keeps every release",
        );
    });
}

fn release(world: &World, number: u32) -> Value {
    let key = format!("releases/alpha/{number:08}.json");
    let text = world.aws.read(|account| view::document(account, &key)).expect("an entry");
    serde_json::from_slice(&text).expect("JSON")
}

#[test]
fn gaps_duplicates_and_untrue_entries_of_the_ledger_are_found() {
    played(async || {
        let world = deployed().await;
        let last = release(&world, 2);
        let put = |number: u32, entry: &Value| {
            s3("PUT", artifact_bucket(), &format!("releases/alpha/{number:08}.json"), entry.to_string().as_bytes())
        };
        assert_found(&plant(&world, &put(2, &last)), Invariant::Ledger, "is written again");
        let mut other = last.clone();
        (other["number"], other["outcome"]) = (json!(9), json!({ "state": "open" }));
        assert_found(&plant(&world, &put(9, &other)), Invariant::Ledger, "release 9 follows release 2");
        (other["number"], other["outcome"]) = (json!(10), json!({ "state": "released" }));
        other["functions"][FUNCTION]["after"] = json!("77");
        assert_found(&plant(&world, &put(10, &other)), Invariant::Ledger, "instead of 77");
    });
}

#[test]
fn a_change_long_after_the_last_look_at_a_lost_lock_is_found() {
    played(async || {
        let world = deployed().await;
        let lock = |process: u32| {
            let lock = json!({ "token": "t", "who": "w", "host": "machine2", "process": process, "command": "deploy",
                               "since": 1, "renewed": 1, "released": false });
            s3("PUT", artifact_bucket(), "locks/alpha.json", lock.to_string().as_bytes())
        };
        plant(&world, &lock(9));
        plant(&world, &s3("GET", artifact_bucket(), "locks/alpha.json", b""));
        let mut change = lambda("PUT", "/aliases/live", &json!({ "Description": "the same versions" }));
        change.headers.insert("amz-sdk-request".to_owned(), "attempt=1; max=5".to_owned());
        assert_eq!(plant(&world, &change), [], "it holds the lock");
        world.aws.change(|account| simulated_aws::handle(account, &lock(8)).expect("taken over"));
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        assert_eq!(plant(&world, &change), [], "its look was three seconds ago");
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        assert_found(&plant(&world, &change), Invariant::Lock, "which belongs to machine2/8");
    });
}

#[test]
fn a_secret_in_a_request_is_found() {
    played(async || {
        let world = deployed().await;
        let (_, value) = world.aws.read(view::secrets).into_iter().next().expect("a secret");
        let found = plant(&world, &lambda("POST", "/versions", &json!({ "Description": value })));
        assert_found(&found, Invariant::Secret, "contains the value of secret");
    });
}

#[test]
fn the_deletion_of_a_table_is_found_unless_it_was_asked_for() {
    played(async || {
        let delete = |account: &mut Account| {
            let table = account.stateful().into_iter().find(|found| found.resource_type == "AWS::DynamoDB::Table");
            let table = table.expect("the table");
            simulated_aws::resources::delete_by_hand(account, &table.region, &table.resource_type, &table.physical_id);
        };
        for asked in [false, true] {
            let world = deployed().await;
            let resource = format!("{}/Table1", stack_name("alpha", "data"));
            let may_delete = if asked { vec![resource] } else { Vec::new() };
            world.observer.starts(PROCESS, Running { may_delete, ..Running::default() });
            let observer = world.observer.clone();
            world.aws.change(|account| {
                delete(account);
                observer.lock().step(account, &Step::Happened);
            });
            match asked {
                false => assert_found(&found(&world), Invariant::Data, &format!("alpha-table1-{STAGE}")),
                true => assert_eq!(found(&world), []),
            }
        }
    });
}
