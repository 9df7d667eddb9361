//! Detects changes of a resource's policies that allow more than before.
//!
//! A policy counts as wider unless the two templates show that it is as narrow.

use std::collections::BTreeSet;

use model::statements::{Effect, Permission};
use serde_json::Value;

use crate::{
    changes::{ResourceAction, ResourceChange, StackChanges, references::references},
    policy::Policies,
    sides::Sides,
};

/// Returns everything that a change widens, each in words that follow "would".
pub(crate) fn widenings(sides: &Sides<'_>, before: &Policies, after: &Policies) -> Vec<String> {
    let mut found = opened(sides, before, after);
    found.extend(loosened(before, after));
    if sides.new.is_some() || sides.loses_protection {
        found.extend(no_longer_denied(before, after));
    }
    if let Some(new) = sides.new {
        found.extend(attached(sides.old, new));
        found.extend(unbounded(sides.old, new));
    }
    found
}

/// Does the change delete a policy while the resource that it protects remains, as far as the template shows?
#[must_use]
pub(crate) fn loses_protection(change: &ResourceChange, old: Option<&Value>, changes: &StackChanges) -> bool {
    if change.action != ResourceAction::Delete || !change.resource_type.ends_with("Policy") {
        return false;
    }
    let properties = old.and_then(|old| old["Properties"].as_object()).into_iter().flatten();
    let targets = properties.filter(|(name, _)| *name != "PolicyDocument").flat_map(|(_, value)| references(value));
    let targets: Vec<_> = targets.collect();
    let is_deleted = |target: &str| {
        changes.of(target).is_some_and(|other| other.action == ResourceAction::Delete && !other.retained)
    };
    targets.is_empty() || !targets.iter().all(|reference| is_deleted(&reference.target))
}

/// Wildcards and principals that were not allowed before.
fn opened(sides: &Sides<'_>, before: &Policies, after: &Policies) -> Vec<String> {
    let (already, all) = (before.openings(), after.openings());
    let is_own_key = is_key_of_the_account(sides, &all);
    // A new role trusts the service it is for; a service is reported where a role already exists.
    let is_inherent =
        |opening: &String| is_own_key || (sides.old.is_none() && opening.starts_with("principal `Service "));
    let new = all.iter().filter(|opening| !already.contains(*opening) && !is_inherent(opening));
    new.map(|opening| format!("allow {opening}")).collect()
}

/// Is the resource a new key that only its own account administers? Without that statement, IAM policies have no effect on
/// the key (KMS developer guide, "Default key policy").
fn is_key_of_the_account(sides: &Sides<'_>, openings: &BTreeSet<String>) -> bool {
    const ACCOUNT: &str = r#"principal `AWS {"Fn::Sub":"arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}`"#;
    let is_key = sides.old.is_none() && sides.new.is_some_and(|new| new["Type"] == "AWS::KMS::Key");
    is_key && openings.iter().all(|opening| opening == ACCOUNT || opening == "`kms:*` on `*`")
}

/// Permissions that were conditional, and would have no condition, or one that is not as narrow.
fn loosened(before: &Policies, after: &Policies) -> Vec<String> {
    let mut unconditional = BTreeSet::new();
    let mut conditional = BTreeSet::new();
    for statement in after.missing_from(before, Effect::Allow) {
        for permission in statement.permissions() {
            let covering = before.with_effect(Effect::Allow).filter(|old| old.covers(&permission));
            let covering: Vec<_> = covering.collect();
            // A permission that is new has lost no condition.
            if covering.is_empty() || covering.iter().any(|old| old.applies_whenever(statement)) {
                continue;
            }
            let permissions = if statement.is_unconditional() { &mut unconditional } else { &mut conditional };
            permissions.insert(permission.to_string());
        }
    }
    let unconditional = unconditional.iter().map(|lost| format!("allow {lost} without its former condition"));
    let conditional = conditional.iter().map(|other| format!("allow {other} under another condition"));
    unconditional.chain(conditional).collect()
}

/// Permissions that were denied, and would be denied in fewer cases or not at all.
fn no_longer_denied(before: &Policies, after: &Policies) -> Vec<String> {
    let mut permissions = BTreeSet::new();
    for statement in before.missing_from(after, Effect::Deny) {
        let is_denied = |permission: &Permission<'_>| {
            after.with_effect(Effect::Deny).any(|new| new.covers(permission) && new.applies_whenever(statement))
        };
        let gone = statement.permissions().into_iter().filter(|permission| !is_denied(permission));
        permissions.extend(gone.map(|permission| permission.to_string()));
    }
    permissions.iter().map(|permission| format!("no longer fully deny {permission}")).collect()
}

/// Managed policies that are new. A new role's policy of the same template is reported where the policy is defined.
fn attached(old: Option<&Value>, new: &Value) -> Vec<String> {
    let arns = |resource: &Value| resource["Properties"]["ManagedPolicyArns"].as_array().cloned().unwrap_or_default();
    let had = old.map(&arns).unwrap_or_default();
    let is_reported = |arn: &Value| old.is_none() && arn.get("Ref").is_some();
    let added = arns(new).into_iter().filter(|arn| !had.contains(arn) && !is_reported(arn));
    added.map(|arn| format!("attach managed policy `{}`", text(&arn))).collect()
}

/// A permissions boundary that is removed or replaced.
fn unbounded(old: Option<&Value>, new: &Value) -> Option<String> {
    let boundary = |resource: &Value| resource["Properties"].get("PermissionsBoundary").cloned();
    let had = old.and_then(boundary)?;
    match boundary(new) {
        None => Some(format!("lose its permissions boundary `{}`", text(&had))),
        Some(has) if has != had => {
            Some(format!("replace its permissions boundary `{}` with `{}`", text(&had), text(&has)))
        }
        Some(_) => None,
    }
}

/// The text of a value or of its `Fn::Sub`, or else its JSON.
fn text(value: &Value) -> String {
    value.as_str().or_else(|| value["Fn::Sub"].as_str()).map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests;
