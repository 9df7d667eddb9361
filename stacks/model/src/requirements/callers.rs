//! Callers of functions: they use the alias, whose version a release decides, and functions have no code in the template.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Requirement, Subject, Violation};

/// Properties whose value is called with events or requests, by type; `*` is every item of a list.
const CALLS: &[(&str, &str)] = &[
    ("AWS::ApiGateway::Authorizer", "AuthorizerUri"),
    ("AWS::ApiGateway::Method", "Integration.Uri"),
    ("AWS::ApiGatewayV2::Authorizer", "AuthorizerUri"),
    ("AWS::ApiGatewayV2::Integration", "IntegrationUri"),
    ("AWS::Events::Rule", "Targets"),
    ("AWS::Lambda::EventSourceMapping", "FunctionName"),
    ("AWS::Lambda::Url", "TargetFunctionArn"),
    ("AWS::S3::Bucket", "NotificationConfiguration"),
    ("AWS::SNS::Subscription", "Endpoint"),
    ("AWS::Scheduler::Schedule", "Target"),
];

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Violation>) {
    if subject.resource_type() == "AWS::Lambda::Function" && !subject.property("Code.ZipFile").is_null() {
        let message = "code in a template has no version; build it as a function of the workspace".to_owned();
        subject.violates(Requirement::InlineCode, "Code.ZipFile", message, found);
    }
    for (_, property) in CALLS.iter().filter(|(caller, _)| *caller == subject.resource_type()) {
        let target = subject.property(property);
        if has_text(target, "$LATEST") {
            let message = "`$LATEST` changes before a release; call the alias `live`".to_owned();
            subject.violates(Requirement::Alias, property, message, found);
        }
        let mut ids = BTreeSet::new();
        referred(target, &mut ids);
        for function in subject.index.functions(&subject.stack.name, &ids) {
            let message = format!(
                "it calls {} without an alias, so it runs unreleased code; call its alias {}",
                function.id.logical_id, function.alias_logical_id
            );
            subject.violates(Requirement::Alias, property, message, found);
        }
    }
}

fn has_text(value: &Value, part: &str) -> bool {
    match value {
        Value::String(text) => text.contains(part),
        Value::Array(items) => items.iter().any(|item| has_text(item, part)),
        Value::Object(fields) => fields.values().any(|field| has_text(field, part)),
        _ => false,
    }
}

/// Collects the logical IDs in every `Ref`, `Fn::GetAtt` and `Fn::Sub` of a value.
fn referred<'a>(value: &'a Value, ids: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match name.as_str() {
                    "Ref" => ids.extend(value.as_str()),
                    "Fn::GetAtt" => ids.extend(value[0].as_str()),
                    "Fn::Sub" => {
                        let text = value.as_str().or_else(|| value[0].as_str()).unwrap_or_default();
                        let variables = text.split("${").skip(1);
                        ids.extend(variables.filter_map(|rest| rest.split_once(['}', '.']).map(|(id, _)| id)));
                        referred(&value[1], ids);
                    }
                    _ => referred(value, ids),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| referred(item, ids)),
        _ => {}
    }
}
