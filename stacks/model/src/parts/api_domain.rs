//! A domain for an API: certificate, domain name, mapping and DNS record.

use super::{api::ApiHandle, certificate::certificate, http_api::HttpApiHandle};
use crate::{
    resources::{
        api_gateway_v2::{ApiMapping, DomainName, domain_name},
        route53::{RecordSet, record_set},
    },
    template::{Part, Reference, Resource, Stack, Text, set},
};

/// A regional domain for an API: an `AWS::ApiGatewayV2::DomainName` with TLS 1.2, its mapping, and, unless given,
/// certificate and DNS record.
///
/// Domains of API Gateway's second version can be mapped to REST APIs too (API Gateway developer guide, "Map API stages
/// to a custom domain name for HTTP APIs").
#[derive(Debug, Clone)]
pub struct ApiDomain {
    prefix: String,
    domain: String,
    certificate_arn: Option<String>,
    hosted_zone_id: Option<String>,
    api_id: Text,
    stage_name: Text,
}

/// An API that a domain can serve: a REST or an HTTP API.
pub trait MappedApi {
    /// Returns the API's ID and the name of its stage.
    fn mapped(&self) -> (Text, Text);
}

impl MappedApi for ApiHandle {
    fn mapped(&self) -> (Text, Text) {
        (self.id.clone(), self.stage_name.clone())
    }
}

impl MappedApi for HttpApiHandle {
    fn mapped(&self) -> (Text, Text) {
        (self.id.clone(), self.stage_name.clone())
    }
}

impl ApiDomain {
    /// Creates a domain that serves `api`. The logical IDs start with `prefix`.
    #[must_use]
    pub fn new(prefix: &str, domain: &str, api: &impl MappedApi) -> Self {
        let (api_id, stage_name) = api.mapped();
        Self {
            prefix: prefix.to_owned(),
            domain: domain.to_owned(),
            certificate_arn: None,
            hosted_zone_id: None,
            api_id,
            stage_name,
        }
    }

    /// Uses an existing certificate in the API's region. The ARN may contain pseudo parameters. Without it, the stack
    /// creates a certificate, which needs the hosted zone for its validation.
    #[must_use]
    pub fn certificate_arn(mut self, arn: Option<&str>) -> Self {
        self.certificate_arn = arn.map(str::to_owned);
        self
    }

    /// Sets the ID of the domain's Route 53 hosted zone. Without it, the DNS record must be created outside the stack.
    #[must_use]
    pub fn hosted_zone_id(mut self, id: Option<&str>) -> Self {
        self.hosted_zone_id = id.map(str::to_owned);
        self
    }

    fn record(&self, zone: &str, domain: &Reference) -> RecordSet {
        RecordSet {
            hosted_zone_id: set(zone),
            name: set(&self.domain),
            r#type: set("A"),
            alias_target: Some(record_set::AliasTarget {
                dns_name: set(domain.attribute("RegionalDomainName")),
                hosted_zone_id: set(domain.attribute("RegionalHostedZoneId")),
                evaluate_target_health: set(false),
            }),
            ..RecordSet::default()
        }
    }
}

impl Part for ApiDomain {
    type Handle = Reference;

    fn add_to(self, stack: &mut Stack) -> Reference {
        let prefix = &self.prefix;
        let certificate = match &self.certificate_arn {
            Some(arn) => Text::with_pseudo_parameters(arn),
            None => {
                let certificate = certificate(&[&self.domain], self.hosted_zone_id.as_deref());
                stack.resource(&format!("{prefix}Certificate"), Resource::of(certificate)).id()
            }
        };
        let domain = DomainName {
            domain_name: set(&self.domain),
            domain_name_configurations: Some(vec![domain_name::DomainNameConfiguration {
                certificate_arn: Some(certificate),
                endpoint_type: set("REGIONAL"),
                security_policy: set("TLS_1_2"),
                ..domain_name::DomainNameConfiguration::default()
            }]),
            ..DomainName::default()
        };
        let domain = stack.resource(&format!("{prefix}Domain"), Resource::of(domain));
        let mapping = ApiMapping {
            domain_name: set(domain.id()),
            api_id: set(&self.api_id),
            stage: set(&self.stage_name),
            ..ApiMapping::default()
        };
        stack.resource(&format!("{prefix}Mapping"), Resource::of(mapping));
        if let Some(zone) = &self.hosted_zone_id {
            let record = Resource::of(self.record(zone, &domain));
            stack.resource(&format!("{prefix}DnsRecord"), record);
        }
        domain
    }
}
