//! The stage `$default` of an HTTP API with its throttles and its access log.

use serde_json::{Value, json};

use super::{DEFAULT_STAGE, HttpApi};
use crate::{
    parts::api::{LogField, Throttle},
    resources::{
        api_gateway_v2::{Stage, stage},
        logs::LogGroup,
    },
    template::{Reference, Resource, Stack, Text, set},
};

/// The fields of an access log by default: neither token nor query, because both may contain secrets (API Gateway developer guide,
/// "Customize HTTP API access logs": HTTP APIs have other variables than REST APIs).
pub(super) const LOG_FIELDS: &[LogField] = &[
    ("requestId", "requestId"),
    ("time", "requestTime"),
    ("method", "httpMethod"),
    ("route", "routeKey"),
    ("status", "status"),
    ("latency", "responseLatency"),
    ("bytes", "responseLength"),
    ("sourceIp", "identity.sourceIp"),
    ("error", "error.responseType"),
    ("integrationError", "integrationErrorMessage"),
    ("authorizerError", "authorizer.error"),
];

/// Adds the API's stage and its access log; returns the stage's name. `routes` are the routes with a throttle of their own.
pub(super) fn add(stack: &mut Stack, part: &HttpApi, api: &Reference, routes: &[(String, String, Throttle)]) -> Text {
    let own: serde_json::Map<_, _> =
        routes.iter().map(|(_, key, throttle)| (key.clone(), own_settings(*throttle))).collect();
    let properties = Stage {
        api_id: set(api.id()),
        stage_name: set(DEFAULT_STAGE),
        auto_deploy: set(true),
        access_log_settings: access_log(stack, part),
        default_route_settings: Some(stage::RouteSettings {
            detailed_metrics_enabled: set(true),
            throttling_rate_limit: set(f64::from(part.throttle.rate)),
            throttling_burst_limit: set(i64::from(part.throttle.burst)),
            ..stage::RouteSettings::default()
        }),
        route_settings: (!own.is_empty()).then(|| Value::Object(own)),
        ..Stage::default()
    };
    // The settings of a route that does not exist are refused (API Gateway API reference, `UpdateStage`).
    let resource = routes.iter().fold(Resource::of(properties), |stage, (id, ..)| stage.depends_on(id));
    stack.resource(&format!("{}Stage", part.logical_id), resource).id()
}

/// The settings of one route replace the general ones, so they are complete.
fn own_settings(throttle: Throttle) -> Value {
    json!({
        "DetailedMetricsEnabled": true,
        "ThrottlingRateLimit": f64::from(throttle.rate),
        "ThrottlingBurstLimit": throttle.burst,
    })
}

fn access_log(stack: &mut Stack, part: &HttpApi) -> Option<stage::AccessLogSettings> {
    if !part.has_logs {
        return None;
    }
    let group = LogGroup {
        log_group_name: set(format!("/aws/apigateway/{}", part.name)),
        retention_in_days: set(part.log_retention),
        ..LogGroup::default()
    };
    let group = stack.resource(&format!("{}AccessLogs", part.logical_id), Resource::of(group));
    let fields = part.log_fields.iter().map(|(name, variable)| format!(r#""{name}":"$context.{variable}""#));
    // One line of JSON for each request.
    let format = format!("{{{}}}", fields.collect::<Vec<_>>().join(","));
    Some(stage::AccessLogSettings { destination_arn: set(group.attribute("Arn")), format: set(format) })
}
