//! A change of outputs alone, and a value that crosses stacks for the first time.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use engine::{
    aws::Clients,
    deploy::{Deployed, Done},
    local::Emulator,
};
use model::foundation;
use plan::{Action, Parameter, PlannedStack};
use serde_json::{Value, json};

use crate::{
    cloud::Cloud,
    limits::{apply_stacks, local_stage},
    proxy::{Call, Proxy, Verdict},
};

fn stack(name: &str, action: Action, outputs: Value, takes: &[(&str, &str, &str)]) -> PlannedStack {
    let parameters = takes.iter().map(|(name, stack, output)| {
        ((*name).to_owned(), Parameter::Output { stack: (*stack).to_owned(), output: (*output).to_owned() })
    });
    let declared: serde_json::Map<_, _> =
        takes.iter().map(|(name, _, _)| ((*name).to_owned(), json!({ "Type": "String" }))).collect();
    let topic = json!({ "Type": "AWS::SNS::Topic", "Properties": { "TopicName": name } });
    PlannedStack {
        system: "values".to_owned(),
        stack: name.to_owned(),
        name: format!("values-{name}-local"),
        region: None,
        action,
        parameters: parameters.collect(),
        depends_on: takes.iter().map(|(_, stack, _)| (*stack).to_owned()).collect(),
        template: json!({ "Parameters": declared, "Resources": { "Topic": topic }, "Outputs": outputs }),
    }
}

/// Deploys these stacks, knowing nothing of earlier deploys but the outputs.
#[tokio::main]
async fn deploy(emulator: Emulator, stacks: Vec<PlannedStack>, known: &Deployed) -> Result<Deployed, String> {
    let clients = Clients::new(&local_stage(), Some(emulator)).await.expect("clients");
    let mut outputs = known.outputs.clone();
    let bucket = BTreeMap::from([(foundation::ARTIFACT_BUCKET_OUTPUT.to_owned(), "artifacts".to_owned())]);
    outputs.insert("foundation-artifacts-local".to_owned(), bucket);
    apply_stacks(&clients, stacks, outputs).await.map_err(|error| error.to_string())
}

fn update() -> Action {
    Action::Update(vec!["template".to_owned()])
}

const GIVER: &str = "values-giver-local";
const TAKER: &str = "values-taker-local";

/// The giving stack changes only its outputs, which the taking one needs.
#[test]
fn a_value_that_crosses_stacks_for_the_first_time_is_deployed() {
    let cloud = Cloud::new();
    cloud.success(&["local", "up"]);
    let both = |action: fn() -> Action, outputs: Value, takes: &[(&str, &str, &str)]| {
        vec![stack("giver", action(), outputs, &[]), stack("taker", action(), json!({}), takes)]
    };
    let nothing = Deployed::default();
    let first = deploy(cloud.emulator(), both(|| Action::Create, json!({}), &[]), &nothing).expect("created");
    let outputs = json!({ "TopicArn": { "Value": { "Ref": "Topic" } } });
    let takes = [("Topic", GIVER, "TopicArn")];
    let second = deploy(cloud.emulator(), both(update, outputs.clone(), &takes), &first).expect("updated");
    assert_eq!(second.stacks.get(GIVER), Some(&Done::Update));
    assert!(second.outputs[GIVER]["TopicArn"].ends_with(":giver"), "{second:?}");
    assert_eq!(second.stacks.get(TAKER), Some(&Done::Update));
    let third = deploy(cloud.emulator(), both(update, outputs, &takes), &second).expect("unchanged");
    assert!(third.stacks.values().all(|done| *done == Done::None), "{third:?}");

    let absent = [("Other", GIVER, "OtherArn")];
    let taker = || stack("taker", update(), json!({}), &absent);
    let alone = deploy(cloud.emulator(), vec![taker()], &second).expect_err("no such output");
    assert!(
        alone.contains("output OtherArn of values-giver-local, but values-giver-local is deployed without it"),
        "{alone}"
    );
    let giver = stack("giver", update(), json!({}), &[]);
    let both = deploy(cloud.emulator(), vec![giver, taker()], &second).expect_err("no such output");
    assert!(both.contains("which this run deployed without that output"), "{both}");
}

/// As CloudFormation describes a change set of outputs alone: it can be executed, and lists no resource.
#[test]
fn a_change_set_that_lists_no_resource_is_executed() {
    let cloud = Cloud::new();
    cloud.success(&["local", "up"]);
    let described = AtomicUsize::new(0);
    let proxy = Proxy::start(&cloud.endpoint(), move |call: &Call| {
        if !call.is("DescribeChangeSet") || described.fetch_add(1, Ordering::SeqCst) > 0 {
            return Verdict::Forward;
        }
        let body = "<DescribeChangeSetResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><DescribeChangeSetResult><StackName>values-giver-local</StackName><Status>CREATE_COMPLETE</Status><ExecutionStatus>AVAILABLE</ExecutionStatus><Changes/></DescribeChangeSetResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></DescribeChangeSetResponse>";
        Verdict::Answer(200, body.to_owned())
    });
    let giver = stack("giver", Action::Create, json!({ "Name": { "Value": "n" } }), &[]);
    let deployed = deploy(cloud.emulator_at(proxy.endpoint()), vec![giver], &Deployed::default()).expect("executed");
    assert_eq!(deployed.stacks.get(GIVER), Some(&Done::Create));
    assert_eq!(proxy.count("ExecuteChangeSet"), 1);
}
