//! The deployed cloud, two accounts that use it, and what can be seen of it from outside.

use std::{collections::BTreeMap, sync::OnceLock, time::Duration};

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::{
    deploying,
    person::{PATIENCE, Person},
};
use crate::{cloud::Cloud, rights::Watch};

/// The bucket that accounts back up.
pub(super) const SOURCE_BUCKET: &str = "lb-src";
/// The function that stores files.
pub(super) const FILE_PROCESSOR: &str = "listbackup-backup-processors-local-fileProcessor";

/// An item of a table.
pub(super) type Item = BTreeMap<String, AttributeValue>;

/// The first backup, which later rows continue.
#[derive(Debug, Clone)]
pub(super) struct Backup {
    pub(super) source_id: String,
    pub(super) job_id: String,
    pub(super) run_id: String,
}

/// The values that all rows use.
pub(super) struct World {
    pub(super) cloud: Cloud,
    pub(super) outputs: BTreeMap<String, String>,
    /// The URL of the WebSocket API.
    pub(super) live_url: String,
    pub(super) anonymous: Person,
    pub(super) ana: Person,
    pub(super) bob: Person,
    backup: OnceLock<Backup>,
    /// Records the functions' calls.
    pub(super) watch: Watch,
}

impl World {
    pub(super) fn deploy(runtime: &Runtime) -> Self {
        let cloud = Cloud::new();
        deploying::row_02_to_04_two_deploys(&cloud);
        let status = cloud.json(&["status", "--stage", "local", "--format", "json"]);
        let outputs = outputs(&status);
        let api = status["urls"]["ListBackupApi"].as_str().expect("the API's URL").to_owned();
        let live_url = status["urls"]["LiveApi"].as_str().expect("the WebSocket API's URL").to_owned();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        let anonymous = Person {
            http,
            api,
            authorization: None,
            refresh_token: String::new(),
            account_id: String::new(),
            user_id: String::new(),
        };
        let watch = runtime.block_on(Watch::start(&cloud, "listbackup"));
        let (ana, bob) = (anonymous.clone(), anonymous.clone());
        let mut world = Self { cloud, outputs, live_url, ana, bob, anonymous, backup: OnceLock::new(), watch };
        runtime.block_on(async {
            world.fill_source_bucket().await;
            world.ana = world.account("ana@example.com").await;
            world.bob = world.account("bob@example.com").await;
        });
        world
    }

    pub(super) fn remember(&self, backup: Backup) {
        self.backup.set(backup).expect("one first backup");
    }

    pub(super) fn backup(&self) -> &Backup {
        self.backup.get().expect("row 15 made the first backup")
    }

    /// Registers a user with an account of its own, and signs in.
    pub(super) async fn account(&self, email: &str) -> Person {
        let data = self.anonymous.register(email).await.ok(201);
        assert_eq!(data["user"]["email"], email, "{data:#}");
        self.anonymous.signed_in(email).await
    }

