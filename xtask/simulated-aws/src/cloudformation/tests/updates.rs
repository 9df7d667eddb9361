//! Creations and updates that succeed.

use serde_json::{Value, json};

use super::{World, refusal, status, template, topic};

const TOPIC: &str = "AWS::SNS::Topic";

#[tokio::test(start_paused = true)]
async fn resources_are_created_in_the_order_of_their_references() {
    let world = World::new();
    let mut body = template(&[
        ("Queue", "AWS::SQS::Queue", json!({ "QueueName": { "Fn::Sub": "q-${AWS::Region}" } })),
        ("Policy", "AWS::SQS::QueuePolicy", json!({ "Queues": [{ "Ref": "Queue" }] })),
        ("Free", TOPIC, topic("a")),
    ]);
    body["Outputs"] = json!({ "Arn": { "Value": { "Fn::GetAtt": ["Queue", "Arn"] } } });
    assert_eq!(world.deploy("s", &body).await, "CREATE_COMPLETE");
    let events = world.events("s").await;
    let at = |id: &str, status: &str| events.iter().position(|(of, is, _)| of == id && is == status).expect("an event");
    assert!(at("Queue", "CREATE_COMPLETE") < at("Policy", "CREATE_IN_PROGRESS"));
    assert!(at("Free", "CREATE_IN_PROGRESS") < at("Queue", "CREATE_COMPLETE"), "independent resources are parallel");
    assert!(events.iter().any(|(id, _, reason)| id == "Queue" && reason == "Resource creation Initiated"));
    let stack = world.find("s").await.expect("a stack");
    assert_eq!(stack.outputs()[0].output_value(), Some("arn:aws:sqs:eu-west-1:123456789012:q-eu-west-1"));
    let template = world.client.get_template().stack_name("s").send().await.expect("a template");
    let template: Value = serde_json::from_str(template.template_body().expect("a body")).expect("JSON");
    assert_eq!(template, body);
}

