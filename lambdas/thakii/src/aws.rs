//! AWS clients as the functions want them: quick to give up, so that an answer is out before the gateway stops listening.

use std::time::Duration;

use aws_config::{SdkConfig, timeout::TimeoutConfig};
use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_smithy_types::error::display::DisplayErrorContext;

/// The configuration with time limits: 20 seconds for a call with all its retries.
#[must_use]
pub fn limited(aws: &SdkConfig) -> SdkConfig {
    let limits = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .operation_attempt_timeout(Duration::from_secs(12))
        .operation_timeout(Duration::from_secs(20))
        .build();
    aws.clone().into_builder().timeout_config(limits).build()
}

/// The S3 client.
#[must_use]
pub fn s3(aws: &SdkConfig) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::from_conf(s3_configuration(aws).build())
}

/// An S3 client that only signs URLs: for `endpoint`, where clients reach S3 under another address than the function.
#[must_use]
pub fn presigning(aws: &SdkConfig, endpoint: Option<&str>) -> aws_sdk_s3::Client {
    let mut configuration = s3_configuration(aws);
    if let Some(endpoint) = endpoint.filter(|endpoint| !endpoint.is_empty()) {
        configuration = configuration.endpoint_url(endpoint).force_path_style(true);
    }
    aws_sdk_s3::Client::from_conf(configuration.build())
}

fn s3_configuration(aws: &SdkConfig) -> aws_sdk_s3::config::Builder {
    aws_sdk_s3::config::Builder::from(aws)
        // An emulator has one host name for all buckets.
        .force_path_style(aws.endpoint_url().is_some())
        // The SDK's default signs the checksum of an empty body into URLs:
        // https://docs.aws.amazon.com/sdkref/latest/guide/feature-dataintegrity.html
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
}

/// Everything an SDK error says: its own `Display` prints only the outermost layer.
#[must_use]
pub fn cause(error: &(impl std::error::Error + 'static)) -> String {
    DisplayErrorContext(error).to_string()
}

/// A call to AWS that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed to {action}: {cause}")]
pub struct AwsError {
    /// What was tried.
    pub action: String,
    /// AWS's words.
    pub cause: String,
}

impl AwsError {
    /// What was tried, and what the SDK said.
    pub fn new(action: impl Into<String>, error: &(impl std::error::Error + 'static)) -> Self {
        Self { action: action.into(), cause: cause(error) }
    }

    /// AWS answered something that cannot be.
    pub fn odd(action: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { action: action.into(), cause: cause.into() }
    }
}
