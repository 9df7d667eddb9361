//! Calls to AWS, one file per service. No other module names the AWS SDK; its types become the engine's own here.

pub(crate) mod api_gateway;
pub(crate) mod cloudformation;
pub(crate) mod cloudfront;
pub(crate) mod cloudwatch;
pub(crate) mod cognito;
pub(crate) mod documents;
pub(crate) mod drift;
mod ec2;
pub mod error;
mod governor;
pub(crate) mod iam;
pub(crate) mod lambda;
mod limits;
pub(crate) mod logs;
mod refusals;
mod routed;
pub(crate) mod s3;
#[cfg(test)]
pub(crate) mod scripted;
pub(crate) mod secrets;
mod sign_in;
pub(crate) mod sns;
mod srp;
pub mod sts;

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use aws_config::{
    BehaviorVersion, Region, SdkConfig, retry::RetryConfig, stalled_stream_protection::StalledStreamProtectionConfig,
    timeout::TimeoutConfig,
};
use aws_sdk_sts::config::Credentials;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
pub use error::AwsError;
use governor::Governed;
use model::stage::Stage;

use crate::{local::Emulator, network::NetworkError};

/// The response time after which a call is repeated: a lost packet must not blind a canary for long.
const ANSWER_SECONDS: u64 = 60;
/// Overrides [`ANSWER_SECONDS`].
const ANSWER_VARIABLE: &str = "XTASK_ANSWER_SECONDS";
/// The factor for calls that depend on a function or on bandwidth: six minutes carry the largest zip, 50 MB, at 2 Mbit/s.
const LONG: u32 = 6;

fn answer() -> Duration {
    let wanted = std::env::var(ANSWER_VARIABLE).ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(wanted.filter(|seconds| *seconds > 0).unwrap_or(ANSWER_SECONDS))
}

fn timeouts(answer: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(Duration::from_secs(5)).operation_attempt_timeout(answer).build()
}

/// For calls whose responses may take long.
fn patient() -> TimeoutConfig {
    timeouts(answer() * LONG)
}

/// The rates that calls are held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rates {
    /// Below the limits that AWS publishes.
    Published,
    /// Unlimited.
    Any,
}

/// Clients for one stage. Those of other regions are created when they are first used.
#[derive(Debug)]
pub struct Clients {
    base: SdkConfig,
    region: String,
    endpoint: Option<String>,
    regions: Mutex<BTreeMap<String, SdkConfig>>,
}

impl Clients {
    /// Clients for an emulator with its keys, or for AWS with the SDK's default chain of credentials.
    ///
    /// # Errors
    ///
    /// When the root certificates cannot be read.
    pub async fn new(stage: &Stage, emulator: Option<Emulator>) -> Result<Self, NetworkError> {
        // The emulator has no limits.
        let rates = if emulator.is_some() { Rates::Any } else { Rates::Published };
        Self::at(rates, stage, emulator).await
    }

    /// Clients that are held to these rates.
    ///
    /// # Errors
    ///
    /// When the root certificates cannot be read.
    pub async fn at(rates: Rates, stage: &Stage, emulator: Option<Emulator>) -> Result<Self, NetworkError> {
        let http = routed::http_client(emulator.is_some())?;
        let http = match rates {
            Rates::Published => SharedHttpClient::new(Governed::new(http)),
            Rates::Any => http,
        };
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(http)
            .region(Region::new(stage.region.clone()))
            .timeout_config(timeouts(answer()))
            // A request that waits for its turn sends nothing meanwhile; that is not a stall.
            .stalled_stream_protection(StalledStreamProtectionConfig::enabled().upload_enabled(false).build())
            .retry_config(RetryConfig::adaptive().with_max_attempts(if emulator.is_some() { 2 } else { 6 }));
        if let Some(Emulator { url, keys }) = &emulator {
            let credentials = Credentials::new(keys.access_key(), keys.secret(), None, None, "local cloud");
            loader = loader.endpoint_url(url).credentials_provider(credentials);
        }
        let endpoint = emulator.map(|emulator| emulator.url);
        Ok(Self { base: loader.load().await, region: stage.region.clone(), endpoint, regions: Mutex::default() })
    }

    /// The emulator's URL, if the stage is local.
    pub(crate) fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    /// The stage's region.
    pub(crate) fn region(&self) -> &str {
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
