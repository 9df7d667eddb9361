//! Lambda: functions, versions, aliases, layers, invocations.
//!
//! Sources: the Lambda API reference for requests and responses, and the Lambda developer guide. Neither has the texts of errors: those are
//! AWS's responses as recorded by LocalStack (`tests/aws/services/lambda_/test_lambda_api.snapshot.json`).

mod alias;
mod behavior;
mod code;
pub(crate) mod function;
mod invoke;
mod layers;
mod lists;
mod observe;
mod publish;
mod read;
pub(crate) mod resources;
#[cfg(test)]
mod tests;
mod transitions;

use std::{collections::BTreeMap, ops::Range, sync::Arc, time::Duration};

pub(crate) use self::invoke::invoke_for_api;
pub use self::{
    behavior::{Behavior, Probed},
    function::{Alias, Code, Function, LATEST, Routing, State, Update, Version, sha256},
    invoke::{Invoked, invoke},
    layers::LayerVersion,
    observe::{ObservedFunction, functions, observe},
    publish::set_replicated,
};
use self::{layers::Layers, resources::Attachments};
use crate::{
    account::Account,
    wire::{Call, Handled, Refusal},
};

type Functions = BTreeMap<String, Arc<Function>>;

/// The settings of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct LambdaSettings {
    /// How long a created function is pending, and an update of one is in progress.
    pub updating: Range<Duration>,
    /// How long a published version is pending.
    pub publishing: Range<Duration>,
    /// How long both take after CloudFormation's step, most of which has waited for it.
    pub after_step: Range<Duration>,
    /// The share of the updates that Lambda abandons, 0 to 1.
    pub abandoned: f64,
    /// The limit of all zips of a region, in bytes (Lambda developer guide, "Lambda quotas": 75 GB).
    pub code_storage: u64,
    /// The account's concurrency in a region (Lambda developer guide, "Lambda quotas": 1,000).
    pub concurrency: u64,
}

impl Default for LambdaSettings {
    fn default() -> Self {
        Self {
            updating: Duration::from_millis(300)..Duration::from_secs(6),
            publishing: Duration::ZERO..Duration::from_secs(3),
            after_step: Duration::ZERO..Duration::from_secs(1),
            abandoned: 0.0,
            code_storage: 75 * 1024 * 1024 * 1024,
            concurrency: 1000,
        }
    }
}

/// Lambda in all regions of the account.
#[derive(Debug, Clone, Default)]
pub struct Lambda {
    /// The settings of the model.
    pub settings: LambdaSettings,
    functions: BTreeMap<String, Arc<Functions>>,
    layers: Layers,
    attachments: Arc<Attachments>,
    transitions: u64,
}

impl Lambda {
    /// Returns a function.
    #[must_use]
    pub fn function(&self, region: &str, name: &str) -> Option<&Function> {
        self.functions.get(region)?.get(name).map(|function| &**function)
    }

    fn function_mut(&mut self, region: &str, name: &str) -> Option<&mut Function> {
        Arc::make_mut(self.functions.get_mut(region)?).get_mut(name).map(Arc::make_mut)
    }

    fn insert(&mut self, region: &str, function: Function) {
        let functions = self.functions.entry(region.to_owned()).or_default();
        Arc::make_mut(functions).insert(function.name.clone(), Arc::new(function));
    }

    fn remove(&mut self, region: &str, name: &str) {
        if let Some(functions) = self.functions.get_mut(region) {
            Arc::make_mut(functions).remove(name);
        }
    }

    /// The functions of a region, by name.
    fn in_region(&self, region: &str) -> impl Iterator<Item = &Function> {
        self.functions.get(region).into_iter().flat_map(|functions| functions.values()).map(|function| &**function)
    }

    /// The size of all zips of a region.
    fn stored(&self, region: &str) -> u64 {
        let functions = self.in_region(region).map(|function| {
            let versions = function.versions.values().map(|version| version.code.size).sum::<u64>();
            versions + function.latest.code.size
        });
        functions.sum::<u64>() + self.layers.stored(region)
    }
}

/// A function that a call is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) region: String,
    pub(crate) name: String,
    pub(crate) qualifier: Option<String>,
}

