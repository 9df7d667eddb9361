//! Reading one function, version or alias.

use serde_json::{Map, Value, json};

use super::{Function, LATEST, State, Target, Update, Version, function_not_found};
use crate::{
    account::Account,
    wire::{Handled, Refusal, Reply},
};

/// Lambda API reference, `GetFunctionConfiguration`.
pub(super) fn configuration(account: &Account, target: &Target) -> Handled {
    let (function, version) = resolve(account, target)?;
    Ok(Reply::json(200, &full(function, version, target.qualifier.as_deref())))
}

/// Lambda API reference, `GetFunction`.
pub(super) fn function(account: &Account, target: &Target) -> Handled {
    let (function, version) = resolve(account, target)?;
    let location = format!("https://awslambda.simulated/{}", version.code.sha256);
    let mut body = json!({
        "Configuration": full(function, version, target.qualifier.as_deref()),
        "Code": { "RepositoryType": "S3", "Location": location },
    });
    if let Some(reserved) = function.concurrency {
        body["Concurrency"] = json!({ "ReservedConcurrentExecutions": reserved });
    }
    Ok(Reply::json(200, &body))
}

/// Finds the version that a qualifier names: a number, `$LATEST`, or an alias, whose main version counts.
pub(super) fn resolve<'a>(account: &'a Account, target: &Target) -> Result<(&'a Function, &'a Version), Refusal> {
    let absent = || function_not_found(&target.arn(account));
    let function = account.lambda.function(&target.region, &target.name).ok_or_else(absent)?;
    let qualifier = target.qualifier.as_deref().unwrap_or(LATEST);
    let version = match function.aliases.get(qualifier) {
        Some(alias) => function.version(&alias.routing().version),
        None => function.version(qualifier),
    };
    Ok((function, version.ok_or_else(absent)?))
}

/// The fields of a version in lists: without state and last update (API reference, `ListFunctions`).
pub(super) fn listed(function: &Function, version: &Version, qualifier: Option<&str>) -> Map<String, Value> {
    let mut fields: Map<String, Value> =
        version.settings.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let mut set = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
    set("FunctionName", function.name.as_str().into());
    set(
        "FunctionArn",
        qualifier.map_or_else(|| function.arn.clone(), |qualifier| function.qualified(qualifier)).into(),
    );
    set("Version", version.name().into());
    set("CodeSha256", version.code.sha256.as_str().into());
    set("CodeSize", version.code.size.into());
    set("Description", version.description.as_str().into());
    set("LastModified", version.modified.iso8601().replace('Z', "+0000").into());
    set("RevisionId", version.revision.as_str().into());
    fields
}

/// All fields of a version.
pub(super) fn full(function: &Function, version: &Version, qualifier: Option<&str>) -> Value {
    let mut fields = listed(function, version, qualifier);
    let mut set = |name: &str, value: &str| drop(fields.insert(name.to_owned(), value.into()));
    match &version.state {
        State::Active => set("State", "Active"),
        State::Pending => {
            set("State", "Pending");
            set("StateReason", "The function is being created.");
            set("StateReasonCode", "Creating");
            // A function that is being created has no last update, as recorded.
            return fields.into();
        }
        State::Failed(reason) => {
            set("State", "Failed");
            set("StateReason", reason);
            set("StateReasonCode", "InternalError");
            return fields.into();
        }
    }
    match &version.update {
        Update::Successful => set("LastUpdateStatus", "Successful"),
        Update::InProgress => {
            set("LastUpdateStatus", "InProgress");
            set("LastUpdateStatusReason", "The function is being created.");
            set("LastUpdateStatusReasonCode", "Creating");
        }
        Update::Failed(reason) => {
            set("LastUpdateStatus", "Failed");
            set("LastUpdateStatusReason", reason);
            set("LastUpdateStatusReasonCode", "InternalError");
        }
    }
    fields.into()
}
