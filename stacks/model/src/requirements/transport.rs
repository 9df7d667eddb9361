//! TLS on the way to and from resources.

use serde_json::Value;

use super::{Requirement, Subject, Violation, form, references::Target};
use crate::{emulator::Feature, statements::list};

/// Types that need a policy which denies requests without TLS, with the policy's type and the property that names them in it.
const TLS_ONLY: &[(&str, &str, &str)] = &[
    ("AWS::S3::Bucket", "AWS::S3::BucketPolicy", "Bucket"),
    ("AWS::SNS::Topic", "AWS::SNS::TopicPolicy", "Topics"),
    ("AWS::SQS::Queue", "AWS::SQS::QueuePolicy", "Queues"),
];

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Violation>) {
    if !Feature::TlsOnly.is_in(subject.stage) {
        return;
    }
    if let Some((_, policy, _)) = TLS_ONLY.iter().find(|(kind, ..)| *kind == subject.resource_type())
        && !denies_without_tls(subject, policy)
    {
        let message = format!("it accepts requests without TLS; deny them with an {policy} (`deny_without_tls`)");
        subject.violates(Requirement::Tls, "", message, found);
    }
    match subject.resource_type() {
        "AWS::ApiGateway::DomainName" => security_policy(subject, subject.property("SecurityPolicy"), found),
        "AWS::ApiGatewayV2::DomainName" => {
            for configuration in list(subject.property("DomainNameConfigurations")) {
                // HTTP and WebSocket APIs support only TLS 1.2 (API Gateway developer guide, "Choose a security policy for your
                // custom domain").
                if configuration["SecurityPolicy"] == "TLS_1_0" {
                    security_policy(subject, &configuration["SecurityPolicy"], found);
                }
            }
        }
        "AWS::CloudFront::Distribution" => distribution(subject, found),
        _ => {}
    }
}

/// Is there a policy of the resource that denies requests without TLS?
fn denies_without_tls(subject: &Subject<'_>, policy_type: &'static str) -> bool {
    let id = subject.logical_id;
    let fixed = ["BucketName", "QueueName"].into_iter().filter_map(|name| form(subject.property(name)));
    let attributes = ["QueueUrl", "TopicArn"].map(|attribute| format!("${{{id}.{attribute}}}"));
    let own = [format!("${{{id}}}")].into_iter().chain(attributes).chain(fixed);
    subject.index.denies_without_tls(&subject.stack.name, policy_type, own)
}

/// Returns the forms of the resources to which a policy denies requests without TLS; none for other resources.
pub(super) fn protected_by(policy: Target<'_>) -> Vec<String> {
    let Some((.., property)) = TLS_ONLY.iter().find(|(_, kind, _)| *kind == policy.kind()) else { return Vec::new() };
    let properties = &policy.resource["Properties"];
    let denies = list(&properties["PolicyDocument"]["Statement"]).iter().any(|statement| {
        let condition = &statement["Condition"]["Bool"]["aws:SecureTransport"];
        statement["Effect"] == "Deny" && (*condition == "false" || *condition == false)
    });
    list(&properties[*property]).iter().filter(|_| denies).filter_map(form).collect()
}

fn security_policy(subject: &Subject<'_>, policy: &Value, found: &mut Vec<Violation>) {
    let is_modern = |text: &str| text == "TLS_1_2" || text.contains("TLS12") || text.contains("TLS13");
    if policy.is_object() || policy.as_str().is_some_and(is_modern) {
        return;
    }
    let message = "clients may connect with TLS 1.0; set SecurityPolicy to TLS_1_2".to_owned();
    subject.violates(Requirement::Tls, "SecurityPolicy", message, found);
}

fn distribution(subject: &Subject<'_>, found: &mut Vec<Violation>) {
    let config = subject.property("DistributionConfig");
    for behavior in std::iter::once(&config["DefaultCacheBehavior"]).chain(list(&config["CacheBehaviors"])) {
        if behavior["ViewerProtocolPolicy"] == "allow-all" {
            let message = "it accepts requests without TLS; set ViewerProtocolPolicy to redirect-to-https".to_owned();
            subject.violates(Requirement::Tls, "DistributionConfig.ViewerProtocolPolicy", message, found);
        }
    }
    let certificate = &config["ViewerCertificate"];
    let has_own = !certificate["AcmCertificateArn"].is_null();
    let version = certificate["MinimumProtocolVersion"].as_str().unwrap_or_default();
    if has_own && !["TLSv1.2", "TLSv1.3"].iter().any(|modern| version.starts_with(modern)) {
        let message = "clients may connect with a version older than TLS 1.2; set MinimumProtocolVersion".to_owned();
        subject.violates(Requirement::Tls, "DistributionConfig.ViewerCertificate", message, found);
    }
    for origin in list(&config["Origins"]) {
        let policy = &origin["CustomOriginConfig"]["OriginProtocolPolicy"];
        if policy == "http-only" || policy == "match-viewer" {
            let message = "it may connect to its origin without TLS; set OriginProtocolPolicy to https-only".to_owned();
            subject.violates(Requirement::Tls, "DistributionConfig.Origins", message, found);
        }
    }
}
