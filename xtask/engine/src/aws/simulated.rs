//! Clients for a simulated process: no environment, no profile, no network but the process's own.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use aws_config::{BehaviorVersion, Region, SdkConfig, identity::IdentityCache, retry::RetryConfig};
use aws_sdk_sts::config::{
    Credentials, SharedCredentialsProvider,
    retry::{ClientRateLimiter, RetryPartition},
};
use aws_smithy_async::{
    rt::sleep::default_async_sleep,
    time::{SharedTimeSource, TimeSource},
};
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector},
    runtime_components::RuntimeComponents,
};
use model::stage::Stage;

use super::{ATTEMPTS, Clients, Rates, answer, clock::AwsClock, governed, stalls, timeouts};
use crate::surroundings::{self, Keys, Process};

impl Clients {
    /// Clients of a simulated process. They differ from those of [`Clients::at`] in what the process replaces.
    pub(super) fn simulated(rates: Rates, stage: &Stage, process: Process) -> Self {
        let Keys { access_key, secret, session } = process.keys().clone();
        let credentials = Credentials::new(access_key, secret, session, None, "simulated process");
        let http = SharedHttpClient::new(Network(process.network().clone()));
        let clock = AwsClock::default();
        let mut builder = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(governed(rates, http, &clock))
            .region(Region::new(stage.region.clone()))
            .timeout_config(timeouts(answer()))
            .stalled_stream_protection(stalls())
            .retry_config(RetryConfig::adaptive().with_max_attempts(ATTEMPTS))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .identity_cache(IdentityCache::lazy().build())
            .time_source(SharedTimeSource::new(ProcessTime(process)));
        builder.set_sleep_impl(default_async_sleep());
        let (base, region) = (builder.build(), stage.region.clone());
        Self {
            base,
            region,
            endpoint: None,
            regions: Mutex::default(),
            made: Mutex::default(),
            clock,
            quotas: Some(Quotas::default()),
        }
    }
}

/// The network of a simulated process.
#[derive(Debug)]
struct Network(SharedHttpConnector);

impl HttpClient for Network {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        self.0.clone()
    }
}

/// The clock of a simulated process, for signatures.
#[derive(Debug)]
struct ProcessTime(Process);

impl TimeSource for ProcessTime {
    fn now(&self) -> SystemTime {
        self.0.now()
    }
}

/// The retry quotas of a simulated process, by service and region.
///
/// The SDK keeps them in static variables, so that all clients of a program share them. Simulated processes of one program must not:
/// throttling in one would slow down the next.
#[derive(Debug, Default)]
pub(super) struct Quotas(Mutex<BTreeMap<String, RetryPartition>>);

impl Quotas {
    pub(super) fn of(&self, service: &str, region: &str) -> RetryPartition {
        let name = format!("{service}-{region}");
        let mut quotas = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let create = || RetryPartition::custom(name.clone()).client_rate_limiter(unlimited()).build();
        quotas.entry(name.clone()).or_insert_with(create).clone()
    }
}

/// The limiter of adaptive retries, which only limits after a throttled call.
fn unlimited() -> ClientRateLimiter {
    let time = surroundings::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    ClientRateLimiter::new(time.as_secs_f64())
}
