//! A static site: a private bucket behind a CloudFront distribution, with a domain if the stage has one.

use serde_json::{Value, json};

use super::{
    bucket::{Bucket, BucketName},
    certificate::certificate,
};
use crate::{
    resources::{
        cloud_front::{
            Distribution, Function, OriginAccessControl,
            distribution::{
                CustomErrorResponse, DefaultCacheBehavior, DistributionConfig, FunctionAssociation, Origin,
                S3OriginConfig, ViewerCertificate,
            },
            function, origin_access_control,
        },
        route53::{RecordSet, record_set},
    },
    stage::Stage,
    template::{Expression, Part, Reference, Resource, Stack, Text, list, set},
};

/// The hosted zone of all distributions (Route 53 API reference, `AliasTarget`).
const CLOUDFRONT_ZONE: &str = "Z2FDTNDATAQYW2";
/// CloudFront's managed policies `CachingOptimized` and `CORS-S3Origin` (CloudFront developer guide, "Use managed cache
/// policies" and "Use managed origin request policies").
const CACHING_OPTIMIZED: &str = "658327ea-f89d-4fab-a63d-7e88639e58f6";
const CORS_S3_ORIGIN: &str = "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf";
/// CloudFront's managed policy `SecurityHeadersPolicy`: no framing, HTTPS only, no guessing of media types ("Use
/// managed response headers policies").
const SECURITY_HEADERS: &str = "67f7725c-6f97-4210-82d7-5512b31e9d03";
/// The ID of the only origin within the distribution.
const ORIGIN: &str = "Site";

/// A bucket and an `AWS::CloudFront::Distribution` for a single-page application: the response to a path that is not a
/// file is the page. With a domain, the stack also gets certificate, DNS records and the redirect of `www.` to the
/// domain.
#[derive(Debug, Clone)]
pub struct Site {
    name: String,
    bucket_name: BucketName,
    bucket: Bucket,
    domain: Option<SiteDomain>,
}

/// A site's domain.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteDomain {
    /// The domain without `www.`. The name with `www.` is redirected to it.
    pub name: String,
    /// The ARN of a certificate for both names, which may contain pseudo parameters. Without it, the stack creates one.
    /// It must be in us-east-1, see [`REGION`](super::cdn::REGION).
    #[serde(default)]
    pub certificate_arn: Option<String>,
    /// The ID of the Route 53 hosted zone.
    pub hosted_zone_id: String,
}

impl SiteDomain {
    /// Returns the site's URL, and the one with `www.`.
    #[must_use]
    pub fn urls(&self) -> [String; 2] {
        [format!("https://{}", self.name), format!("https://www.{}", self.name)]
    }
}

impl Site {
    /// Creates a site in the bucket called `bucket`. The names of its other resources start with `name`.
    #[must_use]
    pub fn new(name: &str, bucket: &BucketName, stage: &Stage) -> Self {
        Self {
            name: name.to_owned(),
            bucket_name: bucket.clone(),
            bucket: Bucket::new("WebsiteBucket", bucket, stage).versioned().bucket_key(),
            domain: None,
        }
    }

    /// Sets the site's domain. Without it, the site is served under CloudFront's own name.
    #[must_use]
    pub fn domain(mut self, domain: Option<&SiteDomain>) -> Self {
        self.domain = domain.cloned();
        self
    }

    fn access_control(&self) -> OriginAccessControl {
        OriginAccessControl {
            origin_access_control_config: Some(origin_access_control::OriginAccessControlConfig {
                name: set(&self.name),
                origin_access_control_origin_type: set("s3"),
                signing_behavior: set("always"),
                signing_protocol: set("sigv4"),
                ..origin_access_control::OriginAccessControlConfig::default()
            }),
        }
    }

    fn distribution(
        &self,
        access_control: &Reference,
        redirect: Option<&Reference>,
        certificate: Option<Text>,
    ) -> Distribution {
        let config = DistributionConfig {
            enabled: set(true),
            ipv6_enabled: set(true),
            http_version: set("http2and3"),
            price_class: set("PriceClass_All"),
            default_root_object: set("index.html"),
            aliases: self.domain.as_ref().map(|domain| domain_names(domain).map(Text::from).into()),
            viewer_certificate: Some(viewer_certificate(certificate)),
            origins: Some(vec![self.origin(access_control)]),
            default_cache_behavior: Some(behavior(redirect)),
            // S3 responds with 403 to a missing object, because the distribution may not list objects.
            custom_error_responses: Some([403, 404].map(respond_with_page).into()),
            ..DistributionConfig::default()
        };
        Distribution { distribution_config: Some(config), ..Distribution::default() }
    }

    fn certificate(&self, stack: &mut Stack) -> Option<Text> {
        let domain = self.domain.as_ref()?;
        Some(match &domain.certificate_arn {
            Some(arn) => Text::with_pseudo_parameters(arn),
            None => {
                let [apex, www] = domain_names(domain);
                let certificate = certificate(&[&apex, &www], Some(&domain.hosted_zone_id));
                stack.resource("SiteCertificate", Resource::of(certificate)).id()
            }
        })
    }

