//! SDK clients for the tests of the model.

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_sdk_sts::config::{Credentials, SharedCredentialsProvider};

use crate::{
    Aws,
    resources::{Provided, Wanted, provider},
};

/// The configuration of clients that make each call once.
pub(crate) fn config(aws: &Aws) -> SdkConfig {
    let credentials = Credentials::new("AKID", "secret", None, None, "simulation");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(aws.client("test"))
        .retry_config(RetryConfig::disabled())
        .build()
}

/// The configuration of clients that repeat a failed call.
pub(crate) fn patient(aws: &Aws) -> SdkConfig {
    config(aws).into_builder().retry_config(RetryConfig::standard().with_max_attempts(6)).build()
}

/// Stores an object for functions to read.
pub(crate) fn upload(aws: &Aws, bucket: &str, key: &str, bytes: Vec<u8>) {
    aws.change(|account| crate::s3::put(account, bucket, key, bytes));
}

/// Creates a resource as the stack `s` does, with the logical ID `R`.
pub(crate) fn create(aws: &Aws, resource_type: &str, properties: &serde_json::Value) -> Result<Provided, String> {
    let wanted = Wanted { region: "eu-west-1", stack: "s", logical_id: "R", resource_type, properties };
    aws.change(|account| (provider(resource_type).create)(account, wanted))
}

/// Updates a resource of the stack `s`.
pub(crate) fn update(
    aws: &Aws,
    resource_type: &str,
    physical_id: &str,
    properties: &serde_json::Value,
) -> Result<Provided, String> {
    let wanted = Wanted { region: "eu-west-1", stack: "s", logical_id: "R", resource_type, properties };
    aws.change(|account| (provider(resource_type).update)(account, physical_id, wanted))
}

/// Deletes a resource of the stack `s`.
pub(crate) fn delete(aws: &Aws, resource_type: &str, physical_id: &str) -> Result<(), String> {
    let properties = serde_json::json!({});
    let wanted = Wanted { region: "eu-west-1", stack: "s", logical_id: "R", resource_type, properties: &properties };
    aws.change(|account| (provider(resource_type).delete)(account, physical_id, wanted))
}

/// The properties of a function with the code at a key.
pub(crate) fn function(name: &str, key: &str) -> serde_json::Value {
    serde_json::json!({
        "FunctionName": name,
        "Runtime": "provided.al2023",
        "Handler": "bootstrap",
        "Role": "arn:aws:iam::123456789012:role/f",
        "MemorySize": "256",
        "Timeout": 10,
        "Environment": { "Variables": { "TABLE": "notes" } },
        "Code": { "S3Bucket": "artifacts", "S3Key": key },
    })
}
