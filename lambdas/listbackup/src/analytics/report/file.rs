//! Reports in the bucket, and links to them.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_s3::{
    Client,
    config::{Builder, RequestChecksumCalculation},
    presigning::PresigningConfig,
    types::ServerSideEncryption,
};
use listbackup_contract::limits::PRESIGN_SECONDS;
use tables::AwsError;

/// An object with a report.
#[derive(Debug, Clone, Copy)]
pub(super) struct File<'a> {
    pub(super) key: &'a str,
    /// The name under which clients save it; it needs no escapes.
    pub(super) name: &'a str,
    pub(super) content_type: &'static str,
}

/// The bucket.
#[derive(Debug)]
pub(super) struct Files {
    bucket: String,
    s3: Client,
    /// Signs links for clients, who may reach S3 at another address.
    presigner: Client,
}

impl Files {
    pub(super) fn new(aws: &SdkConfig, bucket: String, public_endpoint: Option<String>) -> Self {
        let presigner = match public_endpoint.filter(|endpoint| !endpoint.is_empty()) {
            Some(endpoint) => configuration(aws).endpoint_url(endpoint).force_path_style(true),
            None => configuration(aws),
        };
        let (s3, presigner) = (Client::from_conf(configuration(aws).build()), Client::from_conf(presigner.build()));
        Self { bucket, s3, presigner }
    }

    /// Stores a report, encrypted.
    pub(super) async fn put(&self, file: &File<'_>, content: Vec<u8>) -> Result<(), AwsError> {
        let request = self.s3.put_object().bucket(&self.bucket).key(file.key).content_type(file.content_type);
        let request = request.server_side_encryption(ServerSideEncryption::Aes256).body(content.into());
        request.send().await.map(drop).map_err(|error| AwsError::new("store a report", &error))
    }

    /// Signs a link that saves the report, and never shows it.
    pub(super) async fn link(&self, file: &File<'_>) -> Result<String, AwsError> {
        const ACTION: &str = "sign a link to a report";
        let lifetime = PresigningConfig::expires_in(Duration::from_secs(PRESIGN_SECONDS));
        let lifetime = lifetime.map_err(|error| AwsError::new(ACTION, &error))?;
        let request = self.presigner.get_object().bucket(&self.bucket).key(file.key);
        let request = request.response_content_disposition(format!("attachment; filename=\"{}\"", file.name));
        let signed = request.presigned(lifetime).await.map_err(|error| AwsError::new(ACTION, &error))?;
        Ok(signed.uri().to_owned())
    }
}

fn configuration(aws: &SdkConfig) -> Builder {
    Builder::from(aws)
        // An emulator has one host name for all buckets.
        .force_path_style(aws.endpoint_url().is_some())
        // The SDK's default signs the checksum of an empty body into URLs (AWS SDKs reference guide, "Data integrity protections").
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
}
