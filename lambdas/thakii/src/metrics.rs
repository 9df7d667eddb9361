//! Metrics as log lines in CloudWatch's embedded metric format:
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.

use std::io::Write;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use thakii_contract::metrics::{NAMESPACE, STAGE, STATUS};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Count,
    Milliseconds,
}

impl Unit {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Milliseconds => "Milliseconds",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) unit: Unit,
    pub(crate) value: f64,
}

impl Metric {
    pub(crate) fn count(name: &'static str, value: u64) -> Self {
        // Exact up to 2^53.
        #[expect(clippy::cast_precision_loss, reason = "metrics are floating-point numbers")]
        Self { name, unit: Unit::Count, value: value as f64 }
    }

    pub(crate) fn milliseconds(name: &'static str, value: f64) -> Self {
        Self { name, unit: Unit::Milliseconds, value }
    }
}

/// Writes metrics of a stage, or of the tasks with a status.
pub(crate) fn emit(stage: &str, status: Option<&str>, measured: &[Metric]) {
    if measured.is_empty() {
        return;
    }
    let line = line(stage, status, measured, Timestamp::now());
    // A closed stdout cannot be handled, and a lost metric must not fail a request.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

fn line(stage: &str, status: Option<&str>, measured: &[Metric], now: Timestamp) -> Value {
    let dimensions = if status.is_some() { vec![STAGE, STATUS] } else { vec![STAGE] };
    let metrics: Vec<Value> =
        measured.iter().map(|metric| json!({"Name": metric.name, "Unit": metric.unit.as_str()})).collect();
    let directive = json!({"Namespace": NAMESPACE, "Dimensions": [dimensions], "Metrics": metrics});
    let mut line = Map::from_iter([
        ("_aws".to_owned(), json!({"Timestamp": now.as_millisecond(), "CloudWatchMetrics": [directive]})),
        (STAGE.to_owned(), json!(stage)),
    ]);
    line.extend(status.map(|status| (STATUS.to_owned(), json!(status))));
    line.extend(measured.iter().map(|metric| (metric.name.to_owned(), json!(metric.value))));
    Value::Object(line)
}

#[cfg(test)]
mod tests {
    use thakii_contract::metrics::{AUTH_FAILURES, FAST_ROUTE_MS, TASKS};

    use super::*;

    #[test]
    fn lines_have_the_embedded_metric_format() {
        let now = Timestamp::from_millisecond(1000).expect("a time");
        let measured = [Metric::milliseconds(FAST_ROUTE_MS, 12.5), Metric::count(AUTH_FAILURES, 1)];
        assert_eq!(
            line("prod", None, &measured, now),
            json!({
                "_aws": {"Timestamp": 1000, "CloudWatchMetrics": [{
                    "Namespace": "Thakii", "Dimensions": [["Stage"]],
                    "Metrics": [
                        {"Name": "FastRouteMs", "Unit": "Milliseconds"}, {"Name": "AuthFailures", "Unit": "Count"},
                    ],
                }]},
                "Stage": "prod", "FastRouteMs": 12.5, "AuthFailures": 1.0,
            })
        );
        let tasks = line("prod", Some("done"), &[Metric::count(TASKS, 7)], now);
        assert_eq!(tasks["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["Stage", "Status"]]));
        assert_eq!((&tasks["Status"], &tasks["Tasks"]), (&json!("done"), &json!(7.0)));
    }
}
