//! The model of CloudWatch.

use std::{collections::BTreeMap, time::Duration};

use aws_call::{Call, CallError, services::CLOUD_WATCH};
use aws_sdk_lambda::{Client, types::AliasRoutingConfiguration};
use serde_json::{Value, json};

use super::{AlarmState, Traffic, alarm_state, set_alarm, set_traffic};
use crate::{
    Aws, Settings,
    lambda::Behavior,
    testing::{config, create, delete, function, upload},
    time::START,
};

/// An account in which version 1 of `f` works, version 2 fails a fifth of its requests, and callers make 600 requests a minute.
async fn account() -> (Aws, Client) {
    let aws = Aws::new(Settings::default());
    let first = Behavior::working("notes", "list", 1);
    upload(&aws, "artifacts", "1.zip", first.zip());
    upload(&aws, "artifacts", "2.zip", Behavior { code: 2, errors: 0.2, duration_ms: 80, ..first }.zip());
    create(&aws, "AWS::Lambda::Function", &function("f", "1.zip")).expect("created");
    create(&aws, "AWS::Lambda::Version", &json!({ "FunctionName": "f" })).expect("published");
    let alias = json!({ "FunctionName": "f", "Name": "live", "FunctionVersion": "1" });
    create(&aws, "AWS::Lambda::Alias", &alias).expect("created");
    let client = Client::new(&config(&aws));
    pass(5).await;
    client
        .update_function_code()
        .function_name("f")
        .s3_bucket("artifacts")
        .s3_key("2.zip")
        .send()
        .await
        .expect("updated");
    pass(10).await;
    client.publish_version().function_name("f").send().await.expect("published");
    set_rate(&aws, 600.0);
    // To the third minute.
    pass(120 - aws.now().elapsed().as_secs()).await;
    (aws, client)
}

