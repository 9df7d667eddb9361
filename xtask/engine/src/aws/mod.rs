//! Calls to AWS, one file per service. No other module names the AWS SDK; its types become the engine's own here.

/// Returns the client of an SDK crate for a region; `None` is the stage's. A closure may complete its configuration.
macro_rules! client {
    ($sdk:ident, $clients:expr, $region:expr) => {
        client!($sdk, $clients, $region, |_, config| config)
    };
    ($sdk:ident, $clients:expr, $region:expr, $configured:expr) => {{
        let (clients, region): (&$crate::aws::Clients, Option<&str>) = ($clients, $region);
        clients.cached(region, || {
            let configured: fn(&$crate::aws::Clients, $sdk::config::Builder) -> $sdk::config::Builder = $configured;
            let config = configured(clients, $sdk::config::Builder::from(&clients.config_in(region)));
            $sdk::Client::from_conf(match clients.quota(stringify!($sdk), region) {
                Some(quota) => config.retry_partition(quota).build(),
                None => config.build(),
            })
        })
    }};
}

pub(crate) mod api_gateway;
mod clock;
pub(crate) mod cloudformation;
pub(crate) mod cloudfront;
pub(crate) mod cloudwatch;
pub(crate) mod cognito;
pub(crate) mod documents;
pub(crate) mod drift;
pub(crate) mod ec2;
pub mod error;
mod governor;
pub(crate) mod iam;
pub(crate) mod lambda;
mod limits;
pub(crate) mod logs;
mod refusals;
mod resource;
mod routed;
pub(crate) mod s3;
#[cfg(test)]
pub(crate) mod scripted;
pub(crate) mod secrets;
mod sign_in;
mod simulated;
pub(crate) mod sns;
mod srp;
pub mod sts;

