//! `AWS::Lambda::Function`.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value};

use super::{reason, text};
use crate::{
    account::Account,
    lambda::{
        Function, LATEST, State, Target, Update, Version,
        code::{change, check_layers, defaults, load, number, set},
        conflict, function_not_found, invalid, publish,
        transitions::{begin, not_active, settle},
    },
    resources::{Provided, Wanted},
    wire::Refusal,
};

pub(super) fn create(account: &mut Account, wanted: Wanted<'_>) -> Result<Provided, String> {
    let name = match text(wanted.properties, "FunctionName") {
        "" => account.physical_id(wanted.stack, wanted.logical_id),
        name => name.to_owned(),
    };
    try_create(account, wanted, &name).map_err(|refusal| reason(account, &refusal))
}

fn try_create(account: &mut Account, wanted: Wanted<'_>, name: &str) -> Result<Provided, Refusal> {
    let target = Target::parse(wanted.region, name);
    if account.lambda.function(wanted.region, name).is_some() {
        return Err(conflict(format!("Function already exist: {name}")));
    }
    let properties = properties(wanted);
    check_layers(account, &properties)?;
    let code = load(account, wanted.region, &properties["Code"], 0)?;
    let concurrency = concurrency(account, &target, &properties)?;
    let mut settings = defaults(name);
    set(&mut settings, &properties);
    let latest = Version {
        number: None,
        code: Arc::new(code),
        settings: Arc::new(settings),
        description: properties.get("Description").and_then(Value::as_str).unwrap_or_default().to_owned(),
        state: State::Pending,
        update: Update::Successful,
        revision: account.chance.uuid(),
        modified: account.now(),
        source_description: String::new(),
        before: None,
        transition: 0,
        is_warm: false,
    };
    let function = Function {
        name: name.to_owned(),
        arn: target.arn(account),
        latest,
        versions: BTreeMap::new(),
        aliases: BTreeMap::new(),
        next: 1,
        published: BTreeMap::new(),
        concurrency,
        replicated: Vec::new(),
    };
    account.lambda.insert(wanted.region, function);
    let takes = account.lambda.settings.after_step.clone();
    begin(account, &target, LATEST, takes);
    Ok(provided(account, &target))
}

fn provided(account: &Account, target: &Target) -> Provided {
    let attributes = BTreeMap::from([("Arn".to_owned(), Value::String(target.arn(account)))]);
    Provided { physical_id: target.name.clone(), attributes }
}

fn properties(wanted: Wanted<'_>) -> Map<String, Value> {
    wanted.properties.as_object().cloned().unwrap_or_default()
}

/// Returns the reserved concurrency. 100 of the account's must remain unreserved (developer guide, "Configuring reserved concurrency for a
/// function"); the text is that of `PutFunctionConcurrency`.
fn concurrency(account: &Account, target: &Target, properties: &Map<String, Value>) -> Result<Option<u64>, Refusal> {
    let Some(wanted) = properties.get("ReservedConcurrentExecutions").and_then(number) else { return Ok(None) };
    let others = account.lambda.in_region(&target.region).filter(|function| function.name != target.name);
    let reserved: u64 = others.filter_map(|function| function.concurrency).sum();
    if reserved + wanted + 100 > account.lambda.settings.concurrency {
        return Err(invalid(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum \
             value of [100].",
        ));
    }
    Ok(Some(wanted))
}

pub(super) fn update(account: &mut Account, physical_id: &str, wanted: Wanted<'_>) -> Result<Provided, String> {
    let target = Target::parse(wanted.region, physical_id);
    settle(account, &target, LATEST);
    try_update(account, &target, wanted).map_err(|refusal| reason(account, &refusal))
}

fn try_update(account: &mut Account, target: &Target, wanted: Wanted<'_>) -> Result<Provided, Refusal> {
    let function = account.lambda.function(&target.region, &target.name);
    let function = function.ok_or_else(|| function_not_found(&target.arn(account)))?;
    if let State::Failed(_) = function.latest.state {
        return Err(not_active(&function.latest.state));
    }
    let properties = properties(wanted);
    check_layers(account, &properties)?;
    let code = Arc::new(load(account, &target.region, &properties["Code"], function.latest.code.size)?);
    let concurrency = concurrency(account, target, &properties)?;
    // A property that the template no longer has returns to its default.
    let mut settings = defaults(&target.name);
    set(&mut settings, &properties);
    let description = properties.get("Description").and_then(Value::as_str).unwrap_or_default().to_owned();
    let latest = &function.latest;
    let is_same =
        latest.code.sha256 == code.sha256 && *latest.settings == settings && latest.description == description;
    if let Some(function) = account.lambda.function_mut(&target.region, &target.name) {
        function.concurrency = concurrency;
    }
    if !is_same {
        change(account, target, |function| {
            let latest = &mut function.latest;
            (latest.code, latest.settings, latest.description) = (code, Arc::new(settings), description);
        });
        let takes = account.lambda.settings.after_step.clone();
        begin(account, target, LATEST, takes);
    }
    Ok(provided(account, target))
}

pub(super) fn delete(account: &mut Account, physical_id: &str, wanted: Wanted<'_>) -> Result<(), String> {
    let target = Target::parse(wanted.region, physical_id);
    match publish::delete_function(account, &target) {
        Err(refusal) if refusal.status != 404 => Err(reason(account, &refusal)),
        _ => Ok(()),
    }
}
