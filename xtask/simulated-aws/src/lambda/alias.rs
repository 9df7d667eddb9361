//! Aliases.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use super::{Alias, Function, LATEST, Routing, Target, check_revision, conflict, function_not_found, invalid};
use crate::{
    account::Account,
    wire::{Handled, Refusal, Reply},
};

/// A change of an alias: only what it names changes.
#[derive(Debug, Clone, Default)]
pub(super) struct Change {
    pub(super) version: Option<String>,
    pub(super) weights: Option<BTreeMap<String, f64>>,
    pub(super) description: Option<String>,
}

impl Change {
    fn read(input: &Value) -> Result<Self, Refusal> {
        let text = |name: &str| input[name].as_str().map(str::to_owned);
        let routing = input.get("RoutingConfig").filter(|routing| !routing.is_null());
        let weights = routing.map(|routing| weights(&routing["AdditionalVersionWeights"])).transpose()?;
        Ok(Self { version: text("FunctionVersion"), weights, description: text("Description") })
    }
}

/// Reads routing weights; the texts of the refusals are recorded.
fn weights(found: &Value) -> Result<BTreeMap<String, f64>, Refusal> {
    let constraint = |entry: &str, of: &str| {
        Refusal::bad_request(
            "ValidationException",
            format!(
                "1 validation error detected: Value '{{{entry}}}' at 'routingConfig.additionalVersionWeights' failed to satisfy \
                 constraint: {of}"
            ),
        )
    };
    let mut weights = BTreeMap::new();
    for (version, weight) in found.as_object().into_iter().flatten() {
        let (weight, entry) = (weight.as_f64().unwrap_or(-1.0), format!("{version}={weight}"));
        if !(0.0..=1.0).contains(&weight) {
            let of = "Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have value \
                      greater than or equal to 0.0, Member must not be null]";
            return Err(constraint(&entry, of));
        }
        if version.parse::<u64>().is_err() {
            let of = "Map keys must satisfy constraint: [Member must have length less than or equal to 1024, Member must have length \
                      greater than or equal to 1, Member must satisfy regular expression pattern: [0-9]+]";
            return Err(constraint(&entry, of));
        }
        weights.insert(version.clone(), weight);
    }
    if weights.len() > 1 {
        return Err(invalid("Number of items in AdditionalVersionWeights cannot be greater than 1"));
    }
    Ok(weights)
}

/// Lambda API reference, `CreateAlias`.
pub(super) fn create_call(account: &mut Account, target: &Target, input: &Value) -> Handled {
    let name = input["Name"].as_str().unwrap_or_default().to_owned();
    create(account, target, &name, Change::read(input)?)?;
    answer(account, target, &name, 201)
}

/// Creates an alias.
pub(super) fn create(account: &mut Account, target: &Target, name: &str, change: Change) -> Result<(), Refusal> {
    let function = target.find(account)?;
    if function.aliases.contains_key(name) {
        return Err(conflict(format!("Alias already exists: {}", function.qualified(name))));
    }
    let version = change.version.unwrap_or_else(|| LATEST.to_owned());
    let routing = Routing { since: account.now(), version, weights: change.weights.unwrap_or_default() };
    check(function, &routing)?;
    let revision = account.chance.uuid();
    let description = change.description.unwrap_or_default();
    let alias = Alias { name: name.to_owned(), description, revision, history: Arc::new(vec![routing]) };
    if let Some(function) = account.lambda.function_mut(&target.region, &target.name) {
        function.aliases.insert(name.to_owned(), alias);
    }
    Ok(())
}

/// Lambda API reference, `UpdateAlias`.
pub(super) fn update_call(account: &mut Account, target: &Target, name: &str, input: &Value) -> Handled {
    let function = target.find(account)?;
    let alias = function.aliases.get(name).ok_or_else(|| absent(function, name))?;
    check_revision(input["RevisionId"].as_str(), &alias.revision)?;
    update(account, target, name, Change::read(input)?)?;
    answer(account, target, name, 200)
}

