//! Stack `alarms`: what is watched, who is told, and a dashboard.

use Statistic::{Average, Maximum, Minimum, Percentile, Sum};
use model::{
    parts::{
        alarm::{Alarm, Bad, Metric, Statistic},
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

/// The stack.
pub(super) fn stack(shared: &Shared, work: &Work, served: &Served) -> Stack {
    let mut stack = Stack::new("alarms", "Thakii: alarms and dashboard.");
    let topic = Topic::new("AlarmTopic", &format!("thakii-alarms-{}", shared.stage.name));
    let topic = stack.add(topic.email(shared.settings.alarm_email.as_deref()));
    let watched = Watched { shared, work, served, topic: &topic };
    for alarm in watched.alarms() {
        stack.add(alarm);
    }
    let name = format!("thakii-{}", shared.stage.name);
    stack.add(watched.dashboard(&name));
    stack.output(ARN_OUTPUT, topic.arn());
    stack.output("DashboardName", name);
    stack
}

/// What is watched.
struct Watched<'a> {
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

/// One metric for each operation: DynamoDB counts what it refuses and what it fails at for each apart. An alarm takes
/// ten metrics at most (CloudWatch user guide, "CloudWatch service quotas").
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

impl Watched<'_> {
    fn functions(&self) -> [(&'static str, &FunctionHandle); 3] {
        [("api", &self.served.function), ("status", &self.work.status), ("maintenance", &self.work.maintenance)]
    }

    fn gateway(&self, name: &str, statistic: Statistic) -> Metric {
        Metric::new("AWS/ApiGateway", name, statistic)
            .of("ApiName", &self.served.api.name)
            .of("Stage", self.shared.stage.name.as_str())
    }

    fn own(&self, name: &str, statistic: Statistic) -> Metric {
        Metric::new(metrics::NAMESPACE, name, statistic).of(metrics::STAGE, self.shared.stage.name.as_str())
    }

    fn alarm(&self, name: &str, metric: Metric, bad: Bad, meaning: &str) -> Alarm {
        let logical_id = format!("{}Alarm", camel(name));
        let name = format!("thakii-{name}-{}", self.shared.stage.name);
        Alarm::new(&logical_id, &name, metric, bad, self.topic, self.shared.stage).description(meaning)
    }

    fn alarms(&self) -> Vec<Alarm> {
        let mut alarms = self.on_requests();
        alarms.extend(self.on_functions());
        alarms.extend(self.on_work());
        alarms.extend(self.on_tables());
        alarms
    }

    fn on_requests(&self) -> Vec<Alarm> {
        let function = &self.served.function;
        let errors = || lambda(function, "Errors", Sum);
        let refused = || self.gateway("4XXError", Sum);
        vec![
            self.alarm("api-errors", errors(), Bad::AtLeast(5.0), "Five requests made the function fail."),
            self.alarm("api-error-rate", errors(), Bad::Above(5.0), "More than 5 percent made the function fail.")
                .math(
                    "IF(invocations >= 20, 100 * errors / invocations, 0)",
                    [("errors", errors()), ("invocations", lambda(function, "Invocations", Sum))],
                ),
            self.alarm(
                "fast-routes-p95",
                self.own(metrics::FAST_ROUTE_MS, Percentile(95)),
                Bad::Above(1000.0),
                "Of a hundred requests that move no files, more than five took over a second.",
            )
            .periods(PERIOD, 3),
            self.alarm(
                "fast-routes-maximum",
                self.own(metrics::FAST_ROUTE_MS, Maximum),
                Bad::Above(5000.0),
                "A request that moves no files took over 5 s.",
            )
            .periods(PERIOD, 3),
            self.alarm("api-5xx", self.gateway("5XXError", Average), Bad::Above(0.01), "One percent failed."),
            self.alarm("api-4xx", refused(), Bad::Above(25.0), "A quarter of at least 100 requests was refused.")
                .math(
                    "IF(requests >= 100, 100 * refused / requests, 0)",
                    [("refused", refused()), ("requests", self.gateway("Count", Sum))],
                )
                .periods(QUARTER, 1),
            self.alarm(
                "auth-failures",
                self.own(metrics::AUTH_FAILURES, Sum),
                Bad::Above(50.0),
                "More than 50 requests came without a good token.",
            ),
            self.alarm(
                "list-degraded",
                self.own(metrics::LIST_DEGRADED, Sum),
                Bad::AtLeast(1.0),
                "Somebody was shown an empty list because the table failed.",
            ),
        ]
    }

    fn on_functions(&self) -> Vec<Alarm> {
        let throttles = self.functions().map(|(name, function)| {
            let metric = lambda(function, "Throttles", Sum);
            self.alarm(&format!("{name}-throttles"), metric, Bad::AtLeast(1.0), "Lambda refused to run the function.")
        });
        let errors = self.functions().into_iter().skip(1).map(|(name, function)| {
            let metric = lambda(function, "Errors", Sum);
            self.alarm(&format!("{name}-errors"), metric, Bad::AtLeast(1.0), "The function failed.")
        });
        throttles.into_iter().chain(errors).collect()
    }

    fn on_work(&self) -> Vec<Alarm> {
        let (tasks, events) = (&self.work.tasks, &self.work.events);
        vec![
            self.alarm(
                "tasks-waiting",
                queue(&tasks.main, "ApproximateAgeOfOldestMessage", Maximum),
                Bad::Above(1800.0),
                "A task has waited for over half an hour: is the worker up?",
            ),
            // What moves into a dead-letter queue is not counted as sent, only as received by who looks after it.
            self.alarm(
                "dead-tasks",
                queue(&tasks.dead_letters, "NumberOfMessagesReceived", Sum),
                Bad::AtLeast(1.0),
                "The worker gave up on a task.",
            ),
            self.alarm(
                "dead-events",
                queue(&events.dead_letters, "ApproximateNumberOfMessagesVisible", Maximum),
                Bad::AtLeast(1.0),
                "The worker reported something that nobody understands.",
            ),
            self.alarm(
                "healthy-servers",
                self.own(metrics::HEALTHY_SERVERS, Minimum),
                Bad::Below(1.0),
                "Servers are registered, and none of them is healthy.",
            )
            .periods(QUARTER, 2),
        ]
    }

    /// Two alarms a table; both are sums over operations.
    fn on_tables(&self) -> Vec<Alarm> {
        let tables = self.shared.tables.all();
        let kinds = [
            ("throttles", "ThrottledRequests", "DynamoDB refused requests."),
            ("system-errors", "SystemErrors", "DynamoDB failed."),
        ];
        let alarm = |(name, handle): (&str, &TableHandle), (suffix, metric, meaning): (&str, &str, &str)| {
            self.alarm(&format!("{name}-{suffix}"), table(handle, metric), Bad::AtLeast(1.0), meaning)
                .math("SUM(METRICS())", by_operation(handle, metric))
        };
        tables.into_iter().flat_map(|table| kinds.map(|kind| alarm(table, kind))).collect()
    }

    fn dashboard(&self, name: &str) -> Dashboard {
        let each = |metric: &str, statistic: Statistic| {
            self.functions().map(|(_, function)| lambda(function, metric, statistic))
        };
        let tables = |metric: &str| self.shared.tables.all().map(|(_, handle)| table(handle, metric));
        let (tasks, events) = (&self.work.tasks, &self.work.events);
        Dashboard::new("Dashboard", name)
            .row([
                Widget::graph("Requests", [self.gateway("Count", Sum)]),
                Widget::graph("4XX and 5XX", [self.gateway("4XXError", Sum), self.gateway("5XXError", Sum)]),
                Widget::graph("Latency", [50, 95, 99].map(|percent| self.gateway("Latency", Percentile(percent)))),
            ])
            .row([
                Widget::graph("Invocations", each("Invocations", Sum)),
                Widget::graph("Errors", each("Errors", Sum)),
                Widget::graph("Duration", each("Duration", Percentile(95))),
                Widget::graph("Concurrency", each("ConcurrentExecutions", Maximum)),
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
                        .map(|status| self.own(metrics::TASKS, Maximum).of(metrics::STATUS, status)),
                ),
                Widget::graph("Healthy servers", [self.own(metrics::HEALTHY_SERVERS, Minimum)]),
            ])
            .row([
                Widget::graph("Reads", tables("ConsumedReadCapacityUnits")),
                Widget::graph("Writes", tables("ConsumedWriteCapacityUnits")),
                Widget::graph("Refused", tables("ReadThrottleEvents").into_iter().chain(tables("WriteThrottleEvents"))),
            ])
            .row([self.logs("Cold starts", COLD_STARTS), self.logs("Live versions", VERSIONS)])
    }

    fn logs(&self, title: &str, query: &str) -> Widget {
        let group = self.served.function.log_group();
        Widget::Logs { title: title.to_owned(), group, query: query.to_owned() }
    }
}

/// Every cold start leaves its time in Lambda's own report.
const COLD_STARTS: &str = "filter @type = 'REPORT' and ispresent(@initDuration) | \
                           stats count() as starts, avg(@initDuration) as average, max(@initDuration) as slowest by bin(1h)";
/// Lambda writes the version into every stream's name: `2026/01/31/[7]…`.
const VERSIONS: &str =
    "parse @logStream '[*]' as version | stats count() as lines by version, bin(1h) | sort version desc";
