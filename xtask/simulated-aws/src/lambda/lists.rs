//! Lists, in pages of at most 50 items (Lambda API reference, `ListFunctions` and `ListVersionsByFunction`).

use std::str::FromStr;

use serde_json::{Value, json};

use super::{Function, Target, Version, alias, read};
use crate::{
    account::Account,
    wire::{Call, Handled, Reply},
};

/// The most items of a page.
const PAGE: usize = 50;

/// Lists functions, with all their versions if `FunctionVersion` is `ALL`.
pub(super) fn functions(account: &Account, call: &Call) -> Handled {
    let functions = account.lambda.in_region(&call.region);
    if call.query("FunctionVersion") == Some("ALL") {
        let versions = functions.flat_map(|function| versions_of(function).map(move |version| (function, version)));
        let items = versions.map(|(function, version)| {
            let key = format!("{}:{:012}", function.name, version.number.unwrap_or_default());
            (key, move || Value::Object(read::listed(function, version, Some(&version.name()))))
        });
        return Ok(page(call, "Functions", items));
    }
    let items = functions
        .map(|function| (function.name.clone(), move || Value::Object(read::listed(function, &function.latest, None))));
    Ok(page(call, "Functions", items))
}

/// Lists the versions of a function: `$LATEST`, then the numbers in order.
pub(super) fn versions(account: &Account, call: &Call, target: &Target) -> Handled {
    let function = target.find(account)?;
    let items = versions_of(function).map(|version| {
        (version.number.unwrap_or_default(), move || {
            Value::Object(read::listed(function, version, Some(&version.name())))
        })
    });
    Ok(page(call, "Versions", items))
}

/// Lists the aliases of a function, or those that point to `FunctionVersion`.
pub(super) fn aliases(account: &Account, call: &Call, target: &Target) -> Handled {
    let function = target.find(account)?;
    let wanted = call.query("FunctionVersion");
    let aliases = function.aliases.values().filter(|alias| wanted.is_none_or(|version| alias.refers_to(version)));
    let items = aliases.map(|alias| (alias.name.clone(), move || alias::describe(function, alias)));
    Ok(page(call, "Aliases", items))
}

fn versions_of(function: &Function) -> impl Iterator<Item = &Version> {
    std::iter::once(&function.latest).chain(function.versions.values())
}

/// Returns a page of items that are in the order of their keys. The marker is the key of the last item of the page before.
pub(super) fn page<K: Ord + ToString + FromStr, F: FnOnce() -> Value>(
    call: &Call,
    field: &str,
    items: impl Iterator<Item = (K, F)>,
) -> Reply {
    let after = call.query("Marker").and_then(|marker| marker.parse::<K>().ok());
    let limit = call.query("MaxItems").and_then(|limit| limit.parse().ok()).unwrap_or(PAGE).clamp(1, PAGE);
    let mut items = items.skip_while(|(key, _)| after.as_ref().is_some_and(|after| key <= after)).peekable();
    let (mut listed, mut last) = (Vec::new(), None);
    while listed.len() < limit {
        let Some((key, item)) = items.next() else { break };
        listed.push(item());
        last = Some(key);
    }
    let mut body = json!({ field: listed });
    if let Some(last) = last.filter(|_| items.peek().is_some()) {
        body["NextMarker"] = last.to_string().into();
    }
    Reply::json(200, &body)
}
