//! Limits of services that resource schemas lack: sizes, times, and the names of environment variables.

use super::{Requirement, Subject, Violation, references::number};

/// The values that a service accepts for a number.
struct Limit {
    kind: &'static str,
    property: &'static str,
    least: i64,
    most: i64,
    unit: &'static str,
}

const fn limit(kind: &'static str, property: &'static str, (least, most): (i64, i64), unit: &'static str) -> Limit {
    Limit { kind, property, least, most, unit }
}

const FUNCTION: &str = "AWS::Lambda::Function";
const MAPPING: &str = "AWS::Lambda::EventSourceMapping";
const QUEUE: &str = "AWS::SQS::Queue";
const AUTHORIZER: &str = "AWS::ApiGatewayV2::Authorizer";

/// API Gateway V2 API reference, `CreateAuthorizer`; Lambda developer guide, "Lambda quotas"; Lambda API reference,
/// `CreateEventSourceMapping` and `ScalingConfig`; SQS API reference, `SetQueueAttributes`.
const LIMITS: &[Limit] = &[
    limit(AUTHORIZER, "AuthorizerResultTtlInSeconds", (0, 3600), "s"),
    limit(FUNCTION, "EphemeralStorage.Size", (512, 10_240), "MB"),
    limit(FUNCTION, "MemorySize", (128, 10_240), "MB"),
    limit(FUNCTION, "Timeout", (1, 900), "s"),
    limit(MAPPING, "MaximumBatchingWindowInSeconds", (0, 300), "s"),
    limit(MAPPING, "MaximumRetryAttempts", (-1, 10_000), "times"),
    limit(MAPPING, "ScalingConfig.MaximumConcurrency", (2, 1000), "invocations"),
    limit(QUEUE, "DelaySeconds", (0, 900), "s"),
    limit(QUEUE, "MessageRetentionPeriod", (60, 1_209_600), "s"),
    limit(QUEUE, "ReceiveMessageWaitTimeSeconds", (0, 20), "s"),
    limit(QUEUE, "VisibilityTimeout", (0, 43_200), "s"),
];

/// The variables that Lambda sets itself, and refuses in a configuration (Lambda developer guide, "Defined runtime environment
/// variables").
const RESERVED: &[&str] = &[
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_MAX_CONCURRENCY",
    "AWS_LAMBDA_METADATA_API",
    "AWS_LAMBDA_METADATA_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
];

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Violation>) {
    // Managed instances have larger limits (Lambda developer guide, "Lambda Managed Instances").
    let has_own_instances = !subject.property("CapacityProviderConfig").is_null();
    for limit in LIMITS.iter().filter(|limit| limit.kind == subject.resource_type() && !has_own_instances) {
        let Some(value) = number(subject.property(limit.property)) else { continue };
        let Limit { property, least, most, unit, .. } = limit;
        if !(*least..=*most).contains(&value) {
            let message = format!("{property} is {value} {unit}, which AWS refuses; set it to {least}–{most} {unit}");
            subject.violates(Requirement::Limit, property, message, found);
        }
    }
    if subject.resource_type() == FUNCTION {
        variables(subject, found);
    }
}

fn variables(subject: &Subject<'_>, found: &mut Vec<Violation>) {
    const VARIABLES: &str = "Environment.Variables";
    for name in subject.property(VARIABLES).as_object().into_iter().flatten().map(|(name, _)| name) {
        let message = if RESERVED.contains(&name.as_str()) {
            format!(
                "`{name}` is a variable that Lambda sets itself; the function can read it, so rename or delete yours"
            )
        } else if !is_variable(name) {
            format!(
                "`{name}` is no name of a variable for Lambda; start with a letter, then use letters, digits and `_`"
            )
        } else {
            continue;
        };
        subject.violates(Requirement::Limit, VARIABLES, message, found);
    }
}

/// Lambda API reference, `Environment`: `[a-zA-Z]([a-zA-Z0-9_])+`.
fn is_variable(name: &str) -> bool {
    name.len() > 1
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{super::tests::found_of, *};

    fn function(properties: Value) -> Vec<String> {
        found_of(Requirement::Limit, FUNCTION, properties)
    }

    #[test]
    fn memory_and_times_are_within_the_limits_of_the_service() {
        let memory = |megabytes: i64| function(json!({ "MemorySize": megabytes }));
        assert_eq!(memory(20_480), ["limit: A: MemorySize is 20480 MB, which AWS refuses; set it to 128–10240 MB"]);
        for (megabytes, is_accepted) in [(127, false), (128, true), (10_240, true), (10_241, false)] {
            assert_eq!(memory(megabytes).is_empty(), is_accepted, "{megabytes}");
        }
        assert_eq!(function(json!({ "MemorySize": "20480", "Timeout": 901 })).len(), 2);
        assert_eq!(function(json!({ "MemorySize": { "Ref": "Memory" } })), [""; 0]);
        assert_eq!(function(json!({ "MemorySize": 20_480, "CapacityProviderConfig": {} })), [""; 0]);
        let queue = |seconds: i64| found_of(Requirement::Limit, QUEUE, json!({ "VisibilityTimeout": seconds }));
        assert_eq!(queue(43_200), [""; 0]);
        assert_eq!(queue(43_201).len(), 1);
        let cached = |seconds: i64| json!({ "AuthorizerResultTtlInSeconds": seconds });
        let authorizer = |seconds: i64| found_of(Requirement::Limit, AUTHORIZER, cached(seconds)).len();
        assert_eq!((authorizer(0), authorizer(3600), authorizer(3601)), (0, 0, 1));
        let limited = |most: i64| {
            found_of(Requirement::Limit, MAPPING, json!({ "ScalingConfig": { "MaximumConcurrency": most } }))
        };
        assert_eq!((limited(1).len(), limited(2).len(), limited(1000).len(), limited(1001).len()), (1, 0, 0, 1));
    }

    #[test]
    fn variables_of_lambda_itself_are_refused_with_any_value() {
        let variable = |name: &str, value: Value| function(json!({ "Environment": { "Variables": { name: value } } }));
        for value in [json!("eu-central-1"), json!({ "Ref": "AWS::Region" })] {
            assert_eq!(variable("AWS_REGION", value).len(), 1);
        }
        for name in RESERVED {
            assert_eq!(variable(name, json!("x")).len(), 1, "{name}");
        }
        for (name, is_accepted) in [("TABLE_NAME", true), ("TZ", true), ("A", false), ("1A", false), ("A-B", false)] {
            assert_eq!(variable(name, json!("x")).is_empty(), is_accepted, "{name}");
        }
    }
}