fn absent(function: &Function, name: &str) -> Refusal {
    Refusal::new(404, "ResourceNotFoundException", format!("Alias not found: {}", function.qualified(name)))
}

/// Updates an alias. Its revision ID changes even if nothing else does.
pub(super) fn update(account: &mut Account, target: &Target, name: &str, change: Change) -> Result<(), Refusal> {
    let function = target.find(account)?;
    let alias = function.aliases.get(name).ok_or_else(|| absent(function, name))?;
    let present = alias.routing();
    let routing = Routing {
        since: account.now(),
        version: change.version.unwrap_or_else(|| present.version.clone()),
        weights: change.weights.unwrap_or_else(|| present.weights.clone()),
    };
    check(function, &routing)?;
    let revision = account.chance.uuid();
    let function = account.lambda.function_mut(&target.region, &target.name);
    let Some(alias) = function.and_then(|function| function.aliases.get_mut(name)) else { return Ok(()) };
    alias.revision = revision;
    if let Some(description) = change.description {
        alias.description = description;
    }
    let present = alias.routing();
    if present.version != routing.version || present.weights != routing.weights {
        Arc::make_mut(&mut alias.history).push(routing);
    }
    Ok(())
}

/// Checks that the versions of a routing exist and may share traffic; the texts of the first refusals are recorded.
fn check(function: &Function, routing: &Routing) -> Result<(), Refusal> {
    let version = &routing.version;
    let find =
        |version: &str| function.version(version).ok_or_else(|| function_not_found(&function.qualified(version)));
    let main = find(version)?;
    for other in routing.weights.keys() {
        if other == version {
            return Err(invalid(format!(
                "Invalid function version {other}. Function version {other} is already included in routing configuration."
            )));
        }
        if version == LATEST {
            return Err(invalid("$LATEST is not supported for an alias pointing to more than 1 version"));
        }
        // Developer guide, "Implement Lambda canary deployments using a weighted alias": both versions must have the same execution role
        // and the same dead-letter queue. The text is not documented.
        let other = find(other)?;
        for name in ["Role", "DeadLetterConfig"] {
            if main.settings.get(name) != other.settings.get(name) {
                return Err(invalid(format!("The versions of a weighted alias must have the same {name}")));
            }
        }
    }
    Ok(())
}

/// Lambda API reference, `GetAlias`.
pub(super) fn get(account: &Account, target: &Target, name: &str) -> Handled {
    answer(account, target, name, 200)
}

fn answer(account: &Account, target: &Target, name: &str, status: u16) -> Handled {
    let function = target.find(account)?;
    let absent = || {
        let message = format!("Cannot find alias arn: {}", function.qualified(name));
        Refusal::new(404, "ResourceNotFoundException", message)
    };
    Ok(Reply::json(status, &describe(function, function.aliases.get(name).ok_or_else(absent)?)))
}

/// Lambda API reference, `DeleteAlias`. An alias that does not exist is deleted.
pub(super) fn delete_call(account: &mut Account, target: &Target, name: &str) -> Handled {
    target.find(account)?;
    delete(account, target, name);
    Ok(Reply::empty(204))
}

/// Deletes an alias.
pub(super) fn delete(account: &mut Account, target: &Target, name: &str) {
    if let Some(function) = account.lambda.function_mut(&target.region, &target.name) {
        function.aliases.remove(name);
    }
}

/// The fields of an alias.
pub(super) fn describe(function: &Function, alias: &Alias) -> Value {
    let routing = alias.routing();
    let mut fields = json!({
        "AliasArn": function.qualified(&alias.name),
        "Name": alias.name,
        "FunctionVersion": routing.version,
        "Description": alias.description,
        "RevisionId": alias.revision,
    });
    if !routing.weights.is_empty() {
        fields["RoutingConfig"] = json!({ "AdditionalVersionWeights": routing.weights });
    }
    fields
}
