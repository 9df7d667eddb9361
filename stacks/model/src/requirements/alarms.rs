//! Alarms: CloudWatch accepts an alarm on a metric that does not exist, and it never fires.

use serde_json::Value;

use super::{
    Requirement, Subject, Violation, form, metrics,
    references::{Target, number},
};
use crate::{stage::closest, statements::list};

/// A dimension that names a resource.
struct Dimension {
    namespace: &'static str,
    name: &'static str,
    kind: &'static str,
    /// The property with the resource's name.
    property: &'static str,
    /// The reference that returns the name; `None` is `Ref`, and an empty list is none of them.
    references: &'static [Option<&'static str>],
    /// How to write the name.
    hint: &'static str,
}

/// The pages of [`metrics`], and the return values of the types (CloudFormation template reference).
const DIMENSIONS: &[Dimension] = &[
    Dimension {
        namespace: "AWS/Lambda",
        name: "FunctionName",
        kind: "AWS::Lambda::Function",
        property: "FunctionName",
        references: &[None],
        hint: "the function's `Ref`",
    },
    Dimension {
        namespace: "AWS/SQS",
        name: "QueueName",
        kind: "AWS::SQS::Queue",
        property: "QueueName",
        references: &[Some("QueueName")],
        hint: "the queue's attribute QueueName",
    },
    Dimension {
        namespace: "AWS/DynamoDB",
        name: "TableName",
        kind: "AWS::DynamoDB::Table",
        property: "TableName",
        references: &[None],
        hint: "the table's `Ref`",
    },
    Dimension {
        namespace: "AWS/SNS",
        name: "TopicName",
        kind: "AWS::SNS::Topic",
        property: "TopicName",
        references: &[Some("TopicName")],
        hint: "the topic's attribute TopicName",
    },
    Dimension {
        namespace: "AWS/Events",
        name: "RuleName",
        kind: "AWS::Events::Rule",
        property: "Name",
        references: &[],
        hint: "the rule's Name",
    },
    Dimension {
        namespace: "AWS/Events",
        name: "EventBusName",
        kind: "AWS::Events::EventBus",
        property: "Name",
        references: &[None],
        hint: "the bus's `Ref`",
    },
    Dimension {
        namespace: "AWS/ApiGateway",
        name: "ApiId",
        kind: "AWS::ApiGatewayV2::Api",
        property: "ApiId",
        references: &[None, Some("ApiId")],
        hint: "the API's `Ref`",
    },
    Dimension {
        namespace: "AWS/ApiGateway",
        name: "ApiName",
        kind: "AWS::ApiGateway::RestApi",
        property: "Name",
        references: &[],
        hint: "the API's Name",
    },
    Dimension {
        namespace: "AWS/ApiGateway",
        name: "ApiId",
        kind: "AWS::ApiGatewayV2::Api",
        // Generated, so no template contains it.
        property: "ApiId",
        references: &[None, Some("ApiId")],
        hint: "the API's `Ref`",
    },
];

/// The seconds of a day: the longest evaluation with periods under an hour. Other alarms have a week.
const DAY: i64 = 86_400;

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Violation>) {
    if subject.resource_type() != "AWS::CloudWatch::Alarm" {
        return;
    }
    let properties = &subject.resource["Properties"];
    metric(subject, properties, "", found);
    period(subject, &properties["Period"], &properties["Namespace"], found);
    for query in list(&properties["Metrics"]) {
        let statistic = &query["MetricStat"];
        metric(subject, &statistic["Metric"], "Metrics", found);
        let period_value = if statistic["Period"].is_null() { &query["Period"] } else { &statistic["Period"] };
        period(subject, period_value, &statistic["Metric"]["Namespace"], found);
    }
}

/// CloudWatch API reference, `PutMetricAlarm`: periods are 10, 20 or 30 seconds, or whole minutes. Services send metrics to namespaces
/// `AWS/…` once a minute.
fn period(subject: &Subject<'_>, value: &Value, namespace: &Value, found: &mut Vec<Violation>) {
    let Some(period) = number(value) else { return };
    let is_own = !namespace.as_str().is_some_and(|namespace| namespace.starts_with("AWS/"));
    let is_accepted = period > 0 && period % 60 == 0 || is_own && [10, 20, 30].contains(&period);
    if !is_accepted {
        let message = format!("its period is {period} s; choose whole minutes, for example 60 or 300 s");
        subject.violates(Requirement::Alarm, "Period", message, found);
        return;
    }
    let Some(count) = number(subject.property("EvaluationPeriods")) else { return };
    let longest = if period < 3600 { DAY } else { 7 * DAY };
    if period * count > longest {
        let message = format!("{count} periods of {period} s are longer than {longest} s; CloudWatch refuses them");
        subject.violates(Requirement::Alarm, "EvaluationPeriods", message, found);
    }
}

