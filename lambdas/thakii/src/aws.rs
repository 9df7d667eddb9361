//! AWS clients with short time limits, so that the API answers before the gateway's timeout.

use std::time::Duration;

use aws_config::{SdkConfig, timeout::TimeoutConfig};
use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_smithy_types::error::display::DisplayErrorContext;
pub(crate) use tables::AwsError;

/// Limits a call, including its retries, to 20 seconds.
pub(crate) fn with_time_limits(aws: &SdkConfig) -> SdkConfig {
    let limits = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .operation_attempt_timeout(Duration::from_secs(12))
        .operation_timeout(Duration::from_secs(20))
        .build();
    aws.clone().into_builder().timeout_config(limits).build()
}

pub(crate) fn s3_client(aws: &SdkConfig) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::from_conf(s3_configuration(aws).build())
}

/// Returns an S3 client for presigned URLs. Clients may reach S3 at another address (`endpoint`) than the function
/// does.
pub(crate) fn presigning_client(aws: &SdkConfig, endpoint: Option<&str>) -> aws_sdk_s3::Client {
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

/// Returns the whole error chain: the `Display` of an SDK error prints only its outermost layer.
pub(crate) fn error_chain(error: &(impl std::error::Error + 'static)) -> String {
    DisplayErrorContext(error).to_string()
}