impl Target {
    /// Reads a function's name: alone, with a qualifier, or in an ARN (Lambda API reference, `GetFunction`: "Name formats").
    pub(crate) fn parse(region: &str, text: &str) -> Self {
        let rest = text.find(":function:").map_or(text, |at| &text[at + ":function:".len()..]);
        let (name, qualifier) = rest.split_once(':').map_or((rest, None), |(name, qualifier)| (name, Some(qualifier)));
        Self { region: region.to_owned(), name: name.to_owned(), qualifier: qualifier.map(str::to_owned) }
    }

    fn of(call: &Call, name: &str) -> Self {
        let target = Self::parse(&call.region, name);
        let qualifier = call.query("Qualifier").map(str::to_owned);
        Self { qualifier: target.qualifier.or(qualifier), ..target }
    }

    /// The ARN of the function, with the qualifier if there is one.
    pub(crate) fn arn(&self, account: &Account) -> String {
        let arn = format!("arn:aws:lambda:{}:{}:function:{}", self.region, account.id, self.name);
        self.qualifier.as_ref().map_or_else(|| arn.clone(), |qualifier| format!("{arn}:{qualifier}"))
    }

    fn find<'a>(&self, account: &'a Account) -> Result<&'a Function, Refusal> {
        let found = account.lambda.function(&self.region, &self.name);
        found.ok_or_else(|| function_not_found(&Self { qualifier: None, ..self.clone() }.arn(account)))
    }
}

fn function_not_found(arn: &str) -> Refusal {
    Refusal::new(404, "ResourceNotFoundException", format!("Function not found: {arn}"))
}

fn conflict(message: impl Into<String>) -> Refusal {
    Refusal::new(409, "ResourceConflictException", message)
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::bad_request("InvalidParameterValueException", message)
}

/// The recorded refusal of every call with an outdated `RevisionId`.
fn check_revision(given: Option<&str>, actual: &str) -> Result<(), Refusal> {
    if given.is_none_or(|given| given == actual) {
        return Ok(());
    }
    let message = "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the \
                   latest Revision Id";
    Err(Refusal::new(412, "PreconditionFailedException", message))
}

/// Carries out a call.
pub(crate) fn handle(account: &mut Account, call: &Call) -> Handled {
    let steps = call.steps();
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    match steps.as_slice() {
        ["2015-03-31", "functions"] if call.method == "GET" => lists::functions(account, call),
        ["2015-03-31", "functions", function, rest @ ..] => of_function(account, call, function, rest),
        ["2018-10-31", "layers", layer, "versions"] if call.method == "GET" => layers::list(account, call, layer),
        ["2018-10-31", "layers", layer, "versions", number] if call.method == "DELETE" => {
            layers::delete(account, call, layer, number)
        }
        _ => Err(Refusal::unknown(call)),
    }
}

fn of_function(account: &mut Account, call: &Call, function: &str, rest: &[&str]) -> Handled {
    let target = Target::of(call, function);
    match (call.method.as_str(), rest) {
        ("GET", []) => read::function(account, &target),
        ("GET", ["configuration"]) => read::configuration(account, &target),
        ("DELETE", []) => publish::delete(account, &target),
        ("PUT", ["code"]) => code::update_code(account, &target, &call.json()),
        ("PUT", ["configuration"]) => code::update_settings(account, &target, &call.json()),
        ("GET", ["versions"]) => lists::versions(account, call, &target),
        ("POST", ["versions"]) => publish::publish_call(account, &target, &call.json()),
        ("GET", ["aliases"]) => lists::aliases(account, call, &target),
        ("POST", ["aliases"]) => alias::create_call(account, &target, &call.json()),
        ("GET", ["aliases", name]) => alias::get(account, &target, name),
        ("PUT", ["aliases", name]) => alias::update_call(account, &target, name, &call.json()),
        ("DELETE", ["aliases", name]) => alias::delete_call(account, &target, name),
        ("POST", ["invocations"]) => invoke::invoke_call(account, &target, call),
        _ => Err(Refusal::unknown(call)),
    }
}
