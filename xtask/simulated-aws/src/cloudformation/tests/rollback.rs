//! Operations that fail, are cancelled, and are repaired.

use std::time::Duration;

use serde_json::{Value, json};

use super::{ResourceAction, ResourceEffect, World, refusal, status, template, topic};

const TOPIC: &str = "AWS::SNS::Topic";

fn two(one: &str, other: &str) -> Value {
    let mut body = template(&[("A", TOPIC, topic(one)), ("B", TOPIC, topic(other))]);
    body["Resources"]["B"]["DependsOn"] = json!("A");
    body
}

/// The display name that a topic of the stack has.
async fn display(world: &World, id: &str) -> Value {
    let physical_id = world.resources("s").await[id].0.clone();
    let key = ("eu-west-1".to_owned(), TOPIC.to_owned(), physical_id);
    world.aws.read(|account| account.bags[&key]["DisplayName"].clone())
}

#[tokio::test(start_paused = true)]
async fn a_failed_creation_is_rolled_back_and_cannot_be_updated() {
    for seed in 0..4 {
        let aws = crate::Aws::new(crate::Settings { seed, ..crate::Settings::default() });
        let client = aws_sdk_cloudformation::Client::new(&crate::testing::config(&aws));
        let world = World { aws, client };
        world.fails("B", ResourceAction::Create);
        assert_eq!(world.deploy("s", &two("a", "b")).await, "ROLLBACK_COMPLETE");
        assert_eq!(world.count(TOPIC), 0);
        let events = world.events("s").await;
        let cause = ("B".to_owned(), "CREATE_FAILED".to_owned(), "the service refuses".to_owned());
        assert!(events.contains(&cause), "{events:?}");
        let reason = "The following resource(s) failed to create: [B]. Rollback requested by user.";
        assert!(events.iter().any(|(_, status, of)| status == "ROLLBACK_IN_PROGRESS" && of == reason), "{events:?}");
        let request = world.client.create_change_set().stack_name("s").change_set_name("d");
        let refused = refusal(request.template_body(two("a", "b").to_string()).send().await).1;
        assert!(refused.ends_with("is in ROLLBACK_COMPLETE state and can not be updated."), "{refused}");
        world.client.delete_stack().stack_name("s").send().await.expect("deleting");
        while world.find("s").await.is_some() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn resources_in_progress_are_cancelled_when_another_fails() {
    let world = World::new();
    world.plan_fault("Slow", ResourceAction::Create, ResourceEffect::Takes(Duration::from_secs(600)));
    world.fails("Bad", ResourceAction::Create);
    let body = template(&[("Bad", TOPIC, topic("a")), ("Slow", TOPIC, topic("b"))]);
    assert_eq!(world.deploy("s", &body).await, "ROLLBACK_COMPLETE");
    let events = world.events("s").await;
    assert!(events.iter().any(|(id, _, reason)| id == "Slow" && reason == "Resource creation cancelled"), "{events:?}");
    assert_eq!(world.count(TOPIC), 0);
}

#[tokio::test(start_paused = true)]
async fn a_creation_keeps_retained_resources_when_it_is_rolled_back() {
    let world = World::new();
    let mut body = two("a", "b");
    body["Resources"]["A"]["DeletionPolicy"] = json!("Retain");
    world.fails("B", ResourceAction::Create);
    assert_eq!(world.deploy("s", &body).await, "ROLLBACK_COMPLETE");
    assert_eq!(world.count(TOPIC), 1);
    let world = World::new();
    body["Resources"]["A"]["DeletionPolicy"] = json!("RetainExceptOnCreate");
    world.fails("B", ResourceAction::Create);
    assert_eq!(world.deploy("s", &body).await, "ROLLBACK_COMPLETE");
    assert_eq!(world.count(TOPIC), 0);
}

#[tokio::test(start_paused = true)]
async fn a_failed_rollback_of_a_creation_is_deleted() {
    let world = World::new();
    world.fails("B", ResourceAction::Create);
    world.fails("A", ResourceAction::Rollback);
    assert_eq!(world.deploy("s", &two("a", "b")).await, "ROLLBACK_FAILED");
    world.client.delete_stack().stack_name("s").send().await.expect("deleting");
    while world.find("s").await.is_some() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(world.count(TOPIC), 0);
}

#[tokio::test(start_paused = true)]
async fn a_failed_update_restores_everything() {
    let world = World::new();
    world.deploy("s", &two("a", "b")).await;
    let old = world.resources("s").await;
    world.fails("B", ResourceAction::Update);
    let mut body = two("a2", "b2");
    body["Resources"]["New"] = json!({ "Type": "AWS::KMS::Key", "Properties": {} });
    body["Resources"]["B"]["DependsOn"] = json!(["A", "New"]);
    world.change_set("s", "d", &body).await;
    world.execute("s", "d").await;
    world.until("s", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS").await;
    assert_eq!(status(&world.settled("s").await), "UPDATE_ROLLBACK_COMPLETE");
    let new = world.resources("s").await;
    assert_eq!(new.keys().collect::<Vec<_>>(), ["A", "B"]);
    assert_eq!(new["A"].0, old["A"].0);
    assert_eq!((display(&world, "A").await, display(&world, "B").await), (json!("a"), json!("b")));
    assert_eq!(world.count("AWS::KMS::Key"), 0);
    let template = world.client.get_template().stack_name("s").send().await.expect("a template");
    assert_eq!(template.template_body(), Some(two("a", "b").to_string().as_str()));
    let described = world.compared("s", "d").await;
    assert_eq!(described.execution_status().map(|status| status.as_str()), Some("EXECUTE_FAILED"));
    assert_eq!(world.deploy("s", &body).await, "UPDATE_COMPLETE", "it can be updated again");
}

#[tokio::test(start_paused = true)]
async fn a_replaced_resource_comes_back_when_the_update_fails() {
    let world = World::new();
    let body = |fifo: bool, name: &str| {
        let queue = if fifo { json!({ "FifoQueue": true }) } else { json!({}) };
        let mut body = template(&[("Queue", "AWS::SQS::Queue", queue), ("B", TOPIC, topic(name))]);
        body["Resources"]["B"]["DependsOn"] = json!("Queue");
        body
    };
    world.deploy("s", &body(false, "a")).await;
    let old = world.resources("s").await;
    world.fails("B", ResourceAction::Update);
    assert_eq!(world.deploy("s", &body(true, "b")).await, "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(world.resources("s").await["Queue"].0, old["Queue"].0);
    assert_eq!(world.count("AWS::SQS::Queue"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_custom_named_resource_is_not_replaced() {
    let world = World::new();
    let body = |fifo: Option<bool>| {
        let queue =
            fifo.map_or_else(|| json!({ "QueueName": "q" }), |fifo| json!({ "QueueName": "q", "FifoQueue": fifo }));
        template(&[("Queue", "AWS::SQS::Queue", queue)])
    };
    world.deploy("s", &body(None)).await;
    assert_eq!(world.deploy("s", &body(Some(true))).await, "UPDATE_ROLLBACK_COMPLETE");
    let events = world.events("s").await;
    let reason = "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename q and update the stack again.";
    assert!(
        events.iter().any(|(id, status, of)| id == "Queue" && status == "UPDATE_FAILED" && of == reason),
        "{events:?}"
    );
    assert_eq!(world.count("AWS::SQS::Queue"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_rollback_is_continued_with_or_without_the_resource() {
    for skips in [false, true] {
        let world = World::new();
        world.deploy("s", &two("a", "b")).await;
        world.fails("B", ResourceAction::Update);
        world.fails("A", ResourceAction::Rollback);
        assert_eq!(world.deploy("s", &two("a2", "b2")).await, "UPDATE_ROLLBACK_FAILED");
        let stack = world.find("s").await.expect("a stack");
        assert_eq!(stack.stack_status_reason(), Some("The following resource(s) failed to update: [A]. "));
        let update = world.client.update_stack().stack_name("s").template_body(two("c", "d").to_string()).send().await;
        assert!(refusal(update).1.ends_with("is in UPDATE_ROLLBACK_FAILED state and can not be updated."));
        // B waits for A, and has failed in the update only.
        for wrong in ["Other", "B"] {
            let request = world.client.continue_update_rollback().stack_name("s").resources_to_skip(wrong);
            assert_eq!(refusal(request.send().await).0, "ValidationError", "{wrong}");
        }
        let skip = skips.then(|| vec!["A".to_owned()]);
        let request = world.client.continue_update_rollback().stack_name("s").set_resources_to_skip(skip);
        request.send().await.expect("continued");
        assert_eq!(status(&world.settled("s").await), "UPDATE_ROLLBACK_COMPLETE");
        assert_eq!(world.resources("s").await["A"].1, "UPDATE_COMPLETE");
        // CloudFormation believes that a skipped resource is as before.
        if !skips {
            assert_eq!(display(&world, "A").await, json!("a"));
        }
        assert_eq!(display(&world, "B").await, json!("b"));
        let again = world.client.continue_update_rollback().stack_name("s").send().await;
        assert_eq!(refusal(again).0, "ValidationError");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hanging_update_is_cancelled() {
    let world = World::new();
    world.deploy("s", &two("a", "b")).await;
    world.plan_fault("A", ResourceAction::Update, ResourceEffect::Hangs);
    world.change_set("s", "d", &two("a2", "b")).await;
    let early = world.client.cancel_update_stack().stack_name("s").send().await;
    assert_eq!(refusal(early).1, "CancelUpdateStack cannot be called from current stack status");
    world.execute("s", "d").await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(status(&world.find("s").await.expect("a stack")), "UPDATE_IN_PROGRESS");
    world.client.cancel_update_stack().stack_name("s").send().await.expect("cancelled");
    assert_eq!(status(&world.settled("s").await), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(display(&world, "A").await, json!("a"));
    let events = world.events("s").await;
    assert!(events.iter().any(|(id, _, reason)| id == "A" && reason == "Resource update cancelled"), "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_is_kept_is_rolled_back_on_request() {
    let world = World::new();
    world.deploy("s", &two("a", "b")).await;
    let early = world.client.rollback_stack().stack_name("s").send().await;
    assert_eq!(refusal(early).0, "ValidationError");
    world.fails("B", ResourceAction::Update);
    world.change_set("s", "d", &two("a2", "b2")).await;
    let execute = world.client.execute_change_set().stack_name("s").change_set_name("d").disable_rollback(true);
    execute.send().await.expect("executed");
    assert_eq!(status(&world.settled("s").await), "UPDATE_FAILED");
    assert_eq!(display(&world, "A").await, json!("a2"));
    world.client.rollback_stack().stack_name("s").send().await.expect("rolling back");
    assert_eq!(status(&world.settled("s").await), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(display(&world, "A").await, json!("a"));
}

#[tokio::test(start_paused = true)]
async fn a_creation_that_is_kept_is_rolled_back_on_request() {
    let world = World::new();
    world.fails("B", ResourceAction::Create);
    world.change_set("s", "c", &two("a", "b")).await;
    let execute = world.client.execute_change_set().stack_name("s").change_set_name("c").disable_rollback(true);
    execute.send().await.expect("executed");
    assert_eq!(status(&world.settled("s").await), "CREATE_FAILED");
    world.client.rollback_stack().stack_name("s").send().await.expect("rolling back");
    assert_eq!(status(&world.settled("s").await), "ROLLBACK_COMPLETE");
    assert_eq!(world.count(TOPIC), 0);
}
