//! SDK clients for the tests of the model.

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_sdk_sts::config::{Credentials, SharedCredentialsProvider};

use crate::Aws;

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
