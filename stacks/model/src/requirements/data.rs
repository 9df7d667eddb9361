//! Data: encryption, retention and tags.

use serde_json::Value;

use super::{Requirement, Subject, Violation, form};
use crate::foundation::{self, tags::incomplete};

/// Types that hold data and do not encrypt it by default, and the property that does.
///
/// Buckets and tables are not among them: they are always encrypted (S3 user guide, "Setting default server-side encryption
/// behavior"; DynamoDB developer guide, "Encryption at rest"). Neither are topics: CloudWatch cannot publish to a topic that is
/// encrypted with AWS's own key (SNS developer guide, "Encrypting messages").
const ENCRYPTED_BY: &[(&str, &str)] = &[
    ("AWS::EC2::Volume", "Encrypted"),
    ("AWS::EFS::FileSystem", "Encrypted"),
    ("AWS::ElastiCache::ReplicationGroup", "AtRestEncryptionEnabled"),
    ("AWS::Kinesis::Stream", "StreamEncryption"),
    ("AWS::OpenSearchService::Domain", "EncryptionAtRestOptions.Enabled"),
    ("AWS::RDS::DBCluster", "StorageEncrypted"),
    ("AWS::RDS::DBInstance", "StorageEncrypted"),
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

/// Types that can refuse their deletion, with the property that makes them do so, and its value.
const PROTECTED_BY: &[(&str, &str, &str)] = &[
    ("AWS::Cognito::UserPool", "DeletionProtection", "ACTIVE"),
    ("AWS::DocDB::DBCluster", "DeletionProtection", "true"),
    ("AWS::DynamoDB::Table", "DeletionProtectionEnabled", "true"),
    ("AWS::RDS::DBCluster", "DeletionProtection", "true"),
    ("AWS::RDS::DBInstance", "DeletionProtection", "true"),
];

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Violation>) {
    encryption(subject, found);
    retention(subject, found);
    protection(subject, found);
    logs(subject, found);
    tags(subject, found);
    stage_tags(subject, found);
}

fn protection(subject: &Subject<'_>, found: &mut Vec<Violation>) {
    let Some((_, property, expected)) = PROTECTED_BY.iter().find(|(kind, ..)| *kind == subject.resource_type()) else {
        return;
    };
    let value = subject.property(property);
    let is_on = value.as_str() == Some(expected) || (*expected == "true" && *value == true);
    if subject.stage.protected && !is_on {
        let message =
            format!("AWS would accept its deletion, although the stage is protected; set {property} to {expected}");
        subject.violates(Requirement::Protection, property, message, found);
    }
}

/// The permissions of deploys to resources with generated IDs are bound to their tags.
fn stage_tags(subject: &Subject<'_>, found: &mut Vec<Violation>) {
    if subject.stage.pipeline.is_none() || subject.system.name == foundation::SYSTEM {
        return;
    }
    if let Some(property) = incomplete(subject.resource, subject.stack, &subject.stage.name) {
        let message =
            format!("the deploy role could not change it; add the tags system, stack and stage to {property}");
        subject.violates(Requirement::Tags, property, message, found);
    }
}

fn encryption(subject: &Subject<'_>, found: &mut Vec<Violation>) {
    let is_off = |value: &Value| *value == false || *value == "false";
    if subject.resource_type() == "AWS::SQS::Queue" {
        // Encrypted by default (SQS developer guide, "Encryption at rest in Amazon SQS").
        let property = "SqsManagedSseEnabled";
        if is_off(subject.property(property)) && subject.property("KmsMasterKeyId").is_null() {
            let message = format!("{property} turns the encryption of its data off; remove it, or set KmsMasterKeyId");
            subject.violates(Requirement::Encryption, property, message, found);
        }
        return;
    }
    let Some((_, property)) = ENCRYPTED_BY.iter().find(|(kind, _)| *kind == subject.resource_type()) else { return };
    let value = subject.property(property);
    if value.is_null() || is_off(value) {
        let message = format!("its data is not encrypted; set {property}");
        subject.violates(Requirement::Encryption, property, message, found);
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
    let names = [form(subject.property("FunctionName")), Some(format!("${{{}}}", subject.logical_id))];
    let defaults = names.into_iter().flatten().map(|name| format!("/aws/lambda/{name}"));
    let has_default = || subject.index.has_log_group(&subject.stack.name, defaults);
    !subject.property("LoggingConfig.LogGroup").is_null() || has_default()
}

/// The tags that a deploy gives every stack, and their resources with it. A resource's own tag would override them.
fn tags(subject: &Subject<'_>, found: &mut Vec<Violation>) {
    let of_stack = [("system", &subject.stack.system), ("stack", &subject.stack.stack), ("stage", &subject.stage.name)];
    for property in ["Tags", "IdentityPoolTags", "UserPoolTags", "HostedZoneTags"] {
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
