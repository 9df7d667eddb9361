//! Callers of functions: they use the alias, whose version a release decides, and functions have no code in the template.

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
        for function in &subject.stack.functions {
            let id = &function.id.logical_id;
            if refers_to(target, id) {
                let message = format!(
                    "it calls {id} without an alias, so it runs unreleased code; call its alias {}",
                    function.alias_logical_id
                );
                subject.violates(Requirement::Alias, property, message, found);
            }
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

/// Does a value contain a `Ref`, `Fn::GetAtt` or `Fn::Sub` of the resource?
fn refers_to(value: &Value, logical_id: &str) -> bool {
    let in_text = |text: &Value| {
        let text = text.as_str().unwrap_or_default();
        text.contains(&format!("${{{logical_id}}}")) || text.contains(&format!("${{{logical_id}."))
    };
    match value {
        Value::Object(fields) => fields.iter().any(|(name, value)| match name.as_str() {
            "Ref" => value == logical_id,
            "Fn::GetAtt" => value[0] == logical_id,
            "Fn::Sub" => in_text(value) || in_text(&value[0]) || refers_to(&value[1], logical_id),
            _ => refers_to(value, logical_id),
        }),
        Value::Array(items) => items.iter().any(|item| refers_to(item, logical_id)),
        _ => false,
    }
}
