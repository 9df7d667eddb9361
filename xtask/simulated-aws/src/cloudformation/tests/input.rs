//! Parameters, capabilities and templates of requests.

use aws_sdk_cloudformation::types::Capability;
use serde_json::json;

use super::{World, parameter, refusal, status, template, topic};

const TOPIC: &str = "AWS::SNS::Topic";

#[tokio::test(start_paused = true)]
async fn parameters_have_values_previous_values_and_defaults() {
    let world = World::new();
    let mut body = template(&[("A", TOPIC, json!({ "DisplayName": { "Fn::Sub": "${One}-${Two}" } }))]);
    body["Parameters"] = json!({ "One": { "Type": "String" }, "Two": { "Type": "String", "Default": "2" } });
    let create = || world.client.create_stack().stack_name("s").template_body(body.to_string());
    assert_eq!(refusal(create().send().await).1, "Parameters: [One] must have values");
    let foreign = create().parameters(parameter("One", Some("1"))).parameters(parameter("Three", Some("3")));
    assert_eq!(refusal(foreign.send().await).1, "Parameters: [Three] do not exist in the template");
    assert_eq!(refusal(create().parameters(parameter("One", None)).send().await).0, "ValidationError");
    create().parameters(parameter("One", Some("1"))).send().await.expect("created");
    world.settled("s").await;
    let update = || world.client.update_stack().stack_name("s").use_previous_template(true);
    let same = update().parameters(parameter("One", None)).parameters(parameter("Two", None)).send().await;
    assert_eq!(refusal(same).1, "No updates are to be performed.");
    let changed = update().parameters(parameter("One", None)).parameters(parameter("Two", Some("3")));
    changed.send().await.expect("updating");
    let stack = world.settled("s").await;
    let values: Vec<_> = stack.parameters().iter().filter_map(|found| found.parameter_value()).collect();
    assert_eq!((status(&stack).as_str(), values), ("UPDATE_COMPLETE", vec!["1", "3"]));
}

#[tokio::test(start_paused = true)]
async fn roles_need_a_capability() {
    let world = World::new();
    let body = template(&[("Role", "AWS::IAM::Role", json!({ "RoleName": "r" }))]).to_string();
    let create = || world.client.create_stack().stack_name("s").template_body(&body);
    let weak = create().capabilities(Capability::CapabilityIam).send().await;
    assert_eq!(refusal(weak).0, "InsufficientCapabilitiesException");
    create().capabilities(Capability::CapabilityNamedIam).send().await.expect("created");
}

#[tokio::test(start_paused = true)]
async fn templates_have_a_form_and_a_limit() {
    let world = World::new();
    let create = |body: String| world.client.create_stack().stack_name("s").template_body(body).send();
    assert!(refusal(create("{".to_owned()).await).1.starts_with("Template format error"));
    assert!(refusal(create("{}".to_owned()).await).1.contains("At least one Resources member"));
    let large = template(&[("A", TOPIC, topic(&"x".repeat(52_000)))]).to_string();
    assert!(refusal(create(large).await).1.contains("51200"));
    let url = world.client.create_stack().stack_name("s").template_url("https://b.s3.eu-west-1.amazonaws.com/k");
    assert_eq!(refusal(url.send().await).1, "S3 error: The specified key does not exist.");
}
