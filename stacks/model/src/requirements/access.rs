//! Permissions: full names of actions, and resources by name.

use serde_json::Value;

use super::{Requirement, Subject, Violation};
use crate::{
    rendered::RenderedStack,
    statements::{Effect, Patterns, PolicyStatement, list},
    template::reasons,
};

/// Types whose policies belong to a principal, and say which resources it reaches.
pub(super) const IDENTITIES: &[&str] =
    &["AWS::IAM::Group", "AWS::IAM::ManagedPolicy", "AWS::IAM::Policy", "AWS::IAM::Role", "AWS::IAM::User"];

/// Actions without resources, each with the reason why a policy must name `*` (service authorization reference: actions that
/// list no resource type).
pub(super) const WITHOUT_RESOURCES: &[(&str, &str)] = &[
    ("cloudwatch:GetMetricData", "metrics are no resources"),
    ("cloudwatch:PutMetricData", "metrics are no resources; limit them with the condition cloudwatch:namespace"),
    ("dynamodb:ListStreams", "a list of the account"),
    ("ec2:DescribeNetworkInterfaces", "a list of the account"),
    ("sts:GetCallerIdentity", "it concerns the caller"),
    ("xray:GetSamplingRules", "traces are no resources"),
    ("xray:GetSamplingTargets", "traces are no resources"),
    ("xray:PutTelemetryRecords", "traces are no resources"),
    ("xray:PutTraceSegments", "traces are no resources"),
];

/// Condition keys that limit a statement to resources, although it names `*`.
const SCOPING: &[&str] = &["resourcetag/", "lambda:functionarn"];

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Violation>) {
    let Some(properties) = subject.resource["Properties"].as_object() else { return };
    let is_identity = IDENTITIES.contains(&subject.resource_type());
    for (name, value) in properties {
        for statement in statements(value) {
            let parsed = PolicyStatement::parse(statement);
            if parsed.effect() == Effect::Deny {
                continue;
            }
            actions(subject, name, &parsed, found);
            if is_identity && name != "AssumeRolePolicyDocument" {
                resources(subject, name, statement, &parsed, found);
            }
        }
    }
}

/// An action that a role or policy allows on named resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GrantedAction<'a> {
    /// The logical ID of the role or policy.
    pub logical_id: &'a str,
    /// The property with the statement.
    pub property: &'a str,
    /// The action, as the template writes it.
    pub action: &'a str,
}

/// Returns the actions that a stack's roles and policies allow on named resources, without patterns.
#[must_use]
pub fn granted_actions(stack: &RenderedStack) -> Vec<GrantedAction<'_>> {
    let resources = stack.template["Resources"].as_object().into_iter().flatten();
    let holders = resources.filter(|(_, resource)| IDENTITIES.iter().any(|kind| resource["Type"] == *kind));
    let properties = holders.flat_map(|(id, resource)| {
        let all = resource["Properties"].as_object().into_iter().flatten();
        all.filter(|(property, _)| *property != "AssumeRolePolicyDocument")
            .map(move |(property, value)| (id, property, value))
    });
    let actions = properties.flat_map(|(logical_id, property, value)| {
        let named = statements(value).into_iter().filter(|statement| {
            let resources = list(&statement["Resource"]);
            statement["Effect"] == "Allow" && !resources.is_empty() && resources.iter().all(|resource| resource != "*")
        });
        let actions = named.flat_map(|statement| list(&statement["Action"])).filter_map(Value::as_str);
        actions.map(move |action| GrantedAction { logical_id, property, action })
    });
    actions.filter(|granted| !granted.action.contains(['*', '?'])).collect()
}

/// All statements below a value.
pub(super) fn statements(value: &Value) -> Vec<&Value> {
    match value {
        Value::Object(fields) => {
            let below = fields.iter().flat_map(|(name, value)| {
                if name == "Statement" { list(value).iter().collect() } else { statements(value) }
            });
            below.collect()
        }
        Value::Array(items) => items.iter().flat_map(statements).collect(),
        _ => Vec::new(),
    }
}

fn actions(subject: &Subject<'_>, property: &str, statement: &PolicyStatement, found: &mut Vec<Violation>) {
    // KMS developer guide, "Default key policy": without `kms:*` for the account, IAM policies have no effect on the key.
    if subject.resource_type() == "AWS::KMS::Key" {
        return;
    }
    match statement.actions() {
        Patterns::Only(actions) => {
            for action in actions.iter().filter(|action| action.contains(['*', '?'])) {
                let message = format!("`{action}` allows more than one action; name each action");
                subject.violates(Requirement::WildcardAction, property, message, found);
            }
            for action in actions.iter().filter(|action| action.eq_ignore_ascii_case("dynamodb:Scan")) {
                let message = format!("`{action}` reads a whole table; query the table or an index");
                subject.violates(Requirement::TableScan, property, message, found);
            }
        }
        Patterns::AllExcept(excepted) => {
            let message =
                format!("all actions except `{}` are allowed; name each allowed action", excepted.join("`, `"));
            subject.violates(Requirement::WildcardAction, property, message, found);
        }
    }
}

