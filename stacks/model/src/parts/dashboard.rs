//! A CloudWatch dashboard: rows of widgets.

use serde_json::{Map, Value, json};

use super::metric::{Metric, Statistic};
use crate::{
    resources::cloud_watch,
    template::{Expression, Part, Reference, Resource, Stack, Text, json::sorted, set},
};

/// The number of columns of a dashboard (CloudWatch API reference, "Dashboard body structure and syntax").
const COLUMNS: usize = 24;
/// The height of a row, in the same units.
const HEIGHT: usize = 6;

/// An `AWS::CloudWatch::Dashboard`.
#[derive(Debug, Clone)]
pub struct Dashboard {
    logical_id: String,
    name: String,
    rows: Vec<Vec<Widget>>,
}

/// A widget of a dashboard.
#[derive(Debug, Clone, PartialEq)]
pub enum Widget {
    /// Metrics over time.
    Graph {
        /// The title.
        title: String,
        /// The metrics.
        metrics: Vec<Metric>,
    },
    /// The state of alarms.
    Alarms {
        /// The title.
        title: String,
        /// The alarms' ARNs.
        alarms: Vec<Text>,
    },
    /// The log lines that a CloudWatch Logs Insights query selects.
    Logs {
        /// The title.
        title: String,
        /// The log group's name.
        group: String,
        /// The query.
        query: String,
    },
}

impl Widget {
    /// Creates a graph of metrics over time.
    #[must_use]
    pub fn graph(title: &str, metrics: impl IntoIterator<Item = Metric>) -> Self {
        Self::Graph { title: title.to_owned(), metrics: metrics.into_iter().collect() }
    }

    /// Creates a graph of the 95th percentile of the duration of functions, given by their names in Lambda.
    #[must_use]
    pub fn durations<'a>(title: &str, functions: impl IntoIterator<Item = &'a str>) -> Self {
        let duration = |name| Metric::function(name, "Duration", Statistic::Percentile(95));
        Self::graph(title, functions.into_iter().map(duration))
    }

    /// Creates a graph of the errors of functions, given by their names in Lambda.
    #[must_use]
    pub fn errors<'a>(title: &str, functions: impl IntoIterator<Item = &'a str>) -> Self {
        Self::graph(title, functions.into_iter().map(|name| Metric::function(name, "Errors", Statistic::Sum)))
    }

    /// Creates a graph of the capacity that tables consume by reading and writing.
    #[must_use]
    pub fn capacity(title: &str, tables: impl IntoIterator<Item = Text>) -> Self {
        Self::tables(title, tables, ["ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits"])
    }

    /// Creates a graph of the requests that tables throttled.
    #[must_use]
    pub fn throttles(title: &str, tables: impl IntoIterator<Item = Text>) -> Self {
        Self::tables(title, tables, ["ReadThrottleEvents", "WriteThrottleEvents"])
    }

    fn tables(title: &str, tables: impl IntoIterator<Item = Text>, names: [&str; 2]) -> Self {
        let both = |table: Text| names.map(|name| Metric::table(&table, name, Statistic::Sum));
        Self::graph(title, tables.into_iter().flat_map(both))
    }

    /// Creates a graph of the number of waiting messages in queues.
    #[must_use]
    pub fn backlog(title: &str, queues: impl IntoIterator<Item = Text>) -> Self {
        let waiting = |queue| Metric::queue(queue, "ApproximateNumberOfMessagesVisible", Statistic::Maximum);
        Self::graph(title, queues.into_iter().map(waiting))
    }

    /// Creates a graph of the age of the oldest message in queues.
    #[must_use]
    pub fn age(title: &str, queues: impl IntoIterator<Item = Text>) -> Self {
        let age = |queue| Metric::queue(queue, "ApproximateAgeOfOldestMessage", Statistic::Maximum);
        Self::graph(title, queues.into_iter().map(age))
    }

    /// Creates a graph of the requests to an HTTP API, and of those that failed because of the client or the server.
    #[must_use]
    pub fn http_requests(title: &str, api_id: &Text) -> Self {
        Self::graph(title, ["Count", "4xx", "5xx"].map(|name| Metric::http_api(api_id, name, Statistic::Sum)))
    }

    fn properties(&self) -> (&'static str, Value) {
        let region = json!({ "Ref": "AWS::Region" });
        match self {
            Self::Graph { title, metrics } => {
                let metrics: Vec<_> = metrics.iter().map(Metric::to_dashboard_json).collect();
                ("metric", json!({ "title": title, "region": region, "period": 300, "metrics": metrics }))
            }
            Self::Alarms { title, alarms } => ("alarm", json!({ "title": title, "alarms": alarms })),
            Self::Logs { title, group, query } => {
                let query = format!("SOURCE '{group}' | {query}");
                ("log", json!({ "title": title, "region": region, "view": "table", "query": query }))
            }
        }
    }
}

