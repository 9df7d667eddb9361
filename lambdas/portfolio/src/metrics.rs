//! The counts that the function writes.

use std::fmt;

use common::metrics;
use jiff::Timestamp;
use portfolio_contract::{METRICS_DIMENSION, METRICS_NAMESPACE, Metric};
use serde_json::Value;

/// Writes one line.
type Sink = Box<dyn Fn(&str) + Send + Sync>;

/// Writes counts for one stage.
pub(crate) struct Metrics {
    stage: String,
    sink: Sink,
}

impl Metrics {
    /// Writes to stdout, which Lambda forwards to CloudWatch.
    pub(crate) fn to_stdout(stage: &str) -> Self {
        Self::new(stage, metrics::write)
    }

    pub(crate) fn new(stage: &str, sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { stage: stage.to_owned(), sink: Box::new(sink) }
    }

    /// Counts one.
    pub(crate) fn count(&self, metric: Metric, now: Timestamp) {
        (self.sink)(&line(&self.stage, metric, now).to_string());
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Metrics").field("stage", &self.stage).finish_non_exhaustive()
    }
}

fn line(stage: &str, metric: Metric, now: Timestamp) -> Value {
    let counted = metrics::Metric::count(metric.as_str(), 1);
    metrics::line(METRICS_NAMESPACE, &[(METRICS_DIMENSION, stage)], &[counted], now)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_has_the_metric_its_value_and_its_dimension() {
        let line = line("dev", Metric::LoginFailures, Timestamp::UNIX_EPOCH);
        assert_eq!(
            line,
            json!({
                "_aws": {
                    "Timestamp": 0,
                    "CloudWatchMetrics": [{
                        "Namespace": "Portfolio/Auth",
                        "Dimensions": [["Environment"]],
                        "Metrics": [{"Name": "LoginFailures", "Unit": "Count"}],
                    }],
                },
                "Environment": "dev",
                "LoginFailures": 1,
            })
        );
    }
}
