//! Data: encryption, retention and tags.

use serde_json::Value;

use super::{Requirement, Subject, Violation};

/// Types that hold data, and the properties of which one encrypts it.
///
/// Topics are not among them: CloudWatch cannot publish to a topic that is encrypted with AWS's own key (SNS developer guide,
/// "Encrypting messages").
const ENCRYPTED_BY: &[(&str, &[&str])] = &[
    ("AWS::DynamoDB::Table", &["SSESpecification.SSEEnabled"]),
    ("AWS::EC2::Volume", &["Encrypted"]),
    ("AWS::EFS::FileSystem", &["Encrypted"]),
    ("AWS::ElastiCache::ReplicationGroup", &["AtRestEncryptionEnabled"]),
    ("AWS::Kinesis::Stream", &["StreamEncryption"]),
    ("AWS::OpenSearchService::Domain", &["EncryptionAtRestOptions.Enabled"]),
    ("AWS::RDS::DBCluster", &["StorageEncrypted"]),
    ("AWS::RDS::DBInstance", &["StorageEncrypted"]),
    ("AWS::S3::Bucket", &["BucketEncryption"]),
    ("AWS::SQS::Queue", &["SqsManagedSseEnabled", "KmsMasterKeyId"]),
];

/// Types whose data outlives the stack, except in stage `local`.
const RETAINED: &[&str] = &[
    "AWS::Cognito::UserPool",
    "AWS::DocDB::DBCluster",
    "AWS::DynamoDB::GlobalTable",
    "AWS::DynamoDB::Table",
    "AWS::EC2::Volume",
    "AWS::EFS::FileSystem",
    "AWS::KMS::Key",
    "AWS::OpenSearchService::Domain",
    "AWS::RDS::DBCluster",
    "AWS::RDS::DBInstance",
    "AWS::Route53::HostedZone",
    "AWS::S3::Bucket",
    "AWS::SecretsManager::Secret",
];

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Violation>) {
    encryption(subject, found);
    retention(subject, found);
    logs(subject, found);
    tags(subject, found);
}

fn encryption(subject: &Subject<'_>, found: &mut Vec<Violation>) {
    let Some((_, properties)) = ENCRYPTED_BY.iter().find(|(kind, _)| *kind == subject.resource_type()) else { return };
    let is_on = |property: &&str| {
        let value = subject.property(property);
        !(value.is_null() || *value == false || *value == "false")
    };
    if !properties.iter().any(is_on) {
        let message = format!("its data is not encrypted; set {}", properties.join(" or "));
        subject.violates(Requirement::Encryption, properties[0], message, found);
    }
}

fn retention(subject: &Subject<'_>, found: &mut Vec<Violation>) {
    if subject.stage.is_local() || !RETAINED.contains(&subject.resource_type()) {
        return;
    }
    for attribute in ["DeletionPolicy", "UpdateReplacePolicy"] {
        let policy = subject.resource[attribute].as_str().unwrap_or_default();
        if !["Retain", "RetainExceptOnCreate", "Snapshot"].contains(&policy) {
            let message = format!("its {attribute} does not keep the data; set `removal(RemovalPolicy::Retain)`");
            subject.violates(Requirement::Retention, "", message, found);
        }
    }
}

fn logs(subject: &Subject<'_>, found: &mut Vec<Violation>) {
    match subject.resource_type() {
        "AWS::Logs::LogGroup" if subject.property("RetentionInDays").is_null() => {
            let message = "its events never expire; set RetentionInDays".to_owned();
            subject.violates(Requirement::Retention, "RetentionInDays", message, found);
        }
        "AWS::Lambda::Function" if !has_log_group(subject) => {
            let message =
                "Lambda would create its log group, whose events never expire; add a log group to the stack".to_owned();
            subject.violates(Requirement::Retention, "LoggingConfig.LogGroup", message, found);
        }
        _ => {}
    }
}

/// Has the function a log group of its stack: one that it names, or the one that Lambda uses by default?
fn has_log_group(subject: &Subject<'_>) -> bool {
    let name = subject.property("FunctionName");
    let default = name.as_str().map(|name| format!("/aws/lambda/{name}"));
    let by_reference = format!("/aws/lambda/${{{}}}", subject.logical_id);
    let resources = subject.stack.template["Resources"].as_object().into_iter().flatten();
    let mut groups = resources.filter(|(_, resource)| resource["Type"] == "AWS::Logs::LogGroup");
    let is_default = |group: &Value| {
        let name = &group["Properties"]["LogGroupName"];
        name.as_str().is_some_and(|name| default.as_deref() == Some(name))
            || name["Fn::Sub"].as_str().is_some_and(|name| name == by_reference)
    };
    !subject.property("LoggingConfig.LogGroup").is_null() || groups.any(|(_, group)| is_default(group))
}

/// The tags that a deploy gives every stack, and their resources with it. A resource's own tag would override them.
fn tags(subject: &Subject<'_>, found: &mut Vec<Violation>) {
    let of_stack = [("system", &subject.stack.system), ("stack", &subject.stack.stack), ("stage", &subject.stage.name)];
    for property in ["Tags", "UserPoolTags", "HostedZoneTags"] {
        let tags = subject.property(property);
        for (key, expected) in of_stack {
            let items = tags.as_array().into_iter().flatten().filter(|tag| tag["Key"] == key).map(|tag| &tag["Value"]);
            let values = items.chain(tags.get(key)).filter_map(Value::as_str);
            for value in values.filter(|value| value != expected) {
                let message = format!("its tag `{key}` is `{value}`, but the stack's is `{expected}`; use another key");
                subject.violates(Requirement::Tags, property, message, found);
            }
        }
    }
}
