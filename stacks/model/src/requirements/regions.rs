//! The regions and accounts of certificates and web ACLs.

use serde_json::Value;

use super::{Requirement, Subject, Violation};
use crate::{
    parts::cdn,
    rendered::{ParameterSource, RenderedStack},
    statements::list,
    values,
};

/// Where a property's value must be.
#[derive(Clone, Copy)]
enum Place {
    /// In CloudFront's region (CloudFront developer guide, "Requirements for using SSL/TLS certificates with CloudFront").
    CloudFront,
    /// In the region of the resource (API Gateway developer guide, "Get certificates ready in AWS Certificate Manager").
    Own,
}

/// Properties that hold the ARN of a certificate or a web ACL; lists on the way are followed into each item.
const ARNS: &[(&str, &str, Place)] = &[
    ("AWS::ApiGateway::DomainName", "CertificateArn", Place::CloudFront),
    ("AWS::ApiGateway::DomainName", "RegionalCertificateArn", Place::Own),
    ("AWS::ApiGatewayV2::DomainName", "DomainNameConfigurations.CertificateArn", Place::Own),
    ("AWS::CloudFront::Distribution", "DistributionConfig.ViewerCertificate.AcmCertificateArn", Place::CloudFront),
    ("AWS::CloudFront::Distribution", "DistributionConfig.WebACLId", Place::CloudFront),
    ("AWS::Cognito::UserPoolDomain", "CustomDomainConfig.CertificateArn", Place::CloudFront),
    ("AWS::ElasticLoadBalancingV2::Listener", "Certificates.CertificateArn", Place::Own),
    ("AWS::WAFv2::WebACLAssociation", "WebACLArn", Place::Own),
];

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Violation>) {
    let own = region_of(subject, subject.stack);
    for (_, path, place) in ARNS.iter().filter(|(kind, ..)| *kind == subject.resource_type()) {
        let (required, who) = match place {
            Place::CloudFront => (cdn::REGION, "CloudFront requires"),
            Place::Own => (own, "the resource that uses it is in"),
        };
        for value in values_at(&subject.resource["Properties"], path) {
            let Some(arn) = Arn::of(subject, value) else { continue };
            if arn.region != required {
                let message = format!("{} is in {}, but {who} {required}", arn.shown, arn.region);
                subject.violates(Requirement::Region, path, message, found);
            } else if arn.account.as_deref().is_some_and(|account| account != subject.stage.account) {
                let account = &subject.stage.account;
                let message =
                    format!("{} belongs to another account than the stage, which has account {account}", arn.shown);
                subject.violates(Requirement::Region, path, message, found);
            }
        }
    }
    // WAF developer guide, "Web ACL": scope CLOUDFRONT exists in CloudFront's region only.
    let is_global = subject.resource_type().starts_with("AWS::WAFv2::") && *subject.property("Scope") == "CLOUDFRONT";
    if is_global && own != cdn::REGION {
        let message = format!("scope CLOUDFRONT requires a stack in {}, but this one is in {own}", cdn::REGION);
        subject.violates(Requirement::Region, "Scope", message, found);
    }
}

/// The values at a path; lists on the way are followed into each item.
fn values_at<'a>(properties: &'a Value, path: &str) -> Vec<&'a Value> {
    let step = |found: Vec<&'a Value>, step: &str| {
        found.into_iter().flat_map(list).filter_map(|value| value.get(step)).collect()
    };
    path.split('.').fold(vec![properties], step)
}

/// The place of a certificate or web ACL.
struct Arn {
    shown: String,
    region: String,
    /// `None` for a resource of the stage.
    account: Option<String>,
}

impl Arn {
    /// Returns the place of a value: a literal ARN, a resource of the stack, or an output of another stack. `None` if unknown.
    fn of(subject: &Subject<'_>, value: &Value) -> Option<Self> {
        if let Some(target) = value["Ref"].as_str().or_else(|| value["Fn::GetAtt"][0].as_str()) {
            let stack = match subject.stack.parameters.get(target) {
                // A stack that is not selected is not known.
                Some(ParameterSource::Output { stack, .. }) => {
                    subject.system.stacks.iter().find(|other| other.stack == *stack)?
                }
                Some(_) => return None,
                None => subject.stack,
            };
            let region = region_of(subject, stack).to_owned();
            return Some(Self { shown: target.to_owned(), region, account: None });
        }
        let text = value.as_str().or_else(|| value["Fn::Sub"].as_str())?;
        let filled = text
            .replace("${AWS::Partition}", "aws")
            .replace("${AWS::Region}", region_of(subject, subject.stack))
            .replace("${AWS::AccountId}", &subject.stage.account);
        let (region, account) = values::place_of(&filled)?;
        let account = (!account.is_empty()).then(|| account.to_owned());
        Some(Self { shown: format!("`{text}`"), region: region.to_owned(), account })
    }
}

fn region_of<'a>(subject: &Subject<'a>, stack: &'a RenderedStack) -> &'a str {
    stack.region.as_deref().unwrap_or(&subject.stage.region)
}
