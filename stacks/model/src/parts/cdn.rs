//! A CloudFront distribution for the reading requests of an API: certificate, distribution and DNS records.

use super::{api::ApiHandle, certificate::certificate};
use crate::{
    resources::{
        cloud_front::{
            Distribution,
            distribution::{
                Cookies, CustomErrorResponse, CustomOriginConfig, DefaultCacheBehavior, DistributionConfig,
                ForwardedValues, Origin, ViewerCertificate,
            },
        },
        route53::{RecordSet, record_set},
    },
    template::{Expression, Part, Reference, Resource, Stack, Text, list, set},
};

/// The region of the part's stack: CloudFront accepts certificates from this region only (CloudFront developer guide,
/// "Requirements for using SSL/TLS certificates with CloudFront").
pub const REGION: &str = "us-east-1";
/// The hosted zone of all distributions (Route 53 API reference, `AliasTarget`).
const CLOUDFRONT_ZONE: &str = "Z2FDTNDATAQYW2";
/// The ID of the only origin within the distribution.
const ORIGIN: &str = "Api";

/// An `AWS::CloudFront::Distribution` for `GET`, `HEAD` and `OPTIONS`, with certificate and DNS records.
///
/// The stack gets the outputs `DistributionId`, `DistributionDomainName` and `<prefix>Url`.
#[derive(Debug, Clone)]
pub struct Cdn {
    prefix: String,
    domain: String,
    hosted_zone_id: String,
    api: ApiHandle,
    api_region: String,
    comment: String,
}

impl Cdn {
    /// Creates a distribution that serves an API under `domain`, a name in the Route 53 hosted zone `hosted_zone_id`. The
    /// logical IDs start with `prefix`.
    #[must_use]
    pub fn new(prefix: &str, domain: &str, hosted_zone_id: &str, api: &ApiHandle, api_region: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
            domain: domain.to_owned(),
            hosted_zone_id: hosted_zone_id.to_owned(),
            api: api.clone(),
            api_region: api_region.to_owned(),
            comment: prefix.to_owned(),
        }
    }

    /// Sets the comment that the console shows.
    #[must_use]
    pub fn comment(mut self, comment: &str) -> Self {
        comment.clone_into(&mut self.comment);
        self
    }

    fn distribution(&self, certificate: &Reference) -> Distribution {
        let config = DistributionConfig {
            enabled: set(true),
            ipv6_enabled: set(true),
            http_version: set("http2"),
            aliases: list([&self.domain]),
            comment: set(&self.comment),
            viewer_certificate: Some(ViewerCertificate {
                acm_certificate_arn: set(certificate.id()),
                ssl_support_method: set("sni-only"),
                minimum_protocol_version: set("TLSv1.2_2021"),
                ..ViewerCertificate::default()
            }),
            origins: Some(vec![self.origin()]),
            default_cache_behavior: Some(behavior()),
            // Clients poll for objects that do not exist yet.
            custom_error_responses: Some(vec![CustomErrorResponse {
                error_code: set(404),
                error_caching_min_ttl: set(0.0),
                ..CustomErrorResponse::default()
            }]),
            ..DistributionConfig::default()
        };
        Distribution { distribution_config: Some(config), ..Distribution::default() }
    }

    fn origin(&self) -> Origin {
        let host = format!("${{Api}}.execute-api.{}.amazonaws.com", self.api_region);
        Origin {
            id: set(ORIGIN),
            domain_name: set(Expression::sub(&host, [("Api", self.api.id.clone())])),
            origin_path: set(Expression::sub("/${Stage}", [("Stage", self.api.stage_name.clone())])),
            custom_origin_config: Some(CustomOriginConfig {
                origin_protocol_policy: set("https-only"),
                origin_ssl_protocols: list(["TLSv1.2"]),
                ..CustomOriginConfig::default()
            }),
            ..Origin::default()
        }
    }

    fn record(&self, record_type: &str, distribution: &Reference) -> RecordSet {
        RecordSet {
            hosted_zone_id: set(&self.hosted_zone_id),
            name: set(&self.domain),
            r#type: set(record_type),
            alias_target: Some(record_set::AliasTarget {
                dns_name: set(distribution.attribute("DomainName")),
                hosted_zone_id: set(CLOUDFRONT_ZONE),
                ..record_set::AliasTarget::default()
            }),
            ..RecordSet::default()
        }
    }
}

/// The cache behavior: responses are cached as their headers allow, for five minutes at most, per token and origin.
fn behavior() -> DefaultCacheBehavior {
    DefaultCacheBehavior {
        target_origin_id: set(ORIGIN),
        viewer_protocol_policy: set("redirect-to-https"),
        allowed_methods: list(["GET", "HEAD", "OPTIONS"]),
        cached_methods: list(["GET", "HEAD"]),
        compress: set(true),
        min_ttl: set(0.0),
        default_ttl: set(0.0),
        max_ttl: set(300.0),
        forwarded_values: Some(ForwardedValues {
            query_string: set(true),
            cookies: Some(Cookies { forward: set("none"), ..Cookies::default() }),
            // CloudFront drops headers that are not listed, and without the token the API rejects every request.
            headers: list([
                "Authorization",
                "Origin",
                "Access-Control-Request-Method",
                "Access-Control-Request-Headers",
            ]),
            ..ForwardedValues::default()
        }),
        ..DefaultCacheBehavior::default()
    }
}

impl Part for Cdn {
    type Handle = Reference;

    fn add_to(self, stack: &mut Stack) -> Reference {
        let prefix = &self.prefix;
        let certificate = stack.resource(
            &format!("{prefix}Certificate"),
            Resource::of(certificate(&[&self.domain], Some(&self.hosted_zone_id))),
        );
        let distribution = Resource::of(self.distribution(&certificate));
        let distribution = stack.resource(&format!("{prefix}CloudFrontDistribution"), distribution);
        for (logical_id, record_type) in [("ApiRecordSet", "A"), ("ApiRecordSetIpv6", "AAAA")] {
            let record = Resource::of(self.record(record_type, &distribution));
            stack.resource(&format!("{prefix}{logical_id}"), record);
        }
        let url: Text = format!("https://{}", self.domain).into();
        stack.output("DistributionId", distribution.id());
        stack.output("DistributionDomainName", distribution.attribute("DomainName"));
        stack.output(&format!("{prefix}Url"), url);
        distribution
    }
}