/// Checks the namespace, name and dimensions of a metric. `property` is its place.
fn metric<'a>(subject: &Subject<'a>, metric: &'a Value, property: &str, found: &mut Vec<Violation>) {
    let Some(namespace) = metric["Namespace"].as_str() else { return };
    let name = metric["MetricName"].as_str().unwrap_or_default();
    let place = |own: &'static str| if property.is_empty() { own } else { "Metrics" };
    if let Some(known) = metrics::of(namespace).filter(|known| !name.is_empty() && !known.contains(&name)) {
        let suggestion = closest(name, known.iter().copied());
        let suggestion = suggestion.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
        let message = format!("{namespace} has no metric `{name}`, so the alarm never fires{suggestion}");
        subject.violates(Requirement::Alarm, place("MetricName"), message, found);
    }
    for dimension in list(&metric["Dimensions"]) {
        if let Some(message) = of_other_apis(namespace, name, &dimension["Name"]) {
            subject.violates(Requirement::Alarm, place("MetricName"), message, found);
        }
        let known = DIMENSIONS.iter().find(|known| known.namespace == namespace && dimension["Name"] == known.name);
        if let Some(message) = known.and_then(|known| misses(subject, known, &dimension["Value"])) {
            subject.violates(Requirement::Alarm, place("Dimensions"), message, found);
        }
    }
}

/// REST APIs and HTTP APIs count the same under other names, by other dimensions (the pages of [`metrics`]).
const OF_REST: [(&str, &str); 2] = [("4XXError", "4xx"), ("5XXError", "5xx")];

/// Returns why a metric of API Gateway has no values with a dimension.
fn of_other_apis(namespace: &str, name: &str, dimension: &Value) -> Option<String> {
    if namespace != "AWS/ApiGateway" {
        return None;
    }
    let (dimension, right) = OF_REST.iter().find_map(|(rest, http)| match dimension.as_str()? {
        "ApiId" if name == *rest => Some(("ApiId", *http)),
        "ApiName" if name == *http => Some(("ApiName", *rest)),
        _ => None,
    })?;
    Some(format!("`{name}` has no values by {dimension}, so the alarm never fires; use `{right}`"))
}

/// Returns a type, and the properties with names that dimensions have, if it is one of their types.
pub(super) fn named(kind: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    DIMENSIONS
        .iter()
        .filter(move |dimension| dimension.kind == kind)
        .map(|dimension| (dimension.kind, dimension.property))
}

