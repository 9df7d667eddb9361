//! Metrics as log lines in CloudWatch's embedded metric format (Amazon CloudWatch User Guide, "Embedded metric format
//! specification"): CloudWatch reads them from the log, so a function needs no permission and no call.

use std::io::Write;

use jiff::Timestamp;
use serde_json::{Map, Number, Value, json};

/// The unit of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are CloudWatch's own")]
pub enum Unit {
    Bytes,
    Count,
    Milliseconds,
    Seconds,
}

impl Unit {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Bytes => "Bytes",
            Self::Count => "Count",
            Self::Milliseconds => "Milliseconds",
            Self::Seconds => "Seconds",
        }
    }
}

/// A measured value.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    name: &'static str,
    unit: Unit,
    value: Number,
}

impl Metric {
    /// Creates a number of things.
    #[must_use]
    pub fn count(name: &'static str, value: u64) -> Self {
        Self { name, unit: Unit::Count, value: value.into() }
    }

    /// Creates a number of bytes.
    #[must_use]
    pub fn bytes(name: &'static str, value: u64) -> Self {
        Self { name, unit: Unit::Bytes, value: value.into() }
    }

    /// Creates a duration in milliseconds. One that is no number is 0.
    #[must_use]
    pub fn milliseconds(name: &'static str, value: f64) -> Self {
        Self { name, unit: Unit::Milliseconds, value: Number::from_f64(value).unwrap_or_else(|| 0.into()) }
    }

    /// Creates a duration in whole seconds.
    #[must_use]
    pub fn seconds(name: &'static str, value: u64) -> Self {
        Self { name, unit: Unit::Seconds, value: value.into() }
    }
}

/// Writes values of one namespace with the same dimensions, each given by name and value. No values are no line.
pub fn emit(namespace: &str, dimensions: &[(&str, &str)], measured: &[Metric]) {
    if measured.is_empty() {
        return;
    }
    write(&line(namespace, dimensions, measured, Timestamp::now()).to_string());
}

/// Writes one line to stdout, which Lambda forwards to CloudWatch.
pub fn write(line: &str) {
    // A closed stdout cannot be handled, and a lost metric must not fail a request.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Returns the line of [`emit`].
#[must_use]
pub fn line(namespace: &str, dimensions: &[(&str, &str)], measured: &[Metric], now: Timestamp) -> Value {
    let names: Vec<_> = dimensions.iter().map(|(name, _)| *name).collect();
    let metrics: Vec<_> =
        measured.iter().map(|metric| json!({ "Name": metric.name, "Unit": metric.unit.as_str() })).collect();
    let directive = json!({ "Namespace": namespace, "Dimensions": [names], "Metrics": metrics });
    let mut line = Map::from_iter([(
        "_aws".to_owned(),
        json!({ "Timestamp": now.as_millisecond(), "CloudWatchMetrics": [directive] }),
    )]);
    line.extend(dimensions.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
    line.extend(measured.iter().map(|metric| (metric.name.to_owned(), Value::Number(metric.value.clone()))));
    Value::Object(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_the_embedded_metric_format() {
        let now = Timestamp::from_millisecond(1000).expect("a time");
        let measured = [Metric::milliseconds("Waited", 12.5), Metric::count("Runs", 1), Metric::bytes("Stored", 9)];
        assert_eq!(
            line("App", &[("Stage", "prod"), ("Kind", "full")], &measured, now),
            json!({
                "_aws": { "Timestamp": 1000, "CloudWatchMetrics": [{
                    "Namespace": "App", "Dimensions": [["Stage", "Kind"]],
                    "Metrics": [
                        { "Name": "Waited", "Unit": "Milliseconds" }, { "Name": "Runs", "Unit": "Count" },
                        { "Name": "Stored", "Unit": "Bytes" },
                    ],
                }] },
                "Stage": "prod", "Kind": "full", "Waited": 12.5, "Runs": 1, "Stored": 9,
            })
        );
    }

    #[test]
    fn a_duration_that_is_no_number_does_not_break_the_line() {
        let line = line("App", &[], &[Metric::milliseconds("Waited", f64::NAN)], Timestamp::UNIX_EPOCH);
        assert_eq!(line["Waited"], 0);
    }
}
