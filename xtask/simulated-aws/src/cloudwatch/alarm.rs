//! Alarms: their resources, their states, `DescribeAlarms`.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::{invalid, metric::Metric, rule, traffic::MINUTE};
use crate::{
    account::Account,
    resources::{Provided, Provider, Wanted},
    time::Moment,
    wire::{Call, Handled, Reply},
};

/// The most names and alarms of a call, and the alarms without a number (CloudWatch API reference, `DescribeAlarms`).
const MAXIMUM: usize = 100;
const DEFAULT: u64 = 50;
/// How many periods more than its own an alarm reads, for those without data (CloudWatch user guide, "Configuring how CloudWatch alarms
/// treat missing data": the evaluation range; its size is not documented).
const MORE_PERIODS: u64 = 2;
/// How deep composite alarms may refer to each other here.
const DEPTH: usize = 8;

/// The state of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlarmState {
    /// Its metric is within the threshold.
    Ok,
    /// Its metric is beyond the threshold.
    Alarm,
    /// It has just begun, or has no data.
    InsufficientData,
}

impl AlarmState {
    /// The name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }
}

/// An alarm.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Alarm {
    /// The properties, by their names in templates and in the API; `AlarmRule` for a composite alarm.
    properties: Arc<Value>,
    created: Moment,
    by_hand: Option<AlarmState>,
}

impl Alarm {
    fn is_composite(&self) -> bool {
        self.properties["AlarmRule"].is_string()
    }
}

/// Creates an alarm without a stack, or replaces it.
pub fn put_alarm(account: &mut Account, region: &str, name: &str, properties: Value) {
    let alarm = Alarm { properties: Arc::new(properties), created: account.now(), by_hand: None };
    account.cloudwatch.alarms_mut(region).insert(name.to_owned(), alarm);
}

/// Sets the state of an alarm by hand; `None` lets it follow its metric again. Returns whether there is such an alarm.
pub fn set_alarm(account: &mut Account, region: &str, name: &str, state: Option<AlarmState>) -> bool {
    let alarm = account.cloudwatch.alarms_mut(region).get_mut(name);
    alarm.map(|alarm| alarm.by_hand = state).is_some()
}

/// Returns the state of an alarm; `None` if there is none.
#[must_use]
pub fn alarm_state(account: &Account, region: &str, name: &str) -> Option<AlarmState> {
    let alarm = account.cloudwatch.alarms.get(region)?.get(name)?;
    Some(state(account, region, alarm, DEPTH))
}

fn state(account: &Account, region: &str, alarm: &Alarm, depth: usize) -> AlarmState {
    if let Some(state) = alarm.by_hand {
        return state;
    }
    if alarm.is_composite() {
        let child = |name: &str| {
            // Rules name alarms by their names or their ARNs (CloudWatch API reference, `PutCompositeAlarm`).
            let name = name.rsplit_once(":alarm:").map_or(name, |(_, name)| name);
            let child = account.cloudwatch.alarms.get(region)?.get(name)?;
            depth.checked_sub(1).map(|depth| state(account, region, child, depth))
        };
        let fires = rule::fires(alarm.properties["AlarmRule"].as_str().unwrap_or_default(), &child);
        return if fires == Some(true) { AlarmState::Alarm } else { AlarmState::Ok };
    }
    // A new alarm is evaluated for the first time after a while (CloudWatch user guide, "Using Amazon CloudWatch alarms": a new alarm is in
    // the state INSUFFICIENT_DATA).
    if account.now().since(alarm.created) < Duration::from_secs(MINUTE) {
        return AlarmState::InsufficientData;
    }
    evaluate(account, region, &alarm.properties)
}