/// Returns why the value of a dimension is not the name of a resource of the system.
fn misses<'a>(subject: &Subject<'a>, dimension: &Dimension, value: &'a Value) -> Option<String> {
    let Dimension { name, kind, property, references, hint, .. } = dimension;
    let scope = subject.target().scope;
    if let Some(Target { logical_id, attribute, resource, .. }) = scope.target(value) {
        if resource["Type"] == *kind && references.contains(&attribute) {
            return None;
        }
        let what = attribute.map_or_else(|| "`Ref`".to_owned(), |attribute| format!("attribute {attribute}"));
        return Some(format!("{name} is the {what} of {logical_id}, so the alarm never fires; use {hint}"));
    }
    // The template's parameters may hold the name of another system's resource.
    let text = form(value).filter(|text| !text.replace("${AWS::", "").contains("${"))?;
    if subject.index.names(kind, property).is_some_and(|names| names.contains(&text)) {
        return None;
    }
    let all = scope.of_kind(kind).filter_map(|resource| form(&resource.resource["Properties"][*property]));
    let names: Vec<_> = all.collect();
    let existing = if names.is_empty() { String::new() } else { format!("; the system has {}", names.join(", ")) };
    Some(format!("no {kind} of the system is called `{text}`, so the alarm never fires; use {hint}{existing}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::tests::{found_in, found_of, of},
        *,
    };
    use crate::template::Stack;

    fn alarm(properties: Value) -> Vec<String> {
        found_of(Requirement::Alarm, "AWS::CloudWatch::Alarm", properties)
    }

    #[test]
    fn periods_are_whole_minutes_or_those_of_own_metrics() {
        let with = |namespace: &str, period: i64| alarm(json!({ "Namespace": namespace, "Period": period }));
        assert_eq!(
            with("AWS/Lambda", 45),
            ["alarm: A: its period is 45 s; choose whole minutes, for example 60 or 300 s"]
        );
        for (namespace, period, is_accepted) in [
            ("AWS/Lambda", 60, true),
            ("AWS/Lambda", 30, false),
            ("Shop", 30, true),
            ("Shop", 45, false),
            ("Shop", 0, false),
        ] {
            assert_eq!(with(namespace, period).is_empty(), is_accepted, "{namespace} {period}");
        }
        let math = json!({ "Metrics": [{ "Expression": "a", "Period": 45 }, { "MetricStat": { "Period": 45 } }] });
        assert_eq!(alarm(math).len(), 2);
        let times = |period: i64, count: i64| alarm(json!({ "Period": period, "EvaluationPeriods": count }));
        assert_eq!((times(300, 288).len(), times(300, 289).len(), times(3600, 168).len()), (0, 1, 0));
    }

    #[test]
    fn a_misspelt_metric_is_refused_with_the_closest_one() {
        let with = |namespace: &str, name: &str| alarm(json!({ "Namespace": namespace, "MetricName": name }));
        assert_eq!(
            with("AWS/Lambda", "Error"),
            ["alarm: A: AWS/Lambda has no metric `Error`, so the alarm never fires; did you mean `Errors`?"]
        );
        assert_eq!(with("AWS/Lambda", "Errors"), [""; 0]);
        assert_eq!(with("Shop", "Error"), [""; 0]);
        let math = json!({ "MetricStat": { "Metric": { "Namespace": "AWS/SQS", "MetricName": "Sent" } } });
        assert_eq!(alarm(json!({ "Metrics": [math] })).len(), 1);
    }

    #[test]
    fn dimensions_name_resources_of_the_system() {
        let found = |namespace: &str, dimension: &str, value: Value| {
            let mut stack = Stack::new("api", "Api.");
            stack.resource("F", of("AWS::Lambda::Function", json!({ "FunctionName": "shop-api" })));
            stack.resource("Q", of("AWS::SQS::Queue", json!({ "QueueName": "tasks" })));
            let api = json!({ "Name": { "Fn::Sub": "shop-${AWS::Region}" } });
            stack.resource("Api", of("AWS::ApiGateway::RestApi", api));
            stack.resource("Http", of("AWS::ApiGatewayV2::Api", json!({ "Name": "shop" })));
            let dimensions = json!([{ "Name": dimension, "Value": value }]);
            stack.resource(
                "A",
                of("AWS::CloudWatch::Alarm", json!({ "Namespace": namespace, "Dimensions": dimensions })),
            );
            found_in("dev", stack).into_iter().filter(|found| found.starts_with("alarm: A: ")).collect::<Vec<_>>()
        };
        let function = |value: Value| found("AWS/Lambda", "FunctionName", value);
        assert_eq!(
            function(json!("shop-ap")),
            [
                "alarm: A: no AWS::Lambda::Function of the system is called `shop-ap`, so the alarm never fires; use the \
              function's `Ref`; the system has shop-api"
            ]
        );
        let reference = |id: &str| json!({ "Ref": id });
        let attribute = |id: &str, name: &str| json!({ "Fn::GetAtt": [id, name] });
        for right in [json!("shop-api"), reference("F"), reference("Parameter")] {
            assert_eq!(function(right), [""; 0]);
        }
        for wrong in [attribute("F", "Arn"), reference("Q")] {
            assert_eq!(function(wrong).len(), 1);
        }
        let queue = |value: Value| found("AWS/SQS", "QueueName", value);
        assert_eq!(queue(attribute("Q", "QueueName")), [""; 0]);
        assert_eq!(
            queue(reference("Q")),
            ["alarm: A: QueueName is the `Ref` of Q, so the alarm never fires; use the queue's attribute QueueName"]
        );
        let http = |value: Value| found("AWS/ApiGateway", "ApiId", value);
        assert_eq!((http(reference("Http")).len(), http(reference("Api")).len(), http(json!("shop")).len()), (0, 1, 1));
        let api = |value: Value| found("AWS/ApiGateway", "ApiName", value);
        assert_eq!(api(json!({ "Fn::Sub": "shop-${AWS::Region}" })), [""; 0]);
        assert_eq!((api(reference("Api")).len(), api(json!("shop")).len()), (1, 1));
        assert_eq!(found("Shop", "FunctionName", json!("other")), [""; 0]);
    }

    #[test]
    fn the_metrics_of_rest_and_http_apis_are_not_confused() {
        let by = |name: &str, dimension: &str| {
            let dimensions = json!([{ "Name": dimension, "Value": { "Ref": "Parameter" } }]);
            alarm(json!({ "Namespace": "AWS/ApiGateway", "MetricName": name, "Dimensions": dimensions }))
        };
        assert_eq!(
            by("5XXError", "ApiId"),
            ["alarm: A: `5XXError` has no values by ApiId, so the alarm never fires; use `5xx`"]
        );
        assert_eq!(by("4xx", "ApiName").len(), 1);
        for (name, dimension) in [("5xx", "ApiId"), ("5XXError", "ApiName"), ("Count", "ApiId"), ("Count", "ApiName")] {
            assert_eq!(by(name, dimension), [""; 0], "{name} by {dimension}");
        }
    }
}