#[tokio::test(start_paused = true)]
async fn an_update_changes_adds_replaces_and_then_cleans_up() {
    let world = World::new();
    let key = |usage: &str| json!({ "Description": usage });
    let queue = |fifo: Option<bool>| fifo.map_or_else(|| json!({}), |fifo| json!({ "FifoQueue": fifo }));
    let before = template(&[
        ("Changed", TOPIC, topic("a")),
        ("Replaced", "AWS::SQS::Queue", queue(None)),
        ("Removed", "AWS::KMS::Key", key("old")),
        ("Same", TOPIC, topic("x")),
    ]);
    world.deploy("s", &before).await;
    let old = world.resources("s").await;
    let after = template(&[
        ("Changed", TOPIC, topic("b")),
        ("Replaced", "AWS::SQS::Queue", queue(Some(true))),
        ("Added", TOPIC, topic("c")),
        ("Same", TOPIC, topic("x")),
    ]);
    world.change_set("s", "d", &after).await;
    world.execute("s", "d").await;
    world.until("s", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS").await;
    assert_eq!((world.count("AWS::SQS::Queue"), world.count("AWS::KMS::Key")), (2, 1), "old resources still exist");
    let update = world.client.update_stack().stack_name("s").template_body(before.to_string()).send().await;
    assert!(refusal(update).1.ends_with("is in UPDATE_COMPLETE_CLEANUP_IN_PROGRESS state and can not be updated."));
    assert_eq!(status(&world.settled("s").await), "UPDATE_COMPLETE");
    let new = world.resources("s").await;
    assert_eq!(new.keys().collect::<Vec<_>>(), ["Added", "Changed", "Replaced", "Same"]);
    assert_eq!(new["Changed"].0, old["Changed"].0);
    assert_ne!(new["Replaced"].0, old["Replaced"].0);
    assert_eq!((world.count("AWS::SQS::Queue"), world.count("AWS::KMS::Key")), (1, 0));
    assert_eq!(world.history("s", "Same").await, ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"]);
    let statuses = world.history("s", "s").await;
    let wanted = ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE"];
    assert!(statuses.ends_with(&wanted.map(str::to_owned)), "{statuses:?}");
}

#[tokio::test(start_paused = true)]
async fn retained_resources_survive_their_removal_and_replacement() {
    let world = World::new();
    let body = |fifo: bool, removed: bool| {
        let mut body =
            template(&[("Replaced", "AWS::SQS::Queue", if fifo { json!({ "FifoQueue": true }) } else { json!({}) })]);
        body["Resources"]["Replaced"]["UpdateReplacePolicy"] = json!("Retain");
        if !removed {
            body["Resources"]["Removed"] = json!({ "Type": "AWS::KMS::Key", "DeletionPolicy": "RetainExceptOnCreate" });
        }
        body
    };
    world.deploy("s", &body(false, false)).await;
    assert_eq!(world.deploy("s", &body(true, true)).await, "UPDATE_COMPLETE");
    assert_eq!((world.count("AWS::SQS::Queue"), world.count("AWS::KMS::Key")), (2, 1));
    let skipped: Vec<_> =
        world.events("s").await.into_iter().filter(|(_, status, _)| status == "DELETE_SKIPPED").collect();
    assert_eq!(skipped.len(), 2, "{skipped:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failed_cleanup_does_not_fail_the_update() {
    let world = World::new();
    world.deploy("s", &template(&[("A", TOPIC, topic("a")), ("B", TOPIC, topic("b"))])).await;
    world.fails("B", super::ResourceAction::Delete);
    assert_eq!(world.deploy("s", &template(&[("A", TOPIC, topic("a"))])).await, "UPDATE_COMPLETE");
    let stack = world.find("s").await.expect("a stack");
    let reason = "Update successful. One or more resources could not be deleted.";
    assert_eq!(stack.stack_status_reason(), Some(reason));
    assert_eq!(world.count(TOPIC), 2);
}

#[tokio::test(start_paused = true)]
async fn conditions_decide_which_resources_exist() {
    let world = World::new();
    let mut body = template(&[("A", TOPIC, topic("a")), ("B", TOPIC, topic("b"))]);
    body["Parameters"] = json!({ "With": { "Type": "String", "Default": "yes" } });
    body["Conditions"] = json!({ "HasB": { "Fn::Equals": [{ "Ref": "With" }, "yes"] } });
    body["Resources"]["B"]["Condition"] = json!("HasB");
    world.deploy("s", &body).await;
    assert_eq!(world.resources("s").await.len(), 2);
    body["Parameters"]["With"]["Default"] = json!("no");
    world.client.update_stack().stack_name("s").template_body(body.to_string()).send().await.expect("updated");
    world.settled("s").await;
    assert_eq!(world.resources("s").await.into_keys().collect::<Vec<_>>(), ["A"]);
}

#[tokio::test(start_paused = true)]
async fn stacks_are_listed_newest_first_and_by_region() {
    let world = World::new();
    for name in ["one", "two"] {
        world.deploy(name, &template(&[("A", TOPIC, topic("a"))])).await;
    }
    let described = world.client.describe_stacks().send().await.expect("stacks");
    let names: Vec<_> = described.stacks().iter().filter_map(|stack| stack.stack_name()).collect();
    assert_eq!(names, ["two", "one"]);
    let config = crate::testing::config(&world.aws).into_builder();
    let config = config.region(aws_config::Region::new("us-east-1")).build();
    let elsewhere = aws_sdk_cloudformation::Client::new(&config).describe_stacks().send().await.expect("stacks");
    assert!(elsewhere.stacks().is_empty());
    let missing = world.client.describe_stacks().stack_name("three").send().await;
    assert_eq!(refusal(missing), ("ValidationError".to_owned(), "Stack with id three does not exist".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn resources_have_the_tags_of_their_stack() {
    let world = World::new();
    let body = template(&[("A", TOPIC, topic("a"))]);
    let tag = aws_sdk_cloudformation::types::Tag::builder().key("stage").value("dev").build();
    let request = world.client.create_stack().stack_name("s").template_body(body.to_string()).tags(tag);
    request.send().await.expect("created");
    world.settled("s").await;
    let tags = world.aws.read(|account| super::super::tags(account, "eu-west-1", "s", "A"));
    assert_eq!((tags["stage"].as_str(), tags["aws:cloudformation:stack-name"].as_str()), ("dev", "s"));
    assert_eq!(tags["aws:cloudformation:logical-id"], "A");
}
