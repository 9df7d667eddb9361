//! Deletions of stacks.

use std::time::Duration;

use aws_sdk_cloudformation::types::StackStatus;
use serde_json::json;

use super::{ResourceAction, ResourceEffect, World, refusal, status, template, topic};

const TOPIC: &str = "AWS::SNS::Topic";

impl World {
    async fn delete(&self, stack: &str) {
        self.client.delete_stack().stack_name(stack).send().await.expect("deleting");
        while self.find(stack).await.is_some_and(|stack| status(&stack) == "DELETE_IN_PROGRESS") {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    async fn id(&self, stack: &str) -> String {
        self.find(stack).await.expect("a stack").stack_id.expect("an ID")
    }
}

#[tokio::test(start_paused = true)]
async fn resources_are_deleted_in_reverse_and_retained_ones_are_skipped() {
    let world = World::new();
    let mut body = template(&[
        ("Queue", "AWS::SQS::Queue", json!({})),
        ("Policy", "AWS::SQS::QueuePolicy", json!({ "Queues": [{ "Ref": "Queue" }] })),
        ("Kept", "AWS::KMS::Key", json!({})),
    ]);
    body["Resources"]["Kept"]["DeletionPolicy"] = json!("Retain");
    world.deploy("s", &body).await;
    let id = world.id("s").await;
    world.delete("s").await;
    assert!(world.find("s").await.is_none(), "a deleted stack has no name");
    assert_eq!(status(&world.find(&id).await.expect("by its ID")), "DELETE_COMPLETE");
    let events = world.events(&id).await;
    let at = |id: &str, status: &str| events.iter().position(|(of, is, _)| of == id && is == status).expect("an event");
    assert!(at("Policy", "DELETE_COMPLETE") < at("Queue", "DELETE_IN_PROGRESS"));
    at("Kept", "DELETE_SKIPPED");
    assert_eq!((world.count("AWS::SQS::Queue"), world.count("AWS::KMS::Key")), (0, 1));
    let listed = world.client.list_stacks().stack_status_filter(StackStatus::DeleteComplete).send().await;
    let listed = listed.expect("a list");
    assert_eq!(listed.stack_summaries()[0].stack_id(), Some(id.as_str()));
    assert!(world.client.describe_stacks().send().await.expect("stacks").stacks().is_empty());
    world.delete("s").await;
    assert_eq!(world.deploy("s", &body).await, "CREATE_COMPLETE", "the name is free");
    assert_ne!(world.id("s").await, id);
}

#[tokio::test(start_paused = true)]
async fn a_failed_deletion_is_repeated_or_retains_the_resource() {
    for retains in [false, true] {
        let world = World::new();
        let mut body = template(&[("A", TOPIC, topic("a")), ("B", TOPIC, topic("b")), ("C", TOPIC, topic("c"))]);
        body["Resources"]["B"]["DependsOn"] = json!("A");
        world.deploy("s", &body).await;
        let id = world.id("s").await;
        let early = world.client.delete_stack().stack_name("s").retain_resources("B").send().await;
        assert!(refusal(early).1.contains("only when the stack is in the DELETE_FAILED state"));
        world.fails("B", ResourceAction::Delete);
        world.delete("s").await;
        let stack = world.find("s").await.expect("a stack");
        assert_eq!(status(&stack), "DELETE_FAILED");
        assert_eq!(stack.stack_status_reason(), Some("The following resource(s) failed to delete: [B]. "));
        let resources = world.resources("s").await;
        let statuses: Vec<_> = resources.values().map(|(_, status)| status.as_str()).collect();
        // What B needs is not tried.
        assert_eq!(statuses, ["CREATE_COMPLETE", "DELETE_FAILED", "DELETE_COMPLETE"]);
        let retained = retains.then(|| vec!["B".to_owned()]);
        let request = world.client.delete_stack().stack_name("s").set_retain_resources(retained);
        request.send().await.expect("deleting");
        while world.find("s").await.is_some() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(world.count(TOPIC), usize::from(retains));
        let skipped = world.events(&id).await.iter().any(|(id, status, _)| id == "B" && status == "DELETE_SKIPPED");
        assert_eq!(skipped, retains);
    }
}

#[tokio::test(start_paused = true)]
async fn termination_protection_refuses_the_deletion() {
    let world = World::new();
    world.deploy("s", &template(&[("A", TOPIC, topic("a"))])).await;
    let protect =
        |on| world.client.update_termination_protection().stack_name("s").enable_termination_protection(on).send();
    protect(true).await.expect("protected");
    assert_eq!(world.find("s").await.expect("a stack").enable_termination_protection(), Some(true));
    let refused = refusal(world.client.delete_stack().stack_name("s").send().await);
    assert_eq!(refused.1, "Stack [s] cannot be deleted while TerminationProtection is enabled");
    protect(false).await.expect("unprotected");
    world.delete("s").await;
    assert!(world.find("s").await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_stack_in_review_is_gone_at_once() {
    let world = World::new();
    world.change_set("s", "c", &template(&[("A", TOPIC, topic("a"))])).await;
    world.client.delete_stack().stack_name("s").send().await.expect("deleted");
    assert!(world.find("s").await.is_none());
    world.deploy("s", &template(&[("A", TOPIC, topic("a"))])).await;
}

#[tokio::test(start_paused = true)]
async fn a_creation_in_progress_can_be_deleted_and_an_update_cannot() {
    let world = World::new();
    let body = |name| template(&[("A", TOPIC, topic(name)), ("B", TOPIC, topic("b"))]);
    world.plan_fault("A", ResourceAction::Create, ResourceEffect::Hangs);
    world.change_set("s", "c", &body("a")).await;
    world.execute("s", "c").await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(status(&world.find("s").await.expect("a stack")), "CREATE_IN_PROGRESS");
    assert_eq!(world.count(TOPIC), 2);
    world.delete("s").await;
    assert_eq!(world.count(TOPIC), 0);
    world.deploy("s", &body("a")).await;
    world.plan_fault("A", ResourceAction::Update, ResourceEffect::Hangs);
    world.change_set("s", "d", &body("x")).await;
    world.execute("s", "d").await;
    let refused = refusal(world.client.delete_stack().stack_name("s").send().await).1;
    assert!(refused.ends_with("cannot be deleted while in status UPDATE_IN_PROGRESS"), "{refused}");
}
