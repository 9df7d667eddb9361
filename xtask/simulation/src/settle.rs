//! The end of a history: faults stop, and the stage must converge to the state that a deploy without faults reaches.
//!
//! The person deletes the retained resources that CloudFormation cannot adopt, as `destroy` says, and fixes the code. Then one deploy must
//! succeed, or `doctor --fix` and another deploy. A further deploy must change nothing. The state is compared with that of a twin: a new
//! account, to which the same project was deployed once.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::{Value, json};
use simulated_aws::account::Account;

use crate::{
    builds::{Code, Conduct},
    by_hand,
    history::{Command, History, Run, Scope},
    observer::{Invariant, artifact_bucket, effect::stack_name, view},
    process::{self, Finished},
    project::{REGION, SITE_STACK, STAGE, function_name},
    shape::Shape,
    world::{Tools, World},
};

/// After this time, every operation of CloudFormation has ended, and every lock has expired.
const QUIET: Duration = Duration::from_secs(6 * 3600);
/// The steps that the documentation names: a deploy, or a repair and a deploy.
const STEPS: [&[Command]; 2] = [&[DEPLOY], &[Command::Doctor { fix: true }, DEPLOY]];
const DEPLOY: Command = Command::Deploy { scope: Scope::All, allows: true };

/// Lets the stage converge, and reports what does not.
pub async fn settle(world: &World, tools: &Tools) {
    world.log.line("== settling");
    crate::resource_faults::clear(world);
    tokio::time::sleep(QUIET).await;
    finish_deletions(world).await;
    fix_project(world);
    delete_retained(world);
    let mut last = Finished::Skipped;
    for commands in STEPS {
        for command in commands {
            last = run(world, command.clone()).await.1;
        }
        if last.has_succeeded() {
            break;
        }
    }
    world.log_calls();
    let report = |invariant, what: String| world.observer.report(invariant, world.aws.now(), what);
    if !last.has_succeeded() {
        report(Invariant::Converges, format!("deploy and doctor --fix do not repair the stage: {}", last.why()));
        return;
    }
    let shape = world.state.borrow().shape.clone();
    let state = world.aws.read(|account| normalized(account, &shape));
    if let Some(difference) = difference(&state, &twin(world, tools).await) {
        report(Invariant::Converges, difference);
    }
    let (name, again) = run(world, DEPLOY).await;
    world.log_calls();
    let changes = world.observer.changes_of(&name);
    if !again.has_succeeded() {
        report(Invariant::Idle, format!("a second deploy fails: {}", again.why()));
    } else if !changes.is_empty() {
        report(Invariant::Idle, format!("a second deploy changes something: {}", changes.join(", ")));
    }
}

async fn run(world: &World, command: Command) -> (String, Finished) {
    process::run(world, &Run { machine: 0, command, faults: Vec::new(), interrupted: None }).await
}

/// Deletes stacks again whose deletion has failed: `doctor` leaves that to a person, who knows whether the stack should go.
async fn finish_deletions(world: &World) {
    let stacks = world.aws.read(view::stacks);
    let failed: Vec<_> = stacks.into_iter().filter(|stack| stack.status == "DELETE_FAILED").collect();
    for stack in &failed {
        world.log.line(format_args!("-- deleted by hand: {}", stack.name));
        world.observer.stack_deleted_by_hand();
        by_hand::call(world, &by_hand::cloudformation("DeleteStack", &stack.region, &stack.name));
    }
    if !failed.is_empty() {
        tokio::time::sleep(QUIET).await;
    }
}

/// Corrects what no deploy could: code that fails its probe, and tables that would be replaced.
fn fix_project(world: &World) {
    let replaced = world.aws.read(replaced_tables);
    let mut state = world.state.borrow_mut();
    state.shape.keep_tables(|system, part| replaced.contains(&format!("{system}-{}-{STAGE}", part.name())));
    // Metrics decide about a canary, and chance about metrics.
    state.shape.canary = false;
    let mut next = state.next_code;
    for code in state.codes.values_mut().filter(|code| code.conduct != Conduct::Good) {
        *code = Code { number: next, conduct: Conduct::Good };
        next += 1;
    }
    state.next_code = next;
}

/// The tables that were created with the other key.
fn replaced_tables(account: &Account) -> BTreeSet<String> {
    let tables = account.bags.iter().filter(|((_, resource_type, _), _)| resource_type == TABLE);
    let other = tables.filter(|(_, properties)| properties["KeySchema"][0]["AttributeName"] != "PK");
    other.map(|((.., name), _)| name.clone()).collect()
}

const TABLE: &str = "AWS::DynamoDB::Table";

/// Deletes resources that no stack owns any more and that a new stack cannot adopt: those that stacks have retained, and those whose
/// deletion in a rollback failed, which CloudFormation leaves.
fn delete_retained(world: &World) {
    for (region, resource_type, physical_id) in world.aws.read(orphaned) {
        world.log.line(format_args!("-- deleted by hand: {resource_type} {physical_id}"));
        world.aws.change(|account| {
            simulated_aws::resources::delete_by_hand(account, &region, &resource_type, &physical_id);
        });
    }
}

