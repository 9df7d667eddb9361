//! `GetMetricData`.

use serde_json::{Value, json};

use super::{invalid, metric::Metric, traffic::MINUTE};
use crate::{
    account::Account,
    time::START,
    wire::{Call, Handled, Refusal, Reply},
};

/// The most queries of a call, and the most data points of a page (CloudWatch API reference, `GetMetricData`).
const QUERIES: usize = 500;
const POINTS: usize = 100_800;

/// The data points of a query: the seconds since 1970, and the value.
struct Found<'a> {
    id: &'a str,
    label: &'a str,
    points: Vec<(u64, f64)>,
}

/// CloudWatch API reference, `GetMetricData`: `StartTime` is rounded down to a whole minute and inclusive, `EndTime` is exclusive, the newest
/// values come first.
pub(super) fn get_metric_data(account: &Account, call: &Call, input: &Value) -> Handled {
    let queries = input["MetricDataQueries"].as_array().map_or(&[][..], Vec::as_slice);
    if queries.is_empty() || queries.len() > QUERIES {
        return Err(invalid(format!("The number of queries must be from 1 to {QUERIES}")));
    }
    let (start, end) = (seconds(&input["StartTime"])?, seconds(&input["EndTime"])?);
    if start >= end {
        return Err(invalid("The parameter StartTime must be less than the parameter EndTime."));
    }
    let ascending = input["ScanBy"] == "TimestampAscending";
    let mut found = Vec::new();
    for query in queries.iter().filter(|query| query["ReturnData"] != false) {
        found.push(points(account, call, query, (start, end), ascending)?);
    }
    let limit = input["MaxDatapoints"].as_u64().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(POINTS);
    let skipped = input["NextToken"].as_str().and_then(|token| token.parse().ok()).unwrap_or_default();
    Ok(page(&found, skipped, limit.clamp(1, POINTS)))
}

/// Reads a point in time: seconds since 1970, perhaps with a fraction.
fn seconds(value: &Value) -> Result<u64, Refusal> {
    let seconds = value.as_u64().or_else(|| value.as_f64().map(|seconds| seconds.max(0.0) as u64));
    seconds.ok_or_else(|| invalid("StartTime and EndTime must be timestamps"))
}

fn points<'a>(
    account: &Account,
    call: &Call,
    query: &'a Value,
    (start, end): (u64, u64),
    ascending: bool,
) -> Result<Found<'a>, Refusal> {
    let id = query["Id"].as_str().ok_or_else(|| invalid("A query needs an Id"))?;
    let stat = &query["MetricStat"];
    let (metric, period) = (&stat["Metric"], stat["Period"].as_u64().unwrap_or_default());
    if !metric.is_object() {
        return Err(invalid("the simulated CloudWatch has no expressions"));
    }
    if period == 0 || period % MINUTE != 0 {
        return Err(invalid("The period must be a multiple of 60 seconds"));
    }
    let label = metric["MetricName"].as_str().unwrap_or_default();
    let found = Metric::read(&call.region, metric, stat["Stat"].as_str().unwrap_or_default());
    let mut points = Vec::new();
    if let Some(metric) = found {
        // The simulation begins at a whole minute.
        let mut at = start.max(START) / period * period;
        let last = end.min(account.now().unix_seconds() + 1);
        while at < last {
            let begin = at.max(START);
            let minutes = (at + period - begin) / MINUTE;
            let value = metric.value(account, (begin - START) / MINUTE, minutes);
            points.extend(value.map(|value| (at, value)));
            at += period;
        }
    }
    if !ascending {
        points.reverse();
    }
    Ok(Found { id, label, points })
}

/// The data points after the `skipped` ones of earlier pages.
fn page(found: &[Found<'_>], mut skipped: usize, mut limit: usize) -> Reply {
    let (mut results, mut is_partial, before) = (Vec::new(), false, skipped + limit);
    for Found { id, label, points } in found {
        let skip = skipped.min(points.len());
        skipped -= skip;
        let rest = &points[skip..];
        let taken = &rest[..rest.len().min(limit)];
        limit -= taken.len();
        let is_complete = taken.len() == rest.len();
        is_partial |= !is_complete;
        results.push(json!({
            "Id": id,
            "Label": label,
            "Timestamps": taken.iter().map(|(at, _)| *at).collect::<Vec<_>>(),
            "Values": taken.iter().map(|(_, value)| *value).collect::<Vec<_>>(),
            "StatusCode": if is_complete { "Complete" } else { "PartialData" },
        }));
    }
    let mut body = json!({ "MetricDataResults": results, "Messages": [] });
    if is_partial {
        body["NextToken"] = before.to_string().into();
    }
    Reply::json(200, &body)
}