fn set_rate(aws: &Aws, per_minute: f64) {
    let traffic = Traffic { alias: "live".to_owned(), per_minute, throttled: 0.0 };
    aws.change(|account| set_traffic(account, "eu-west-1", "f", traffic));
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

async fn split(client: &Client, share: f64) {
    let routing = AliasRoutingConfiguration::builder().additional_version_weights("2", share).build();
    client.update_alias().function_name("f").name("live").routing_config(routing).send().await.expect("split");
}

async fn call(aws: &Aws, operation: &'static str, input: &Value) -> Result<Value, CallError> {
    let body = Call::json(CLOUD_WATCH, operation, input).send(&config(aws)).await?;
    Ok(serde_json::from_slice(&body).expect("JSON"))
}

/// A query for a metric of a version behind `live`.
fn query(id: &str, name: &str, version: &str, statistic: &str) -> Value {
    let dimension = |name: &str, value: &str| json!({ "Name": name, "Value": value });
    let dimensions =
        [dimension("FunctionName", "f"), dimension("Resource", "f:live"), dimension("ExecutedVersion", version)];
    let metric = json!({ "Namespace": "AWS/Lambda", "MetricName": name, "Dimensions": dimensions });
    json!({ "Id": id, "MetricStat": { "Metric": metric, "Period": 60, "Stat": statistic } })
}

/// The timestamps, in seconds since the start, and the values of one query since `start`.
async fn values(aws: &Aws, query: Value, start: u64) -> Vec<(u64, f64)> {
    let end = START + aws.now().elapsed().as_secs() + 60;
    let input = json!({ "MetricDataQueries": [query], "StartTime": START + start, "EndTime": end });
    let found = call(aws, "GetMetricData", &input).await.expect("metrics");
    let result = &found["MetricDataResults"][0];
    assert_eq!(result["StatusCode"], "Complete");
    let values = result["Values"].as_array().expect("values").iter().filter_map(Value::as_f64);
    let timestamps = result["Timestamps"].as_array().expect("timestamps").iter().filter_map(Value::as_u64);
    timestamps.map(|at| at - START).zip(values).collect()
}

#[tokio::test(start_paused = true)]
async fn metrics_follow_the_weights_and_the_behavior_of_versions() {
    let (aws, client) = account().await;
    split(&client, 0.25).await;
    pass(10 * 60).await;
    let since = 180;
    let sum = async |name: &str, version: &str| {
        let values = values(&aws, query("q", name, version, "Sum"), since).await;
        values.iter().filter(|(at, _)| *at < since + 480).map(|(_, value)| value).sum::<f64>()
    };
    let (first, second) = (sum("Invocations", "1").await, sum("Invocations", "2").await);
    assert!((first - 8.0 * 450.0).abs() < 200.0 && (second - 8.0 * 150.0).abs() < 120.0, "{first} {second}");
    assert_eq!(sum("Errors", "1").await, 0.0);
    let errors = sum("Errors", "2").await / second;
    assert!((errors - 0.2).abs() < 0.05, "{errors}");
    assert_eq!(sum("Throttles", "2").await, 0.0);
    let p99 = values(&aws, query("q", "Duration", "2", "p99"), since).await;
    assert!(p99.iter().all(|(_, value)| (100.0..140.0).contains(value)), "{p99:?}");
    let observed = aws.read(|account| {
        let (from, until) =
            (crate::time::Moment::at_unix_seconds(START + 180), crate::time::Moment::at_unix_seconds(START + 660));
        super::expected(account, "eu-west-1", "f", from, until)
    });
    assert!((observed["1"] - 3600.0).abs() < 0.1 && (observed["2"] - 1200.0).abs() < 0.1, "{observed:?}");
}

#[tokio::test(start_paused = true)]
async fn repeated_queries_agree_and_data_points_appear_within_two_minutes() {
    let (aws, _client) = account().await;
    let (mut seen, mut growing) = (BTreeMap::<u64, f64>::new(), 0);
    for _ in 0..40 {
        pass(13).await;
        let now = aws.now().elapsed().as_secs();
        let values = values(&aws, query("q", "Invocations", "1", "Sum"), 60).await;
        assert!(values.is_sorted_by(|one, next| one.0 > next.0), "the newest come first: {values:?}");
        for (at, value) in values {
            let earlier = seen.insert(at, value).unwrap_or(value);
            assert!(value >= earlier, "{at}: {value} after {earlier}");
            growing += usize::from(value > earlier);
            // A minute is complete two minutes after its end.
            assert!(value == earlier || at + 180 > now - 13, "{at}: {value} after {earlier} at {now}");
        }
        let complete = (120..now.saturating_sub(180)).step_by(60);
        assert!(complete.into_iter().all(|at| seen.contains_key(&at)), "{seen:?} at {now}");
    }
    assert!(growing > 0, "no minute was incomplete");
}

#[tokio::test(start_paused = true)]
async fn a_version_that_fails_to_start_fails_every_request() {
    let (aws, client) = account().await;
    let failing = Behavior { probe: crate::lambda::Probed::Fails, ..Behavior::working("notes", "list", 3) };
    upload(&aws, "artifacts", "3.zip", failing.zip());
    client
        .update_function_code()
        .function_name("f")
        .s3_bucket("artifacts")
        .s3_key("3.zip")
        .send()
        .await
        .expect("updated");
    pass(10).await;
    client.publish_version().function_name("f").send().await.expect("published");
    client.update_alias().function_name("f").name("live").function_version("3").send().await.expect("moved");
    pass(5 * 60).await;
    let complete = aws.now().elapsed().as_secs() - 180;
    let sums = async |name: &str| {
        let values = values(&aws, query("q", name, "3", "Sum"), 0).await;
        values.into_iter().filter(|(at, _)| *at < complete).collect::<Vec<_>>()
    };
    let invocations = sums("Invocations").await;
    assert!(!invocations.is_empty());
    assert_eq!(sums("Errors").await, invocations);
}

#[tokio::test(start_paused = true)]
async fn the_first_minute_of_a_version_is_slow() {
    let (aws, client) = account().await;
    let slow = Behavior { cold_ms: 3000, ..Behavior::working("notes", "list", 4) };
    upload(&aws, "artifacts", "4.zip", slow.zip());
    client
        .update_function_code()
        .function_name("f")
        .s3_bucket("artifacts")
        .s3_key("4.zip")
        .send()
        .await
        .expect("updated");
    pass(10).await;
    client.publish_version().function_name("f").send().await.expect("published");
    let routing = AliasRoutingConfiguration::builder().additional_version_weights("3", 0.5).build();
    client.update_alias().function_name("f").name("live").routing_config(routing).send().await.expect("split");
    pass(6 * 60).await;
    let mut p99 = values(&aws, query("q", "Duration", "3", "p99"), 0).await;
    p99.reverse();
    assert!(p99[0].1 > 3000.0 && p99[1..].iter().all(|(_, value)| *value < 100.0), "{p99:?}");
}

#[tokio::test(start_paused = true)]
async fn results_come_in_pages_and_wrong_queries_are_refused() {
    let (aws, _client) = account().await;
    pass(10 * 60).await;
    let queries = [query("a", "Invocations", "1", "Sum"), query("b", "Errors", "1", "Sum")];
    let mut input =
        json!({ "MetricDataQueries": queries, "StartTime": START, "EndTime": START + 660, "MaxDatapoints": 6 });
    let mut points = BTreeMap::<String, usize>::new();
    let mut pages = 0;
    loop {
        let page = call(&aws, "GetMetricData", &input).await.expect("metrics");
        pages += 1;
        for result in page["MetricDataResults"].as_array().expect("results") {
            let count = result["Values"].as_array().map_or(0, Vec::len);
            *points.entry(result["Id"].as_str().expect("an ID").to_owned()).or_default() += count;
        }
        if page["NextToken"].is_null() {
            break;
        }
        input["NextToken"] = page["NextToken"].clone();
    }
    assert!(pages > 1 && points["a"] == points["b"] && points["a"] > 6, "{pages} {points:?}");
    let reversed = json!({ "MetricDataQueries": queries, "StartTime": START + 60, "EndTime": START });
    call(&aws, "GetMetricData", &reversed).await.expect_err("reversed");
    let many: Vec<_> = (0..501).map(|_| query("a", "Errors", "1", "Sum")).collect();
    let many = json!({ "MetricDataQueries": many, "StartTime": START, "EndTime": START + 60 });
    call(&aws, "GetMetricData", &many).await.expect_err("too many");
    let other = json!({ "Namespace": "Mine", "MetricName": "X", "Dimensions": [] });
    let other = json!({ "Id": "a", "MetricStat": { "Metric": other, "Period": 60, "Stat": "Sum" } });
    assert_eq!(values(&aws, other, 0).await, []);
}

fn alarm(name: &str) -> Value {
    json!({
        "AlarmName": name,
        "Namespace": "AWS/Lambda",
        "MetricName": "Errors",
        "Dimensions": [{ "Name": "FunctionName", "Value": "f" }],
        "Statistic": "Sum",
        "Period": "60",
        "EvaluationPeriods": 2,
        "DatapointsToAlarm": 2,
        "Threshold": "5",
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    })
}

#[tokio::test(start_paused = true)]
async fn an_alarm_follows_its_metric() {
    let (aws, client) = account().await;
    create(&aws, "AWS::CloudWatch::Alarm", &alarm("errors")).expect("created");
    create(&aws, "AWS::CloudWatch::Alarm", &alarm("errors")).expect_err("exists");
    let state = |aws: &Aws| aws.read(|account| alarm_state(account, "eu-west-1", "errors"));
    assert_eq!(state(&aws), Some(AlarmState::InsufficientData));
    pass(3 * 60).await;
    assert_eq!(state(&aws), Some(AlarmState::Ok));
    split(&client, 0.5).await;
    pass(20).await;
    assert_eq!(state(&aws), Some(AlarmState::Ok), "no two periods have errors yet");
    pass(6 * 60).await;
    assert_eq!(state(&aws), Some(AlarmState::Alarm));
    split(&client, 0.0).await;
    pass(8 * 60).await;
    assert_eq!(state(&aws), Some(AlarmState::Ok));
    // Without traffic there is no data.
    set_rate(&aws, 0.0);
    pass(10 * 60).await;
    assert_eq!(state(&aws), Some(AlarmState::Ok));
    let mut missing = alarm("missing");
    missing["TreatMissingData"] = json!("missing");
    create(&aws, "AWS::CloudWatch::Alarm", &missing).expect("created");
    pass(120).await;
    assert_eq!(aws.read(|account| alarm_state(account, "eu-west-1", "missing")), Some(AlarmState::InsufficientData));
    delete(&aws, "AWS::CloudWatch::Alarm", "errors").expect("deleted");
    assert_eq!(state(&aws), None);
}

#[tokio::test(start_paused = true)]
async fn alarms_are_described_by_name_and_type_in_pages() {
    let (aws, _client) = account().await;
    for number in 0..60 {
        create(&aws, "AWS::CloudWatch::Alarm", &alarm(&format!("a{number:02}"))).expect("created");
    }
    let rule = |name: &str| json!({ "AlarmName": "all", "AlarmRule": format!("ALARM(a00) OR ALARM(\"{name}\")") });
    create(&aws, "AWS::CloudWatch::CompositeAlarm", &rule("absent")).expect_err("an alarm of the rule is absent");
    create(&aws, "AWS::CloudWatch::CompositeAlarm", &rule("a01")).expect("created");
    pass(120).await;
    assert!(aws.change(|account| set_alarm(account, "eu-west-1", "a01", Some(AlarmState::Alarm))));
    let describe = async |input: Value| call(&aws, "DescribeAlarms", &input).await.expect("alarms");
    let states = |found: &Value, kind: &str| {
        let alarms = found[kind].as_array().expect("alarms").iter();
        let texts = |alarm: &Value| {
            (alarm["AlarmName"].as_str().map(str::to_owned), alarm["StateValue"].as_str().map(str::to_owned))
        };
        alarms.map(texts).collect::<Vec<_>>()
    };
    let named = json!({ "AlarmNames": ["all", "a01", "a02", "absent"], "AlarmTypes": ["MetricAlarm", "CompositeAlarm"], "MaxRecords": 100 });
    let found = describe(named).await;
    let state = |name: &str, state: &str| (Some(name.to_owned()), Some(state.to_owned()));
    assert_eq!(states(&found, "MetricAlarms"), [state("a01", "ALARM"), state("a02", "OK")]);
    assert_eq!(states(&found, "CompositeAlarms"), [state("all", "ALARM")]);
    let only_metrics = describe(json!({ "AlarmNames": ["all", "a01"] })).await;
    assert_eq!((states(&only_metrics, "MetricAlarms").len(), states(&only_metrics, "CompositeAlarms").len()), (1, 0));
    let first = describe(json!({})).await;
    assert_eq!(states(&first, "MetricAlarms").len(), 50);
    let second = describe(json!({ "NextToken": first["NextToken"] })).await;
    assert_eq!((states(&second, "MetricAlarms").len(), second["NextToken"].is_null()), (10, true));
    let many: Vec<_> = (0..101).map(|number| number.to_string()).collect();
    call(&aws, "DescribeAlarms", &json!({ "AlarmNames": many })).await.expect_err("too many names");
    // Released, the alarm follows its metric again.
    aws.change(|account| set_alarm(account, "eu-west-1", "a01", None));
    assert_eq!(aws.read(|account| alarm_state(account, "eu-west-1", "all")), Some(AlarmState::Ok));
    assert!(!aws.change(|account| set_alarm(account, "eu-west-1", "absent", None)));
}
