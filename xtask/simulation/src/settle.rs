//! The end of a history: faults stop, and the stage must converge to the state that a deploy without faults reaches.
//!
//! The person deletes the retained resources that CloudFormation cannot adopt, as `destroy` says, and fixes the code. Then one deploy must
//! succeed, or `doctor --fix` and another deploy. A further deploy must change nothing. The state is compared with that of a twin: a new
//! account, to which the same project was deployed once.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use simulated_aws::account::Account;

use crate::{
    builds::{Code, Conduct},
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

/// Corrects what no deploy could: code that fails its probe, and tables that would be replaced.
fn fix_project(world: &World) {
    let mut state = world.state.borrow_mut();
    state.shape.keep_tables();
    let mut next = state.next_code;
    for code in state.codes.values_mut().filter(|code| code.conduct != Conduct::Good) {
        *code = Code { number: next, conduct: Conduct::Good };
        next += 1;
    }
    state.next_code = next;
}

/// Deletes resources that stacks have retained and that a new stack cannot adopt.
fn delete_retained(world: &World) {
    let owned: Vec<_> = world.aws.read(|account| {
        view::stacks(account).into_iter().flat_map(|stack| stack.resources.into_values()).collect()
    });
    let retained = world.aws.read(Account::stateful).into_iter().filter(|resource| {
        !owned.iter().any(|owned: &view::Resource| owned.physical_id == resource.physical_id)
    });
    for resource in retained.collect::<Vec<_>>() {
        let is_adopted = resource.resource_type == "AWS::DynamoDB::Table";
        if !is_adopted {
            world.log.line(format_args!("-- deleted by hand: {} {}", resource.resource_type, resource.physical_id));
            world.aws.change(|account| {
                simulated_aws::resources::delete_by_hand(
                    account,
                    &resource.region,
                    &resource.resource_type,
                    &resource.physical_id,
                );
            });
        }
    }
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
        let keys: std::collections::BTreeSet<_> = left.keys().chain(right.keys()).collect();
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
