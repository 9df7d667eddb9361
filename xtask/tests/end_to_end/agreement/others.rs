//! CloudWatch, CloudWatch Logs, Secrets Manager and STS.

use aws_call::services::{CLOUD_WATCH, CLOUD_WATCH_LOGS, SECRETS_MANAGER};
use serde_json::{Value, json};

use super::{
    seen::{Seen, outcome},
    world::World,
};

/// The texts of a field in a list of a response.
fn texts(found: &Value, list: &str, field: &str) -> String {
    let items = found[list].as_array().into_iter().flatten();
    items.filter_map(|item| item[field].as_str()).collect::<Vec<_>>().join(" ")
}

pub(super) async fn alarms(world: World) -> Seen {
    let mut seen = Seen::default();
    let names = ["one", "absent"].map(|name| format!("{}-{name}", world.name));
    let properties = json!({
        "AlarmName": names[0], "Namespace": "AWS/Lambda", "MetricName": "Errors", "Statistic": "Sum", "Period": 60,
        "EvaluationPeriods": 1, "Threshold": 1, "ComparisonOperator": "GreaterThanThreshold",
    });
    let template = json!({ "Resources": { "Alarm": { "Type": "AWS::CloudWatch::Alarm", "Properties": properties } } });
    assert_eq!(world.create(&world.name, &template).await, "CREATE_COMPLETE");
    for (name, types) in [
        ("without types", json!(null)),
        ("metric alarms", json!(["MetricAlarm"])),
        ("composite alarms", json!(["CompositeAlarm"])),
    ] {
        let mut input = json!({ "AlarmNames": names });
        if !types.is_null() {
            input["AlarmTypes"] = types;
        }
        let found = world.call(CLOUD_WATCH, "DescribeAlarms", &input).await.expect("alarms");
        let lists = ["MetricAlarms", "CompositeAlarms"].map(|list| texts(&found, list, "AlarmName"));
        seen.note(name, lists.join(" ").replace(&world.name, "s").trim());
    }
    seen
}

pub(super) async fn log_groups(world: World) -> Seen {
    let mut seen = Seen::default();
    let group = |name: &str, days: u32| {
        let properties = json!({ "LogGroupName": format!("/{}/{name}", world.name), "RetentionInDays": days });
        json!({ "Type": "AWS::Logs::LogGroup", "Properties": properties })
    };
    let template = json!({ "Resources": { "B": group("b", 7), "A": group("a", 30), "C": group("c", 1) } });
    assert_eq!(world.create(&world.name, &template).await, "CREATE_COMPLETE");
    let input = json!({ "logGroupNamePrefix": format!("/{}/", world.name), "limit": 2 });
    let first = world.call(CLOUD_WATCH_LOGS, "DescribeLogGroups", &input).await.expect("groups");
    let input = json!({ "logGroupNamePrefix": format!("/{}/", world.name), "nextToken": first["nextToken"] });
    let second = world.call(CLOUD_WATCH_LOGS, "DescribeLogGroups", &input).await;
    let second = second.unwrap_or_default();
    let names = [&first, &second].map(|page| texts(page, "logGroups", "logGroupName").replace(&world.name, "s"));
    seen.note("pages", names.join(", "));
    seen.note("retention", &first["logGroups"][0]["retentionInDays"]);
    let input = json!({ "logGroupName": format!("/{}/a", world.name) });
    for fact in ["a deletion", "the second deletion"] {
        seen.note(fact, outcome(&world.call(CLOUD_WATCH_LOGS, "DeleteLogGroup", &input).await));
    }
    seen
}

pub(super) async fn secrets(world: World) -> Seen {
    let mut seen = Seen::default();
    let call = async |operation, input: Value| world.call(SECRETS_MANAGER, operation, &input).await;
    let token = |digit: &str| digit.repeat(32);
    let create = json!({ "Name": world.name, "SecretString": "a", "ClientRequestToken": token("1") });
    call("CreateSecret", create).await.expect("created");
    let again = json!({ "Name": world.name, "SecretString": "b", "ClientRequestToken": token("2") });
    seen.note("another secret of the name", outcome(&call("CreateSecret", again).await));
    let put = async |value: &str| {
        let input = json!({ "SecretId": world.name, "SecretString": value, "ClientRequestToken": token("3") });
        outcome(&call("PutSecretValue", input).await)
    };
    seen.note("a value", put("c").await);
    seen.note("the same value", put("c").await);
    seen.note("another value", put("d").await);
    let value = async |label: &str| {
        let read = call("GetSecretValue", json!({ "SecretId": world.name, "VersionStage": label })).await;
        let value = read.as_ref().map(|found| found["SecretString"].as_str().unwrap_or_default().to_owned());
        value.unwrap_or_else(|_| outcome(&read))
    };
    seen.note("current", value("AWSCURRENT").await);
    seen.note("previous", value("AWSPREVIOUS").await);
    let removal = |version: String| json!({ "SecretId": world.name, "VersionStage": "AWSPREVIOUS", "RemoveFromVersionId": version });
    seen.note("a removal from another version", outcome(&call("UpdateSecretVersionStage", removal(token("3"))).await));
    seen.note("the removal", outcome(&call("UpdateSecretVersionStage", removal(token("1"))).await));
    seen.note("previous afterwards", value("AWSPREVIOUS").await);
    let listed = call("ListSecretVersionIds", json!({ "SecretId": world.name })).await.expect("versions");
    seen.note("versions", listed["Versions"].as_array().map_or(0, Vec::len));
    seen
}

pub(super) async fn caller(world: World) -> Seen {
    let mut seen = Seen::default();
    let found = aws_sdk_sts::Client::new(&world.config).get_caller_identity().send().await;
    let account = found.expect("an identity").account;
    seen.note("the account", account.unwrap_or_default());
    seen
}
