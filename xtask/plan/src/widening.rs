//! What a change of one resource's policies widens: what may be done afterwards and might not before, as far as two templates
//! tell. What cannot be told to be as narrow as before counts as wider.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    changes::{ResourceAction, ResourceChange, StackChanges, references::references},
    policy::{self, Rule},
};

/// How many calls are named of each kind.
const NAMED: usize = 3;

/// Each thing that the new resource's policies widen, to stand after "would". `lost` says that the resource goes and what its
/// policies are about stays.
#[must_use]
pub fn widenings(old: Option<&Value>, new: Option<&Value>, lost: bool) -> Vec<String> {
    let (before, after) = (statements(old), statements(new));
    let mut found = Vec::new();
    let opened = opened(old.is_none(), &before, &after);
    if !opened.is_empty() {
        found.push(format!("allow {}", opened.join(", ")));
    }
    found.extend(loosened(&before, &after));
    if new.is_some() || lost {
        found.extend(no_longer_denied(&before, &after));
    }
    if let Some(new) = new {
        found.extend(attached(old, new));
        found.extend(unbounded(old, new));
    }
    found
}

/// Is it a policy that goes while what it is about stays, as far as the template tells?
#[must_use]
pub fn leaves_open(change: &ResourceChange, old: Option<&Value>, changes: &StackChanges) -> bool {
    if change.action != ResourceAction::Delete || !change.resource_type.ends_with("Policy") {
        return false;
    }
    let properties = old.and_then(|old| old["Properties"].as_object()).into_iter().flatten();
    let about = properties.filter(|(name, _)| *name != "PolicyDocument").flat_map(|(_, value)| references(value));
    let about: Vec<_> = about.collect();
    let goes = |target: &str| {
        changes.of(target).is_some_and(|other| other.action == ResourceAction::Delete && !other.retained)
    };
    about.is_empty() || !about.iter().all(|reference| goes(&reference.target))
}

/// Every statement of a resource's policies.
pub(super) fn statements(resource: Option<&Value>) -> Vec<Value> {
    let lists = resource.map(|resource| policy::all_statements(&resource["Properties"])).unwrap_or_default();
    lists.into_iter().flat_map(|(_, statements)| statements).collect()
}

/// Wildcards and principals that no statement allowed before.
fn opened(is_new: bool, before: &[Value], after: &[Value]) -> Vec<String> {
    let already = policy::openings(before);
    // What is new lets the service in that it is made for; only to what exists that is news.
    let inherent = |opening: &String| is_new && opening.starts_with("principal `Service ");
    let openings = policy::openings(after).into_iter();
    openings.filter(|opening| !already.contains(opening) && !inherent(opening)).collect()
}

/// Calls that were allowed under a condition, and would be under none, or one that is not as narrow.
fn loosened(before: &[Value], after: &[Value]) -> Vec<String> {
    let allowed = Rule::all(before, "Allow");
    let come = after.iter().filter(|statement| !before.contains(statement)).cloned().collect::<Vec<_>>();
    let mut free = BTreeSet::new();
    let mut wider = BTreeSet::new();
    for rule in Rule::all(&come, "Allow") {
        for call in rule.calls() {
            let covering: Vec<_> = allowed.iter().filter(|old| old.covers(&call)).collect();
            // What nothing allowed before is no condition lost.
            if covering.is_empty() || covering.iter().any(|old| old.holds_whenever(&rule)) {
                continue;
            }
            if rule.is_free() {
                free.insert(call.to_string())
            } else {
                wider.insert(call.to_string())
            };
        }
    }
    [(free, "without the condition it had"), (wider, "under another condition than it had")]
        .into_iter()
        .filter(|(calls, _)| !calls.is_empty())
        .map(|(calls, how)| format!("allow {} {how}", named(&calls)))
        .collect()
}

/// Calls that were denied, and would be in fewer cases, or no longer.
fn no_longer_denied(before: &[Value], after: &[Value]) -> Option<String> {
    let denying = Rule::all(after, "Deny");
    let gone: Vec<_> = before.iter().filter(|statement| !after.contains(statement)).cloned().collect();
    let mut calls = BTreeSet::new();
    for rule in Rule::all(&gone, "Deny") {
        let is_denied =
            |call: &policy::Call<'_>| denying.iter().any(|new| new.covers(call) && new.holds_whenever(&rule));
        calls.extend(rule.calls().iter().filter(|call| !is_denied(call)).map(ToString::to_string));
    }
    (!calls.is_empty()).then(|| format!("no longer deny {} as it did", named(&calls)))
}

/// Managed policies that it did not have. A policy of the same template is judged where it is defined, as long as what gets it
/// is new.
fn attached(old: Option<&Value>, new: &Value) -> Option<String> {
    let arns = |resource: &Value| resource["Properties"]["ManagedPolicyArns"].as_array().cloned().unwrap_or_default();
    let had = old.map(&arns).unwrap_or_default();
    let is_judged = |arn: &Value| old.is_none() && arn.get("Ref").is_some();
    let come: Vec<_> = arns(new).into_iter().filter(|arn| !had.contains(arn) && !is_judged(arn)).collect();
    (!come.is_empty()).then(|| {
        let come: Vec<_> = come.iter().map(|arn| format!("`{}`", shown(arn))).collect();
        format!("get managed policy {}", come.join(", "))
    })
}

/// A permissions boundary that goes, or becomes another.
fn unbounded(old: Option<&Value>, new: &Value) -> Option<String> {
    let boundary = |resource: &Value| resource["Properties"].get("PermissionsBoundary").cloned();
    let had = old.and_then(boundary)?;
    match boundary(new) {
        None => Some(format!("lose its permissions boundary `{}`", shown(&had))),
        Some(has) if has != had => {
            Some(format!("have permissions boundary `{}` instead of `{}`", shown(&has), shown(&had)))
        }
        Some(_) => None,
    }
}

fn named(calls: &BTreeSet<String>) -> String {
    let first: Vec<_> = calls.iter().take(NAMED).map(String::as_str).collect();
    let more = calls.len().saturating_sub(NAMED);
    if more == 0 { first.join(", ") } else { format!("{} and {more} more", first.join(", ")) }
}

/// Text, or the text of a `Fn::Sub`, or whatever it is.
fn shown(value: &Value) -> String {
    value.as_str().or_else(|| value["Fn::Sub"].as_str()).map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests;
