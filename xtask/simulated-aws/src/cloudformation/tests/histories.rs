//! Random histories: every operation ends, the stack has what it lists, and nothing else remains.

use std::time::Duration;

use aws_sdk_cloudformation::{Client, types::Capability};
use serde_json::{Value, json};

use super::{ResourceAction, ResourceEffect, ResourceFault, World, status};
use crate::{Aws, Settings, chance::Chance, resources::Inspected, testing::config};

const IDS: [&str; 6] = ["A", "B", "C", "D", "E", "F"];

/// A template in which each resource may need those before it.
fn random(chance: &mut Chance) -> Value {
    let mut resources = serde_json::Map::new();
    for (index, id) in IDS.iter().enumerate() {
        if index > 0 && chance.happens(0.4) {
            continue;
        }
        let earlier: Vec<_> =
            IDS[..index].iter().filter(|id| resources.contains_key(**id) && chance.happens(0.4)).collect();
        let replaced = chance.happens(0.3);
        let (kind, properties) = if index % 2 == 0 {
            ("AWS::SNS::Topic", json!({ "DisplayName": chance.number(0..3), "FifoTopic": replaced }))
        } else {
            ("AWS::SQS::Queue", json!({ "DelaySeconds": chance.number(0..3), "FifoQueue": replaced }))
        };
        resources.insert((*id).to_owned(), json!({ "Type": kind, "Properties": properties, "DependsOn": earlier }));
    }
    json!({ "Resources": resources })
}

fn plan_faults(world: &World, chance: &mut Chance) {
    let actions = [ResourceAction::Create, ResourceAction::Update, ResourceAction::Delete, ResourceAction::Rollback];
    while chance.happens(0.5) {
        let action = *chance.choice(&actions).expect("an action");
        let resource = (*chance.choice(&IDS).expect("an ID")).to_owned();
        let effect = match chance.number(0..3) {
            0 => ResourceEffect::Takes(Duration::from_secs(chance.number(1..300))),
            _ => ResourceEffect::Fails("the service refuses".to_owned()),
        };
        let fault = ResourceFault { stack: "s".to_owned(), resource, action, effect };
        world.aws.change(|account| account.resource_faults.push(fault));
    }
}

/// Repairs or deletes a stack that cannot be updated.
async fn repair(world: &World, chance: &mut Chance) {
    let client = &world.client;
    for _ in 0..20 {
        let Some(stack) = world.find("s").await else { return };
        match status(&stack).as_str() {
            "UPDATE_ROLLBACK_FAILED" if chance.happens(0.8) => {
                client.continue_update_rollback().stack_name("s").send().await.expect("continued");
            }
            "ROLLBACK_COMPLETE"
            | "ROLLBACK_FAILED"
            | "CREATE_FAILED"
            | "DELETE_FAILED"
            | "REVIEW_IN_PROGRESS"
            | "UPDATE_ROLLBACK_FAILED" => {
                client.delete_stack().stack_name("s").send().await.expect("deleting");
            }
            status if status.ends_with("_IN_PROGRESS") => {}
            _ => return,
        }
        tokio::time::sleep(Duration::from_secs(1800)).await;
    }
    panic!("the stack is never repaired");
}

/// Whether the stack's resources are exactly those that exist.
fn is_consistent(world: &World, has_faults: bool) -> bool {
    world.aws.read(|account| {
        let Some(stack) = account.cloudformation.stack("eu-west-1", "s") else {
            return has_faults || account.bags.is_empty();
        };
        let owned: Vec<_> = stack.resources.values().filter(|resource| resource.is_owned()).collect();
        let all_exist = owned.iter().all(|resource| {
            let kind = resource.resource_type.as_str();
            crate::resources::inspect(account, "eu-west-1", kind, &resource.physical_id) != Inspected::Missing
        });
        all_exist && (has_faults || account.bags.len() == owned.len())
    })
}

/// Runs a history; returns its events.
async fn run(seed: u64, has_faults: bool) -> String {
    let aws = Aws::new(Settings { seed, ..Settings::default() });
    let world = World { client: Client::new(&config(&aws)), aws };
    let mut chance = Chance::for_purpose(seed, "histories");
    let mut log = String::new();
    for step in 0..6 {
        if has_faults {
            plan_faults(&world, &mut chance);
        }
        repair(&world, &mut chance).await;
        let name = format!("c{step}");
        let described = world.change_set("s", &name, &random(&mut chance)).await;
        if described.status().is_some_and(|status| status.as_str() == "CREATE_COMPLETE") {
            world.execute("s", &name).await;
            tokio::time::sleep(Duration::from_millis(chance.number(0..30_000))).await;
            if chance.happens(0.2) {
                // Refused unless the update is in progress.
                let _ = world.client.cancel_update_stack().stack_name("s").send().await;
            }
            let stack = world.settled("s").await;
            log.push_str(&format!("{} {}\n", status(&stack), stack.stack_status_reason().unwrap_or_default()));
        }
        assert!(is_consistent(&world, has_faults), "seed {seed}, step {step}: {:#?}", world.events("s").await);
    }
    if world.find("s").await.is_some() {
        log.push_str(&format!("{:?}", world.events("s").await));
    }
    log
}

#[tokio::test(start_paused = true)]
async fn every_operation_ends_and_nothing_is_lost() {
    for seed in 0..10 {
        run(seed, false).await;
        run(seed, true).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_seed_repeats_a_history() {
    let one = run(7, true).await;
    assert_eq!(one, run(7, true).await);
    assert!(one.contains("COMPLETE") && one != run(8, true).await);
}

#[tokio::test(start_paused = true)]
async fn stacks_are_deployed_in_parallel() {
    let world = World::new();
    let mut chance = Chance::new(1);
    for number in 0..20 {
        let request =
            world.client.create_stack().stack_name(format!("s{number}")).template_body(random(&mut chance).to_string());
        request.capabilities(Capability::CapabilityIam).send().await.expect("created");
    }
    for number in 0..20 {
        assert_eq!(status(&world.settled(&format!("s{number}")).await), "CREATE_COMPLETE");
    }
}
