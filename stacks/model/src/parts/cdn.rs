//! The reading side of an API under a domain of its own: certificate, CloudFront distribution, DNS records.

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

/// The only region whose certificates CloudFront takes: the region of the part's stack.
pub const REGION: &str = "us-east-1";
/// The hosted zone of every distribution (Route 53 API reference, `AliasTarget`).
const CLOUDFRONT_ZONE: &str = "Z2FDTNDATAQYW2";
/// The one origin's id within the distribution.
const ORIGIN: &str = "Api";

/// A distribution that only reads: GET, HEAD and OPTIONS.
#[derive(Debug, Clone)]
pub struct Cdn {
    prefix: String,
    domain: String,
    hosted_zone: String,
    api: ApiHandle,
    api_region: String,
    comment: String,
}

impl Cdn {
    /// Serves an API under `domain`, which lies in the Route 53 hosted zone with the id `hosted_zone`. The logical
    /// IDs start with `prefix`.
    #[must_use]
    pub fn new(prefix: &str, domain: &str, hosted_zone: &str, api: &ApiHandle, api_region: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
            domain: domain.to_owned(),
            hosted_zone: hosted_zone.to_owned(),
            api: api.clone(),
            api_region: api_region.to_owned(),
            comment: prefix.to_owned(),
        }
    }

    /// What the console shows beside the distribution.
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
            // Clients poll for what is not there yet.
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

    fn record(&self, kind: &str, distribution: &Reference) -> RecordSet {
        RecordSet {
            hosted_zone_id: set(&self.hosted_zone),
            name: set(&self.domain),
            r#type: set(kind),
            alias_target: Some(record_set::AliasTarget {
                dns_name: set(distribution.attribute("DomainName")),
                hosted_zone_id: set(CLOUDFRONT_ZONE),
                ..record_set::AliasTarget::default()
            }),
            ..RecordSet::default()
        }
    }
}

/// Answers are cached for as long as they ask to be, five minutes at most, each for its own token and origin.
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
            // Without `Authorization` CloudFront drops the token, and every request is refused.
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
            Resource::of(certificate(&[&self.domain], Some(&self.hosted_zone))),
        );
        let distribution = Resource::of(self.distribution(&certificate));
        let distribution = stack.resource(&format!("{prefix}CloudFrontDistribution"), distribution);
        for (logical_id, kind) in [("ApiRecordSet", "A"), ("ApiRecordSetIpv6", "AAAA")] {
            let record = Resource::of(self.record(kind, &distribution));
            stack.resource(&format!("{prefix}{logical_id}"), record);
        }
        let url: Text = format!("https://{}", self.domain).into();
        stack.output("DistributionId", distribution.id());
        stack.output("DistributionDomainName", distribution.attribute("DomainName"));
        stack.output(&format!("{prefix}Url"), url);
        distribution
    }
}
