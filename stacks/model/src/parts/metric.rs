//! CloudWatch metrics, for alarms and dashboards.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::template::Text;

/// The seconds of a day: S3 measures buckets once a day (S3 user guide, "Metrics and dimensions").
const DAY: u32 = 86_400;

/// One CloudWatch metric with its statistic.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// The namespace, for example `AWS/Lambda`.
    pub namespace: String,
    /// The metric's name, for example `Errors`.
    pub name: String,
    /// The dimensions, by name.
    pub dimensions: BTreeMap<String, Text>,
    /// The statistic that combines the values of a period.
    pub statistic: Statistic,
    /// The period on dashboards in seconds; `None` for that of the widget. An alarm has its own.
    pub period: Option<u32>,
}

/// A statistic: how the values of a period are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are CloudWatch's own")]
pub enum Statistic {
    Average,
    Maximum,
    Minimum,
    Sum,
    /// A percentile, from 1 to 99: this many percent of the values are lower.
    Percentile(u8),
}

impl Statistic {
    /// Returns the name that CloudWatch uses, for example `Sum` or `p95`.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Percentile(percent) => format!("p{percent}"),
            plain => format!("{plain:?}"),
        }
    }
}

impl Metric {
    /// Creates a metric without dimensions.
    #[must_use]
    pub fn new(namespace: &str, name: &str, statistic: Statistic) -> Self {
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        Self { namespace, name, dimensions: BTreeMap::new(), statistic, period: None }
    }

    /// Creates a metric of a function, for example `Duration`. A function of a later stack is given by its name in Lambda.
    #[must_use]
    pub fn function(function: impl Into<Text>, name: &str, statistic: Statistic) -> Self {
        Self::new("AWS/Lambda", name, statistic).of("FunctionName", function)
    }

    /// Creates a metric of a table, for example `ConsumedReadCapacityUnits`.
    #[must_use]
    pub fn table(table: impl Into<Text>, name: &str, statistic: Statistic) -> Self {
        Self::new("AWS/DynamoDB", name, statistic).of("TableName", table)
    }

    /// Creates a metric of a queue, for example `ApproximateNumberOfMessagesVisible`.
    #[must_use]
    pub fn queue(queue: impl Into<Text>, name: &str, statistic: Statistic) -> Self {
        Self::new("AWS/SQS", name, statistic).of("QueueName", queue)
    }

    /// Creates a metric of an HTTP API, given by its ID: `Count`, `4xx`, `5xx`, `Latency`.
    #[must_use]
    pub fn http_api(api_id: impl Into<Text>, name: &str, statistic: Statistic) -> Self {
        Self::new("AWS/ApiGateway", name, statistic).of("ApiId", api_id)
    }

    /// Creates a metric of an event rule of a bus, for example `FailedInvocations`.
    #[must_use]
    pub fn event_rule(bus: impl Into<Text>, rule: &str, name: &str, statistic: Statistic) -> Self {
        Self::new("AWS/Events", name, statistic).of("EventBusName", bus).of("RuleName", rule)
    }

    /// Creates the metric of a bucket's size in one storage class, for example `IntelligentTieringFAStorage` or
    /// `StandardStorage`, measured once a day.
    #[must_use]
    pub fn bucket_size(bucket: impl Into<Text>, storage_type: &str) -> Self {
        let metric = Self::new("AWS/S3", "BucketSizeBytes", Statistic::Average);
        metric.of("BucketName", bucket).of("StorageType", storage_type).every(DAY)
    }

    /// Creates the metric of the number of a bucket's objects, measured once a day.
    #[must_use]
    pub fn bucket_objects(bucket: impl Into<Text>) -> Self {
        let metric = Self::new("AWS/S3", "NumberOfObjects", Statistic::Average);
        metric.of("BucketName", bucket).of("StorageType", "AllStorageTypes").every(DAY)
    }

    /// Adds a dimension.
    #[must_use]
    pub fn of(mut self, dimension: &str, value: impl Into<Text>) -> Self {
        self.dimensions.insert(dimension.to_owned(), value.into());
        self
    }

    /// Sets the period on dashboards, in seconds.
    #[must_use]
    pub fn every(mut self, seconds: u32) -> Self {
        self.period = Some(seconds);
        self
    }

    /// Returns the metric in the form of a dashboard's widget (CloudWatch API reference, "Dashboard body structure and
    /// syntax").
    pub(super) fn to_dashboard_json(&self) -> Value {
        let mut metric = vec![json!(self.namespace), json!(self.name)];
        for (name, value) in &self.dimensions {
            metric.push(json!(name));
            metric.push(value.to_json());
        }
        let mut options = json!({ "stat": self.statistic.name() });
        if let Some(period) = self.period {
            options["period"] = json!(period);
        }
        metric.push(options);
        Value::Array(metric)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dashboard_shows_a_daily_metric_by_day() {
        let expected = json!([
            "AWS/S3", "NumberOfObjects", "BucketName", "files", "StorageType", "AllStorageTypes",
            { "stat": "Average", "period": 86_400 },
        ]);
        assert_eq!(Metric::bucket_objects("files").to_dashboard_json(), expected);
        let errors = Metric::function("app-work-dev", "Errors", Statistic::Sum);
        assert_eq!(
            errors.to_dashboard_json(),
            json!(["AWS/Lambda", "Errors", "FunctionName", "app-work-dev", { "stat": "Sum" }])
        );
    }
}
