//! Stack `observability`: seven alarms with their topic, and a dashboard.

use model::{
    parts::{
        alarm::{Alarm, Metric, Statistic, Threshold},
        dashboard::{Dashboard, Widget},
        table::TableHandle,
        topic::{ARN_OUTPUT, Topic, TopicHandle},
    },
    stage::Stage,
    template::{Reference, Stack, Text},
};

use super::{Settings, api::Served};

/// Builds the stack.
pub(super) fn stack(stage: &Stage, settings: &Settings, served: &Served, table: &TableHandle) -> Stack {
    let mut stack = Stack::new("observability", "Portfolio: alarms and dashboard.");
    let topic = Topic::new("AlarmTopic", &format!("portfolio-alarms-{}", stage.name), stage);
    let topic = stack.add(topic.email(settings.alarm_email.as_deref()));
    let monitoring = Monitoring { stage, served, table };
    let alarms = monitoring.add_alarms(&mut stack, &topic);
    let name = format!("{}-portfolio", stage.name);
    stack.add(monitoring.dashboard(&name, alarms));
    stack.output("DashboardName", name);
    stack.output(ARN_OUTPUT, topic.arn());
    stack
}

/// The parts that alarms and dashboard watch.
struct Monitoring<'a> {
    stage: &'a Stage,
    served: &'a Served,
    table: &'a TableHandle,
}

impl Monitoring<'_> {
    fn lambda(&self, name: &str, statistic: Statistic) -> Metric {
        Metric::new("AWS/Lambda", name, statistic).of("FunctionName", self.served.function.function.id())
    }

    fn api(&self, name: &str, statistic: Statistic) -> Metric {
        Metric::new("AWS/ApiGateway", name, statistic)
            .of("ApiName", &self.served.api.name)
            .of("Stage", self.stage.name.as_str())
    }

    fn table(&self, name: &str, statistic: Statistic) -> Metric {
        Metric::new("AWS/DynamoDB", name, statistic).of("TableName", self.table.name())
    }

    fn index(&self, name: &str) -> Metric {
        self.table(name, Statistic::Sum).of("GlobalSecondaryIndexName", portfolio_contract::INDEX)
    }

    /// The metrics of throttled requests, of the table and its index.
    fn throttled(&self) -> [(&'static str, Metric); 4] {
        [
            ("read", self.table("ReadThrottleEvents", Statistic::Sum)),
            ("write", self.table("WriteThrottleEvents", Statistic::Sum)),
            ("indexread", self.index("ReadThrottleEvents")),
            ("indexwrite", self.index("WriteThrottleEvents")),
        ]
    }

    /// Adds the alarms that the stage supports; returns their ARNs.
    fn add_alarms(&self, stack: &mut Stack, topic: &TopicHandle) -> Vec<Text> {
        use Statistic::{Average, Maximum, Percentile, Sum};
        let name = |name: &str| format!("portfolio-{name}-{}", self.stage.name);
        let alarm = |id: &str, called: &str, metric: Metric, threshold: f64| {
            Alarm::new(id, &name(called), metric, Threshold::Above(threshold), topic)
        };
        let errors = || self.lambda("Errors", Sum);
        let alarms = [
            alarm("LambdaDurationAlarm", "lambda-duration", self.lambda("Duration", Maximum), 10_000.0)
                .description("A request took more than 10 s."),
            alarm("LambdaErrorsAlarm", "lambda-errors", errors(), 1.0)
                .math(
                    "100 * errors / invocations",
                    [("errors", errors()), ("invocations", self.lambda("Invocations", Sum))],
                    self.stage,
                )
                .description("More than one percent of the invocations failed."),
            alarm("LambdaThrottlesAlarm", "lambda-throttles", self.lambda("Throttles", Sum), 0.0)
                .description("Lambda refused to run the function."),
            alarm("Api4xxAlarm", "api-4xx", self.api("4XXError", Average), 0.05)
                .description("More than 5 percent of the requests were wrong."),
            alarm("Api5xxAlarm", "api-5xx", self.api("5XXError", Average), 0.01)
                .description("More than one percent of the requests failed."),
            alarm("ApiLatencyAlarm", "api-latency", self.api("Latency", Percentile(95)), 2000.0)
                .description("Of a hundred requests, more than five took over 2 s."),
            alarm("DynamoDbThrottlesAlarm", "dynamodb-throttles", self.table("ReadThrottleEvents", Sum), 0.0)
                .math("SUM(METRICS())", self.throttled(), self.stage)
                .description("DynamoDB refused requests to the table or its index."),
        ];
        let added = alarms.into_iter().filter_map(|alarm| stack.add(alarm));
        added.map(|alarm: Reference| alarm.attribute("Arn")).collect()
    }

    fn dashboard(&self, name: &str, alarms: Vec<Text>) -> Dashboard {
        use Statistic::{Average, Maximum, Percentile, Sum};
        Dashboard::new("Dashboard", name)
            .row([
                Widget::graph(
                    "Invocations, errors, throttles",
                    [self.lambda("Invocations", Sum), self.lambda("Errors", Sum), self.lambda("Throttles", Sum)],
                ),
                Widget::graph(
                    "Duration",
                    [
                        self.lambda("Duration", Percentile(50)),
                        self.lambda("Duration", Percentile(95)),
                        self.lambda("Duration", Maximum),
                    ],
                ),
                Widget::graph("Concurrency", [self.lambda("ConcurrentExecutions", Maximum)]),
            ])
            .row([
                Widget::graph("Requests", [self.api("Count", Sum)]),
                Widget::graph("Share of errors", [self.api("4XXError", Average), self.api("5XXError", Average)]),
                Widget::graph("Latency", [self.api("Latency", Percentile(95))]),
            ])
            .row([
                Widget::graph(
                    "Capacity used",
                    [self.table("ConsumedReadCapacityUnits", Sum), self.table("ConsumedWriteCapacityUnits", Sum)],
                ),
                Widget::graph("Throttles", self.throttled().map(|(_, metric)| metric)),
                Widget::graph(
                    "System errors",
                    OPERATIONS.map(|operation| self.table("SystemErrors", Sum).of("Operation", operation)),
                ),
            ])
            .row([
                Widget::Alarms { title: "Alarms".to_owned(), alarms },
                Widget::Logs {
                    title: "Errors in the log".to_owned(),
                    group: self.served.function.log_group(),
                    query: "fields @timestamp, @message | filter level = 'ERROR' | sort @timestamp desc | limit 50"
                        .to_owned(),
                },
            ])
    }
}

/// The operations of the table: DynamoDB counts system errors per operation.
const OPERATIONS: [&str; 6] = ["GetItem", "PutItem", "UpdateItem", "Query", "BatchGetItem", "TransactWriteItems"];
