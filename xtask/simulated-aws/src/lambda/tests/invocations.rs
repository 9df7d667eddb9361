//! Invocations and probes.

use aws_sdk_lambda::{operation::invoke::InvokeOutput, primitives::Blob, types::AliasRoutingConfiguration};
use contract::probe::{Probe, Question, Ready};

use super::*;

async fn probe(client: &Client, version: &str) -> InvokeOutput {
    let event = serde_json::to_vec(&Probe { probe: Question::Ready }).expect("plain data");
    let invoke = client.invoke().function_name("f").qualifier(version).payload(Blob::new(event));
    invoke.send().await.expect("invoked")
}

fn payload(output: &InvokeOutput) -> serde_json::Value {
    serde_json::from_slice(output.payload().expect("a payload").as_ref()).expect("JSON")
}

#[tokio::test(start_paused = true)]
async fn a_version_answers_its_probe_as_its_code_says() {
    let (aws, client) = released().await;
    let ready = probe(&client, "1").await;
    let answer: Ready = serde_json::from_value(payload(&ready)).expect("an answer");
    assert_eq!((answer.ready, answer.function.as_str()), (true, "notes-list"));
    assert_eq!((ready.function_error(), ready.executed_version()), (None, Some("1")));
    let other = publish(&client, "other.zip").await;
    let answer: Ready = serde_json::from_value(payload(&probe(&client, &other).await)).expect("an answer");
    assert_ne!(answer.function, "notes-list");
    let failing = publish(&client, "fails.zip").await;
    let failed = probe(&client, &failing).await;
    assert_eq!((failed.status_code(), failed.function_error()), (200, Some("Unhandled")));
    assert_eq!(payload(&failed)["errorType"], "Runtime.ExitError");
    // A function that errs on requests answers its probe.
    let erring = publish(&client, "errors.zip").await;
    assert_eq!(probe(&client, &erring).await.function_error(), None);
    let request = client.invoke().function_name("f").qualifier(&erring).payload(Blob::new("{}")).send().await;
    assert_eq!(request.expect("invoked").function_error(), Some("Unhandled"));
    let hanging = publish(&client, "hangs.zip").await;
    let before = aws.now();
    let timed_out = probe(&client, &hanging).await;
    let took = aws.now().since(before);
    assert!(took >= Duration::from_secs(10) && took < Duration::from_secs(11), "{took:?}");
    assert_eq!(payload(&timed_out)["errorType"], "Sandbox.Timedout");
}

#[tokio::test(start_paused = true)]
async fn a_weighted_alias_executes_both_versions() {
    let (_aws, client) = released().await;
    publish(&client, "2.zip").await;
    let split = AliasRoutingConfiguration::builder().additional_version_weights("2", 0.25).build();
    client.update_alias().function_name("f").name("live").routing_config(split).send().await.expect("split");
    let mut of_second = 0;
    for _ in 0..400 {
        let invoked = client.invoke().function_name("f:live").payload(Blob::new("{}")).send().await.expect("invoked");
        assert_eq!(payload(&invoked)["statusCode"], 200);
        of_second += usize::from(invoked.executed_version() == Some("2"));
    }
    assert!((70..130).contains(&of_second), "{of_second} of 400");
}

#[tokio::test(start_paused = true)]
async fn the_first_request_of_a_version_takes_longer() {
    let (aws, client) = released().await;
    upload(&aws, "artifacts", "cold.zip", Behavior { cold_ms: 5000, ..Behavior::working("notes", "list", 9) }.zip());
    let version = publish(&client, "cold.zip").await;
    let mut took = Vec::new();
    for _ in 0..2 {
        let before = aws.now();
        probe(&client, &version).await;
        took.push(aws.now().since(before));
    }
    assert!(took[0] >= Duration::from_secs(5) && took[1] < Duration::from_secs(1), "{took:?}");
}
