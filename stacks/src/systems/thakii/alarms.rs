//! Stack `alarms`: the alarms with their topic, and a dashboard.

use Statistic::{Average, Maximum, Minimum, Percentile, Sum};
use model::{
    parts::{
        alarm::{Alarm, Metric, Statistic, Threshold},
        dashboard::{Dashboard, Widget},
        function::FunctionHandle,
        queue::QueueHandle,
        table::TableHandle,
        topic::{ARN_OUTPUT, Topic, TopicHandle},
    },
    template::{Stack, json::camel},
};
use thakii_contract::metrics;

use super::{Shared, api::Served, worker::Work};

/// A quarter of an hour, in seconds.
const QUARTER: u32 = 900;
/// Five minutes, in seconds.
const PERIOD: u32 = 300;

/// Builds the stack.
pub(super) fn stack(shared: &Shared, work: &Work, served: &Served) -> Stack {
    let mut stack = Stack::new("alarms", "Thakii: alarms and dashboard.");
    let topic = Topic::new("AlarmTopic", &format!("thakii-alarms-{}", shared.stage.name), shared.stage);
    let topic = stack.add(topic.email(shared.settings.alarm_email.as_deref()));
    let monitoring = Monitoring { shared, work, served, topic: &topic };
    for alarm in monitoring.alarms() {
        stack.add(alarm);
    }
    let name = format!("thakii-{}", shared.stage.name);
    stack.add(monitoring.dashboard(&name));
    stack.output(ARN_OUTPUT, topic.arn());
    stack.output("DashboardName", name);
    stack
}

/// The parts that alarms and dashboard watch.
struct Monitoring<'a> {
    shared: &'a Shared<'a>,
    work: &'a Work,
    served: &'a Served,
    topic: &'a TopicHandle,
}

fn lambda(function: &FunctionHandle, name: &str, statistic: Statistic) -> Metric {
    Metric::new("AWS/Lambda", name, statistic).of("FunctionName", function.function.id())
}

fn queue(queue: &QueueHandle, name: &str, statistic: Statistic) -> Metric {
    Metric::new("AWS/SQS", name, statistic).of("QueueName", queue.name())
}

fn table(table: &TableHandle, name: &str) -> Metric {
    Metric::new("AWS/DynamoDB", name, Sum).of("TableName", table.name())
}

