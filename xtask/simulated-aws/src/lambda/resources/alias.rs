//! `AWS::Lambda::Alias`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{reason, target, text};
use crate::{
    account::Account,
    lambda::{
        Target,
        alias::{self, Change},
    },
    resources::{Provided, Wanted},
};

pub(super) fn create(account: &mut Account, wanted: Wanted<'_>) -> Result<Provided, String> {
    let (target, name) = (target(wanted, "FunctionName"), text(wanted.properties, "Name"));
    let target = Target { qualifier: None, ..target };
    let created = alias::create(account, &target, name, change(wanted));
    created.map_err(|refusal| reason(account, &refusal))?;
    Ok(provided(account, &target, name))
}

/// An alias has exactly the routing of the template: without weights there, it loses those it has.
pub(super) fn update(account: &mut Account, physical_id: &str, wanted: Wanted<'_>) -> Result<Provided, String> {
    let target = Target::parse(wanted.region, physical_id);
    let name = target.qualifier.clone().unwrap_or_default();
    let target = Target { qualifier: None, ..target };
    let updated = alias::update(account, &target, &name, change(wanted));
    updated.map_err(|refusal| reason(account, &refusal))?;
    Ok(provided(account, &target, &name))
}

pub(super) fn delete(account: &mut Account, physical_id: &str, wanted: Wanted<'_>) -> Result<(), String> {
    let target = Target::parse(wanted.region, physical_id);
    let name = target.qualifier.clone().unwrap_or_default();
    alias::delete(account, &target, &name);
    Ok(())
}

/// AWS CloudFormation template reference, `AWS::Lambda::Alias`: the weights are a list of `FunctionVersion` and `FunctionWeight`.
fn change(wanted: Wanted<'_>) -> Change {
    let weights = wanted.properties["RoutingConfig"]["AdditionalVersionWeights"].as_array().into_iter().flatten();
    let weights = weights.map(|weight| {
        let share = &weight["FunctionWeight"];
        let share = share.as_f64().or_else(|| share.as_str()?.parse().ok()).unwrap_or_default();
        (text(weight, "FunctionVersion").to_owned(), share)
    });
    Change {
        version: Some(text(wanted.properties, "FunctionVersion").to_owned()),
        weights: Some(weights.collect()),
        description: Some(text(wanted.properties, "Description").to_owned()),
    }
}

/// AWS CloudFormation template reference, `AWS::Lambda::Alias`: return values.
fn provided(account: &Account, target: &Target, name: &str) -> Provided {
    let arn = format!("{}:{name}", target.arn(account));
    let attributes = BTreeMap::from([("AliasArn".to_owned(), Value::String(arn.clone()))]);
    Provided { physical_id: arn, attributes }
}