impl Dashboard {
    /// Creates an empty dashboard called `name`.
    #[must_use]
    pub fn new(logical_id: &str, name: &str) -> Self {
        Self { logical_id: logical_id.to_owned(), name: name.to_owned(), rows: Vec::new() }
    }

    /// Adds a row of widgets of equal width.
    #[must_use]
    pub fn row(mut self, widgets: impl IntoIterator<Item = Widget>) -> Self {
        self.rows.push(widgets.into_iter().collect());
        self
    }

    fn body(&self) -> Expression {
        let mut widgets = Vec::new();
        for (index, row) in self.rows.iter().enumerate() {
            let width = COLUMNS / row.len().max(1);
            for (column, widget) in row.iter().enumerate() {
                let (kind, properties) = widget.properties();
                widgets.push(json!({
                    "type": kind, "x": column * width, "y": index * HEIGHT, "width": width, "height": HEIGHT,
                    "properties": properties,
                }));
            }
        }
        to_text(&json!({ "widgets": widgets }))
    }
}

/// Returns JSON as text, with a variable in the place of each value that CloudFormation resolves.
fn to_text(json: &Value) -> Expression {
    let mut values = Vec::new();
    let template = replace_intrinsics(&sorted(json.clone()), &mut values).to_string();
    let names: Vec<_> = (0..values.len()).map(variable_name).collect();
    Expression::sub(&template, names.iter().map(String::as_str).zip(values))
}

fn variable_name(index: usize) -> String {
    format!("Value{index}")
}

/// Replaces intrinsic functions by variables, one for each distinct value, and escapes text that looks like a variable.
fn replace_intrinsics(json: &Value, values: &mut Vec<Text>) -> Value {
    match json {
        Value::Object(object) if is_intrinsic(object) => {
            let value = Text::from(Expression::raw(json.clone()));
            let index = values.iter().position(|known| *known == value).unwrap_or_else(|| {
                values.push(value);
                values.len() - 1
            });
            json!(format!("${{{}}}", variable_name(index)))
        }
        Value::Object(object) => object
            .iter()
            .map(|(key, value)| (key.clone(), replace_intrinsics(value, values)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(|item| replace_intrinsics(item, values)).collect(),
        Value::String(text) => json!(text.replace("${", "${!")),
        scalar => scalar.clone(),
    }
}

fn is_intrinsic(object: &Map<String, Value>) -> bool {
    object.len() == 1 && object.keys().all(|key| key == "Ref" || key.starts_with("Fn::"))
}

impl Part for Dashboard {
    type Handle = Reference;

    fn add_to(self, stack: &mut Stack) -> Reference {
        let properties = cloud_watch::Dashboard {
            dashboard_name: set(&self.name),
            dashboard_body: set(self.body()),
            ..cloud_watch::Dashboard::default()
        };
        stack.resource(&self.logical_id, Resource::of(properties))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_show_their_reads_and_writes() {
        let Widget::Graph { metrics, .. } = Widget::capacity("Capacity", ["a", "b"].map(Text::from)) else {
            panic!("a graph")
        };
        let shown: Vec<_> =
            metrics.iter().map(|metric| (&metric.dimensions["TableName"], metric.name.as_str())).collect();
        let (a, b) = (Text::from("a"), Text::from("b"));
        let [read, write] = ["ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits"];
        assert_eq!(shown, [(&a, read), (&a, write), (&b, read), (&b, write)]);
    }

    #[test]
    fn values_that_cloudformation_resolves_become_variables() {
        let mut stack = Stack::new("alarms", "Alarms.");
        let topic = stack.resource("Topic", Resource::new("AWS::SNS::Topic", json!({})));
        let metric = Metric::new("AWS/SNS", "Sent", Statistic::Sum).of("TopicName", topic.attribute("TopicName"));
        let query = r#"filter level = "ERROR" and a = '${x}'"#.to_owned();
        let logs = Widget::Logs { title: "Errors".to_owned(), group: "/aws/lambda/all".to_owned(), query };
        stack.add(Dashboard::new("Dashboard", "all").row([Widget::graph("Sent", [metric]), logs]));
        let body = stack.resources["Dashboard"].to_json()["Properties"]["DashboardBody"]["Fn::Sub"].clone();
        let text = body[0].as_str().expect("a text with variables");
        let parsed: Value = serde_json::from_str(text).expect("JSON, once the values are in");
        assert_eq!(parsed["widgets"].as_array().expect("widgets").len(), 2);
        assert_eq!(parsed["widgets"][1]["x"], 12);
        assert_eq!(
            parsed["widgets"][1]["properties"]["query"],
            r#"SOURCE '/aws/lambda/all' | filter level = "ERROR" and a = '${!x}'"#
        );
        assert_eq!(parsed["widgets"][0]["properties"]["metrics"][0][2], "TopicName");
    }
}
