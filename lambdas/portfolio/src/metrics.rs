//! Counts, written as log lines that CloudWatch makes metrics of: CloudWatch's embedded metric format
//! (Amazon CloudWatch User Guide, "Embedded metric format specification").

use std::{fmt, io::Write};

use jiff::Timestamp;
use portfolio_contract::{METRICS_DIMENSION, METRICS_NAMESPACE, Metric};
use serde_json::{Value, json};

/// Takes one line.
type Sink = Box<dyn Fn(&str) + Send + Sync>;

/// Writes counts for one stage.
pub struct Metrics {
    stage: String,
    sink: Sink,
}

impl Metrics {
    /// Writes to stdout, which Lambda hands to CloudWatch.
    #[must_use]
    pub fn to_stdout(stage: &str) -> Self {
        Self::new(stage, |line| {
            // A metric that cannot be written is no reason to refuse a request.
            let _ = writeln!(std::io::stdout().lock(), "{line}");
        })
    }

    /// Hands its lines to `sink`.
    pub fn new(stage: &str, sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { stage: stage.to_owned(), sink: Box::new(sink) }
    }

    /// Counts one.
    pub fn count(&self, metric: Metric, now: Timestamp) {
        (self.sink)(&line(&self.stage, metric, now).to_string());
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Metrics").field("stage", &self.stage).finish_non_exhaustive()
    }
}

fn line(stage: &str, metric: Metric, now: Timestamp) -> Value {
    json!({
        "_aws": {
            "Timestamp": now.as_millisecond(),
            "CloudWatchMetrics": [{
                "Namespace": METRICS_NAMESPACE,
                "Dimensions": [[METRICS_DIMENSION]],
                "Metrics": [{"Name": metric.as_str(), "Unit": "Count"}],
            }],
        },
        METRICS_DIMENSION: stage,
        metric.as_str(): 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_its_metric_and_carries_its_value_and_dimension() {
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
