//! The alarms with their topic: failed requests, failed and waiting events, and the cost of SMS.

use Statistic::{Average, Maximum, Sum};
use media_uploader_contract::SYSTEM;
use model::{
    parts::{
        alarm::{Alarm, Metric, Statistic, Threshold},
        api::ApiHandle,
        function::FunctionHandle,
        queue::QueueHandle,
        topic::{ARN_OUTPUT, Topic, TopicHandle},
    },
    stage::Stage,
    template::{Stack, json::camel},
};

use super::Settings;

/// The age in milliseconds of a waiting event at which an alarm fires: a quarter of an hour, after which clients read that
/// processing has stalled.
const LONGEST_WAIT: f64 = 900_000.0;

/// The parts that alarms watch.
pub(super) struct Watched<'a> {
    /// The functions by name.
    pub(super) functions: [(&'static str, FunctionHandle); 5],
    /// The queue of events that no function could process.
    pub(super) failures: QueueHandle,
    pub(super) api: &'a ApiHandle,
}

/// Adds the topic and the alarms.
pub(super) fn add(stack: &mut Stack, stage: &Stage, settings: &Settings, watched: &Watched<'_>) {
    let topic = Topic::new("AlarmTopic", &format!("{SYSTEM}-alarms-{}", stage.name), stage);
    let topic = stack.add(topic.email(settings.alarm_email.as_deref()));
    let alarms = Alarms { stage, settings, watched, topic: &topic };
    for alarm in alarms.of_functions().into_iter().chain(alarms.of_services()) {
        stack.add(alarm);
    }
    stack.output(ARN_OUTPUT, topic.arn());
}

/// What alarms are built from.
struct Alarms<'a> {
    stage: &'a Stage,
    settings: &'a Settings,
    watched: &'a Watched<'a>,
    topic: &'a TopicHandle,
}

impl Alarms<'_> {
    fn alarm(&self, name: &str, metric: Metric, threshold: Threshold, meaning: &str) -> Alarm {
        let logical_id = format!("{}Alarm", camel(name));
        let name = format!("{SYSTEM}-{name}-{}", self.stage.name);
        Alarm::new(&logical_id, &name, metric, threshold, self.topic).description(meaning)
    }

    fn of_functions(&self) -> Vec<Alarm> {
        let mut alarms = Vec::new();
        for (name, function) in &self.watched.functions {
            let metric = |metric: &str, statistic| {
                Metric::new("AWS/Lambda", metric, statistic).of("FunctionName", function.function.id())
            };
            // One failed request may be a client's bad luck; one failed event may be a lost file.
            let is_serving = matches!(*name, "upload" | "retrieve");
            let errors = Threshold::AtLeast(if is_serving { 5.0 } else { 1.0 });
            alarms.push(self.alarm(&format!("{name}-errors"), metric("Errors", Sum), errors, "The function failed."));
            // Events of a throttled function wait, which costs nothing until they wait for long.
            alarms.push(if is_serving {
                let throttles = metric("Throttles", Sum);
                self.alarm(&format!("{name}-throttles"), throttles, Threshold::AtLeast(1.0), "Lambda refused requests.")
            } else {
                let age = metric("AsyncEventAge", Maximum);
                let meaning = "An uploaded file has waited for a quarter of an hour.";
                self.alarm(&format!("{name}-waiting"), age, Threshold::Above(LONGEST_WAIT), meaning)
            });
        }
        alarms
    }

    fn of_services(&self) -> [Alarm; 3] {
        let api = Metric::new("AWS/ApiGateway", "5XXError", Average)
            .of("ApiName", &self.watched.api.name)
            .of("Stage", self.stage.name.as_str());
        let failures = Metric::new("AWS/SQS", "ApproximateNumberOfMessagesVisible", Maximum)
            .of("QueueName", self.watched.failures.name());
        // The metric has no dimensions: it counts all SMS of the account in this region since the month began.
        let sms = Metric::new("AWS/SNS", "SMSMonthToDateSpentUSD", Maximum);
        [
            self.alarm("api-5xx", api, Threshold::Above(0.01), "One percent of the requests failed."),
            self.alarm(
                "failed-events",
                failures,
                Threshold::AtLeast(1.0),
                "A function gave up on an event; the queue holds it for 14 days.",
            ),
            self.alarm(
                "sms-spend",
                sms,
                Threshold::Above(f64::from(self.settings.sms_alarm_usd)),
                "The account has spent more on SMS this month than expected; check for sign-ups with premium numbers.",
            ),
        ]
    }
}