    async fn fill_source_bucket(&self) {
        self.cloud.s3().create_bucket().bucket(SOURCE_BUCKET).send().await.expect("created");
        self.put_source("a.txt", a_text(0).as_bytes()).await;
        self.put_source("b/c.json", br#"{"a":1}"#).await;
        // A type that is compressed already is stored as it is.
        self.put_source("d.jpg", &(0..3000_u32).map(|at| (at * 7919 % 251) as u8).collect::<Vec<_>>()).await;
    }

    /// Stores an object in the source bucket.
    pub(super) async fn put_source(&self, key: &str, bytes: &[u8]) {
        let put = self.cloud.s3().put_object().bucket(SOURCE_BUCKET).key(key).body(bytes.to_vec().into());
        put.send().await.expect("stored");
    }

    pub(super) fn data_bucket(&self) -> &str {
        &self.outputs["DataBucketName"]
    }

    pub(super) fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.cloud.sdk())
    }

    /// Returns all items of a table.
    pub(super) async fn items(&self, table: &str) -> Vec<Item> {
        let scan = self.dynamodb().scan().table_name(format!("listbackup-local-{table}"));
        let items = scan.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        items.expect("items").into_iter().map(|item| item.into_iter().collect()).collect()
    }

    /// Returns the item with this key, if it exists.
    pub(super) async fn item(&self, table: &str, key: &str, value: &str) -> Option<Item> {
        self.item_of(table, &[(key, value)]).await
    }

    /// Returns the item with this key of one or two attributes, if it exists.
    pub(super) async fn item_of(&self, table: &str, key: &[(&str, &str)]) -> Option<Item> {
        let get = self.dynamodb().get_item().table_name(format!("listbackup-local-{table}")).consistent_read(true);
        let with = |(name, value): &(&str, &str)| ((*name).to_owned(), AttributeValue::S((*value).to_owned()));
        let got = get.set_key(Some(key.iter().map(with).collect())).send().await.expect("a response");
        got.item.map(|item| item.into_iter().collect())
    }

    /// Returns the versions of all objects under a prefix: keys and version IDs.
    pub(super) async fn versions(&self, prefix: &str) -> Vec<(String, String)> {
        let list = self.cloud.s3().list_object_versions().bucket(self.data_bucket()).prefix(prefix);
        let listed = list.send().await.expect("versions");
        assert_ne!(listed.is_truncated(), Some(true), "more versions than one page");
        let version = |version: &aws_sdk_s3::types::ObjectVersion| {
            let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
            (text(version.key()), text(version.version_id()))
        };
        listed.versions().iter().map(version).collect()
    }

    /// Sets the visibility timeout of a queue, in seconds.
    pub(super) async fn visibility(&self, queue: &str, seconds: u32) {
        let attributes = json!({ "VisibilityTimeout": seconds.to_string() });
        let input = json!({ "QueueUrl": self.queue(queue).await, "Attributes": attributes });
        self.cloud.sqs("SetQueueAttributes", &input).await;
    }

    pub(super) async fn queue(&self, name: &str) -> String {
        let found = self.cloud.sqs("GetQueueUrl", &json!({ "QueueName": format!("listbackup-{name}-local") })).await;
        found["QueueUrl"].as_str().expect("a URL").to_owned()
    }

    pub(super) async fn send(&self, queue: &str, body: &str) {
        self.cloud.sqs("SendMessage", &json!({ "QueueUrl": queue, "MessageBody": body })).await;
    }

    /// Receives and deletes the messages of a queue until there are `count`.
    pub(super) async fn take(&self, queue: &str, count: usize) -> Vec<String> {
        let mut bodies = Vec::new();
        let waited = tokio::time::timeout(PATIENCE, async {
            while bodies.len() < count {
                let receive = json!({ "QueueUrl": queue, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 1 });
                let received = self.cloud.sqs("ReceiveMessage", &receive).await;
                for message in received["Messages"].as_array().into_iter().flatten() {
                    bodies.push(message["Body"].as_str().expect("a body").to_owned());
                    let delete = json!({ "QueueUrl": queue, "ReceiptHandle": message["ReceiptHandle"] });
                    self.cloud.sqs("DeleteMessage", &delete).await;
                }
            }
        });
        assert!(waited.await.is_ok(), "{queue} has {bodies:?} instead of {count} messages");
        bodies
    }

    /// Waits until a queue has neither waiting nor received messages.
    pub(super) async fn drained(&self, queue: &str) {
        let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
        let mut last = Value::Null;
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                let request = json!({ "QueueUrl": queue, "AttributeNames": names });
                last = self.cloud.sqs("GetQueueAttributes", &request).await["Attributes"].clone();
                if names.iter().all(|name| last[*name] == "0") {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        assert!(waited.await.is_ok(), "{queue} is not empty: {last}");
    }

    /// Enables or disables the deliveries of a queue to a function. A disabled queue keeps its messages for the test.
    pub(super) async fn deliver(&self, function: &str, enabled: bool) {
        let lambda = self.cloud.lambda();
        let listed = lambda.list_event_source_mappings().send().await.expect("mappings");
        let is_of = |arn: Option<&str>| arn.is_some_and(|arn| arn.contains(&format!(":{function}")));
        let mut found = listed.event_source_mappings().iter().filter(|mapping| is_of(mapping.function_arn()));
        let mapping =
            found.next().and_then(|mapping| mapping.uuid()).unwrap_or_else(|| panic!("no mapping of {function}"));
        lambda.update_event_source_mapping().uuid(mapping).enabled(enabled).send().await.expect("changed");
    }

    /// Invokes a function as EventBridge does.
    pub(super) async fn invoke(&self, function: &str, event: &Value) -> Value {
        let invoke = self.cloud.lambda().invoke().function_name(function).qualifier("live");
        let payload = aws_sdk_lambda::primitives::Blob::new(event.to_string());
        let response = invoke.payload(payload).send().await.expect("a response");
        assert_eq!(response.function_error(), None, "{response:?}");
        serde_json::from_slice(response.payload().map_or(&[], |payload| payload.as_ref())).unwrap_or_default()
    }

    /// Waits until there is an answer.
    pub(super) async fn until<T, F: Future<Output = Option<T>>>(&self, what: &str, ask: impl Fn() -> F) -> T {
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                if let Some(found) = ask().await {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        waited.await.unwrap_or_else(|_| panic!("{what} did not happen within {PATIENCE:?}"))
    }
}

/// The outputs of ListBackup's stacks, as `status` reports them.
fn outputs(status: &Value) -> BTreeMap<String, String> {
    let systems = status["systems"].as_array().expect("systems").iter();
    systems
        .filter(|system| system["name"] == "listbackup")
        .flat_map(|system| system["stacks"].as_array().expect("stacks"))
        .flat_map(|stack| stack["outputs"].as_object().expect("outputs"))
        .map(|(name, value)| (name.clone(), value.as_str().expect("a value").to_owned()))
        .collect()
}

/// The text of `a.txt`: ten kilobytes and `more` bytes.
pub(super) fn a_text(more: usize) -> String {
    let line = "The quick brown fox jumps over the lazy dog.\n";
    line.chars().cycle().take(10 * 1024 + more).collect()
}
