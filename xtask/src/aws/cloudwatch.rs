//! CloudWatch: what the versions behind an alias did, and which alarms fire.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use aws_sdk_cloudwatch::{
    Client,
    primitives::DateTime,
    types::{AlarmType, Dimension, Metric, MetricDataQuery, MetricStat, StateValue},
};

use super::{AwsError, Clients, error::failed};
use crate::release::canary::Sample;

/// Lambda's metrics come in whole minutes (Lambda developer guide, "Types of metrics for Lambda functions").
const PERIOD: i32 = 60;

/// What is asked of each version: the metric, and how its minutes are put together.
const METRICS: &[(&str, &str)] =
    &[("Invocations", "Sum"), ("Errors", "Sum"), ("Throttles", "Sum"), ("Duration", "p99")];

/// CloudWatch in the stage's region.
#[derive(Debug)]
pub struct CloudWatch {
    client: Client,
}

impl Clients {
    /// CloudWatch in the stage's region.
    #[must_use]
    pub fn cloudwatch(&self) -> CloudWatch {
        CloudWatch { client: Client::new(self.config()) }
    }
}

impl CloudWatch {
    /// What versions did that an alias sends traffic to, each since `since`, in their order.
    ///
    /// # Errors
    ///
    /// When a call fails.
    pub async fn samples(
        &self,
        function: &str,
        alias: &str,
        versions: &[&str],
        since: SystemTime,
    ) -> Result<Vec<Sample>, AwsError> {
        let queries = versions.iter().enumerate().flat_map(|(index, version)| {
            METRICS.iter().map(move |(metric, statistic)| query(index, function, alias, version, metric, statistic))
        });
        // A minute that has begun counts: the window's edges are whole minutes.
        let end = SystemTime::now() + Duration::from_secs(60);
        let mut samples = vec![Sample::default(); versions.len()];
        let mut next = None;
        loop {
            let request = self
                .client
                .get_metric_data()
                .set_metric_data_queries(Some(queries.clone().collect()))
                .start_time(DateTime::from(since))
                .end_time(DateTime::from(end))
                .set_next_token(next);
            let page = request.send().await.map_err(|error| failed("cloudwatch:GetMetricData", error))?;
            for result in page.metric_data_results() {
                let Some((metric, index)) = result.id().and_then(|id| id.rsplit_once('_')) else { continue };
                let Some(sample) = index.parse::<usize>().ok().and_then(|index| samples.get_mut(index)) else {
                    continue;
                };
                let sum: f64 = result.values().iter().sum();
                match metric {
                    "invocations" => sample.requests += sum,
                    "errors" => sample.errors += sum,
                    "throttles" => sample.throttles += sum,
                    _ => {
                        let slowest = result.values().iter().copied().reduce(f64::max);
                        sample.p99 = sample.p99.into_iter().chain(slowest).reduce(f64::max);
                    }
                }
            }
            next = page.next_token().map(str::to_owned);
            if next.is_none() {
                return Ok(samples);
            }
        }
    }

    /// Those of these alarms that are there, and whether each is firing.
    ///
    /// # Errors
    ///
    /// When a call fails.
    pub async fn alarms(&self, names: &[String]) -> Result<BTreeMap<String, bool>, AwsError> {
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

/// Lambda developer guide, "Types of metrics": traffic of an alias is counted under `Resource` `function:alias`, and of one
/// version behind a weighted alias under `ExecutedVersion` as well.
fn query(index: usize, function: &str, alias: &str, version: &str, metric: &str, statistic: &str) -> MetricDataQuery {
    let dimension = |name: &str, value: &str| Dimension::builder().name(name).value(value).build();
    let metric_of = Metric::builder()
        .namespace("AWS/Lambda")
        .metric_name(metric)
        .dimensions(dimension("FunctionName", function))
        .dimensions(dimension("Resource", &format!("{function}:{alias}")))
        .dimensions(dimension("ExecutedVersion", version))
        .build();
    let stat = MetricStat::builder().metric(metric_of).period(PERIOD).stat(statistic).build();
    MetricDataQuery::builder().id(format!("{}_{index}", metric.to_lowercase())).metric_stat(stat).build()
}
