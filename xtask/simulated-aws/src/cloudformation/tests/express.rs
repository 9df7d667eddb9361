//! Express mode.

use std::time::Duration;

use aws_sdk_cloudformation::types::{Capability, ChangeSetType, DeploymentConfig, DeploymentConfigMode, Stack};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{ResourceAction, World, refusal, status, template, topic};

const TOPIC: &str = "AWS::SNS::Topic";
const KEY: &str = "AWS::KMS::Key";
const COMPLETED: &str =
    "Resource operation completed using Express Mode. It may continue becoming available in the background.";

fn config(mode: DeploymentConfigMode, disable_rollback: Option<bool>) -> DeploymentConfig {
    DeploymentConfig::builder().mode(mode).set_disable_rollback(disable_rollback).build()
}

fn express(disable_rollback: Option<bool>) -> DeploymentConfig {
    config(DeploymentConfigMode::Express, disable_rollback)
}

/// A slow resource, and a topic after it.
fn keyed(display: &str) -> Value {
    let mut body = template(&[("Key", KEY, json!({ "Description": display })), ("Topic", TOPIC, topic(display))]);
    body["Resources"]["Topic"]["DependsOn"] = json!("Key");
    body
}

fn queue(is_fifo: bool) -> Value {
    let properties = if is_fifo { json!({ "FifoQueue": true }) } else { json!({}) };
    template(&[("Queue", "AWS::SQS::Queue", properties)])
}

impl World {
    /// Deploys a stack with a change set of this configuration; returns its description in the end.
    async fn deploy_with(&self, stack: &str, body: &Value, config: DeploymentConfig) -> Stack {
        let exists = self.find(stack).await.is_some();
        let kind = if exists { ChangeSetType::Update } else { ChangeSetType::Create };
        let request = self.client.create_change_set().stack_name(stack).change_set_name("c").change_set_type(kind);
        let request = request.capabilities(Capability::CapabilityNamedIam).template_body(body.to_string());
        request.deployment_config(config).send().await.expect("a change set");
        self.compared(stack, "c").await;
        self.execute(stack, "c").await;
        let settled = self.settled(stack).await;
        self.client.delete_change_set().stack_name(stack).change_set_name("c").send().await.expect("deleted");
        settled
    }

    /// A stack whose express update has failed without rollback.
    async fn failed() -> Self {
        let world = Self::new();
        world.deploy_with("s", &keyed("a"), express(Some(false))).await;
        world.fails("Topic", ResourceAction::Update);
        let failed = world.deploy_with("s", &keyed("b"), express(None)).await;
        assert_eq!(status(&failed), "UPDATE_FAILED");
        world
    }
}

