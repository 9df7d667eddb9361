//! CloudWatch metrics and alarms on them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::topic::TopicHandle;
use crate::{
    emulator::Feature,
    resources::cloud_watch::{self, alarm},
    stage::Stage,
    template::{Part, Reference, Resource, Stack, Text, list, set},
};

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
        Self { namespace: namespace.to_owned(), name: name.to_owned(), dimensions: BTreeMap::new(), statistic }
    }

    /// Adds a dimension.
    #[must_use]
    pub fn of(mut self, dimension: &str, value: impl Into<Text>) -> Self {
        self.dimensions.insert(dimension.to_owned(), value.into());
        self
    }

    fn dimensions(&self) -> Option<Vec<alarm::Dimension>> {
        let dimension = |(name, value): (&String, &Text)| alarm::Dimension { name: set(name), value: set(value) };
        (!self.dimensions.is_empty()).then(|| self.dimensions.iter().map(dimension).collect())
    }
}

/// The value that an alarm compares.
#[derive(Debug, Clone, PartialEq)]
enum AlarmSource {
    Metric(Metric),
    /// An expression, and the metrics that it names by their IDs.
    Math(String, Vec<(String, Metric)>),
}

/// The values at which an alarm fires.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Threshold {
    /// Higher values.
    Above(f64),
    /// This value and higher ones.
    AtLeast(f64),
    /// Lower values.
    Below(f64),
}

/// An `AWS::CloudWatch::Alarm` that notifies a topic when it fires and when it recovers.
///
/// Missing values do not fire it.
#[derive(Debug, Clone)]
pub struct Alarm {
    logical_id: String,
    name: String,
    description: String,
    source: AlarmSource,
    threshold: Threshold,
    period: i64,
    periods: i64,
    topic: TopicHandle,
    /// Whether the stage supports the metric: the emulator has no metric math.
    is_supported: bool,
}

impl Alarm {
    /// Creates an alarm called `name` on one metric. It is evaluated over one period of five minutes.
    #[must_use]
    pub fn new(logical_id: &str, name: &str, metric: Metric, threshold: Threshold, topic: &TopicHandle) -> Self {
        Self {
            logical_id: logical_id.to_owned(),
            name: name.to_owned(),
            description: String::new(),
            source: AlarmSource::Metric(metric),
            threshold,
            period: 300,
            periods: 1,
            topic: topic.clone(),
            is_supported: true,
        }
    }

    /// Compares the result of a metric math expression instead of the metric. The expression names `metrics` by their IDs
    /// (CloudWatch user guide, "Using math expressions with CloudWatch metrics").
    ///
    /// The emulator has no metric math, so the alarm is omitted there.
    #[must_use]
    pub fn math<'a>(
        mut self,
        expression: &str,
        metrics: impl IntoIterator<Item = (&'a str, Metric)>,
        stage: &Stage,
    ) -> Self {
        self.is_supported = Feature::MetricMath.is_in(stage);
        let metrics = metrics.into_iter().map(|(id, metric)| (id.to_owned(), metric)).collect();
        self.source = AlarmSource::Math(expression.to_owned(), metrics);
        self
    }

    /// Sets the description, which says what has happened when the alarm fires.
    #[must_use]
    pub fn description(mut self, text: &str) -> Self {
        text.clone_into(&mut self.description);
        self
    }

    /// Sets the length of a period in seconds, and the number of consecutive periods after which the alarm fires.
    #[must_use]
    pub fn periods(mut self, seconds: u32, count: u32) -> Self {
        self.period = i64::from(seconds);
        self.periods = i64::from(count);
        self
    }

    fn properties(&self) -> cloud_watch::Alarm {
        let (comparison, threshold) = match self.threshold {
            Threshold::Above(threshold) => ("GreaterThanThreshold", threshold),
            Threshold::AtLeast(threshold) => ("GreaterThanOrEqualToThreshold", threshold),
            Threshold::Below(threshold) => ("LessThanThreshold", threshold),
        };
        let plain = cloud_watch::Alarm {
            alarm_name: set(&self.name),
            alarm_description: (!self.description.is_empty()).then(|| Text::from(&self.description)),
            comparison_operator: set(comparison),
            threshold: set(threshold),
            evaluation_periods: set(self.periods),
            datapoints_to_alarm: set(self.periods),
            treat_missing_data: set("notBreaching"),
            alarm_actions: list([self.topic.arn()]),
            ok_actions: list([self.topic.arn()]),
            ..cloud_watch::Alarm::default()
        };
        match &self.source {
            AlarmSource::Metric(metric) => self.on_metric(metric, plain),
            AlarmSource::Math(expression, metrics) => self.on_math(expression, metrics, plain),
        }
    }