use std::{
    any::{Any, TypeId},
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use aws_call::{Call, CallError};
use aws_config::{
    BehaviorVersion, Region, SdkConfig, retry::RetryConfig, stalled_stream_protection::StalledStreamProtectionConfig,
    timeout::TimeoutConfig,
};
use aws_sdk_sts::config::{Credentials, retry::RetryPartition};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use clock::AwsClock;
pub use error::AwsError;
use governor::Governed;
use model::stage::Stage;
pub use resource::Resource;
use simulated::Quotas;

use crate::{local::Emulator, network::NetworkError, surroundings};

/// The response time after which a call is repeated: a lost packet must not blind a canary for long.
const ANSWER_SECONDS: u64 = 60;
/// Overrides [`ANSWER_SECONDS`].
const ANSWER_VARIABLE: &str = "XTASK_ANSWER_SECONDS";
/// The factor for calls that depend on a function or on bandwidth: six minutes carry the largest zip, 50 MB, at 2 Mbit/s.
const LONG: u32 = 6;
/// How often a call of AWS is attempted.
const ATTEMPTS: u32 = 6;

fn answer() -> Duration {
    let wanted = surroundings::variable(ANSWER_VARIABLE).and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(wanted.filter(|seconds| *seconds > 0).unwrap_or(ANSWER_SECONDS))
}

fn timeouts(answer: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(Duration::from_secs(5)).operation_attempt_timeout(answer).build()
}

/// A request that waits for its turn sends nothing meanwhile; that is not a stall.
fn stalls() -> StalledStreamProtectionConfig {
    StalledStreamProtectionConfig::enabled().upload_enabled(false).build()
}

fn governed(rates: Rates, http: SharedHttpClient, clock: &AwsClock) -> SharedHttpClient {
    match rates {
        Rates::Published => SharedHttpClient::new(Governed::new(http, clock.clone())),
        Rates::Any => http,
    }
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

/// Clients of the SDK's crates, by type and region; `None` is the stage's region.
type Made = BTreeMap<(TypeId, Option<String>), Box<dyn Any + Send>>;

/// Clients for one stage. Those of other regions are created when they are first used.
#[derive(Debug)]
pub struct Clients {
    base: SdkConfig,
    region: String,
    endpoint: Option<String>,
    regions: Mutex<BTreeMap<String, SdkConfig>>,
    /// The clients that were made so far: making one takes as long as a few calls.
    made: Mutex<Made>,
    clock: AwsClock,
    /// The retry quotas of a simulated process; `None` in the real world, where the SDK has them.
    quotas: Option<Quotas>,
}

impl Clients {
    /// Clients for an emulator with its keys, or for AWS with the SDK's default chain of credentials.
    ///
    /// # Errors
    ///
    /// When the root certificates cannot be read.
    pub async fn new(stage: &Stage, emulator: Option<Emulator>) -> Result<Self, NetworkError> {
        // The emulator has no limits.
        let is_held = emulator.is_none() && surroundings::current().is_none_or(|process| process.holds_rates());
        let rates = if is_held { Rates::Published } else { Rates::Any };
        Self::at(rates, stage, emulator).await
    }

    /// Clients that are held to these rates.
    ///
    /// # Errors
    ///
    /// When the root certificates cannot be read.
    pub async fn at(rates: Rates, stage: &Stage, emulator: Option<Emulator>) -> Result<Self, NetworkError> {
        if let Some(process) = surroundings::current() {
            return Ok(Self::simulated(rates, stage, process));
        }
        let clock = AwsClock::default();
        let http = governed(rates, routed::http_client(emulator.is_some())?, &clock);
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(http)
            .region(Region::new(stage.region.clone()))
            .timeout_config(timeouts(answer()))
            .stalled_stream_protection(stalls())
            .retry_config(RetryConfig::adaptive().with_max_attempts(if emulator.is_some() { 2 } else { ATTEMPTS }));
        if let Some(Emulator { url, keys }) = &emulator {
            let credentials = Credentials::new(keys.access_key(), keys.secret(), None, None, "local cloud");
            loader = loader.endpoint_url(url).credentials_provider(credentials);
        }
        let endpoint = emulator.map(|emulator| emulator.url);
        let (base, region) = (loader.load().await, stage.region.clone());
        Ok(Self { base, region, endpoint, regions: Mutex::default(), made: Mutex::default(), clock, quotas: None })
    }

    /// The emulator's URL, if the stage is local.
    pub(crate) fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    /// The stage's region.
    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    /// The time that AWS has now, as far as its responses show it. An emulator has the machine's.
    pub(crate) fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// The retry quota of a service in a simulated process.
    fn quota(&self, service: &str, region: Option<&str>) -> Option<RetryPartition> {
        self.quotas.as_ref().map(|quotas| quotas.of(service, region.unwrap_or(&self.region)))
    }

    /// Sends a call to a region; `None` is the stage's. Returns the response's body.
    async fn send(&self, region: Option<&str>, call: Call) -> Result<Vec<u8>, CallError> {
        let call = match self.quota(call.service(), region) {
            Some(quota) => call.within(quota),
            None => call,
        };
        call.send(&self.config_in(region)).await
    }

    /// Returns a clone of the client of this type for a region, which is made by the first caller.
    fn cached<C: Any + Clone + Send>(&self, region: Option<&str>, make: impl FnOnce() -> C) -> C {
        let key = (TypeId::of::<C>(), region.map(str::to_owned));
        let known = |made: &Made| made.get(&key)?.downcast_ref::<C>().cloned();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        known(&made).unwrap_or_else(|| {
            let client = make();
            made.insert(key, Box::new(client.clone()));
            client
        })
    }

    pub(crate) fn config_in(&self, region: Option<&str>) -> SdkConfig {
        let Some(region) = region else { return self.base.clone() };
        let mut regions = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
        regions
            .entry(region.to_owned())
            .or_insert_with(|| self.base.clone().into_builder().region(Region::new(region.to_owned())).build())
            .clone()
    }
}
