//! CloudWatch: metrics of the versions behind an alias, and the states of alarms.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use aws_call::{Call, services::CLOUD_WATCH};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    AwsError, Clients, Resource,
    error::{failed, operation_name, read},
};

/// Lambda's metrics come in whole minutes (Lambda developer guide, "Types of metrics for Lambda functions").
const PERIOD: u32 = 60;

/// The metrics of a version, each with its statistic.
const METRICS: &[(&str, &str)] =
    &[("Invocations", "Sum"), ("Errors", "Sum"), ("Throttles", "Sum"), ("Duration", "p99")];

/// A version's metrics since a point in time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// Requests that reached the version.
    pub(crate) requests: f64,
    /// Requests that failed.
    pub(crate) errors: f64,
    /// Requests that Lambda rejected because too many ran at once.
    pub(crate) throttles: f64,
    /// The 99th percentile of the duration, in milliseconds; `None` without requests.
    pub(crate) p99: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metrics {
    #[serde(default)]
    metric_data_results: Vec<MetricDataResult>,
    next_token: Option<String>,
}

/// The values of one query. Timestamps are seconds since 1970.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MetricDataResult {
    id: String,
    #[serde(default)]
    timestamps: Vec<f64>,
    #[serde(default)]
    values: Vec<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Alarms {
    #[serde(default)]
    metric_alarms: Vec<Alarm>,
    #[serde(default)]
    composite_alarms: Vec<Alarm>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Alarm {
    alarm_name: String,
    state_value: Option<String>,
}

/// CloudWatch in the stage's region.
#[derive(Debug)]
pub(crate) struct CloudWatch<'a> {
    clients: &'a Clients,
}

impl Clients {
    /// CloudWatch in the stage's region.
    pub(crate) fn cloudwatch(&self) -> CloudWatch<'_> {
        CloudWatch { clients: self }
    }
}

impl CloudWatch<'_> {
    /// Reads the metrics since `since` of versions that an alias sends traffic to, in their order.
    pub(crate) async fn samples(
        &self,
        function: &str,
        alias: &str,
        versions: &[&str],
        since: SystemTime,
    ) -> Result<Vec<Sample>, AwsError> {
        let queries: Vec<_> = versions
            .iter()
            .enumerate()
            .flat_map(|(index, version)| {
                let dimensions = dimensions(function, alias, version);
                METRICS.iter().map(move |(metric, statistic)| query(index, &dimensions, metric, statistic))
            })
            .collect();
        let mut samples = vec![Sample::default(); versions.len()];
        let mut durations = vec![Vec::new(); versions.len()];
        for result in self.metric_data(function, &queries, since).await? {
            let Some((metric, index)) = result.id.rsplit_once('_') else { continue };
            let Ok(index) = index.parse::<usize>() else { continue };
            let (Some(sample), Some(durations)) = (samples.get_mut(index), durations.get_mut(index)) else {
                continue;
            };
            let sum: f64 = result.values.iter().sum();
            match metric {
                "invocations" => sample.requests += sum,
                "errors" => sample.errors += sum,
                "throttles" => sample.throttles += sum,
                _ => durations.extend(whole_minutes(&result, since)),
            }
        }
        for (sample, durations) in samples.iter_mut().zip(durations) {
            sample.p99 = median(durations);
        }
        Ok(samples)
    }

    /// Reads all pages of the results of queries about a function.
    async fn metric_data(
        &self,
        function: &str,
        queries: &[Value],
        since: SystemTime,
    ) -> Result<Vec<MetricDataResult>, AwsError> {
        const OPERATION: &str = "cloudwatch:GetMetricData";
        // The current minute counts: the window's edges are whole minutes.
        let end = self.clients.now() + Duration::from_secs(60);
        let mut input = json!({ "MetricDataQueries": queries, "StartTime": seconds(since), "EndTime": seconds(end) });
        let mut results = Vec::new();
        loop {
            let page: Metrics = self.ask(OPERATION, &Resource::function(function), &input).await?;
            results.extend(page.metric_data_results);
            let Some(token) = page.next_token else { return Ok(results) };
            input["NextToken"] = Value::String(token);
        }
    }

    /// Reads which of these alarms exist, and whether each is firing.
    pub(crate) async fn alarms(&self, names: &[String]) -> Result<BTreeMap<String, bool>, AwsError> {
        const OPERATION: &str = "cloudwatch:DescribeAlarms";
        let mut found = BTreeMap::new();
        // DescribeAlarms takes 100 names a call (CloudWatch API reference).
        for names in names.chunks(100) {
            // Without their type, composite alarms are left out; without a number, all but fifty are (CloudWatch API reference).
            let types = ["MetricAlarm", "CompositeAlarm"];
            let input = json!({ "AlarmNames": names, "AlarmTypes": types, "MaxRecords": 100 });
            let resource = Resource::several("alarms", names.iter().map(String::as_str));
            let page: Alarms = self.ask(OPERATION, &resource, &input).await?;
            let alarms = page.metric_alarms.into_iter().chain(page.composite_alarms);
            found.extend(alarms.map(|alarm| (alarm.alarm_name, alarm.state_value.as_deref() == Some("ALARM"))));
        }
        Ok(found)
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        resource: &Resource,
        input: &Value,
    ) -> Result<T, AwsError> {
        let call = Call::json(CLOUD_WATCH, operation_name(operation), input);
        let body = self.clients.send(None, call).await.map_err(failed(operation, resource.clone()))?;
        read(operation, resource.clone(), &body)
    }
}

/// Seconds since 1970, as the JSON protocol has points in time.
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The values of the minutes that began after `since`. The minute of `since` is left out: a version that receives its first share of
/// the traffic opens its connections then.
fn whole_minutes(result: &MetricDataResult, since: SystemTime) -> impl Iterator<Item = f64> {
    let since = since.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let minutes = result.timestamps.iter().zip(&result.values);
    minutes.filter(move |(minute, _)| **minute >= since).map(|(_, value)| *value)
}

/// The median, the lower one of two. One slow request decides the percentile of a minute, but not the median of several minutes.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied()
}

/// Lambda developer guide, "Types of metrics": traffic of an alias is counted under `Resource` `function:alias`, and of one
/// version behind a weighted alias under `ExecutedVersion` as well.
fn dimensions(function: &str, alias: &str, version: &str) -> Value {
    let resource = format!("{function}:{alias}");
    let dimensions = [("FunctionName", function), ("Resource", &resource), ("ExecutedVersion", version)];
    dimensions.map(|(name, value)| json!({ "Name": name, "Value": value })).into()
}

fn query(index: usize, dimensions: &Value, metric: &str, statistic: &str) -> Value {
    let of = json!({ "Namespace": "AWS/Lambda", "MetricName": metric, "Dimensions": dimensions });
    json!({
        "Id": format!("{}_{index}", metric.to_lowercase()),
        "MetricStat": { "Metric": of, "Period": PERIOD, "Stat": statistic },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_ignores_one_slow_minute_and_the_first() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![300.0]), Some(300.0));
        assert_eq!(median(vec![60.0, 300.0]), Some(60.0));
        assert_eq!(median(vec![300.0, 60.0, 70.0]), Some(70.0));
        let since = SystemTime::UNIX_EPOCH + Duration::from_secs(90);
        let (timestamps, values) = (vec![60.0, 120.0, 180.0], vec![900.0, 70.0, 60.0]);
        let result = MetricDataResult { timestamps, values, ..MetricDataResult::default() };
        assert_eq!(whole_minutes(&result, since).collect::<Vec<_>>(), [70.0, 60.0]);
    }
}