/// Evaluates an alarm at the last whole minute (CloudWatch user guide, "Evaluating an alarm" and "Configuring how CloudWatch alarms treat
/// missing data").
fn evaluate(account: &Account, region: &str, properties: &Value) -> AlarmState {
    let whole = |name: &str| number(&properties[name]).map(|number| number as u64);
    let periods = whole("EvaluationPeriods").unwrap_or(1).max(1);
    let needed = whole("DatapointsToAlarm").unwrap_or(periods).max(1);
    let minutes = (whole("Period").unwrap_or(300) / MINUTE).max(1);
    let statistic = properties["Statistic"].as_str().or_else(|| properties["ExtendedStatistic"].as_str());
    let metric = Metric::read(region, properties, statistic.unwrap_or_default());
    let end = account.now().elapsed().as_secs() / MINUTE;
    let value = |back: u64| {
        let first = end.checked_sub(minutes * (back + 1))?;
        metric.as_ref()?.value(account, first, minutes)
    };
    let values: Vec<_> = (0..periods + MORE_PERIODS).map(value).collect();
    let breaches = |value: f64| breaches(properties, value);
    let present: Vec<bool> = values.iter().flatten().map(|value| breaches(*value)).collect();
    let periods = usize::try_from(periods).unwrap_or(usize::MAX);
    let missing = periods.saturating_sub(present.len());
    let firing = present.iter().take(periods).filter(|breaches| **breaches).count() as u64;
    let treated = properties["TreatMissingData"].as_str().unwrap_or("missing");
    let firing = firing + if treated == "breaching" { missing as u64 } else { 0 };
    match treated {
        _ if firing >= needed => AlarmState::Alarm,
        "missing" | "ignore" if present.is_empty() => AlarmState::InsufficientData,
        _ => AlarmState::Ok,
    }
}

