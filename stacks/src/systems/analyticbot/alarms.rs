//! The alarms: failed requests and invocations, throttled functions and tables, and failed sign-ins. Each is on one metric.

use Statistic::{Average, Sum};
use analyticbot_contract::{SYSTEM, metrics};
use model::{
    parts::{
        alarm::{Alarm, Threshold},
        function::FunctionHandle,
        http_api::HttpApiHandle,
        metric::{Metric, Statistic},
        topic::TopicHandle,
    },
    stage::Stage,
    template::json::camel,
};

use super::data::Data;

/// Five minutes, in seconds.
const PERIOD: u32 = 300;
/// The share of failed invocations or requests.
const ERROR_RATE: f64 = 0.05;
/// The failed sign-ins in a period.
const FAILED_SIGN_INS: f64 = 100.0;

/// Returns a metric of the functions' own.
pub(super) fn own(stage: &Stage, name: &str, statistic: Statistic) -> Metric {
    Metric::new(&format!("{}/{}", metrics::NAMESPACE, stage.name), name, statistic)
}

/// Returns all alarms.
pub(super) fn all(
    stage: &Stage,
    topic: &TopicHandle,
    data: &Data,
    (api, functions): (&HttpApiHandle, &[FunctionHandle]),
) -> Vec<Alarm> {
    let alarm = |name: &str, metric: Metric, threshold: Threshold, meaning: &str| {
        let (id, name) = (format!("{}Alarm", camel(name)), format!("{SYSTEM}-{}-{name}", stage.name));
        Alarm::new(&id, &name, metric, threshold, topic).description(meaning).periods(PERIOD, 1)
    };
    let failed = Metric::http_api(&api.id, "5xx", Average);
    let failed = alarm("api-5xx", failed, Threshold::Above(ERROR_RATE), "More than 5 percent of the requests failed.");
    let sign_ins = own(stage, metrics::LOGINS_FAILED, Sum);
    let meaning = "More than 100 sign-ins failed within five minutes.";
    let sign_ins = alarm("login-failures", sign_ins, Threshold::Above(FAILED_SIGN_INS), meaning);
    let mut alarms = vec![failed.periods(PERIOD, 2), sign_ins];
    for function in functions {
        let name = short_name(function, stage);
        let metric = |name: &str, statistic: Statistic| Metric::function(function.function.id(), name, statistic);
        let meaning = "More than 5 percent of the invocations failed.";
        let errors = metric("Errors", Average);
        let errors = alarm(&format!("errors-{name}"), errors, Threshold::Above(ERROR_RATE), meaning);
        let meaning = "Lambda refused invocations.";
        let throttles = metric("Throttles", Sum);
        let throttles = alarm(&format!("throttles-{name}"), throttles, Threshold::AtLeast(1.0), meaning);
        alarms.extend([errors.periods(PERIOD, 2), throttles]);
    }
    for (table, handle) in data.tables() {
        for (kind, metric) in [("read", "ReadThrottleEvents"), ("write", "WriteThrottleEvents")] {
            let metric = Metric::table(handle.name(), metric, Sum);
            let name = format!("db-throttle-{table}-{kind}");
            alarms.push(alarm(&name, metric, Threshold::AtLeast(1.0), "DynamoDB refused requests."));
        }
    }
    alarms
}

/// Returns the function's name within the system, for example `user-bot`.
fn short_name<'a>(function: &'a FunctionHandle, stage: &Stage) -> &'a str {
    function.name.strip_prefix(&format!("{SYSTEM}-{}-", stage.name)).unwrap_or(&function.name)
}
