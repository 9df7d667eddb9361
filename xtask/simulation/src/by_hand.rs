//! What a person does to the account without the engine: the same calls, from the console.

use std::collections::BTreeMap;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use model::rendered::FunctionId;
use serde_json::{Value, json};
use simulated_aws::{account::Account, wire::Call};

use crate::{
    builds::{Code, Conduct, behavior},
    faults::ResourceFault,
    history::ByHand,
    observer::{artifact_bucket, effect::system_of, view},
    project::{REGION, STAGE, function_name},
    shape::SYSTEMS,
    world::World,
};

/// Carries out a change by hand. One without a target changes nothing.
pub fn carry_out(world: &World, deed: ByHand) {
    let done = match deed {
        ByHand::MoveAlias(target) => move_alias(world, target),
        ByHand::DeleteVersion(target) => delete_version(world, target),
        ByHand::DeleteStack(target) => delete_stack(world, target),
        ByHand::BreakLock(target) => break_lock(world, target),
        ByHand::DeleteLock(target) => delete(world, &format!("locks/{}.json", system(target))),
        ByHand::UpdateCode(target) => update_code(world, target),
        ByHand::DeleteObject(target) => delete_object(world, target),
    };
    let done = done.unwrap_or_else(|| "nothing to change".to_owned());
    world.log.line(format_args!("-- {}: {done}", deed.name()));
}

/// Lets a resource fail, from now on.
pub fn fail_resource(world: &World, fault: ResourceFault) {
    world.count("failing resource");
    world.aws.change(|account| crate::resource_faults::plan(account, fault));
}

/// Calls AWS in a person's name. The answer is of no interest: the console shows a refusal.
pub fn call(world: &World, call: &Call) -> bool {
    world.aws.change(|account| simulated_aws::handle(account, call).is_ok())
}

fn system(target: u8) -> &'static str {
    SYSTEMS[usize::from(target) % SYSTEMS.len()]
}

fn one_of<T: Clone>(all: &[T], target: u8) -> Option<T> {
    all.get(usize::from(target) % all.len().max(1)).cloned()
}

fn read<T>(world: &World, read: impl FnOnce(&Account) -> T) -> T {
    world.aws.read(read)
}

fn function(world: &World, target: u8) -> Option<String> {
    one_of(&read(world, view::functions), target)
}

/// A call to Lambda.
fn lambda(method: &str, path: &str, query: &[(&str, &str)], body: &Value) -> Call {
    Call {
        service: "lambda".to_owned(),
        region: REGION.to_owned(),
        method: method.to_owned(),
        host: format!("lambda.{REGION}.amazonaws.com"),
        path: format!("/2015-03-31/functions/{path}"),
        query: query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        body: body.to_string().into_bytes(),
        ..Call::default()
    }
}

/// A call to S3, for an object.
pub fn s3(method: &str, bucket: &str, key: &str, body: &[u8]) -> Call {
    Call {
        service: "s3".to_owned(),
        region: REGION.to_owned(),
        method: method.to_owned(),
        host: format!("{bucket}.s3.{REGION}.amazonaws.com"),
        path: format!("/{key}"),
        headers: BTreeMap::from([("content-type".to_owned(), "application/json".to_owned())]),
        body: body.to_vec(),
        ..Call::default()
    }
}

/// A call to CloudFormation for a stack.
#[must_use]
pub fn cloudformation(operation: &str, region: &str, stack: &str) -> Call {
    Call {
        service: "cloudformation".to_owned(),
        region: region.to_owned(),
        operation: operation.to_owned(),
        method: "POST".to_owned(),
        host: format!("cloudformation.{region}.amazonaws.com"),
        path: "/".to_owned(),
        body: format!("Action={operation}&Version=2010-05-15&StackName={stack}").into_bytes(),
        ..Call::default()
    }
}

fn versions(account: &Account, function: &str) -> Vec<String> {
    let function = account.lambda.function(REGION, function);
    function.map(|function| function.versions.keys().map(u64::to_string).collect()).unwrap_or_default()
}

fn move_alias(world: &World, target: u8) -> Option<String> {
    let function = function(world, target)?;
    let live = read(world, |account| view::live(account, &function))?;
    let others = read(world, |account| versions(account, &function));
    let others: Vec<_> = others.into_iter().filter(|version| *version != live.version).collect();
    let version = one_of(&others, target)?;
    world.observer.changed_by_hand(&function);
    let body = json!({ "FunctionVersion": version, "RoutingConfig": { "AdditionalVersionWeights": {} } });
    call(world, &lambda("PUT", &format!("{function}/aliases/live"), &[], &body));
    Some(format!("{function} to {version}"))
}

fn delete_version(world: &World, target: u8) -> Option<String> {
    let function = function(world, target)?;
    let version = read(world, |account| {
        let live = view::live(account, &function)?;
        let mut all = versions(account, &function).into_iter();
        all.find(|version| *version != live.version && !live.shares.contains_key(version))
    })?;
    world.observer.changed_by_hand(&function);
    call(world, &lambda("DELETE", &function, &[("Qualifier", &version)], &Value::Null));
    Some(format!("{function} {version}"))
}

fn delete_stack(world: &World, target: u8) -> Option<String> {
    let stacks = read(world, view::stacks);
    let own = stacks.into_iter().filter(|stack| system_of(&stack.name).is_some() && !stack.name.contains("-web-"));
    let stack = one_of(&own.map(|stack| stack.name).collect::<Vec<_>>(), target)?;
    world.observer.stack_deleted_by_hand();
    for function in read(world, view::functions) {
        world.observer.changed_by_hand(&function);
    }
    call(world, &cloudformation("DeleteStack", REGION, &stack));
    Some(stack)
}

fn break_lock(world: &World, target: u8) -> Option<String> {
    let key = format!("locks/{}.json", system(target));
    let text = read(world, |account| view::document(account, &key))?;
    let mut lock: Value = serde_json::from_slice(&text).ok()?;
    lock["released"] = json!(true);
    let body = serde_json::to_vec_pretty(&lock).ok()?;
    call(world, &s3("PUT", artifact_bucket(), &key, &body));
    Some(key)
}

fn delete(world: &World, key: &str) -> Option<String> {
    read(world, |account| view::document(account, key))?;
    call(world, &s3("DELETE", artifact_bucket(), key, b""));
    Some(key.to_owned())
}

/// Updates the code of a function to one that no workspace has.
fn update_code(world: &World, target: u8) -> Option<String> {
    let name = function(world, target)?;
    let own = {
        let state = world.state.borrow();
        let mut functions = state.shape.functions();
        functions.find_map(|(system, part)| {
            let contract = function_name(system, part.number);
            (format!("{}-{}-{STAGE}", contract.system, contract.function) == name).then(|| FunctionId::from(contract))
        })?
    };
    let zip = behavior(&own, Code { number: 60_000, conduct: Conduct::Good }).zip();
    world.observer.changed_by_hand(&name);
    let body = json!({ "ZipFile": BASE64_STANDARD.encode(zip) });
    call(world, &lambda("PUT", &format!("{name}/code"), &[], &body));
    Some(name)
}

fn delete_object(world: &World, target: u8) -> Option<String> {
    let keys = read(world, |account| {
        let bucket = view::bucket(account, artifact_bucket())?;
        let keys =
            bucket.keys("artifacts/").filter(|(key, _)| key.starts_with("artifacts/") || key.starts_with("sites/"));
        let current = keys.filter(|(key, _)| bucket.current(key).is_some());
        Some(current.map(|(key, _)| key.to_owned()).collect::<Vec<_>>())
    })?;
    delete(world, &one_of(&keys, target)?)
}
