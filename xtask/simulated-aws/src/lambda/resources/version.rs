//! `AWS::Lambda::Version` and `AWS::Lambda::LayerVersion`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{reason, target, text};
use crate::{
    account::Account,
    lambda::{
        LATEST, Target, invalid, layers, publish,
        transitions::{begin, check_settled, settle},
    },
    resources::{Provided, Wanted},
    wire::Refusal,
};

pub(super) fn create(account: &mut Account, wanted: Wanted<'_>) -> Result<Provided, String> {
    let target = Target { qualifier: None, ..target(wanted, "FunctionName") };
    // The function's own step has waited until the function was active.
    settle(account, &target, LATEST);
    try_create(account, &target, wanted).map_err(|refusal| reason(account, &refusal))
}

fn try_create(account: &mut Account, target: &Target, wanted: Wanted<'_>) -> Result<Provided, Refusal> {
    let function = target.find(account)?;
    check_settled(function)?;
    let expected = text(wanted.properties, "CodeSha256");
    let actual = &function.latest.code.sha256;
    if !expected.is_empty() && expected != actual {
        let message = format!(
            "CodeSHA256 ({expected}) is different from current CodeSHA256 in $LATEST ({actual}). Please try again with the CodeSHA256 \
             in $LATEST."
        );
        return Err(invalid(message));
    }
    let (number, is_new) = publish::publish(account, target, wanted.properties["Description"].as_str())?;
    if !is_new {
        // The text is the one that users report of stacks.
        let message = format!(
            "A version for this Lambda function exists ( {number} ). Modify the function to create a new version."
        );
        return Err(Refusal::new(409, "ResourceConflictException", message));
    }
    let takes = account.lambda.settings.after_step.clone();
    begin(account, target, &number.to_string(), takes);
    Ok(provided(account, target, number))
}

/// AWS CloudFormation template reference, `AWS::Lambda::Version`: return values.
fn provided(account: &Account, target: &Target, number: u64) -> Provided {
    let arn = format!("{}:{number}", target.arn(account));
    let attributes = BTreeMap::from([
        ("Version".to_owned(), Value::String(number.to_string())),
        ("FunctionArn".to_owned(), Value::String(arn.clone())),
    ]);
    Provided { physical_id: arn, attributes }
}

pub(super) fn update(account: &mut Account, physical_id: &str, wanted: Wanted<'_>) -> Result<Provided, String> {
    let target = Target::parse(wanted.region, physical_id);
    let number = target.qualifier.as_deref().and_then(|number| number.parse().ok()).unwrap_or_default();
    Ok(provided(account, &Target { qualifier: None, ..target }, number))
}

pub(super) fn delete(account: &mut Account, physical_id: &str, wanted: Wanted<'_>) -> Result<(), String> {
    let target = Target::parse(wanted.region, physical_id);
    let number = target.qualifier.clone().unwrap_or_default();
    let target = Target { qualifier: None, ..target };
    match publish::delete_version(account, &target, &number) {
        Err(refusal) if refusal.status != 404 => Err(reason(account, &refusal)),
        _ => Ok(()),
    }
}

pub(super) fn create_layer(account: &mut Account, wanted: Wanted<'_>) -> Result<Provided, String> {
    let name = match text(wanted.properties, "LayerName") {
        "" => account.physical_id(wanted.stack, wanted.logical_id),
        name => name.to_owned(),
    };
    let published = layers::publish(account, wanted.region, &name, &wanted.properties["Content"]);
    published.map(provided_layer).map_err(|refusal| reason(account, &refusal))
}

fn provided_layer(arn: String) -> Provided {
    let attributes = BTreeMap::from([("LayerVersionArn".to_owned(), Value::String(arn.clone()))]);
    Provided { physical_id: arn, attributes }
}

/// Every property of a layer's version replaces it.
pub(super) fn update_layer(_: &mut Account, physical_id: &str, _: Wanted<'_>) -> Result<Provided, String> {
    Ok(provided_layer(physical_id.to_owned()))
}

pub(super) fn delete_layer(account: &mut Account, physical_id: &str, _: Wanted<'_>) -> Result<(), String> {
    account.lambda.layers.remove(physical_id);
    Ok(())
}