/// The resources that no stack owns, except tables, which a new stack adopts.
fn orphaned(account: &Account) -> Vec<(String, String, String)> {
    let stacks = view::stacks(account);
    let owned: BTreeSet<_> = stacks
        .iter()
        .flat_map(|stack| stack.resources.values())
        .map(|resource| (resource.resource_type.as_str(), resource.physical_id.as_str()))
        .collect();
    let stateful = account.stateful().into_iter().map(|found| (found.region, found.resource_type, found.physical_id));
    let functions = view::functions(account).into_iter();
    let functions = functions.map(|name| (REGION.to_owned(), "AWS::Lambda::Function".to_owned(), name));
    let bags = account.bags.keys().cloned();
    let all = stateful.chain(functions).chain(bags).filter(|(_, resource_type, physical_id)| {
        resource_type != TABLE && !owned.contains(&(resource_type.as_str(), physical_id.as_str()))
    });
    // Resources of foundation are for the whole account.
    all.filter(|(.., physical_id)| !physical_id.contains("foundation-")).collect()
}

/// The state that one deploy without faults reaches in a new account.
async fn twin(world: &World, tools: &Tools) -> BTreeMap<String, Value> {
    let State { shape, codes } = {
        let state = world.state.borrow();
        State { shape: state.shape.clone(), codes: state.codes.clone() }
    };
    let history = History { seed: world.seed, shape: shape.clone(), skews: [0; 3], steps: Vec::new() };
    let twin = World::new(&history, tools);
    twin.state.borrow_mut().codes = codes;
    let (_, finished) = run(&twin, DEPLOY).await;
    if !finished.has_succeeded() {
        let what = format!("a first deploy without faults fails: {}", finished.why());
        world.observer.report(Invariant::Converges, world.aws.now(), what);
    }
    for violation in twin.observer.violations() {
        let what = format!("in a first deploy without faults: {}", violation.what);
        world.observer.report(violation.invariant, world.aws.now(), what);
    }
    world.state.borrow_mut().calls += u64::from(twin.plan.calls("machine0/1"));
    twin.aws.read(|account| normalized(account, &shape))
}

struct State {
    shape: Shape,
    codes: crate::builds::Codes,
}

/// The state of the project's stacks, functions, sites and ledgers, without names and numbers that differ between accounts.
fn normalized(account: &Account, shape: &Shape) -> BTreeMap<String, Value> {
    let mut state = BTreeMap::new();
    let stacks = shape.stacks().map(|(system, stack)| stack_name(system.name(), stack.name()));
    let sites = shape.systems.iter().filter(|system| system.site.is_some());
    let sites = sites.map(|system| stack_name(system.name(), SITE_STACK));
    let foundation = ["artifacts", "api-gateway"].map(|stack| stack_name("foundation", stack));
    for name in stacks.chain(sites).chain(foundation) {
        state.insert(format!("stack {name}"), view::deployed(account, &name));
    }
    for (system, part) in shape.functions() {
        let contract = function_name(system, part.number);
        let name = format!("{}-{}-{STAGE}", contract.system, contract.function);
        state.insert(format!("function {name}"), served(account, &name));
    }
    for system in &shape.systems {
        if let Some(content) = system.site {
            let page = site_page(account, system.name());
            state.insert(format!("site of {}", system.name()), json!({ "content": content, "page": page }));
        }
        state.insert(format!("ledger of {}", system.name()), json!({ "open": is_open(account, system.name()) }));
    }
    state
}

/// What clients of a function reach.
fn served(account: &Account, function: &str) -> Value {
    let Some(live) = view::live(account, function) else { return Value::Null };
    let version = account.lambda.function(REGION, function).and_then(|function| function.version(&live.version));
    let Some(version) = version else { return json!("missing version") };
    let settings = ["MemorySize", "Timeout", "Environment"].map(|name| version.settings.get(name).cloned());
    json!({ "code": version.code.sha256, "settings": settings, "shares": live.shares })
}

fn site_page(account: &Account, system: &str) -> Option<String> {
    let bucket = format!("{system}-web-{STAGE}-{}", account.id);
    let (_, content) = view::bucket(account, &bucket)?.current("index.html")?;
    Some(String::from_utf8_lossy(&content.body).into_owned())
}

fn is_open(account: &Account, system: &str) -> bool {
    let prefix = format!("releases/{system}/");
    let Some(bucket) = view::bucket(account, artifact_bucket()) else { return false };
    let keys = bucket.keys(&prefix).take_while(|(key, _)| key.starts_with(&prefix));
    keys.filter_map(|(key, _)| view::document(account, key))
        .filter_map(|text| serde_json::from_slice::<Value>(&text).ok())
        .any(|entry| entry["outcome"]["state"] == "open")
}

/// The first difference between a state and that of the twin.
fn difference(state: &BTreeMap<String, Value>, twin: &BTreeMap<String, Value>) -> Option<String> {
    let (name, expected) = twin.iter().find(|(name, expected)| state.get(*name) != Some(expected))?;
    let actual = state.get(name).cloned().unwrap_or_default();
    Some(format!("{name} differs from the fault-free state: {}", first_difference("", &actual, expected)))
}

fn first_difference(path: &str, actual: &Value, expected: &Value) -> String {
    if let (Some(left), Some(right)) = (actual.as_object(), expected.as_object()) {
        let keys: BTreeSet<_> = left.keys().chain(right.keys()).collect();
        for key in keys {
            let (left, right) = (&actual[key.as_str()], &expected[key.as_str()]);
            if left != right {
                return first_difference(&format!("{path}/{key}"), left, right);
            }
        }
    }
    let short = |value: &Value| value.to_string().chars().take(300).collect::<String>();
    format!("{path} is {} instead of {}", short(actual), short(expected))
}
