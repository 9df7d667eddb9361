//! The four families of alarms: error rates and timeouts of functions, backlogs of queues, throttles of tables.
//!
//! Each alarm is on one metric. Each stack has those of its own functions; stack `core` has those of queues and tables.

use Statistic::{Average, Maximum, Sum};
use listbackup_contract::{SYSTEM, tables};
use model::{
    parts::{
        alarm::{Alarm, Threshold},
        function::FunctionHandle,
        http_api::HttpApiHandle,
        metric::{Metric, Statistic},
        queue::QueueHandle,
        topic::TopicHandle,
    },
    stage::Stage,
    template::{Stack, json::camel},
};

use super::core::Core;

/// Five minutes, in seconds.
pub(super) const PERIOD: u32 = 300;
/// The share of failed invocations or requests.
const ERROR_RATE: f64 = 0.05;
/// The share of a function's timeout, in percent.
const TIMEOUT_PERCENT: u32 = 95;

/// A function, with the timeout that its alarm is derived from.
#[derive(Debug, Clone)]
pub(super) struct Watched {
    pub(super) handle: FunctionHandle,
    /// In seconds.
    pub(super) timeout: u32,
}

impl Watched {
    pub(super) fn new(handle: &FunctionHandle, timeout: u32) -> Self {
        Self { handle: handle.clone(), timeout }
    }

    /// Returns the name in its service, for example `getSources`: the end of the name in Lambda.
    fn name(&self, stage: &Stage) -> &str {
        let name = self.handle.name.as_str();
        name.split_once(&format!("-{}-", stage.name)).map_or(name, |(_, function)| function)
    }
}

pub(super) fn alarm(
    stage: &Stage,
    topic: &TopicHandle,
    name: &str,
    (metric, threshold): (Metric, Threshold),
    meaning: &str,
) -> Alarm {
    let logical_id = format!("{}Alarm", camel(name));
    let name = format!("{SYSTEM}-{}-{name}", stage.name);
    Alarm::new(&logical_id, &name, metric, threshold, topic).description(meaning)
}

/// Adds the alarms of functions.
pub(super) fn add_of_functions(stack: &mut Stack, stage: &Stage, topic: &TopicHandle, functions: &[Watched]) {
    for function in functions {
        let metric =
            |name: &str, statistic: Statistic| Metric::function(function.handle.function.id(), name, statistic);
        let errors = (metric("Errors", Average), Threshold::Above(ERROR_RATE));
        let meaning = "More than 5 percent of the invocations failed.";
        let errors =
            alarm(stage, topic, &format!("error-rate-{}", function.name(stage)), errors, meaning).periods(PERIOD, 2);
        let most = f64::from(function.timeout * 1000 * TIMEOUT_PERCENT / 100);
        let slow = (metric("Duration", Maximum), Threshold::AtLeast(most));
        let meaning = "An invocation took nearly as long as the function may run.";
        let slow = alarm(stage, topic, &format!("timeout-{}", function.name(stage)), slow, meaning).periods(PERIOD, 1);
        stack.add(errors);
        stack.add(slow);
    }
}

/// Adds the alarm of an API.
pub(super) fn add_of_api(stack: &mut Stack, stage: &Stage, topic: &TopicHandle, api: &HttpApiHandle) {
    let metric = Metric::http_api(&api.id, "5xx", Average);
    let watched = (metric, Threshold::Above(ERROR_RATE));
    let meaning = "More than 5 percent of the requests failed.";
    stack.add(alarm(stage, topic, "error-rate-api", watched, meaning).periods(PERIOD, 2));
}

/// Returns the alarms of queues and tables.
pub(super) fn of_core(stage: &Stage, core: &Core) -> Vec<Alarm> {
    let topic = &core.topic;
    let mut alarms = vec![
        backlog(stage, topic, ("job", &core.job.main), 100.0).periods(PERIOD, 3),
        backlog(stage, topic, ("data", &core.data.main), 1000.0).periods(PERIOD, 3),
        dead_letters(stage, topic, "job-dlq", &core.job.dead_letters),
        dead_letters(stage, topic, "data-dlq", &core.data.dead_letters),
    ];
    let hot = [
        (tables::JOBS.name, &core.tables.jobs),
        (tables::RUNS.name, &core.tables.runs),
        (tables::FILES.name, &core.tables.files),
    ];
    for (name, table) in hot {
        for (kind, metric) in [("read", "ReadThrottleEvents"), ("write", "WriteThrottleEvents")] {
            let metric = Metric::table(table.name(), metric, Sum);
            let watched = (metric, Threshold::AtLeast(1.0));
            let meaning = "DynamoDB refused requests.";
            alarms.push(alarm(stage, topic, &format!("throttle-{name}-{kind}"), watched, meaning).periods(PERIOD, 1));
        }
    }
    alarms
}

/// Returns the alarm of a queue of messages that were given up.
pub(super) fn dead_letters(stage: &Stage, topic: &TopicHandle, name: &str, queue: &QueueHandle) -> Alarm {
    backlog(stage, topic, (name, queue), 0.0).periods(PERIOD, 1)
}

fn backlog(stage: &Stage, topic: &TopicHandle, (name, queue): (&str, &QueueHandle), most: f64) -> Alarm {
    let metric = Metric::queue(queue.name(), "ApproximateNumberOfMessagesVisible", Maximum);
    let meaning = "Messages wait in the queue.";
    alarm(stage, topic, &format!("backlog-{name}"), (metric, Threshold::Above(most)), meaning)
}
