//! The requirements of a system, and its rendering, take a time in proportion to its resources.

use serde_json::json;

use super::{tests::of, *};
use crate::{
    growth::assert_linear,
    template::{Resource, Stack, System},
};

/// A system of one stack with `count` times these resources.
fn system(count: usize, resources: impl Fn(usize) -> Vec<(String, Resource)>) -> RenderedSystem {
    let mut stack = Stack::new("api", "Api.");
    for (id, resource) in (0..count).flat_map(resources) {
        stack.resource(&id, resource);
    }
    System::new("shop", [stack]).render(&Stage::example("dev")).expect("rendered")
}

#[track_caller]
fn assert_checks_are_linear(count: usize, resources: impl Fn(usize) -> Vec<(String, Resource)>) {
    let stage = Stage::example("dev");
    assert_linear(
        count,
        |count| [system(count, &resources)],
        |systems| assert!(violations(&stage, systems).len() < usize::MAX),
    );
}

fn named(kind: &str, id: &str, number: usize, properties: Value) -> (String, Resource) {
    (format!("{id}{number}"), of(kind, properties))
}

#[test]
fn functions_with_log_groups() {
    assert_checks_are_linear(400, |number| {
        let name = format!("shop-{number}-dev");
        let group = json!({ "LogGroupName": format!("/aws/lambda/{name}"), "RetentionInDays": 7 });
        vec![
            named("AWS::Lambda::Function", "Function", number, json!({ "FunctionName": name })),
            named("AWS::Logs::LogGroup", "Logs", number, group),
        ]
    });
}

#[test]
fn functions_with_callers() {
    assert_checks_are_linear(120, |number| {
        let function = json!({ "Fn::GetAtt": [format!("Function{number}"), "Arn"] });
        let integration = json!({ "IntegrationType": "AWS_PROXY", "IntegrationUri": function });
        let queue = json!({ "Fn::GetAtt": [format!("Queue{number}"), "Arn"] });
        let mapping = json!({ "FunctionName": { "Ref": format!("Function{number}") }, "EventSourceArn": queue });
        let rule = json!({ "EventPattern": { "source": ["shop"] }, "Targets": [
            { "Id": "f", "Arn": function, "DeadLetterConfig": { "Arn": queue } }
        ] });
        vec![
            named("AWS::Lambda::Function", "Function", number, json!({ "FunctionName": format!("shop-{number}-dev") })),
            named("AWS::ApiGatewayV2::Integration", "Integration", number, integration),
            named("AWS::Lambda::EventSourceMapping", "Mapping", number, mapping),
            named("AWS::SQS::Queue", "Queue", number, json!({})),
            named(
                "AWS::SQS::QueuePolicy",
                "Policy",
                number,
                json!({ "Queues": [{ "Ref": format!("Queue{number}") }] }),
            ),
            named("AWS::Events::Rule", "Rule", number, rule),
        ]
    });
}

#[test]
fn alarms_on_names() {
    assert_checks_are_linear(400, |number| {
        let name = format!("tasks-{number}");
        let dimension = json!({ "Name": "QueueName", "Value": name });
        let alarm = json!({ "Namespace": "AWS/SQS", "MetricName": "NumberOfMessagesSent", "Dimensions": [dimension] });
        vec![
            named("AWS::SQS::Queue", "Queue", number, json!({ "QueueName": name })),
            named("AWS::CloudWatch::Alarm", "Alarm", number, alarm),
        ]
    });
}

#[test]
fn web_socket_apis() {
    assert_checks_are_linear(400, |number| {
        let route = json!({ "ApiId": { "Ref": format!("Api{number}") }, "RouteKey": "$connect", "AuthorizationType": "CUSTOM" });
        vec![
            named("AWS::ApiGatewayV2::Api", "Api", number, json!({ "ProtocolType": "WEBSOCKET" })),
            named("AWS::ApiGatewayV2::Route", "Route", number, route),
        ]
    });
}

#[test]
fn references_between_stacks() {
    let input = |count: usize| {
        let (mut data, mut api) = (Stack::new("data", "Data."), Stack::new("api", "Api."));
        for number in 0..count {
            let table = data.resource(&format!("Table{number}"), of("AWS::DynamoDB::Table", json!({})));
            data.output(&format!("Name{number}"), table.id());
            api.resource(&format!("Parameter{number}"), of("AWS::SSM::Parameter", json!({ "Value": table.id() })));
        }
        [api, data]
    };
    assert_linear(400, input, |stacks| {
        System::new("shop", stacks.clone()).render(&Stage::example("dev")).expect("rendered");
    });
}

#[test]
fn stacks_in_deploy_order() {
    let input = |count: usize| {
        let mut stacks = vec![Stack::new("s0", "First.")];
        let mut before = stacks[0].resource("Table", of("AWS::DynamoDB::Table", json!({})));
        for number in 1..count {
            let mut stack = Stack::new(&format!("s{number}"), "Next.");
            let table = of("AWS::DynamoDB::Table", json!({ "TableName": before.id() }));
            before = stack.resource("Table", table);
            stacks.push(stack);
        }
        stacks.reverse();
        stacks
    };
    assert_linear(60, input, |stacks| {
        System::new("shop", stacks.clone()).render(&Stage::example("dev")).expect("rendered");
    });
}
