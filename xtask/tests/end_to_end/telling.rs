//! `notify`: whom a system's alarms tell is told what became of a deploy, and no deploy fails for it.

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};

use crate::{
    cloud::Cloud,
    proxy::{Call, Proxy, Verdict},
    refusals::refused,
};

/// A queue that has subscribed to topics.
pub(crate) struct Subscriber<'a> {
    cloud: &'a Cloud,
    queue: String,
}

impl<'a> Subscriber<'a> {
    /// Subscribes a new queue to these topics.
    #[tokio::main(flavor = "current_thread")]
    pub(crate) async fn new(cloud: &'a Cloud, topics: &[&str]) -> Self {
        let created = cloud.sqs("CreateQueue", &json!({ "QueueName": "published" })).await;
        let queue = created["QueueUrl"].as_str().expect("its URL").to_owned();
        for topic in topics {
            let topic = format!("arn:aws:sns:us-east-1:000000000000:{topic}");
            cloud.subscribe("arn:aws:sqs:us-east-1:000000000000:published", &topic).await;
        }
        Self { cloud, queue }
    }

    /// The messages that have come since the last time: subjects and texts.
    #[tokio::main(flavor = "current_thread")]
    pub(crate) async fn told(&self) -> Vec<(String, String)> {
        let mut received = Vec::new();
        loop {
            // Messages are there as soon as they are published, so an empty answer is the end.
            let request = json!({ "QueueUrl": self.queue, "MaxNumberOfMessages": 10 });
            let answer = self.cloud.sqs("ReceiveMessage", &request).await;
            let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
            if messages.is_empty() {
                return received;
            }
            for message in messages {
                let body: Value = serde_json::from_str(message["Body"].as_str().expect("a body")).expect("SNS's JSON");
                let text = |field: &str| body[field].as_str().expect("text").to_owned();
                received.push((text("Subject"), text("Message")));
                let delete = json!({ "QueueUrl": self.queue, "ReceiptHandle": message["ReceiptHandle"] });
                self.cloud.sqs("DeleteMessage", &delete).await;
            }
        }
    }
}

fn deploy(cloud: &Cloud, record: &Path) {
    let record = record.to_str().expect("UTF-8");
    cloud.success(&["deploy", "--stage", "local", "--system", "portfolio", "--yes", "--record", record]);
}

/// Tells of a record, as a job at GitHub would.
fn notify(cloud: &Cloud, proxy: &Proxy, record: &Path, more: &[&str]) -> Output {
    let record = record.to_str().expect("UTF-8");
    let mut command: Command = cloud.command(&[&["notify", "--stage", "local", "--record", record][..], more].concat());
    command
        .env("AWS_ENDPOINT_URL", proxy.endpoint())
        .env("GITHUB_ACTOR", "octocat")
        .env("GITHUB_SERVER_URL", "https://github.example")
        .env("GITHUB_REPOSITORY", "example/backends")
        .env("GITHUB_RUN_ID", "7");
    command.output().expect("xtask starts")
}

#[test]
fn whom_the_alarms_tell_is_told_once_of_what_was_done() {
    let cloud = Cloud::new();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str| folder.path().join(name);
    cloud.success(&["deploy", "--stage", "local", "--system", "foundation", "--yes"]);
    deploy(&cloud, &file("first"));
    let subscriber = Subscriber::new(&cloud, &["portfolio-alarms-local"]);
    let proxy = Proxy::start(&cloud.endpoint(), |_| Verdict::Forward);

    refused(
        &notify(&cloud, &proxy, &file("first"), &[]),
        0,
        &["Sent to the alarm topic of portfolio: portfolio local: release 1 live"],
    );
    let told = subscriber.told();
    let [(subject, message)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(subject, "portfolio local: release 1 live");
    for line in [
        "system: portfolio\nstage: local\nrelease: 1\noutcome: live\n",
        "by: octocat\nrun: https://github.example/example/backends/actions/runs/7\n",
    ] {
        assert!(message.contains(line), "{message}");
    }

    // Nothing changes, and nobody hears of it.
    deploy(&cloud, &file("second"));
    refused(&notify(&cloud, &proxy, &file("second"), &[]), 0, &["No system changed: no message is sent"]);
    refused(&notify(&cloud, &proxy, &file("never-written"), &[]), 0, &["No system changed: no message is sent"]);
    assert_eq!((subscriber.told(), proxy.count("Publish")), (Vec::new(), 1));

    a_message_that_cannot_be_sent_is_a_warning(&cloud, &proxy, &file("first"), &file("broken"));
    assert_eq!(subscriber.told(), []);
}

fn a_message_that_cannot_be_sent_is_a_warning(cloud: &Cloud, proxy: &Proxy, first: &Path, broken: &Path) {
    let denying = Proxy::start(&cloud.endpoint(), |call: &Call| {
        if call.is("Publish") {
            let error = "<Type>Sender</Type><Code>AuthorizationError</Code><Message>not authorized to perform: SNS:Publish</Message>";
            let space = "http://sns.amazonaws.com/doc/2010-03-31/";
            Verdict::Answer(403, format!("<ErrorResponse xmlns=\"{space}\"><Error>{error}</Error></ErrorResponse>"))
        } else {
            Verdict::Forward
        }
    });
    let said =
        ["warning:", "failed to send to the alarm topic of portfolio: portfolio local: release 1 live", "SNS:Publish"];
    refused(&notify(cloud, &denying, first, &[]), 0, &said);

    // A system that is not there yet, and a record that is none.
    fs_err::write(
        broken,
        r#"{"version":1,"command":"deploy","succeeded":false,"failure":["no"],"seconds":1,"report":{"kind":"deploy"}}"#,
    )
    .expect("written");
    let said = [
        "failed to send to the alarm topic of thakii: thakii local: deploy failed",
        "thakii-alarms-local has no output AlarmTopicArn",
    ];
    refused(&notify(cloud, proxy, broken, &["--system", "thakii"]), 0, &said);
    fs_err::write(broken, "{").expect("written");
    refused(&notify(cloud, proxy, broken, &[]), 0, &["no message was sent", "failed to read line 1 of record"]);
    refused(&notify(cloud, proxy, broken, &["--system", "thaki"]), 1, &["did you mean `thakii`?"]);
    refused(&cloud.xtask(&["notify", "--stage", "local"]), 1, &["--record is missing"]);
}
