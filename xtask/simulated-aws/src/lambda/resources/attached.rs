//! Resources that belong to a function, a version or an alias: permissions, event sources, settings of asynchronous invocations, URLs.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;

use super::{reason, target, text};
use crate::{
    account::Account,
    lambda::{LATEST, Lambda, Target, conflict, function_not_found},
    resources::{Provided, Wanted},
    wire::Refusal,
};

/// A resource that belongs to a function.
#[derive(Debug, Clone, PartialEq)]
struct Attachment {
    target: Target,
    properties: Value,
}

/// The resources by type and physical ID.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::lambda) struct Attachments(BTreeMap<(String, String), Attachment>);

impl Lambda {
    /// Deletes a function's permissions, settings and URLs with it. Event source mappings remain (Lambda API reference, `DeleteFunction`).
    pub(in crate::lambda) fn forget_attachments(&mut self, region: &str, function: &str) {
        Arc::make_mut(&mut self.attachments).0.retain(|(resource_type, _), attachment| {
            resource_type == MAPPING || attachment.target.region != region || attachment.target.name != function
        });
    }
}

const PERMISSION: &str = "AWS::Lambda::Permission";
const MAPPING: &str = "AWS::Lambda::EventSourceMapping";
const INVOKE_CONFIG: &str = "AWS::Lambda::EventInvokeConfig";
const URL: &str = "AWS::Lambda::Url";

pub(super) fn create(account: &mut Account, wanted: Wanted<'_>) -> Result<Provided, String> {
    let attachment = Attachment { target: owner(wanted), properties: wanted.properties.clone() };
    if let Err(refusal) = check(account, wanted.resource_type, &attachment) {
        return Err(reason(account, &refusal));
    }
    let id = physical_id(account, wanted, &attachment.target);
    let provided = provided(account, wanted, &attachment.target, id.clone());
    let key = (wanted.resource_type.to_owned(), id);
    Arc::make_mut(&mut account.lambda.attachments).0.insert(key, attachment);
    Ok(provided)
}

pub(super) fn update(account: &mut Account, physical_id: &str, wanted: Wanted<'_>) -> Result<Provided, String> {
    let attachment = Attachment { target: owner(wanted), properties: wanted.properties.clone() };
    let key = (wanted.resource_type.to_owned(), physical_id.to_owned());
    if !account.lambda.attachments.0.contains_key(&key) {
        let refusal = Refusal::new(404, "ResourceNotFoundException", "The resource you requested does not exist.");
        return Err(reason(account, &refusal));
    }
    let provided = provided(account, wanted, &attachment.target, physical_id.to_owned());
    Arc::make_mut(&mut account.lambda.attachments).0.insert(key, attachment);
    Ok(provided)
}

pub(super) fn delete(account: &mut Account, physical_id: &str, wanted: Wanted<'_>) -> Result<(), String> {
    let key = (wanted.resource_type.to_owned(), physical_id.to_owned());
    Arc::make_mut(&mut account.lambda.attachments).0.remove(&key);
    Ok(())
}

/// The function, version or alias that a resource belongs to.
fn owner(wanted: Wanted<'_>) -> Target {
    let property = if wanted.resource_type == URL { "TargetFunctionArn" } else { "FunctionName" };
    let target = target(wanted, property);
    let qualifier = Some(text(wanted.properties, "Qualifier")).filter(|qualifier| !qualifier.is_empty());
    Target { qualifier: target.qualifier.or_else(|| qualifier.map(str::to_owned)), ..target }
}

/// Checks that the owner exists, and that it has no such resource yet.
fn check(account: &Account, resource_type: &str, attachment: &Attachment) -> Result<(), Refusal> {
    let target = &attachment.target;
    let function = account.lambda.function(&target.region, &target.name);
    let function = function.ok_or_else(|| function_not_found(&target.arn(account)))?;
    if let Some(qualifier) = &target.qualifier {
        let is_number = qualifier.parse::<u64>().is_ok();
        if is_number && function.version(qualifier).is_none() {
            return Err(function_not_found(&target.arn(account)));
        }
        if !is_number && qualifier != LATEST && !function.aliases.contains_key(qualifier) {
            let message = format!("Cannot find alias arn: {}", target.arn(account));
            return Err(Refusal::new(404, "ResourceNotFoundException", message));
        }
    }
    let source = |properties: &Value| properties["EventSourceArn"].as_str().map(str::to_owned);
    let mut others = account.lambda.attachments.0.iter().filter(|((other, _), found)| {
        other == resource_type && found.target == *target && source(&found.properties) == source(&attachment.properties)
    });
    match (resource_type, others.next()) {
        // Any number of permissions may belong to a function.
        (PERMISSION, _) | (_, None) => Ok(()),
        (MAPPING, Some(((_, id), _))) => Err(conflict(format!(
            "The event source arn (\" {} \") and function (\" {} \") provided mapping already exists. Please update or delete the \
             existing mapping with UUID {id}",
            source(&attachment.properties).unwrap_or_default(),
            target.name
        ))),
        (_, Some(((_, id), _))) => Err(conflict(format!("{id} already exists"))),
    }
}

/// The physical ID (AWS CloudFormation template reference: "Return values" of each type).
fn physical_id(account: &mut Account, wanted: Wanted<'_>, target: &Target) -> String {
    match wanted.resource_type {
        MAPPING => account.chance.uuid(),
        URL => target.arn(account),
        INVOKE_CONFIG => format!("{}|{}", target.name, target.qualifier.as_deref().unwrap_or_default()),
        _ => account.physical_id(wanted.stack, wanted.logical_id),
    }
}

fn provided(account: &Account, wanted: Wanted<'_>, target: &Target, physical_id: String) -> Provided {
    let attributes = match wanted.resource_type {
        MAPPING => {
            let arn = format!("arn:aws:lambda:{}:{}:event-source-mapping:{physical_id}", wanted.region, account.id);
            BTreeMap::from([
                ("Id".to_owned(), physical_id.clone().into()),
                ("EventSourceMappingArn".to_owned(), arn.into()),
            ])
        }
        URL => {
            // The host stays the same while the URL exists.
            let host = crate::chance::hash(0, physical_id.as_bytes());
            let url = format!("https://{host:016x}.lambda-url.{}.on.aws/", wanted.region);
            let arn = target.arn(account);
            BTreeMap::from([("FunctionUrl".to_owned(), url.into()), ("FunctionArn".to_owned(), arn.into())])
        }
        _ => BTreeMap::from([("Id".to_owned(), physical_id.clone().into())]),
    };
    Provided { physical_id, attributes }
}
