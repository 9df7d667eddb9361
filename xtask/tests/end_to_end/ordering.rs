//! A stack waits for those it takes values from, also where they had other values before.

use std::collections::BTreeMap;

use engine::{
    aws::Clients,
    deploy::{DeployContext, Deployed, Done, Guard, Outputs, apply},
    interruption::Interruption,
    lock::HeldLocks,
    ui::Ui,
};
use model::{foundation, stage::Stage};
use plan::{Action, Parameter, Plan, PlannedStack, allow::Allowances, artifacts::Artifacts, preview::Preview};
use serde_json::{Value, json};

use crate::{cloud::Cloud, limits::changing};

const GIVER: &str = "pair-giver-local";
const TAKER: &str = "pair-taker-local";

fn stack(name: &str, action: Action, template: Value) -> PlannedStack {
    PlannedStack {
        system: "pair".to_owned(),
        stack: name.to_owned(),
        name: format!("pair-{name}-local"),
        region: None,
        action,
        parameters: BTreeMap::new(),
        depends_on: Vec::new(),
        template,
    }
}

/// One stack that gives a topic's name, and one that takes it.
fn plan(topic: &str, giver: Action, taker: Action) -> Plan {
    let properties = json!({ "TopicName": topic });
    let giver = stack(
        "giver",
        giver,
        json!({
            "Resources": { "Topic": { "Type": "AWS::SNS::Topic", "Properties": properties } },
            "Outputs": { "Name": { "Value": { "Fn::GetAtt": ["Topic", "TopicName"] } } }
        }),
    );
    let queue = json!({ "QueueName": { "Fn::Sub": "${Name}-queue" } });
    let mut taker = stack(
        "taker",
        taker,
        json!({
            "Parameters": { "Name": { "Type": "String" } },
            "Resources": { "Queue": { "Type": "AWS::SQS::Queue", "Properties": queue } }
        }),
    );
    let output = Parameter::Output { stack: GIVER.to_owned(), output: "Name".to_owned() };
    taker.parameters.insert("Name".to_owned(), output);
    taker.depends_on.push(GIVER.to_owned());
    Plan { stacks: vec![giver, taker], code: Vec::new(), unreleased: Vec::new() }
}

async fn deploy(plan: &Plan, known: Outputs, clients: &Clients, protects: bool) -> Deployed {
    let guard = Guard { preview: &Preview::default(), allowances: &Allowances::default() };
    let (locks, interruption, ui) = (HeldLocks::none(), Interruption::default(), Ui::new());
    let context = DeployContext {
        stage: "local",
        clients,
        locks: &locks,
        protects,
        deployment: model::stage::Deployment::Standard,
        on_change: &|_| {},
        interruption: &interruption,
        ui: &ui,
    };
    apply(context, plan, &Artifacts::default(), &changing(known), guard).await.expect("deployed")
}

#[tokio::main]
async fn values(cloud: &Cloud) {
    let text = include_str!("../../../stacks/stages/local.yaml");
    let stage = Stage::parse("local", text, "local.yaml").expect("a stage");
    let clients = Clients::new(&stage, Some(cloud.emulator())).await.expect("clients");
    let bucket = [(foundation::ARTIFACT_BUCKET_OUTPUT.to_owned(), "artifacts".to_owned())];
    let foundation = ("foundation-artifacts-local".to_owned(), BTreeMap::from(bucket));

    // What an interrupted run left has no outputs, though it is known.
    let known = Outputs::from([foundation.clone(), (GIVER.to_owned(), BTreeMap::new())]);
    let first = deploy(&plan("first", Action::Create, Action::Create), known, &clients, false).await;
    assert_eq!(first.outputs[GIVER]["Name"], "first");

    let known = Outputs::from([foundation, (GIVER.to_owned(), first.outputs[GIVER].clone())]);
    let update = Action::Update(vec!["another name".to_owned()]);
    let second = deploy(&plan("second", update, Action::None), known, &clients, true).await;
    assert_eq!(second.stacks[TAKER], Done::Update, "it kept the value that was to change");
    let taker = clients.cloudformation(None).describe(TAKER).await.expect("described").expect("deployed");
    assert_eq!(taker.parameters["Name"], "second");

    // The second deploy was that of a protected stage: the first one's stacks are protected too.
    let cloudformation = clients.cloudformation(None);
    for name in [GIVER, TAKER] {
        let state = cloudformation.describe(name).await.expect("described").expect("deployed");
        assert!(state.is_protected, "{name}");
    }
    let client = aws_sdk_cloudformation::Client::new(&cloud.sdk());
    let refused = client.delete_stack().stack_name(TAKER).send().await.expect_err("the stack is protected");
    assert!(format!("{refused:?}").contains("TerminationProtection"), "{refused:?}");
}

#[test]
fn a_stack_takes_the_values_that_this_deploy_makes() {
    let cloud = Cloud::new();
    cloud.success(&["local", "up"]);
    values(&cloud);
}