fn resources(
    subject: &Subject<'_>,
    property: &str,
    statement: &Value,
    parsed: &PolicyStatement,
    found: &mut Vec<Violation>,
) {
    let wide = match parsed.resources() {
        Patterns::Only(resources) => {
            resources.iter().find(|resource| is_wildcard(resource)).map(|resource| plain(resource))
        }
        Patterns::AllExcept(excepted) => Some(format!("all except {}", excepted.join(", "))),
    };
    let Some(wide) = wide.filter(|_| !is_scoped(&statement["Condition"])) else { return };
    let Patterns::Only(actions) = parsed.actions() else { return };
    // A reason is for one statement: another one with the same action needs its own.
    if reasons(subject.resource).any(|(actions, _)| list(actions) == list(&statement["Action"])) {
        return;
    }
    let is_allowed = |action: &str| WITHOUT_RESOURCES.iter().any(|(without, _)| without.eq_ignore_ascii_case(action));
    for action in actions.iter().filter(|action| !is_allowed(action)) {
        let message =
            format!("`{action}` is allowed on `{wide}`; name the resources, or give the reason with `because`");
        subject.violates(Requirement::WildcardResource, property, message, found);
    }
}

/// Does a condition limit the statement to some resources?
///
/// Other operators do not: `Null` and negated ones match nearly every resource, and `IfExists` and `ForAllValues` those without the
/// key (IAM user guide, "Condition operators" and "Conditions with multiple context keys or values").
fn is_scoped(condition: &Value) -> bool {
    let operators = condition.as_object().into_iter().flatten().filter(|(operator, _)| {
        let operator = operator.strip_prefix("ForAnyValue:").unwrap_or(operator);
        ["StringEquals", "StringLike", "ArnEquals", "ArnLike"].contains(&operator)
    });
    let mut keys = operators.filter_map(|(_, keys)| keys.as_object()).flatten();
    keys.any(|(key, values)| {
        let key = key.to_ascii_lowercase();
        SCOPING.iter().any(|scoping| key.contains(scoping)) && list(values).iter().all(|value| *value != "*")
    })
}

/// Is a resource every one of its service or type: `*`, or an ARN whose name is `*`?
pub(crate) fn is_wildcard(resource: &str) -> bool {
    let text = plain(resource);
    // The colons of `${AWS::Region}` do not separate parts.
    let text = text.replace("AWS::", "");
    let mut parts = text.splitn(6, ':');
    let (service, Some(name)) = (parts.clone().nth(2), parts.nth(5)) else { return text == "*" };
    let is_any = |name: &str| name.starts_with('*') && name.chars().all(|letter| letter == '*');
    if service == Some("s3") {
        return is_any(name.split('/').next().unwrap_or_default());
    }
    if service == Some("apigateway") {
        // Paths of the service's own API, for example `/restapis/<ID>/stages/<name>`.
        return name.trim_start_matches('/').split('/').take(2).any(is_any);
    }
    if service == Some("events") {
        // A rule's ARN is `rule/<bus>/<name>`, and that of a rule of the default bus `rule/<name>`.
        return name.rsplit('/').next().is_some_and(is_any);
    }
    match name.split_once(['/', ':']) {
        Some((_, name)) => is_any(name.split(['/', ':']).next().unwrap_or_default()),
        None => is_any(name),
    }
}

/// The text of a resource that is written as `Fn::Sub`.
pub(super) fn plain(resource: &str) -> String {
    let sub = serde_json::from_str::<Value>(resource).ok();
    let text = sub.as_ref().map(|sub| &sub["Fn::Sub"]).and_then(|sub| sub.as_str().or_else(|| sub[0].as_str()));
    text.unwrap_or(resource).to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_operators_that_require_a_value_limit_a_statement() {
        let scoped =
            |operator: &str, values: Value| is_scoped(&json!({ operator: { "aws:ResourceTag/stage": values } }));
        for operator in ["StringEquals", "StringLike", "ForAnyValue:StringEquals"] {
            assert!(scoped(operator, json!("dev")), "{operator}");
        }
        let arn = json!("arn:aws:lambda:eu-central-1:111122223333:function:f");
        assert!(is_scoped(&json!({ "ArnLike": { "lambda:FunctionArn": arn } })));
        for operator in
            ["Null", "StringNotEquals", "StringNotLike", "StringEqualsIfExists", "ForAllValues:StringEquals", "Bool"]
        {
            assert!(!scoped(operator, json!("true")), "{operator}");
        }
        assert!(!scoped("StringLike", json!(["dev", "*"])));
        assert!(!is_scoped(&json!({ "StringEquals": { "aws:RequestedRegion": "eu-central-1" } })));
    }

    #[test]
    fn wildcards_are_distinguished_from_patterns_of_one_resource() {
        for wide in [
            "*",
            "arn:aws:s3:::*",
            "arn:aws:s3:::*/*",
            "arn:aws:dynamodb:*:*:table/*",
            r#"{"Fn::Sub":"arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:*"}"#,
            "arn:aws:lambda:eu-central-1:111122223333:function:*",
            r#"{"Fn::Sub":"arn:${AWS::Partition}:apigateway:${AWS::Region}::/restapis/*"}"#,
            "arn:aws:apigateway:eu-central-1::/tags/*",
            "arn:aws:events:eu-central-1:111122223333:rule/*",
            "arn:aws:events:eu-central-1:111122223333:event-bus/*",
        ] {
            assert!(is_wildcard(wide), "{wide}");
        }
        for narrow in [
            "arn:aws:s3:::photos/*",
            r#"{"Fn::Sub":"${Bucket.Arn}/*"}"#,
            r#"{"Ref":"Topic"}"#,
            "arn:aws:dynamodb:eu-central-1:111122223333:table/photos/index/*",
            "arn:aws:logs:eu-central-1:111122223333:log-group:/aws/lambda/photos:*",
            "arn:aws:lambda:eu-central-1:111122223333:function:photos-*",
            "arn:aws:apigateway:eu-central-1::/restapis",
            "arn:aws:events:eu-central-1:111122223333:rule/*/photos-done",
            "arn:aws:apigateway:eu-central-1::/domainnames/api.example.com/*",
        ] {
            assert!(!is_wildcard(narrow), "{narrow}");
        }
    }
}