fn breaches(properties: &Value, value: f64) -> bool {
    let threshold = number(&properties["Threshold"]).unwrap_or_default();
    match properties["ComparisonOperator"].as_str().unwrap_or_default() {
        "GreaterThanThreshold" => value > threshold,
        "GreaterThanOrEqualToThreshold" => value >= threshold,
        "LessThanThreshold" => value < threshold,
        "LessThanOrEqualToThreshold" => value <= threshold,
        _ => false,
    }
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

/// CloudWatch API reference, `DescribeAlarms`: without `AlarmTypes`, only metric alarms; 50 alarms unless `MaxRecords` says otherwise.
pub(super) fn describe(account: &Account, call: &Call, input: &Value) -> Handled {
    let list =
        |name: &str| input[name].as_array().map(|names| names.iter().filter_map(Value::as_str).collect::<Vec<_>>());
    let names = list("AlarmNames");
    if names.as_ref().is_some_and(|names| names.len() > MAXIMUM) {
        return Err(invalid("The collection AlarmNames must not have a size greater than 100."));
    }
    let limit = input["MaxRecords"].as_u64().unwrap_or(DEFAULT);
    if !(1..=MAXIMUM as u64).contains(&limit) {
        return Err(invalid("The parameter MaxRecords must be from 1 to 100."));
    }
    let (prefix, wanted) = (input["AlarmNamePrefix"].as_str().unwrap_or_default(), input["StateValue"].as_str());
    let types = list("AlarmTypes").unwrap_or_else(|| vec!["MetricAlarm"]);
    let type_of = |alarm: &Alarm| if alarm.is_composite() { "CompositeAlarm" } else { "MetricAlarm" };
    let after = input["NextToken"].as_str();
    let (mut metric, mut composite, mut last) = (Vec::new(), Vec::new(), None);
    let mut next = None;
    for (name, alarm) in account.cloudwatch.alarms.get(&call.region).into_iter().flat_map(|alarms| alarms.iter()) {
        let is_named = names.as_ref().is_none_or(|names| names.contains(&name.as_str())) && name.starts_with(prefix);
        if !is_named || !types.contains(&type_of(alarm)) || after.is_some_and(|after| name.as_str() <= after) {
            continue;
        }
        let state = state(account, &call.region, alarm, DEPTH);
        if wanted.is_some_and(|wanted| wanted != state.name()) {
            continue;
        }
        if (metric.len() + composite.len()) as u64 == limit {
            next = last;
            break;
        }
        last = Some(name);
        let alarms = if alarm.is_composite() { &mut composite } else { &mut metric };
        alarms.push(fields(account, &call.region, name, alarm, state));
    }
    let mut body = json!({ "MetricAlarms": metric, "CompositeAlarms": composite });
    if let Some(next) = next {
        body["NextToken"] = next.as_str().into();
    }
    Ok(Reply::json(200, &body))
}

fn fields(account: &Account, region: &str, name: &str, alarm: &Alarm, state: AlarmState) -> Value {
    let mut fields = (*alarm.properties).clone();
    if !fields.is_object() {
        fields = json!({});
    }
    fields["AlarmName"] = name.into();
    fields["AlarmArn"] = arn(account, region, name).into();
    fields["StateValue"] = state.name().into();
    fields["StateReason"] = "simulated".into();
    fields
}

fn arn(account: &Account, region: &str, name: &str) -> String {
    format!("arn:aws:cloudwatch:{region}:{}:alarm:{name}", account.id)
}

/// `AWS::CloudWatch::Alarm`.
pub(crate) const ALARM: Provider = Provider { create, update, delete };
/// `AWS::CloudWatch::CompositeAlarm`.
pub(crate) const COMPOSITE_ALARM: Provider = Provider { create, update, delete };

fn create(account: &mut Account, wanted: Wanted<'_>) -> Result<Provided, String> {
    let name = match wanted.properties["AlarmName"].as_str() {
        Some(name) => name.to_owned(),
        None => account.physical_id(wanted.stack, wanted.logical_id),
    };
    if account.cloudwatch.alarms_mut(wanted.region).contains_key(&name) {
        let token = account.chance.uuid();
        return Err(format!(
            "Resource handler returned message: \"{name} already exists\" (RequestToken: {token}, HandlerErrorCode: AlreadyExists)"
        ));
    }
    if let Some(child) = unknown_child(account, wanted) {
        return Err(format!(
            "Resource handler returned message: \"Could not save the composite alarm: {child} does not exist\""
        ));
    }
    put_alarm(account, wanted.region, &name, wanted.properties.clone());
    Ok(provided(account, wanted, name))
}

/// The alarm in a composite alarm's rule that does not exist (CloudWatch API reference, `PutCompositeAlarm`: the alarms must exist).
fn unknown_child(account: &Account, wanted: Wanted<'_>) -> Option<String> {
    let rule = wanted.properties["AlarmRule"].as_str()?;
    let alarms = account.cloudwatch.alarms.get(wanted.region);
    rule::names(rule).into_iter().find(|name| {
        let name = name.rsplit_once(":alarm:").map_or(name.as_str(), |(_, name)| name);
        alarms.is_none_or(|alarms| !alarms.contains_key(name))
    })
}

fn update(account: &mut Account, physical_id: &str, wanted: Wanted<'_>) -> Result<Provided, String> {
    match account.cloudwatch.alarms_mut(wanted.region).get_mut(physical_id) {
        Some(alarm) => alarm.properties = Arc::new(wanted.properties.clone()),
        // `PutMetricAlarm` creates an alarm that was deleted by hand.
        None => put_alarm(account, wanted.region, physical_id, wanted.properties.clone()),
    }
    Ok(provided(account, wanted, physical_id.to_owned()))
}

fn delete(account: &mut Account, physical_id: &str, wanted: Wanted<'_>) -> Result<(), String> {
    account.cloudwatch.alarms_mut(wanted.region).remove(physical_id);
    Ok(())
}

/// AWS CloudFormation template reference, `AWS::CloudWatch::Alarm`: `Ref` is the name.
fn provided(account: &Account, wanted: Wanted<'_>, name: String) -> Provided {
    let arn = arn(account, wanted.region, &name);
    Provided { physical_id: name, attributes: BTreeMap::from([("Arn".to_owned(), Value::String(arn))]) }
}