#[tokio::test(start_paused = true)]
async fn an_express_operation_ends_before_its_resources_are_ready() {
    let time = async |mode| {
        let world = World::new();
        let started = Instant::now();
        let stack = world.deploy_with("s", &keyed("a"), config(mode, Some(false))).await;
        assert_eq!(status(&stack), "CREATE_COMPLETE");
        let events = world.events("s").await;
        let reasons =
            events.into_iter().filter(|(_, status, _)| status == "CREATE_COMPLETE").map(|(.., reason)| reason);
        (started.elapsed(), reasons.filter(|reason| reason == COMPLETED).count())
    };
    let (standard, unmarked) = time(DeploymentConfigMode::Standard).await;
    let (express, marked) = time(DeploymentConfigMode::Express).await;
    // A key takes at least 8 s.
    assert!(standard > Duration::from_secs(8) && express < Duration::from_secs(8), "{standard:?} {express:?}");
    assert_eq!((unmarked, marked), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn express_mode_keeps_the_order_of_references() {
    let world = World::new();
    world.deploy_with("s", &keyed("a"), express(Some(false))).await;
    let events = world.events("s").await;
    let position = |id: &str, wanted: &str| events.iter().position(|(of, status, _)| of == id && status == wanted);
    assert!(position("Key", "CREATE_COMPLETE") < position("Topic", "CREATE_IN_PROGRESS"), "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn a_change_set_carries_the_mode_to_its_execution_and_descriptions_show_it() {
    let world = World::new();
    let request = world.client.create_change_set().stack_name("s").change_set_name("c");
    let request = request.change_set_type(ChangeSetType::Create).template_body(keyed("a").to_string());
    request.deployment_config(express(Some(false))).send().await.expect("a change set");
    let described = world.compared("s", "c").await;
    assert_eq!(described.deployment_config(), Some(&express(Some(false))));
    world.execute("s", "c").await;
    assert_eq!(world.settled("s").await.deployment_config(), Some(&express(Some(false))));
    let unknown = world.client.delete_stack().stack_name("s").deployment_config(config("FAST".into(), None));
    let (code, message) = refusal(unknown.send().await);
    assert!(code == "ValidationError" && message.contains("enum value set: [EXPRESS, STANDARD]"), "{message}");
    assert_eq!(status(&world.find("s").await.expect("a stack")), "CREATE_COMPLETE");
}

#[tokio::test(start_paused = true)]
async fn rollback_is_disabled_in_express_mode_unless_it_is_enabled() {
    for (disable_rollback, creation, update) in
        [(None, "CREATE_FAILED", "UPDATE_FAILED"), (Some(false), "ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")]
    {
        let world = World::new();
        world.fails("Topic", ResourceAction::Create);
        let stack = world.deploy_with("new", &keyed("a"), express(disable_rollback)).await;
        assert_eq!(status(&stack), creation);
        world.deploy_with("s", &keyed("a"), express(Some(false))).await;
        world.fails("Topic", ResourceAction::Update);
        let stack = world.deploy_with("s", &keyed("b"), express(disable_rollback)).await;
        assert_eq!(status(&stack), update);
        // In either state, the stack can be deleted.
        let deletion = world.client.delete_stack().stack_name("new").deployment_config(express(None));
        deletion.send().await.expect("deleting");
        while world.find("new").await.is_some() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_replacement_is_refused_without_rollback_and_made_with_it() {
    for (config, expected) in [
        (express(Some(false)), "UPDATE_COMPLETE"),
        (express(None), "UPDATE_FAILED"),
        (config(DeploymentConfigMode::Standard, Some(true)), "UPDATE_FAILED"),
    ] {
        let world = World::new();
        world.deploy_with("s", &queue(false), express(Some(false))).await;
        let old = world.resources("s").await;
        let stack = world.deploy_with("s", &queue(true), config).await;
        assert_eq!(status(&stack), expected);
        assert_eq!(world.resources("s").await["Queue"].0 != old["Queue"].0, expected == "UPDATE_COMPLETE");
        let events = world.events("s").await;
        let reason = "Replacement type updates not supported on stack with disable-rollback.";
        assert_eq!(events.iter().any(|(.., of)| of == reason), expected == "UPDATE_FAILED", "{events:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_express_update_is_not_rolled_back_and_not_updated_in_another_way() {
    let world = World::failed().await;
    let rollback = world.client.rollback_stack().stack_name("s").deployment_config(express(None)).send().await;
    let (code, message) = refusal(rollback);
    assert!(code == "ValidationError" && message.starts_with("RollbackStack is not supported"), "{message}");
    let standard = config(DeploymentConfigMode::Standard, Some(true));
    let update = |config| {
        world.client.update_stack().stack_name("s").template_body(keyed("a").to_string()).deployment_config(config)
    };
    let (code, message) = refusal(update(standard.clone()).send().await);
    assert!(code == "ValidationError" && message.contains("must use the same DeploymentConfig"), "{message}");
    let change_set = world.client.create_change_set().stack_name("s").change_set_name("d");
    let change_set = change_set.template_body(keyed("a").to_string()).deployment_config(standard).send().await;
    assert!(refusal(change_set).1.contains("must use the same DeploymentConfig"));
    let (code, message) = refusal(update(express(Some(false))).send().await);
    assert!(code == "ValidationError" && message.contains("non-terminal [UPDATE_FAILED] state"), "{message}");
    assert_eq!(status(&world.find("s").await.expect("a stack")), "UPDATE_FAILED");
}

#[tokio::test(start_paused = true)]
async fn a_failed_express_update_is_ended_by_its_last_working_template() {
    let world = World::failed().await;
    let replay = world.client.update_stack().stack_name("s").template_body(keyed("a").to_string());
    replay.deployment_config(express(Some(true))).send().await.expect("updating");
    assert_eq!(status(&world.settled("s").await), "UPDATE_COMPLETE");
    let after = world.deploy_with("s", &keyed("c"), config(DeploymentConfigMode::Standard, Some(false))).await;
    assert_eq!(status(&after), "UPDATE_COMPLETE", "any mode again");
}

#[tokio::test(start_paused = true)]
async fn a_failed_rollback_in_express_mode_is_continued() {
    let world = World::new();
    world.deploy_with("s", &keyed("a"), express(Some(false))).await;
    world.fails("Topic", ResourceAction::Update);
    world.fails("Key", ResourceAction::Rollback);
    let stack = world.deploy_with("s", &keyed("b"), express(Some(false))).await;
    assert_eq!(status(&stack), "UPDATE_ROLLBACK_FAILED");
    world.client.continue_update_rollback().stack_name("s").send().await.expect("continued");
    assert_eq!(status(&world.settled("s").await), "UPDATE_ROLLBACK_COMPLETE");
}

#[tokio::test(start_paused = true)]
async fn an_express_deletion_does_not_wait_for_resources() {
    let time = async |config: Option<DeploymentConfig>| {
        let world = World::new();
        world.deploy_with("s", &keyed("a"), express(Some(false))).await;
        let started = Instant::now();
        world.client.delete_stack().stack_name("s").set_deployment_config(config).send().await.expect("deleting");
        while world.find("s").await.is_some() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(world.count(KEY), 0);
        started.elapsed()
    };
    let (standard, express) = (time(None).await, time(Some(express(None))).await);
    assert!(standard > Duration::from_secs(8) && express < Duration::from_secs(8), "{standard:?} {express:?}");
}
