//! Where a service is reached.

use aws_types::{SdkConfig, service_config::ServiceConfigKey};

/// A service of AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    /// The first label of its host names (AWS General Reference, "Service endpoints and quotas").
    pub host: &'static str,
    /// The name under which requests are signed.
    pub signing_name: &'static str,
    /// Its name in the variables `AWS_ENDPOINT_URL_<SERVICE>` (SDKs and Tools Reference Guide, "Service-specific endpoints").
    pub id: &'static str,
    /// Whether it has one endpoint for all regions of a partition, as CloudFront has.
    pub is_global: bool,
}

/// A service with a JSON protocol. Its API reference names both parts ("Making API requests").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonService {
    /// The service.
    pub service: Service,
    /// The protocol's version: `1.0` or `1.1`.
    pub version: &'static str,
    /// The prefix of the header `X-Amz-Target`.
    pub target: &'static str,
}

impl Service {
    /// A service with an endpoint in each region, whose host and signing name are equal.
    #[must_use]
    pub const fn regional(name: &'static str, id: &'static str) -> Self {
        Self { host: name, signing_name: name, id, is_global: false }
    }

    /// Adds a JSON protocol to the service.
    #[must_use]
    pub const fn with_json(self, version: &'static str, target: &'static str) -> JsonService {
        JsonService { service: self, version, target }
    }

    /// The URL: the one that code, environment or profile configures, or the service's own.
    pub(crate) fn endpoint(&self, config: &SdkConfig) -> String {
        let configured = config.endpoint_url().map(str::to_owned);
        if config.get_origin("endpoint_url").is_client_config() {
            configured
        } else {
            self.configured(config).or(configured)
        }
        .unwrap_or_else(|| self.public(region(config), config.use_fips().unwrap_or_default()))
    }

    /// The region that requests are signed for. A global service is signed for its partition's first region.
    pub(crate) fn signing_region(&self, config: &SdkConfig) -> String {
        let region = region(config);
        match (self.is_global, partition(region)) {
            (false, _) => region.to_owned(),
            (true, Partition { global_region, .. }) => (*global_region).to_owned(),
        }
    }

    /// The service's own URL from the environment or the profile.
    fn configured(&self, config: &SdkConfig) -> Option<String> {
        let key = ServiceConfigKey::builder().service_id(self.id).env("AWS_ENDPOINT_URL").profile("endpoint_url");
        config.service_config()?.load_config(key.build().ok()?)
    }

    fn public(&self, region: &str, is_fips: bool) -> String {
        let (host, suffix) = (self.host, partition(region).suffix);
        let fips = if is_fips { "-fips" } else { "" };
        if self.is_global && suffix == DEFAULT.suffix {
            format!("https://{host}{fips}.{suffix}")
        } else if self.is_global {
            format!("https://{host}{fips}.{}.{suffix}", partition(region).global_region)
        } else {
            format!("https://{host}{fips}.{region}.{suffix}")
        }
    }
}

/// A group of regions with its own domain.
struct Partition {
    prefix: &'static str,
    suffix: &'static str,
    global_region: &'static str,
}

const DEFAULT: Partition = Partition { prefix: "", suffix: "amazonaws.com", global_region: "us-east-1" };

/// The partitions of the SDKs' `partitions.json`; GovCloud has the default domain.
const PARTITIONS: [Partition; 5] = [
    Partition { prefix: "cn-", suffix: "amazonaws.com.cn", global_region: "cn-northwest-1" },
    Partition { prefix: "us-isob-", suffix: "sc2s.sgov.gov", global_region: "us-isob-east-1" },
    Partition { prefix: "us-iso-", suffix: "c2s.ic.gov", global_region: "us-iso-east-1" },
    Partition { prefix: "eusc-", suffix: "amazonaws.eu", global_region: "eusc-de-east-1" },
    DEFAULT,
];

fn partition(region: &str) -> &'static Partition {
    PARTITIONS.iter().find(|partition| region.starts_with(partition.prefix)).unwrap_or(&DEFAULT)
}

fn region(config: &SdkConfig) -> &str {
    config.region().map_or("us-east-1", AsRef::as_ref)
}
