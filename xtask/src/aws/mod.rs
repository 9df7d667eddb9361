//! The only module that names the AWS SDK: one file per service, SDK types turned into our own at the boundary.

pub mod api_gateway;
pub mod cloudformation;
pub mod cloudwatch;
pub mod cognito;
pub mod documents;
pub mod drift;
pub mod error;
pub mod governor;
pub mod iam;
pub mod lambda;
pub mod s3;
pub mod sts;

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
pub use error::AwsError;
use governor::Governor;
use stacks::stage::Stage;

/// Clients for one stage. A region's are made when first asked for.
#[derive(Debug)]
pub struct Clients {
    base: SdkConfig,
    region: String,
    endpoint: Option<String>,
    regions: Mutex<BTreeMap<String, SdkConfig>>,
    pub(crate) governor: Governor,
}

impl Clients {
    /// Clients for `stage`: of the emulator at `endpoint` with its well-known keys, else of AWS with whatever
    /// credentials the SDK's default chain finds.
    pub async fn new(stage: &Stage, endpoint: Option<String>) -> Self {
        let http =
            aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(5))
            .operation_attempt_timeout(Duration::from_secs(330))
            .build();
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(http)
            .region(Region::new(stage.region.clone()))
            .timeout_config(timeouts)
            .retry_config(RetryConfig::adaptive().with_max_attempts(if endpoint.is_some() { 2 } else { 6 }));
        if let Some(url) = &endpoint {
            loader = loader.endpoint_url(url).test_credentials();
        }
        Self {
            base: loader.load().await,
            region: stage.region.clone(),
            governor: Governor::new(endpoint.is_none()),
            endpoint,
            regions: Mutex::default(),
        }
    }

    /// The emulator's URL, where it is one.
    #[must_use]
    pub fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    /// The stage's region.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    pub(crate) fn config(&self) -> &SdkConfig {
        &self.base
    }

    pub(crate) fn config_in(&self, region: Option<&str>) -> SdkConfig {
        let Some(region) = region else { return self.base.clone() };
        let mut regions = self.regions.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        regions
            .entry(region.to_owned())
            .or_insert_with(|| self.base.clone().into_builder().region(Region::new(region.to_owned())).build())
            .clone()
    }
}
