//! A metric of a function, and its statistics.

use serde_json::Value;

use super::traffic::{MINUTE, Measured, Minute, minute};
use crate::account::Account;

/// Lambda's metrics that are modelled (Lambda developer guide, "Types of metrics for Lambda functions").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Invocations,
    Errors,
    Throttles,
    Duration,
}

/// A metric with its dimensions and a statistic.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Metric {
    region: String,
    name: Name,
    function: String,
    /// `None` for all aliases.
    alias: Option<String>,
    /// `None` for all versions.
    version: Option<String>,
    statistic: String,
}

impl Metric {
    /// Reads `Namespace`, `MetricName` and `Dimensions`; `None` for a metric without data here.
    ///
    /// Traffic of an alias is reported under the function, under `Resource` `function:alias`, and under `ExecutedVersion` as well (developer
    /// guide, "Types of metrics for Lambda functions": dimensions).
    pub(super) fn read(region: &str, metric: &Value, statistic: &str) -> Option<Self> {
        if metric["Namespace"] != "AWS/Lambda" {
            return None;
        }
        let name = match metric["MetricName"].as_str()? {
            "Invocations" => Name::Invocations,
            "Errors" => Name::Errors,
            "Throttles" => Name::Throttles,
            "Duration" => Name::Duration,
            _ => return None,
        };
        let dimensions = metric["Dimensions"].as_array().map_or(&[][..], Vec::as_slice);
        let dimension = |name: &str| {
            let found = dimensions.iter().find(|dimension| dimension["Name"] == name);
            found.and_then(|dimension| dimension["Value"].as_str()).map(str::to_owned)
        };
        let (function, resource, version) =
            (dimension("FunctionName")?, dimension("Resource"), dimension("ExecutedVersion"));
        let known = 1 + usize::from(resource.is_some()) + usize::from(version.is_some());
        // `ExecutedVersion` is only reported together with `Resource`, and no other combination is reported at all.
        if known != dimensions.len() || (version.is_some() && resource.is_none()) {
            return None;
        }
        let alias = match resource {
            Some(resource) => Some(resource.strip_prefix(&function)?.strip_prefix(':')?.to_owned()),
            None => None,
        };
        Some(Self { region: region.to_owned(), name, function, alias, version, statistic: statistic.to_owned() })
    }

    /// Returns the value of the period that begins at a minute; `None` without data.
    pub(super) fn value(&self, account: &Account, first: u64, minutes: u64) -> Option<f64> {
        let measured = Measured {
            region: &self.region,
            function: &self.function,
            alias: self.alias.as_deref(),
            version: self.version.as_deref(),
        };
        let last = account.now().elapsed().as_secs() / MINUTE;
        let mut sum = Minute::default();
        for number in first..(first + minutes).min(last + 1) {
            sum.add(minute(account, measured, number));
        }
        match self.name {
            // One data point of 1 or 0 for each invocation.
            Name::Invocations => of_flags(&self.statistic, sum.invocations, sum.invocations),
            Name::Errors => of_flags(&self.statistic, sum.errors, sum.invocations),
            Name::Throttles => of_flags(&self.statistic, sum.throttles, sum.invocations + sum.throttles),
            Name::Duration => of_durations(&self.statistic, &sum.durations),
        }
    }
}

/// A statistic of data points of which `ones` are 1 and the others 0.
fn of_flags(statistic: &str, ones: f64, all: f64) -> Option<f64> {
    if all <= 0.0 {
        return None;
    }
    let flag = |is_one: bool| if is_one { 1.0 } else { 0.0 };
    Some(match statistic {
        "Sum" => ones,
        "SampleCount" => all,
        "Average" => ones / all,
        "Minimum" => flag(ones >= all),
        "Maximum" => flag(ones > 0.0),
        _ => flag(ones > all * (1.0 - percentile(statistic)?)),
    })
}

/// A statistic of durations: each version's number of invocations, typical duration and 99th percentile.
fn of_durations(statistic: &str, durations: &[(f64, f64, f64)]) -> Option<f64> {
    let count: f64 = durations.iter().map(|(count, ..)| count).sum();
    if count <= 0.0 {
        return None;
    }
    let total: f64 = durations.iter().map(|(count, typical, _)| count * typical).sum();
    // The slowest versions decide a percentile if they have enough of the invocations.
    let at = |share: f64, value: fn(&(f64, f64, f64)) -> f64| {
        let mut sorted: Vec<_> = durations.iter().map(|found| (value(found), found.0)).collect();
        sorted.sort_by(|one, other| other.0.total_cmp(&one.0));
        let mut above = 0.0;
        let decisive = sorted.iter().find(|(_, count_of)| {
            above += count_of;
            above >= count * (1.0 - share)
        });
        decisive.map(|(value, _)| *value)
    };
    match statistic {
        "Sum" => Some(total),
        "SampleCount" => Some(count),
        "Average" => Some(total / count),
        "Minimum" => durations.iter().map(|(_, typical, _)| typical * 0.7).min_by(f64::total_cmp),
        "Maximum" => durations.iter().map(|(.., slow)| *slow).max_by(f64::total_cmp),
        _ => {
            let share = percentile(statistic)?;
            if share > 0.9 { at(share, |found| found.2) } else { at(share, |found| found.1) }
        }
    }
}

/// The share in `p99` or `p99.9`.
fn percentile(statistic: &str) -> Option<f64> {
    statistic.strip_prefix('p')?.parse::<f64>().ok().map(|percent| percent / 100.0)
}