/// One metric for each operation, because DynamoDB counts throttles and system errors per operation. An alarm has ten
/// metrics at most (CloudWatch user guide, "CloudWatch service quotas").
fn by_operation(handle: &TableHandle, name: &str) -> [(&'static str, Metric); 8] {
    const OPERATIONS: [(&str, &str); 8] = [
        ("get", "GetItem"),
        ("put", "PutItem"),
        ("update", "UpdateItem"),
        ("delete", "DeleteItem"),
        ("query", "Query"),
        ("write", "BatchWriteItem"),
        ("transact", "TransactWriteItems"),
        ("read", "TransactGetItems"),
    ];
    OPERATIONS.map(|(id, operation)| (id, table(handle, name).of("Operation", operation)))
}

impl Monitoring<'_> {
    fn functions(&self) -> [(&'static str, &FunctionHandle); 3] {
        [("api", &self.served.function), ("status", &self.work.status), ("maintenance", &self.work.maintenance)]
    }

    fn gateway(&self, name: &str, statistic: Statistic) -> Metric {
        Metric::new("AWS/ApiGateway", name, statistic)
            .of("ApiName", &self.served.api.name)
            .of("Stage", self.shared.stage.name.as_str())
    }

    fn own_metric(&self, name: &str, statistic: Statistic) -> Metric {
        Metric::new(metrics::NAMESPACE, name, statistic).of(metrics::STAGE, self.shared.stage.name.as_str())
    }

    fn alarm(&self, name: &str, metric: Metric, threshold: Threshold, meaning: &str) -> Alarm {
        let logical_id = format!("{}Alarm", camel(name));
        let name = format!("thakii-{name}-{}", self.shared.stage.name);
        Alarm::new(&logical_id, &name, metric, threshold, self.topic).description(meaning)
    }

    fn alarms(&self) -> Vec<Alarm> {
        let mut alarms = self.request_alarms();
        alarms.extend(self.function_alarms());
        alarms.extend(self.queue_alarms());
        alarms.extend(self.table_alarms());
        alarms
    }

    fn request_alarms(&self) -> Vec<Alarm> {
        let function = &self.served.function;
        let errors = || lambda(function, "Errors", Sum);
        let refused = || self.gateway("4XXError", Sum);
        vec![
            self.alarm("api-errors", errors(), Threshold::AtLeast(5.0), "Five requests made the function fail."),
            self.alarm(
                "api-error-rate",
                errors(),
                Threshold::Above(5.0),
                "More than 5 percent made the function fail.",
            )
            .math(
                "IF(invocations >= 20, 100 * errors / invocations, 0)",
                [("errors", errors()), ("invocations", lambda(function, "Invocations", Sum))],
                self.shared.stage,
            ),
            self.alarm(
                "fast-routes-p95",
                self.own_metric(metrics::FAST_ROUTE_MS, Percentile(95)),
                Threshold::Above(1000.0),
                "Of a hundred requests that move no files, more than five took over a second.",
            )
            .periods(PERIOD, 3),
            self.alarm(
                "fast-routes-maximum",
                self.own_metric(metrics::FAST_ROUTE_MS, Maximum),
                Threshold::Above(5000.0),
                "A request that moves no files took over 5 s.",
            )
            .periods(PERIOD, 3),
            self.alarm("api-5xx", self.gateway("5XXError", Average), Threshold::Above(0.01), "One percent failed."),
            self.alarm("api-4xx", refused(), Threshold::Above(25.0), "A quarter of at least 100 requests was refused.")
                .math(
                    "IF(requests >= 100, 100 * refused / requests, 0)",
                    [("refused", refused()), ("requests", self.gateway("Count", Sum))],
                    self.shared.stage,
                )
                .periods(QUARTER, 1),
            self.alarm(
                "auth-failures",
                self.own_metric(metrics::AUTH_FAILURES, Sum),
                Threshold::Above(50.0),
                "More than 50 requests came without a good token.",
            ),
            self.alarm(
                "list-degraded",
                self.own_metric(metrics::LIST_DEGRADED, Sum),
                Threshold::AtLeast(1.0),
                "Somebody was shown an empty list because the table failed.",
            ),
        ]
    }

    fn function_alarms(&self) -> Vec<Alarm> {
        let throttles = self.functions().map(|(name, function)| {
            let metric = lambda(function, "Throttles", Sum);
            self.alarm(
                &format!("{name}-throttles"),
                metric,
                Threshold::AtLeast(1.0),
                "Lambda refused to run the function.",
            )
        });
        let errors = self.functions().into_iter().skip(1).map(|(name, function)| {
            let metric = lambda(function, "Errors", Sum);
            self.alarm(&format!("{name}-errors"), metric, Threshold::AtLeast(1.0), "The function failed.")
        });
        throttles.into_iter().chain(errors).collect()
    }

    fn queue_alarms(&self) -> Vec<Alarm> {
        let (tasks, events) = (&self.work.tasks, &self.work.events);
        vec![
            self.alarm(
                "tasks-waiting",
                queue(&tasks.main, "ApproximateAgeOfOldestMessage", Maximum),
                Threshold::Above(1800.0),
                "A task has waited for over half an hour: is the worker up?",
            ),
            // Messages that move to a dead-letter queue are not counted as sent, only as received by its consumer.
            self.alarm(
                "dead-tasks",
                queue(&tasks.dead_letters, "NumberOfMessagesReceived", Sum),
                Threshold::AtLeast(1.0),
                "The worker gave up on a task.",
            ),
            self.alarm(
                "dead-events",
                queue(&events.dead_letters, "ApproximateNumberOfMessagesVisible", Maximum),
                Threshold::AtLeast(1.0),
                "The worker reported something that nobody understands.",
            ),
            self.alarm(
                "healthy-servers",
                self.own_metric(metrics::HEALTHY_SERVERS, Minimum),
                Threshold::Below(1.0),
                "Servers are registered, and none of them is healthy.",
            )
            .periods(QUARTER, 2),
        ]
    }

    /// Two alarms for each table, both on sums over all operations.
    fn table_alarms(&self) -> Vec<Alarm> {
        let tables = self.shared.tables.all();
        let metrics = [
            ("throttles", "ThrottledRequests", "DynamoDB refused requests."),
            ("system-errors", "SystemErrors", "DynamoDB failed."),
        ];
        let alarm = |(name, handle): (&str, &TableHandle), (suffix, metric, meaning): (&str, &str, &str)| {
            self.alarm(&format!("{name}-{suffix}"), table(handle, metric), Threshold::AtLeast(1.0), meaning).math(
                "SUM(METRICS())",
                by_operation(handle, metric),
                self.shared.stage,
            )
        };
        tables.into_iter().flat_map(|table| metrics.map(|metric| alarm(table, metric))).collect()
    }

    fn dashboard(&self, name: &str) -> Dashboard {
        let of_functions = |metric: &str, statistic: Statistic| {
            self.functions().map(|(_, function)| lambda(function, metric, statistic))
        };
        let of_tables = |metric: &str| self.shared.tables.all().map(|(_, handle)| table(handle, metric));
        let (tasks, events) = (&self.work.tasks, &self.work.events);
        Dashboard::new("Dashboard", name)
            .row([
                Widget::graph("Requests", [self.gateway("Count", Sum)]),
                Widget::graph("4XX and 5XX", [self.gateway("4XXError", Sum), self.gateway("5XXError", Sum)]),
                Widget::graph("Latency", [50, 95, 99].map(|percent| self.gateway("Latency", Percentile(percent)))),
            ])
            .row([
                Widget::graph("Invocations", of_functions("Invocations", Sum)),
                Widget::graph("Errors", of_functions("Errors", Sum)),
                Widget::graph("Duration", of_functions("Duration", Percentile(95))),
                Widget::graph("Concurrency", of_functions("ConcurrentExecutions", Maximum)),
            ])
            .row([
                Widget::graph(
                    "Waiting",
                    [&tasks.main, &tasks.dead_letters, &events.main, &events.dead_letters]
                        .map(|handle| queue(handle, "ApproximateNumberOfMessagesVisible", Maximum)),
                ),
                Widget::graph(
                    "Oldest",
                    [&tasks.main, &events.main].map(|handle| queue(handle, "ApproximateAgeOfOldestMessage", Maximum)),
                ),
                Widget::graph(
                    "Tasks by status",
                    ["in_queue", "in_progress", "done", "failed"]
                        .map(|status| self.own_metric(metrics::TASKS, Maximum).of(metrics::STATUS, status)),
                ),
                Widget::graph("Healthy servers", [self.own_metric(metrics::HEALTHY_SERVERS, Minimum)]),
            ])
            .row([
                Widget::graph("Reads", of_tables("ConsumedReadCapacityUnits")),
                Widget::graph("Writes", of_tables("ConsumedWriteCapacityUnits")),
                Widget::graph(
                    "Refused",
                    of_tables("ReadThrottleEvents").into_iter().chain(of_tables("WriteThrottleEvents")),
                ),
            ])
            .row([self.logs("Cold starts", COLD_STARTS), self.logs("Live versions", VERSIONS)])
    }

    fn logs(&self, title: &str, query: &str) -> Widget {
        let group = self.served.function.log_group();
        Widget::Logs { title: title.to_owned(), group, query: query.to_owned() }
    }
}

/// Lambda's report of an invocation contains the duration of its cold start.
const COLD_STARTS: &str = "filter @type = 'REPORT' and ispresent(@initDuration) | \
                           stats count() as starts, avg(@initDuration) as average, max(@initDuration) as slowest by bin(1h)";
/// The name of each log stream contains the version: `2026/01/31/[7]…`.
const VERSIONS: &str =
    "parse @logStream '[*]' as version | stats count() as lines by version, bin(1h) | sort version desc";
