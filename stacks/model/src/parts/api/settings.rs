//! The stage of an API with its throttles, logs and tracing.

use super::RestApi;
use crate::{
    resources::{
        api_gateway::{Stage, stage},
        logs::LogGroup,
    },
    template::{Reference, Resource, Stack, Text, set},
};

/// A throttle of API Gateway, for all clients together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Throttle {
    /// The steady rate, in requests per second.
    pub rate: u32,
    /// The size of a burst, in requests.
    pub burst: u32,
}

/// A field of the access log: its name, and the name of the gateway's variable without `$context.` (API Gateway
/// developer guide, "Variables for access logging").
pub type LogField = (&'static str, &'static str);

/// The fields of an access log by default: neither token nor query, because both may contain secrets.
pub(super) const LOG_FIELDS: &[LogField] = &[
    ("requestId", "requestId"),
    ("time", "requestTime"),
    ("method", "httpMethod"),
    ("path", "resourcePath"),
    ("status", "status"),
    ("latency", "responseLatency"),
    ("bytes", "responseLength"),
    ("sourceIp", "identity.sourceIp"),
    ("error", "error.responseType"),
];

/// Adds the API's stage and its access log; returns the stage's name.
pub(super) fn stage(stack: &mut Stack, part: &RestApi, api: &Reference, deployment: &Reference) -> Text {
    let properties = Stage {
        rest_api_id: set(api.id()),
        deployment_id: set(deployment.id()),
        stage_name: set(&part.stage_name),
        tracing_enabled: set(true),
        access_log_setting: access_log(stack, part),
        method_settings: Some(method_settings(part)),
        ..Stage::default()
    };
    stack.resource(&part.stage_id(), Resource::of(properties)).id()
}

fn access_log(stack: &mut Stack, part: &RestApi) -> Option<stage::AccessLogSetting> {
    if !part.has_logs {
        return None;
    }
    let group = LogGroup {
        log_group_name: set(part.log_group()),
        retention_in_days: set(part.log_retention),
        ..LogGroup::default()
    };
    let group = stack.resource(&format!("{}AccessLogs", part.logical_id), Resource::of(group));
    let fields = part.log_fields.iter().map(|(name, variable)| format!(r#""{name}":"$context.{variable}""#));
    // One line of JSON for each request.
    let format = format!("{{{}}}", fields.collect::<Vec<_>>().join(","));
    Some(stage::AccessLogSetting { destination_arn: set(group.attribute("Arn")), format: set(format) })
}

/// Returns the settings of all methods, and those of methods with a throttle of their own. The settings of one method
/// replace the general ones, so each entry is complete.
fn method_settings(part: &RestApi) -> Vec<stage::MethodSetting> {
    // Bodies contain passwords, so execution logs must not show them.
    let logs = part.execution_logs && part.has_logs;
    let setting = |path: &str, verb: &str, throttle: Throttle| stage::MethodSetting {
        resource_path: set(path),
        http_method: set(verb),
        metrics_enabled: set(true),
        logging_level: logs.then(|| "INFO".into()),
        data_trace_enabled: logs.then(|| false.into()),
        throttling_rate_limit: set(f64::from(throttle.rate)),
        throttling_burst_limit: set(i64::from(throttle.burst)),
        ..stage::MethodSetting::default()
    };
    let own = part.endpoints.iter().filter_map(|endpoint| {
        // CloudFormation template reference, `AWS::ApiGateway::Stage MethodSetting`: slashes after the first are `~1`.
        let path = format!("/{}", endpoint.path.replace('/', "~1"));
        Some(setting(&path, endpoint.verb, endpoint.throttle?))
    });
    std::iter::once(setting("/*", "*", part.throttle)).chain(own).collect()
}
