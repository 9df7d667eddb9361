//! CloudWatch: metrics of the versions behind an alias, and the states of alarms.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use aws_sdk_cloudwatch::{
    Client,
    primitives::DateTime,
    types::{AlarmType, Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat, StateValue},
};

use serde::{Deserialize, Serialize};

use super::{AwsError, Clients, error::failed};

/// Lambda's metrics come in whole minutes (Lambda developer guide, "Types of metrics for Lambda functions").
const PERIOD: i32 = 60;

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

/// CloudWatch in the stage's region.
#[derive(Debug)]
pub(crate) struct CloudWatch {
    client: Client,
}

impl Clients {
    /// CloudWatch in the stage's region.
    pub(crate) fn cloudwatch(&self) -> CloudWatch {
        CloudWatch { client: Client::new(self.config()) }
    }
}

impl CloudWatch {
    /// Reads the metrics since `since` of versions that an alias sends traffic to, in their order.
    pub(crate) async fn samples(
        &self,
        function: &str,
        alias: &str,
        versions: &[&str],
        since: SystemTime,
    ) -> Result<Vec<Sample>, AwsError> {
        let queries = versions.iter().enumerate().flat_map(|(index, version)| {
            let dimensions = dimensions(function, alias, version);
            METRICS.iter().map(move |(metric, statistic)| query(index, &dimensions, metric, statistic))
        });
        // The current minute counts: the window's edges are whole minutes.
        let end = SystemTime::now() + Duration::from_secs(60);
        let mut samples = vec![Sample::default(); versions.len()];
        let mut durations = vec![Vec::new(); versions.len()];
        let request = self
            .client
            .get_metric_data()
            .set_metric_data_queries(Some(queries.collect()))
            .start_time(DateTime::from(since))
            .end_time(DateTime::from(end));
        let pages = request.into_paginator().send().try_collect().await;
        let pages = pages.map_err(|error| failed("cloudwatch:GetMetricData", error))?;
        for result in pages.iter().flat_map(|page| page.metric_data_results()) {
            let Some((metric, index)) = result.id().and_then(|id| id.rsplit_once('_')) else { continue };
            let Ok(index) = index.parse::<usize>() else { continue };
            let (Some(sample), Some(durations)) = (samples.get_mut(index), durations.get_mut(index)) else {
                continue;
            };
            let sum: f64 = result.values().iter().sum();
            match metric {
                "invocations" => sample.requests += sum,
                "errors" => sample.errors += sum,
                "throttles" => sample.throttles += sum,
                _ => durations.extend(whole_minutes(result, since)),
            }
        }
        for (sample, durations) in samples.iter_mut().zip(durations) {
            sample.p99 = median(durations);
        }
        Ok(samples)
    }

    /// Reads which of these alarms exist, and whether each is firing.
    pub(crate) async fn alarms(&self, names: &[String]) -> Result<BTreeMap<String, bool>, AwsError> {
        let mut found = BTreeMap::new();
        // DescribeAlarms takes 100 names a call (CloudWatch API reference).
        for names in names.chunks(100) {
            let request = self.client.describe_alarms().set_alarm_names(Some(names.to_vec()));
            // Without their type, composite alarms are left out; without a number, all but fifty are (CloudWatch API reference).
            let types = [AlarmType::MetricAlarm, AlarmType::CompositeAlarm].to_vec();
            let request = request.set_alarm_types(Some(types)).max_records(100);
            let page = request.send().await.map_err(|error| failed("cloudwatch:DescribeAlarms", error))?;
            let metric = page.metric_alarms().iter().map(|alarm| (alarm.alarm_name(), alarm.state_value()));
            let composite = page.composite_alarms().iter().map(|alarm| (alarm.alarm_name(), alarm.state_value()));
            let alarms = metric.chain(composite);
            found
                .extend(alarms.filter_map(|(name, state)| Some((name?.to_owned(), state == Some(&StateValue::Alarm)))));
        }
        Ok(found)
    }
}

/// The values of the minutes that began after `since`. The minute of `since` is left out: a version that receives its first share of
/// the traffic opens its connections then.
fn whole_minutes(result: &MetricDataResult, since: SystemTime) -> impl Iterator<Item = f64> {
    let since = DateTime::from(since);
    let minutes = result.timestamps().iter().zip(result.values());
    minutes.filter(move |(minute, _)| **minute >= since).map(|(_, value)| *value)
}

/// The median, the lower one of two. One slow request decides the percentile of a minute, but not the median of several minutes.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied()
}

/// Lambda developer guide, "Types of metrics": traffic of an alias is counted under `Resource` `function:alias`, and of one
/// version behind a weighted alias under `ExecutedVersion` as well.
fn dimensions(function: &str, alias: &str, version: &str) -> Vec<Dimension> {
    let dimension = |name: &str, value: &str| Dimension::builder().name(name).value(value).build();
    let resource = format!("{function}:{alias}");
    vec![dimension("FunctionName", function), dimension("Resource", &resource), dimension("ExecutedVersion", version)]
}

fn query(index: usize, dimensions: &[Dimension], metric: &str, statistic: &str) -> MetricDataQuery {
    let lambda = Metric::builder().namespace("AWS/Lambda").metric_name(metric);
    let lambda = lambda.set_dimensions(Some(dimensions.to_vec())).build();
    let stat = MetricStat::builder().metric(lambda).period(PERIOD).stat(statistic).build();
    MetricDataQuery::builder().id(format!("{}_{index}", metric.to_lowercase())).metric_stat(stat).build()
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
        let minutes = [60, 120, 180].map(DateTime::from_secs);
        let result = MetricDataResult::builder().set_timestamps(Some(minutes.to_vec()));
        let result = result.set_values(Some(vec![900.0, 70.0, 60.0])).build();
        assert_eq!(whole_minutes(&result, since).collect::<Vec<_>>(), [70.0, 60.0]);
    }
}
