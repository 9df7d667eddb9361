//! Alarms on CloudWatch metrics.

pub use super::metric::{Metric, Statistic};
use super::topic::TopicHandle;
use crate::{
    emulator::Feature,
    resources::cloud_watch::{self, alarm},
    stage::Stage,
    template::{Part, Reference, Resource, Stack, Text, set},
};

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
    /// `None` for an alarm that notifies no topic.
    topic: Option<TopicHandle>,
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
            topic: Some(topic.clone()),
            is_supported: true,
        }
    }

    /// Notifies no topic: the alarm is seen in CloudWatch and on dashboards only.
    #[must_use]
    pub fn silent(mut self) -> Self {
        self.topic = None;
        self
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
        let topic = || self.topic.as_ref().map(|topic| vec![topic.arn()]);
        let plain = cloud_watch::Alarm {
            alarm_name: set(&self.name),
            alarm_description: (!self.description.is_empty()).then(|| Text::from(&self.description)),
            comparison_operator: set(comparison),
            threshold: set(threshold),
            evaluation_periods: set(self.periods),
            datapoints_to_alarm: set(self.periods),
            treat_missing_data: set("notBreaching"),
            alarm_actions: topic(),
            ok_actions: topic(),
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
            dimensions: dimensions(metric),
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
                    dimensions: dimensions(metric),
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

fn dimensions(metric: &Metric) -> Option<Vec<alarm::Dimension>> {
    let dimension = |(name, value): (&String, &Text)| alarm::Dimension { name: set(name), value: set(value) };
    (!metric.dimensions.is_empty()).then(|| metric.dimensions.iter().map(dimension).collect())
}

impl Part for Alarm {
    /// `None` if the stage does not support the alarm.
    type Handle = Option<Reference>;

    fn add_to(self, stack: &mut Stack) -> Option<Reference> {
        self.is_supported.then(|| stack.resource(&self.logical_id, Resource::of(self.properties())))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

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
    fn an_average_of_errors_is_their_share() {
        let errors = || Metric::function("api", "Errors", Statistic::Average);
        let share = |alarm: Alarm| Alarm { source: AlarmSource::Metric(errors()), ..alarm }.periods(300, 2);
        let alarm = alarm(|alarm| share(alarm).silent()).expect("an alarm");
        assert_eq!((&alarm["Statistic"], &alarm["EvaluationPeriods"]), (&json!("Average"), &json!(2)));
        assert!(alarm["AlarmActions"].is_null() && alarm["OKActions"].is_null(), "{alarm}");
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
