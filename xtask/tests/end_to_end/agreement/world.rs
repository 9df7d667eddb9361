//! The place where a behaviour is observed: a simulated AWS, or a running emulator, through the same clients.

use std::{
    io::{Cursor, Write},
    time::Duration,
};

use aws_call::{Call, CallError, JsonService};
use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_sdk_cloudformation::types::{Capability, Stack};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use serde_json::{Value, json};
use simulated_aws::{Aws, Settings, lambda::Behavior};

use crate::cloud::Cloud;

/// The account and the region of the emulator.
const ACCOUNT: &str = "000000000000";
const REGION: &str = "us-east-1";

/// An AWS, and a name for the resources of one behaviour.
pub(super) struct World {
    pub(super) config: SdkConfig,
    pub(super) name: String,
    zip: fn(u64) -> Vec<u8>,
}

impl World {
    /// A new simulated account. A call takes longer than a write is in flight, so that no write races with another one.
    pub(super) fn simulated(name: &str) -> Self {
        let latency = Duration::from_millis(60)..Duration::from_millis(100);
        let settings =
            Settings { account: ACCOUNT.to_owned(), region: REGION.to_owned(), latency, ..Settings::default() };
        let credentials = Credentials::new("AKID", "secret", None, None, "tests");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(REGION))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(Aws::new(settings).client("tests"))
            .retry_config(RetryConfig::disabled())
            .build();
        Self { config, name: name.to_owned(), zip: |number| Behavior::working("notes", "list", number).zip() }
    }

    /// A running emulator.
    pub(super) fn emulated(name: &str, cloud: &Cloud) -> Self {
        let config = cloud.sdk().into_builder().retry_config(RetryConfig::disabled()).build();
        Self { config, name: name.to_owned(), zip }
    }

    pub(super) fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.config).force_path_style(true).build();
        aws_sdk_s3::Client::from_conf(config)
    }

    pub(super) fn cloudformation(&self) -> aws_sdk_cloudformation::Client {
        aws_sdk_cloudformation::Client::new(&self.config)
    }

    pub(super) fn lambda(&self) -> aws_sdk_lambda::Client {
        aws_sdk_lambda::Client::new(&self.config)
    }

    /// Makes a call in a JSON protocol.
    pub(super) async fn call(
        &self,
        service: JsonService,
        operation: &'static str,
        input: &Value,
    ) -> Result<Value, CallError> {
        let body = Call::json(service, operation, input).send(&self.config).await?;
        Ok(serde_json::from_slice(&body).unwrap_or_default())
    }

    /// Waits for a condition, in virtual or in real time.
    pub(super) async fn until(&self, what: &str, mut is_met: impl AsyncFnMut() -> bool) {
        for _ in 0..1200 {
            if is_met().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        panic!("{}: {what} did not happen", self.name);
    }

    /// Describes a stack, by its name or its ID.
    pub(super) async fn stack(&self, stack: &str) -> Option<Stack> {
        let found = self.cloudformation().describe_stacks().stack_name(stack).send().await.ok()?;
        found.stacks.unwrap_or_default().pop()
    }

    pub(super) async fn status(&self, stack: &str) -> String {
        let found = self.stack(stack).await.and_then(|stack| stack.stack_status);
        found.map_or_else(|| "absent".to_owned(), |status| status.as_str().to_owned())
    }

    /// Waits until no operation of a stack is in progress; returns its status.
    pub(super) async fn settled(&self, stack: &str) -> String {
        self.until("the operation's end", async || !self.status(stack).await.ends_with("_IN_PROGRESS")).await;
        self.status(stack).await
    }

    /// Creates a stack; returns its final status.
    pub(super) async fn create(&self, stack: &str, template: &Value) -> String {
        let request = self.cloudformation().create_stack().stack_name(stack).template_body(template.to_string());
        let created = request.capabilities(Capability::CapabilityNamedIam).send().await;
        created.unwrap_or_else(|error| panic!("{stack}: {error:?}"));
        self.settled(stack).await
    }

    /// Creates a bucket with the name of the behaviour.
    pub(super) async fn bucket(&self, is_versioned: bool) -> &str {
        let tags = json!([{ "Key": "stage", "Value": "dev" }]);
        let mut properties = json!({ "BucketName": self.name, "Tags": tags });
        if is_versioned {
            properties["VersioningConfiguration"] = json!({ "Status": "Enabled" });
        }
        let template = json!({ "Resources": { "Bucket": { "Type": "AWS::S3::Bucket", "Properties": properties } } });
        assert_eq!(self.create(&format!("{}-bucket", self.name), &template).await, "CREATE_COMPLETE");
        &self.name
    }

    /// The bytes of a function's zip, other ones for each number.
    pub(super) fn zip(&self, number: u64) -> Vec<u8> {
        (self.zip)(number)
    }
}

fn zip(number: u64) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
    zip.start_file("bootstrap", options).expect("a file");
    zip.write_all(format!("#!/bin/sh\necho {number}\n").as_bytes()).expect("written");
    zip.finish().expect("a zip").into_inner()
}
