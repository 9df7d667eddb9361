//! CloudWatch Logs: log groups.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use crate::{
    account::Account,
    resources::{Provided, Provider, Wanted},
    time::Moment,
    wire::{Call, Handled, Refusal, Reply},
};

#[cfg(test)]
mod tests;

/// The most log groups of a page, and of one without a limit (CloudWatch Logs API reference, `DescribeLogGroups`).
const PAGE: usize = 50;

/// A log group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogGroup {
    /// The time of its creation.
    pub created: Moment,
    /// The stored bytes.
    pub stored: u64,
    /// The retention in days; `None` to keep events forever.
    pub retention: Option<u64>,
}

/// The log groups of all regions, by region and name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Logs(BTreeMap<String, Arc<BTreeMap<String, LogGroup>>>);

impl Logs {
    /// Returns a log group.
    #[must_use]
    pub fn group(&self, region: &str, name: &str) -> Option<&LogGroup> {
        self.0.get(region)?.get(name)
    }

    fn region_mut(&mut self, region: &str) -> &mut BTreeMap<String, LogGroup> {
        Arc::make_mut(self.0.entry(region.to_owned()).or_default())
    }
}

/// Creates a log group, or replaces one: as functions and people do without a stack.
pub fn put(account: &mut Account, region: &str, name: &str, stored: u64) {
    let group = LogGroup { created: account.now(), stored, retention: None };
    account.logs.region_mut(region).insert(name.to_owned(), group);
}

/// Carries out a call.
pub(crate) fn handle(account: &mut Account, call: &Call) -> Handled {
    let input = call.json();
    match call.operation.as_str() {
        "DescribeLogGroups" => Ok(describe(account, call, &input)),
        "DeleteLogGroup" => delete_call(account, call, &input),
        _ => Err(Refusal::unknown(call)),
    }
}

/// CloudWatch Logs API reference, `DescribeLogGroups`: in the order of the names.
fn describe(account: &Account, call: &Call, input: &Value) -> Reply {
    let prefix = input["logGroupNamePrefix"].as_str().unwrap_or_default();
    let after = input["nextToken"].as_str();
    let limit = input["limit"].as_u64().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(PAGE).clamp(1, PAGE);
    let groups = account.logs.0.get(&call.region).into_iter().flat_map(|groups| groups.iter());
    let groups = groups.filter(|(name, _)| name.starts_with(prefix));
    let mut groups = groups.skip_while(|(name, _)| after.is_some_and(|after| name.as_str() <= after)).peekable();
    let (mut listed, mut last) = (Vec::new(), "");
    while listed.len() < limit {
        let Some((name, group)) = groups.next() else { break };
        let mut fields = json!({
            "logGroupName": name,
            "creationTime": group.created.unix_seconds() * 1000,
            "storedBytes": group.stored,
            "arn": arn(account, &call.region, name),
        });
        if let Some(days) = group.retention {
            fields["retentionInDays"] = days.into();
        }
        listed.push(fields);
        last = name;
    }
    let mut body = json!({ "logGroups": listed });
    if groups.peek().is_some() {
        body["nextToken"] = last.into();
    }
    Reply::json(200, &body)
}

fn arn(account: &Account, region: &str, name: &str) -> String {
    format!("arn:aws:logs:{region}:{}:log-group:{name}:*", account.id)
}

/// CloudWatch Logs API reference, `DeleteLogGroup`.
fn delete_call(account: &mut Account, call: &Call, input: &Value) -> Handled {
    let name = input["logGroupName"].as_str().unwrap_or_default();
    account.record_deletion(&call.region, "AWS::Logs::LogGroup", name);
    match account.logs.region_mut(&call.region).remove(name) {
        Some(_) => Ok(Reply::empty(200)),
        None => Err(Refusal::bad_request("ResourceNotFoundException", "The specified log group does not exist.")),
    }
}

/// `AWS::Logs::LogGroup`.
pub(crate) const LOG_GROUP: Provider = Provider { create, update, delete };

fn create(account: &mut Account, wanted: Wanted<'_>) -> Result<Provided, String> {
    let name = match wanted.properties["LogGroupName"].as_str() {
        Some(name) => name.to_owned(),
        None => account.physical_id(wanted.stack, wanted.logical_id),
    };
    if account.logs.group(wanted.region, &name).is_some() {
        let token = account.chance.uuid();
        return Err(format!(
            "Resource handler returned message: \"Resource of type 'AWS::Logs::LogGroup' with identifier \
             '{{\"/properties/LogGroupName\":\"{name}\"}}' already exists.\" (RequestToken: {token}, HandlerErrorCode: AlreadyExists)"
        ));
    }
    put(account, wanted.region, &name, 0);
    set_retention(account, wanted, &name);
    account.record_creation(wanted.region, wanted.resource_type, &name);
    Ok(provided(account, wanted, name))
}

fn update(account: &mut Account, physical_id: &str, wanted: Wanted<'_>) -> Result<Provided, String> {
    if account.logs.group(wanted.region, physical_id).is_none() {
        let token = account.chance.uuid();
        return Err(format!(
            "Resource handler returned message: \"Resource of type 'AWS::Logs::LogGroup' with identifier '{physical_id}' was not \
             found.\" (RequestToken: {token}, HandlerErrorCode: NotFound)"
        ));
    }
    set_retention(account, wanted, physical_id);
    Ok(provided(account, wanted, physical_id.to_owned()))
}

fn set_retention(account: &mut Account, wanted: Wanted<'_>, name: &str) {
    let days = &wanted.properties["RetentionInDays"];
    let days = days.as_u64().or_else(|| days.as_str()?.parse().ok());
    if let Some(group) = account.logs.region_mut(wanted.region).get_mut(name) {
        group.retention = days;
    }
}

fn delete(account: &mut Account, physical_id: &str, wanted: Wanted<'_>) -> Result<(), String> {
    account.logs.region_mut(wanted.region).remove(physical_id);
    account.record_deletion(wanted.region, wanted.resource_type, physical_id);
    Ok(())
}

/// AWS CloudFormation template reference, `AWS::Logs::LogGroup`: `Ref` is the name, and the ARN ends with `:*`.
fn provided(account: &Account, wanted: Wanted<'_>, name: String) -> Provided {
    let arn = arn(account, wanted.region, &name);
    Provided { physical_id: name, attributes: BTreeMap::from([("Arn".to_owned(), Value::String(arn))]) }
}
