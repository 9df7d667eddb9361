//! The physical IDs and attributes of resources without behaviour, in the forms that AWS documents.

use serde_json::Value;

use crate::chance::hash;

/// The physical ID of a resource with a name, custom or generated. It depends on nothing else, so that a taken name is found.
#[must_use]
pub fn named(account: &str, region: &str, resource_type: &str, name: &str) -> String {
    match resource_type {
        "AWS::SNS::Topic" => format!("arn:aws:sns:{region}:{account}:{name}"),
        "AWS::SQS::Queue" => format!("https://sqs.{region}.amazonaws.com/{account}/{name}"),
        "AWS::SecretsManager::Secret" => {
            let suffix = format!("{:016x}", hash(0, name.as_bytes()));
            format!("arn:aws:secretsmanager:{region}:{account}:secret:{name}-{}", &suffix[..6])
        }
        "AWS::StepFunctions::StateMachine" => format!("arn:aws:states:{region}:{account}:stateMachine:{name}"),
        "AWS::IAM::ManagedPolicy" => format!("arn:aws:iam::{account}:policy/{name}"),
        "AWS::IAM::OIDCProvider" => {
            format!("arn:aws:iam::{account}:oidc-provider/{}", name.trim_start_matches("https://"))
        }
        "AWS::CloudFront::Function" => format!("arn:aws:cloudfront::{account}:function/{name}"),
        _ => name.to_owned(),
    }
}

/// The value of an attribute that a provider does not return: stable, and unique to the resource.
#[must_use]
pub fn attribute(account: &str, region: &str, resource_type: &str, physical_id: &str, name: &str) -> Value {
    let last = name.rsplit('.').next().unwrap_or(name);
    let mark = format!("{:012x}", hash(1, format!("{resource_type} {physical_id} {name}").as_bytes()) >> 16);
    let text = if last.ends_with("StreamArn") || last == "LatestStreamLabel" {
        let arn = arn(account, region, resource_type, physical_id);
        format!("{arn}/stream/{mark}")
    } else if last.ends_with("Arn") {
        arn(account, region, resource_type, physical_id)
    } else if last.to_ascii_lowercase().ends_with("url") || last.ends_with("Uri") || last.ends_with("Endpoint") {
        format!("https://{mark}.{region}.amazonaws.com")
    } else if last.ends_with("DomainName") || last.ends_with("Domain") {
        domain_name(region, resource_type, physical_id, name, &mark)
    } else if last.ends_with("Name") {
        physical_id.rsplit(['/', ':']).next().unwrap_or(physical_id).to_owned()
    } else if last == "Id" || resource_type.rsplit("::").next().is_some_and(|kind| last == format!("{kind}Id")) {
        physical_id.to_owned()
    } else {
        mark
    };
    Value::String(text)
}

/// Bucket names are host names of S3 (S3 user guide, "Virtual hosting"); CloudFront and API Gateway generate theirs.
fn domain_name(region: &str, resource_type: &str, physical_id: &str, name: &str, mark: &str) -> String {
    match (resource_type, name) {
        ("AWS::S3::Bucket", "RegionalDomainName") => format!("{physical_id}.s3.{region}.amazonaws.com"),
        ("AWS::S3::Bucket", _) => format!("{physical_id}.s3.amazonaws.com"),
        ("AWS::CloudFront::Distribution", _) => format!("d{mark}.cloudfront.net"),
        _ => format!("d-{mark}.execute-api.{region}.amazonaws.com"),
    }
}

/// The ARN of a resource (Service authorization reference, "Resource types" of each service).
#[must_use]
pub fn arn(account: &str, region: &str, resource_type: &str, physical_id: &str) -> String {
    if physical_id.starts_with("arn:") {
        return physical_id.to_owned();
    }
    let name = physical_id.rsplit('/').next().unwrap_or(physical_id);
    match resource_type {
        "AWS::S3::Bucket" => format!("arn:aws:s3:::{name}"),
        "AWS::IAM::Role" => format!("arn:aws:iam::{account}:role/{name}"),
        "AWS::IAM::User" => format!("arn:aws:iam::{account}:user/{name}"),
        "AWS::DynamoDB::Table" => format!("arn:aws:dynamodb:{region}:{account}:table/{name}"),
        "AWS::Lambda::Function" => format!("arn:aws:lambda:{region}:{account}:function:{name}"),
        "AWS::Cognito::UserPool" => format!("arn:aws:cognito-idp:{region}:{account}:userpool/{name}"),
        "AWS::KMS::Key" => format!("arn:aws:kms:{region}:{account}:key/{name}"),
        "AWS::Logs::LogGroup" => format!("arn:aws:logs:{region}:{account}:log-group:{physical_id}:*"),
        "AWS::CloudWatch::Alarm" => format!("arn:aws:cloudwatch:{region}:{account}:alarm:{physical_id}"),
        "AWS::Events::Rule" => format!("arn:aws:events:{region}:{account}:rule/{name}"),
        "AWS::Events::EventBus" => format!("arn:aws:events:{region}:{account}:event-bus/{name}"),
        "AWS::CloudFront::Distribution" => format!("arn:aws:cloudfront::{account}:distribution/{name}"),
        "AWS::SQS::Queue" => format!("arn:aws:sqs:{region}:{account}:{name}"),
        _ => {
            let mut steps = resource_type.split("::").skip(1);
            let (service, kind) = (steps.next().unwrap_or_default(), steps.next().unwrap_or_default());
            let (service, kind) = (service.to_lowercase(), kind.to_lowercase());
            format!("arn:aws:{service}:{region}:{account}:{kind}/{name}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_stable_and_have_the_documented_form() {
        let of = |resource_type, id, name| attribute("123456789012", "eu-west-1", resource_type, id, name);
        assert_eq!(of("AWS::IAM::Role", "r", "Arn"), "arn:aws:iam::123456789012:role/r");
        assert_eq!(of("AWS::S3::Bucket", "b", "RegionalDomainName"), "b.s3.eu-west-1.amazonaws.com");
        let arn = "arn:aws:sqs:eu-west-1:123456789012:q";
        assert_eq!(of("AWS::SQS::Queue", "https://sqs.eu-west-1.amazonaws.com/123456789012/q", "Arn"), arn);
        assert_eq!(of("A::B::C", "x", "Odd"), of("A::B::C", "x", "Odd"));
        assert_ne!(of("A::B::C", "x", "Odd"), of("A::B::C", "y", "Odd"));
    }
}
