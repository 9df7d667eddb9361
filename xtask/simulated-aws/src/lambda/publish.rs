//! Publishing versions, and deleting versions and functions.

use std::sync::Arc;

use serde_json::Value;

use super::{
    LATEST, State, Target, Update, Version, check_revision, code, conflict,
    function::timeout,
    function_not_found, invalid, read,
    transitions::{begin, check_settled},
};
use crate::{
    account::Account,
    wire::{Handled, Refusal, Reply},
};

/// Lambda API reference, `PublishVersion`.
pub(super) fn publish_call(account: &mut Account, target: &Target, input: &Value) -> Handled {
    let function = target.find(account)?;
    check_settled(function)?;
    let latest = &function.latest;
    check_revision(input["RevisionId"].as_str(), &latest.revision)?;
    let expected = input["CodeSha256"].as_str().filter(|expected| !expected.is_empty());
    if let Some(expected) = expected.filter(|expected| *expected != latest.code.sha256) {
        let actual = &latest.code.sha256;
        return Err(invalid(format!(
            "CodeSHA256 ({expected}) is different from current CodeSHA256 in $LATEST ({actual}). Please try again with the CodeSHA256 \
             in $LATEST."
        )));
    }
    let (number, is_new) = publish(account, target, input["Description"].as_str())?;
    if is_new {
        let takes = account.lambda.settings.publishing.clone();
        begin(account, target, &number.to_string(), takes);
    }
    let function = target.find(account)?;
    let name = number.to_string();
    let version = function.version(&name).ok_or_else(|| function_not_found(&function.qualified(&name)))?;
    Ok(Reply::json(201, &read::full(function, version, Some(&name))))
}

/// Publishes `$LATEST`; returns the number, and whether the version is new: without a change since the last version, Lambda returns that one
/// (API reference, `PublishVersion`). The caller ends the version's transition.
pub(super) fn publish(
    account: &mut Account,
    target: &Target,
    description: Option<&str>,
) -> Result<(u64, bool), Refusal> {
    let function = target.find(account)?;
    let latest = &function.latest;
    let last = function.versions.get(&(function.next - 1));
    let is_same = |last: &&Version| {
        last.code.sha256 == latest.code.sha256
            && last.settings == latest.settings
            && last.source_description == latest.description
    };
    if let Some(number) = last.filter(is_same).and_then(|last| last.number) {
        return Ok((number, false));
    }
    // Each version stores its zip.
    code::check_storage(account, &target.region, latest.code.size)?;
    let (own, of_latest, now) = (account.chance.uuid(), account.chance.uuid(), account.now());
    let function = account.lambda.function_mut(&target.region, &target.name);
    let function = function.ok_or_else(|| function_not_found(&target.name))?;
    let number = function.next;
    function.next += 1;
    let latest = &mut function.latest;
    // The revision ID of `$LATEST` changes as well, as recorded.
    latest.revision = of_latest;
    let version = Version {
        number: Some(number),
        description: description.unwrap_or(&latest.description).to_owned(),
        source_description: latest.description.clone(),
        state: State::Pending,
        update: Update::Successful,
        revision: own,
        modified: now,
        before: None,
        transition: 0,
        is_warm: false,
        ..latest.clone()
    };
    let code = Arc::clone(&version.code);
    function.published.insert(number, (code, timeout(&version.settings)));
    function.versions.insert(number, version);
    Ok((number, true))
}

/// Lambda API reference, `DeleteFunction`.
pub(super) fn delete(account: &mut Account, target: &Target) -> Handled {
    if target.qualifier.as_deref() == Some(LATEST) {
        return Err(invalid("$LATEST version cannot be deleted without deleting the function."));
    }
    target.find(account)?;
    match target.qualifier.as_deref() {
        Some(version) => delete_version(account, target, version)?,
        None => delete_function(account, target)?,
    }
    Ok(Reply::empty(204))
}

/// Deletes a version. One that does not exist is deleted, as users have measured.
pub(super) fn delete_version(account: &mut Account, target: &Target, version: &str) -> Result<(), Refusal> {
    let function = target.find(account)?;
    let Ok(number) = version.parse::<u64>() else {
        return Err(invalid("Deletion of aliases is not currently supported."));
    };
    if !function.versions.contains_key(&number) {
        return Ok(());
    }
    // API reference: "You can't delete a version that an alias references." The text is the one that users report.
    let aliases = function.aliases.values().filter(|alias| alias.refers_to(version));
    let aliases: Vec<_> = aliases.map(|alias| alias.name.as_str()).collect();
    if !aliases.is_empty() {
        let aliases = aliases.join(", ");
        return Err(conflict(format!(
            "Unable to delete version because the following aliases reference it: [{aliases}]"
        )));
    }
    if function.replicated.contains(&number) {
        return Err(replicated(&function.qualified(version)));
    }
    if let Some(function) = account.lambda.function_mut(&target.region, &target.name) {
        function.versions.remove(&number);
    }
    Ok(())
}

/// Deletes a function with its versions, aliases and permissions. Metrics of its past are gone, unlike in AWS.
pub(super) fn delete_function(account: &mut Account, target: &Target) -> Result<(), Refusal> {
    let function = target.find(account)?;
    if let Some(number) = function.replicated.first() {
        return Err(replicated(&function.qualified(&number.to_string())));
    }
    account.lambda.remove(&target.region, &target.name);
    account.lambda.forget_attachments(&target.region, &target.name);
    Ok(())
}

/// Lambda@Edge guide, "Delete Lambda@Edge functions and replicas"; the text is the one that users report.
fn replicated(arn: &str) -> Refusal {
    invalid(format!(
        "Lambda was unable to delete {arn} because it is a replicated function. Please see our documentation for Deleting Lambda@Edge \
         Functions and Replicas."
    ))
}

/// Sets whether CloudFront has replicas of a version.
pub fn set_replicated(account: &mut Account, region: &str, function: &str, version: u64, is_replicated: bool) {
    if let Some(function) = account.lambda.function_mut(region, function) {
        function.replicated.retain(|number| *number != version);
        if is_replicated {
            function.replicated.push(version);
        }
    }
}
