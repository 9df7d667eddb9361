//! CloudWatch: the metrics of functions, derived from their traffic, and alarms.
//!
//! Nothing is stored per request. A function's traffic, the routing of its aliases over time, the behavior of its versions and the seed
//! decide every value, so that repeated queries agree.

mod alarm;
mod metric;
mod query;
mod rule;
#[cfg(test)]
mod tests;
pub(crate) mod traffic;

use std::{collections::BTreeMap, sync::Arc};

use self::alarm::Alarm;
pub(crate) use self::alarm::{ALARM, COMPOSITE_ALARM};
pub use self::{
    alarm::{AlarmState, alarm_state, put_alarm, set_alarm},
    traffic::{Traffic, expected, set_traffic},
};
use crate::{
    account::Account,
    time::Moment,
    wire::{Call, Handled, Refusal},
};

/// The traffic of functions over time, by their names.
type TrafficByFunction = BTreeMap<String, Vec<(Moment, Traffic)>>;

/// CloudWatch in all regions of the account.
#[derive(Debug, Clone)]
pub struct CloudWatch {
    /// The seed of the metrics' noise.
    seed: u64,
    /// The traffic of functions over time, by region and function.
    traffic: BTreeMap<String, Arc<TrafficByFunction>>,
    /// The alarms by region and name.
    alarms: BTreeMap<String, Arc<BTreeMap<String, Alarm>>>,
}

impl CloudWatch {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed, traffic: BTreeMap::new(), alarms: BTreeMap::new() }
    }

    fn alarms_mut(&mut self, region: &str) -> &mut BTreeMap<String, Alarm> {
        Arc::make_mut(self.alarms.entry(region.to_owned()).or_default())
    }
}

/// Carries out a call.
pub(crate) fn handle(account: &mut Account, call: &Call) -> Handled {
    let input = call.json();
    match call.operation.as_str() {
        "GetMetricData" => query::get_metric_data(account, call, &input),
        "DescribeAlarms" => alarm::describe(account, call, &input),
        _ => Err(Refusal::unknown(call)),
    }
}

/// CloudWatch API reference, "Common errors".
fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::bad_request("ValidationError", message)
}
