//! The one stage of an API: its deployment, throttles, logs and tracing.

use std::collections::BTreeMap;

use serde_json::json;
use sha2::{Digest, Sha256};

use super::RestApi;
use crate::{
    resources::{
        api_gateway::{Deployment, Stage, stage},
        logs::LogGroup,
    },
    template::{Reference, Resource, Stack, Text, json::sorted, set},
};

/// Requests per second, steady and in a burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Throttle {
    /// Steady.
    pub rate: u32,
    /// In a burst.
    pub burst: u32,
}

/// A field of the access log: its name, and the gateway's variable without `$context.` (API Gateway developer guide,
/// "Variables for access logging").
pub type LogField = (&'static str, &'static str);

/// No token, no query: both may hold secrets.
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

/// Adds the stage; returns its name.
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
    stack.resource(&format!("{}StageResource", part.logical_id), Resource::of(properties)).id()
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
    // One JSON line a request.
    let format = format!("{{{}}}", fields.collect::<Vec<_>>().join(","));
    Some(stage::AccessLogSetting { destination_arn: set(group.attribute("Arn")), format: set(format) })
}

/// The settings of all methods, and of those with a throttle of their own: what is set for one method replaces what is
/// set for all, so each says everything.
fn method_settings(part: &RestApi) -> Vec<stage::MethodSetting> {
    // Bodies hold passwords, so execution logs never show them.
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

/// A deployment named after what it deploys: a deployment is a snapshot, so only a new one makes a changed API real.
pub(super) fn deployment(stack: &mut Stack, id: &str, api: &Reference, deployed: &[Reference]) -> Reference {
    let shape: BTreeMap<_, _> = deployed
        .iter()
        .map(Reference::logical_id)
        .map(|logical_id| (logical_id, stack.resources.get(logical_id).map(Resource::properties)))
        .collect();
    let hash = hex::encode(Sha256::digest(sorted(json!(shape)).to_string()));
    let deployment = Resource::of(Deployment { rest_api_id: set(api.id()), ..Deployment::default() });
    // The deployment refers to the API, so it waits for that anyway.
    let awaited = deployed.iter().filter(|part| part.logical_id() != id);
    let deployment = awaited.fold(deployment, |deployment, part| deployment.depends_on(part.logical_id()));
    stack.resource(&format!("{id}Deployment{}", &hash[..10]), deployment)
}