    fn origin(&self, access_control: &Reference) -> Origin {
        // The bucket's name instead of a reference, because the bucket's policy waits for the distribution.
        let host = "${Bucket}.s3.${AWS::Region}.${AWS::URLSuffix}";
        Origin {
            id: set(ORIGIN),
            domain_name: set(Expression::sub(host, [("Bucket", self.bucket_name.0.clone())])),
            origin_access_control_id: set(access_control.id()),
            // Required besides the access control, and empty.
            s3_origin_config: Some(S3OriginConfig { origin_access_identity: set(""), ..S3OriginConfig::default() }),
            ..Origin::default()
        }
    }

    /// The function that redirects `www.`.
    fn redirect(&self, domain: &SiteDomain) -> Function {
        let code = REDIRECT.replace("APEX", &domain.name);
        Function {
            name: set(format!("{}-www", self.name)),
            auto_publish: set(true),
            function_code: set(code),
            function_config: Some(function::FunctionConfig {
                comment: set("www to the apex"),
                runtime: set("cloudfront-js-2.0"),
                ..function::FunctionConfig::default()
            }),
            ..Function::default()
        }
    }
}

/// Redirects `www.` to the apex with path and query.
const REDIRECT: &str = r"function handler(event) {
  var request = event.request;
  if (!request.headers.host.value.startsWith('www.')) return request;
  var query = Object.keys(request.querystring).map(function (key) {
    return key + '=' + request.querystring[key].value;
  }).join('&');
  var target = 'https://APEX' + request.uri + (query ? '?' + query : '');
  return { statusCode: 301, statusDescription: 'Moved Permanently', headers: { location: { value: target } } };
}
";

fn domain_names(domain: &SiteDomain) -> [String; 2] {
    [domain.name.clone(), format!("www.{}", domain.name)]
}

fn viewer_certificate(certificate: Option<Text>) -> ViewerCertificate {
    match certificate {
        Some(certificate) => ViewerCertificate {
            acm_certificate_arn: Some(certificate),
            minimum_protocol_version: set("TLSv1.2_2021"),
            ssl_support_method: set("sni-only"),
            ..ViewerCertificate::default()
        },
        None => ViewerCertificate { cloud_front_default_certificate: set(true), ..ViewerCertificate::default() },
    }
}

fn behavior(redirect: Option<&Reference>) -> DefaultCacheBehavior {
    let association = |function: &Reference| FunctionAssociation {
        event_type: set("viewer-request"),
        function_arn: set(function.attribute("FunctionARN")),
    };
    DefaultCacheBehavior {
        target_origin_id: set(ORIGIN),
        viewer_protocol_policy: set("redirect-to-https"),
        allowed_methods: list(["GET", "HEAD", "OPTIONS"]),
        compress: set(true),
        cache_policy_id: set(CACHING_OPTIMIZED),
        response_headers_policy_id: set(SECURITY_HEADERS),
        origin_request_policy_id: set(CORS_S3_ORIGIN),
        function_associations: redirect.map(|function| vec![association(function)]),
        ..DefaultCacheBehavior::default()
    }
}

fn respond_with_page(error: i64) -> CustomErrorResponse {
    CustomErrorResponse {
        error_code: set(error),
        response_code: set(200),
        response_page_path: set("/index.html"),
        error_caching_min_ttl: set(300.0),
    }
}

fn readable_by(distribution: &Reference, bucket: &BucketName) -> Value {
    let arn = "arn:${AWS::Partition}:cloudfront::${AWS::AccountId}:distribution/${Distribution}";
    let arn = Expression::sub(arn, [("Distribution", distribution.id())]);
    json!({
        "Sid": "CloudFront",
        "Effect": "Allow",
        "Principal": { "Service": "cloudfront.amazonaws.com" },
        "Action": "s3:GetObject",
        "Resource": bucket.objects("*"),
        "Condition": { "StringEquals": { "AWS:SourceArn": arn } },
    })
}

fn record(zone: &str, name: &str, record_type: &str, distribution: &Reference) -> RecordSet {
    RecordSet {
        hosted_zone_id: set(zone),
        name: set(name),
        r#type: set(record_type),
        alias_target: Some(record_set::AliasTarget {
            dns_name: set(distribution.attribute("DomainName")),
            hosted_zone_id: set(CLOUDFRONT_ZONE),
            ..record_set::AliasTarget::default()
        }),
        ..RecordSet::default()
    }
}

impl Part for Site {
    /// The distribution.
    type Handle = Reference;

    fn add_to(self, stack: &mut Stack) -> Reference {
        let access_control = stack.resource("OriginAccessControl", Resource::of(self.access_control()));
        let redirect = self.domain.as_ref().map(|domain| self.redirect(domain));
        let redirect = redirect.map(|function| stack.resource("WwwRedirectFunction", Resource::of(function)));
        let certificate = self.certificate(stack);
        let distribution = Resource::of(self.distribution(&access_control, redirect.as_ref(), certificate));
        let distribution = stack.resource("Distribution", distribution);
        stack.add(self.bucket.statement(readable_by(&distribution, &self.bucket_name)));
        if let Some(domain) = &self.domain {
            for (host, name) in ["Apex", "Www"].iter().zip(domain_names(domain)) {
                for (suffix, record_type) in [("", "A"), ("Ipv6", "AAAA")] {
                    let record = Resource::of(record(&domain.hosted_zone_id, &name, record_type, &distribution));
                    stack.resource(&format!("Site{host}DnsRecord{suffix}"), record);
                }
            }
        }
        distribution
    }
}
