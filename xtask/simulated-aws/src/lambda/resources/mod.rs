//! Lambda's resources as CloudFormation manages them.
//!
//! CloudFormation's handlers wait until Lambda is done with a function before they report the end of a step. A provider therefore ends the
//! transition of a function that the same stack is still creating, instead of being refused.

mod alias;
mod attached;
mod function;
mod version;

use serde_json::Value;

pub(super) use self::attached::Attachments;
use super::{LATEST, Target, transitions::begin};
use crate::{
    account::Account,
    resources::{Provider, Wanted},
    wire::Refusal,
};

/// `AWS::Lambda::Function`.
pub(crate) const FUNCTION: Provider =
    Provider { create: function::create, update: function::update, delete: function::delete };
/// `AWS::Lambda::Version`.
pub(crate) const VERSION: Provider =
    Provider { create: version::create, update: version::update, delete: version::delete };
/// `AWS::Lambda::LayerVersion`.
pub(crate) const LAYER_VERSION: Provider =
    Provider { create: version::create_layer, update: version::update_layer, delete: version::delete_layer };
/// `AWS::Lambda::Alias`.
pub(crate) const ALIAS: Provider = Provider { create: alias::create, update: alias::update, delete: alias::delete };
/// `AWS::Lambda::Permission`, `AWS::Lambda::EventSourceMapping`, `AWS::Lambda::EventInvokeConfig` and `AWS::Lambda::Url`.
pub(crate) const ATTACHED: Provider =
    Provider { create: attached::create, update: attached::update, delete: attached::delete };

/// Lets the transition that the last step of a function or of a version has begun take as long as after a call.
pub(crate) fn linger(account: &mut Account, region: &str, physical_id: &str) {
    let target = Target::parse(region, physical_id);
    let settings = &account.lambda.settings;
    let (version, takes) = match &target.qualifier {
        Some(number) => (number.clone(), settings.publishing.clone()),
        None => (LATEST.to_owned(), settings.updating.clone()),
    };
    let function = account.lambda.function(region, &target.name);
    if function.and_then(|function| function.version(&version)).is_some_and(|found| found.transition > 0) {
        begin(account, &target, &version, takes);
    }
}

/// Prints a refusal as the reason of a resource's failure: `Resource handler returned message: "…" (…)`, as events of stacks show it.
fn reason(account: &mut Account, refusal: &Refusal) -> String {
    let code = match (refusal.status, refusal.code.as_str()) {
        (_, "CodeStorageExceededException") => "ServiceLimitExceeded",
        (404, _) => "NotFound",
        (409, _) if refusal.message.contains("already exist") => "AlreadyExists",
        (409, _) => "ResourceConflict",
        (429, _) => "Throttling",
        _ => "InvalidRequest",
    };
    let (request, token) = (account.chance.uuid(), account.chance.uuid());
    let Refusal { status, message, .. } = refusal;
    format!(
        "Resource handler returned message: \"{message} (Service: Lambda, Status Code: {status}, Request ID: {request})\" (RequestToken: \
         {token}, HandlerErrorCode: {code})"
    )
}

/// The function in a resource's `FunctionName`, or in another property.
fn target(wanted: Wanted<'_>, property: &str) -> Target {
    Target::parse(wanted.region, text(wanted.properties, property))
}

fn text<'a>(properties: &'a Value, name: &str) -> &'a str {
    properties[name].as_str().unwrap_or_default()
}
