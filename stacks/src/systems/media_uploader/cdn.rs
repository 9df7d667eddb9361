//! Stack `cloudfront`: the API's reading side under a domain of its own.

use serde_json::json;

use super::Domain;
use crate::{
    parts::api::ApiHandle,
    stage::Stage,
    template::{Expression, Resource, Stack, Text},
};

/// The only region whose certificates CloudFront takes.
const CLOUDFRONT_REGION: &str = "us-east-1";
/// The hosted zone of every distribution (Route 53 API reference, `AliasTarget`).
const CLOUDFRONT_ZONE: &str = "Z2FDTNDATAQYW2";

pub(super) fn stack(stage: &Stage, domain: &Domain, api: &ApiHandle) -> Stack {
    let mut stack =
        Stack::new("cloudfront", "Media Uploader: retrieval under its own domain.").in_region(CLOUDFRONT_REGION);
    let certificate = json!({
        "DomainName": domain.name,
        "ValidationMethod": "DNS",
        "DomainValidationOptions": [{ "DomainName": domain.name, "HostedZoneId": domain.root_hosted_zone }],
    });
    let certificate = Resource::new("AWS::CertificateManager::Certificate", certificate);
    let certificate = stack.resource("MediaCertificate", certificate);
    let distribution = distribution(stage, domain, api, &certificate.id());
    let distribution = Resource::new("AWS::CloudFront::Distribution", json!({ "DistributionConfig": distribution }));
    let distribution = stack.resource("MediaCloudFrontDistribution", distribution);
    for (logical_id, kind) in [("MediaApiRecordSet", "A"), ("MediaApiRecordSetIpv6", "AAAA")] {
        let record = json!({
            "HostedZoneId": domain.root_hosted_zone,
            "Name": domain.name,
            "Type": kind,
            "AliasTarget": { "DNSName": distribution.attribute("DomainName"), "HostedZoneId": CLOUDFRONT_ZONE },
        });
        stack.resource(logical_id, Resource::new("AWS::Route53::RecordSet", record));
    }
    stack.output("DistributionId", distribution.id());
    stack.output("DistributionDomainName", distribution.attribute("DomainName"));
    stack.output("MediaUrl", format!("https://{}", domain.name));
    stack
}

fn distribution(stage: &Stage, domain: &Domain, api: &ApiHandle, certificate: &Text) -> serde_json::Value {
    let host = format!("${{Api}}.execute-api.{}.amazonaws.com", stage.region);
    json!({
        "Enabled": true,
        "IPV6Enabled": true,
        "HttpVersion": "http2",
        "Aliases": [domain.name],
        "Comment": "Media Uploader",
        "ViewerCertificate": {
            "AcmCertificateArn": certificate,
            "SslSupportMethod": "sni-only",
            "MinimumProtocolVersion": "TLSv1.2_2021",
        },
        "Origins": [{
            "Id": "MediaApi",
            "DomainName": Expression::sub(&host, [("Api", api.id.clone())]),
            "OriginPath": Expression::sub("/${Stage}", [("Stage", api.stage_name.clone())]),
            "CustomOriginConfig": { "OriginProtocolPolicy": "https-only", "OriginSSLProtocols": ["TLSv1.2"] },
        }],
        "DefaultCacheBehavior": {
            "TargetOriginId": "MediaApi",
            "ViewerProtocolPolicy": "redirect-to-https",
            "AllowedMethods": ["GET", "HEAD", "OPTIONS"],
            "CachedMethods": ["GET", "HEAD"],
            "Compress": true,
            "MinTTL": 0,
            "DefaultTTL": 0,
            "MaxTTL": 300,
            "ForwardedValues": {
                "QueryString": true,
                "Cookies": { "Forward": "none" },
                // Without `Authorization` CloudFront drops the token, and every request is refused.
                "Headers": ["Authorization", "Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"],
            },
        },
        // Clients poll for media that is not there yet.
        "CustomErrorResponses": [{ "ErrorCode": 404, "ErrorCachingMinTTL": 0 }],
    })
}
