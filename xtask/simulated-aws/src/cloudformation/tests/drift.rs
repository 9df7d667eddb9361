//! Drift detection.

use std::time::Duration;

use aws_sdk_cloudformation::types::StackResourceDriftStatus;
use serde_json::json;

use super::{World, refusal, template, topic};

const TOPIC: &str = "AWS::SNS::Topic";

impl World {
    /// Detects drift; returns the drifted resources with the paths that differ.
    async fn drift(&self) -> Vec<(String, String, Vec<String>)> {
        let started = self.client.detect_stack_drift().stack_name("s").send().await.expect("started");
        let id = started.stack_drift_detection_id().expect("an ID").to_owned();
        let mut has_waited = false;
        loop {
            let request = self.client.describe_stack_drift_detection_status().stack_drift_detection_id(&id);
            let status = request.send().await.expect("a status");
            if status.detection_status().expect("a status").as_str() == "DETECTION_COMPLETE" {
                break;
            }
            has_waited = true;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert!(has_waited, "a detection takes time");
        let request = self.client.describe_stack_resource_drifts().stack_name("s");
        let request = request.stack_resource_drift_status_filters(StackResourceDriftStatus::Modified);
        let request = request.stack_resource_drift_status_filters(StackResourceDriftStatus::Deleted);
        let drifts = request.send().await.expect("drifts").stack_resource_drifts.unwrap_or_default();
        let drift = |drift: aws_sdk_cloudformation::types::StackResourceDrift| {
            let paths =
                drift.property_differences().iter().filter_map(|found| found.property_path().map(str::to_owned));
            let (paths, status) =
                (paths.collect(), drift.stack_resource_drift_status().map(|found| found.as_str().to_owned()));
            (drift.logical_resource_id.unwrap_or_default(), status.unwrap_or_default(), paths)
        };
        drifts.into_iter().map(drift).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn changes_by_hand_are_detected() {
    let world = World::new();
    world.deploy("s", &template(&[("A", TOPIC, topic("a")), ("B", TOPIC, topic("b")), ("C", TOPIC, topic("c"))])).await;
    assert!(world.drift().await.is_empty());
    let resources = world.resources("s").await;
    let key = |id: &str| ("eu-west-1".to_owned(), TOPIC.to_owned(), resources[id].0.clone());
    world.aws.change(|account| {
        account.bags.insert(key("A"), json!({ "DisplayName": "changed", "Unmanaged": 1 }));
        account.bags.remove(&key("B"));
    });
    let drifted = world.drift().await;
    assert_eq!(
        drifted,
        [
            ("A".to_owned(), "MODIFIED".to_owned(), vec!["/DisplayName".to_owned()]),
            ("B".to_owned(), "DELETED".to_owned(), Vec::new()),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_stack_in_progress_has_no_drift() {
    let world = World::new();
    let body = |name| template(&[("A", TOPIC, topic(name))]);
    world.deploy("s", &body("a")).await;
    world.client.update_stack().stack_name("s").template_body(body("b").to_string()).send().await.expect("updating");
    assert_eq!(refusal(world.client.detect_stack_drift().stack_name("s").send().await).0, "ValidationError");
}