    fn on_metric(&self, metric: &Metric, plain: cloud_watch::Alarm) -> cloud_watch::Alarm {
        let percentile = matches!(metric.statistic, Statistic::Percentile(_));
        let statistic = Text::from(metric.statistic.name());
        cloud_watch::Alarm {
            namespace: set(&metric.namespace),
            metric_name: set(&metric.name),
            dimensions: metric.dimensions(),
            period: set(self.period),
            statistic: (!percentile).then(|| statistic.clone()),
            extended_statistic: percentile.then_some(statistic),
            ..plain
        }
    }

    fn on_math(&self, expression: &str, metrics: &[(String, Metric)], plain: cloud_watch::Alarm) -> cloud_watch::Alarm {
        let result = alarm::MetricDataQuery {
            id: set("result"),
            expression: set(expression),
            return_data: set(true),
            ..alarm::MetricDataQuery::default()
        };
        let query = |(id, metric): &(String, Metric)| alarm::MetricDataQuery {
            id: set(id),
            metric_stat: Some(alarm::MetricStat {
                metric: Some(alarm::Metric {
                    namespace: set(&metric.namespace),
                    metric_name: set(&metric.name),
                    dimensions: metric.dimensions(),
                }),
                period: set(self.period),
                stat: set(metric.statistic.name()),
                ..alarm::MetricStat::default()
            }),
            return_data: set(false),
            ..alarm::MetricDataQuery::default()
        };
        let metrics = std::iter::once(result).chain(metrics.iter().map(query)).collect();
        cloud_watch::Alarm { metrics: Some(metrics), ..plain }
    }
}

impl Part for Alarm {
    /// `None` if the stage does not support the alarm.
    type Handle = Option<Reference>;

    fn add_to(self, stack: &mut Stack) -> Option<Reference> {
        self.is_supported.then(|| stack.resource(&self.logical_id, Resource::of(self.properties())))
    }
}

impl Metric {
    /// Returns the metric in the form of a dashboard's widget (CloudWatch API reference, "Dashboard body structure and
    /// syntax").
    pub(super) fn to_dashboard_json(&self) -> Value {
        let mut metric = vec![json!(self.namespace), json!(self.name)];
        for (name, value) in &self.dimensions {
            metric.push(json!(name));
            metric.push(value.to_json());
        }
        metric.push(json!({ "stat": self.statistic.name() }));
        Value::Array(metric)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::topic::Topic;

    fn alarm(change: impl FnOnce(Alarm) -> Alarm) -> Option<Value> {
        let mut stack = Stack::new("alarms", "Alarms.");
        let topic = stack.add(Topic::new("Topic", "alarms", &Stage::example("dev")));
        let metric = Metric::new("AWS/Lambda", "Duration", Statistic::Percentile(95)).of("FunctionName", "api");
        stack.add(change(Alarm::new("Slow", "slow", metric, Threshold::Above(1000.0), &topic)));
        stack.resources.get("Slow").map(|alarm| alarm.to_json()["Properties"].clone())
    }

    #[test]
    fn a_percentile_is_an_extended_statistic() {
        let alarm = alarm(|alarm| alarm.periods(300, 3)).expect("an alarm");
        assert_eq!(alarm["ExtendedStatistic"], "p95");
        assert!(alarm["Statistic"].is_null());
        assert_eq!(alarm["Dimensions"], json!([{ "Name": "FunctionName", "Value": "api" }]));
        assert_eq!(alarm["TreatMissingData"], "notBreaching");
    }

    #[test]
    fn math_returns_one_result_and_is_omitted_on_the_emulator() {
        let errors = || Metric::new("AWS/Lambda", "Errors", Statistic::Sum);
        let math =
            |alarm: Alarm, stage: &str| alarm.math("100 * errors", [("errors", errors())], &Stage::example(stage));
        assert_eq!(alarm(|alarm| math(alarm, "local")), None);
        let alarm = alarm(|alarm| math(alarm, "dev")).expect("an alarm");
        let returned: Vec<_> =
            alarm["Metrics"].as_array().expect("queries").iter().map(|it| &it["ReturnData"]).collect();
        assert_eq!(returned, [true, false]);
        assert!(alarm["MetricName"].is_null());
    }
}
