//! Events of all sources as events of a REST API: of an HTTP API, of a load balancer, and of a direct invocation, which
//! may lack almost all fields. The response has the shape that the source expects.

use axum::Router;
use common::Error;
use lambda_runtime::LambdaEvent;
use serde_json::{Map, Value, json};
use thakii_contract::Api;

/// The source of an event, which determines the shape of the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EventSource {
    RestApi,
    HttpApi,
    LoadBalancer,
    /// A direct invocation of the function.
    Direct,
}

pub(crate) async fn answer(router: Router, event: LambdaEvent<Value>) -> Result<Value, Error> {
    let (event, context) = event.into_parts();
    // The router never sees a probe.
    if event.get("probe").is_some() {
        return common::http::answer::<Api>(router, LambdaEvent::new(event, context)).await;
    }
    let source = source(&event);
    let event = LambdaEvent::new(to_rest_event(event, source), context);
    Ok(shape_response(common::http::answer::<Api>(router, event).await?, source))
}

/// Serves requests until the instance ends.
///
/// # Errors
/// If Lambda's runtime interface fails.
pub async fn serve(router: Router) -> Result<(), Error> {
    lambda_runtime::run(lambda_runtime::service_fn(move |event| answer(router.clone(), event))).await
}

fn source(event: &Value) -> EventSource {
    let context = &event["requestContext"];
    if event["version"] == "2.0" || context["http"].is_object() {
        EventSource::HttpApi
    } else if context["elb"].is_object() {
        EventSource::LoadBalancer
    } else if context.is_object() {
        EventSource::RestApi
    } else {
        EventSource::Direct
    }
}

/// Converts an event to that of a REST API.
fn to_rest_event(event: Value, source: EventSource) -> Value {
    let path = path(&event, source);
    let method = event["httpMethod"].as_str().or_else(|| event["requestContext"]["http"]["method"].as_str());
    let method = method.unwrap_or("GET").to_owned();
    let query = query(&event, source);
    let headers = headers(&event);
    // The address of the connection, which only an HTTP API reports here. A header could name any other.
    let address = &event["requestContext"]["http"]["sourceIp"];
    let identity = if address.is_string() { json!({"sourceIp": address}) } else { json!({}) };
    let mut context = json!({"path": path, "resourcePath": path, "identity": identity});
    if let (EventSource::RestApi, Value::Object(known), Some(fields)) =
        (source, &event["requestContext"], context.as_object_mut())
    {
        fields.extend(known.clone());
    }
    context["httpMethod"] = json!(method);
    json!({
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": {},
        "multiValueHeaders": headers,
        "queryStringParameters": {},
        "multiValueQueryStringParameters": query,
        "pathParameters": null,
        "stageVariables": null,
        "requestContext": context,
        "body": event["body"],
        "isBase64Encoded": event["isBase64Encoded"] == true,
    })
}

fn path(event: &Value, source: EventSource) -> String {
    let path = event["path"].as_str().or_else(|| event["rawPath"].as_str()).unwrap_or_default();
    // An HTTP API prepends its stage to the path, except for the default stage.
    let stage = event["requestContext"]["stage"].as_str().filter(|_| source == EventSource::HttpApi);
    let prefix = stage.map(|stage| format!("/{stage}"));
    let path =
        prefix.and_then(|prefix| path.strip_prefix(&prefix)).filter(|rest| rest.starts_with('/')).unwrap_or(path);
    if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}

/// Returns all values of each header.
fn headers(event: &Value) -> Map<String, Value> {
    let mut headers = string_lists(&event["headers"]);
    // The multi-value form is the complete one.
    let multi_value = string_lists(&event["multiValueHeaders"]);
    if !multi_value.is_empty() {
        headers = multi_value;
    }
    if let Some(cookies) = event["cookies"].as_array() {
        let cookies: Vec<&str> = cookies.iter().filter_map(Value::as_str).collect();
        headers.insert("Cookie".to_owned(), json!([cookies.join("; ")]));
    }
    headers
}

/// Returns all values of each parameter, decoded.
fn query(event: &Value, source: EventSource) -> Map<String, Value> {
    if let Some(raw) = event["rawQueryString"].as_str() {
        let mut parameters: Map<String, Value> = Map::new();
        for (name, value) in
            raw.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        {
            let values = parameters.entry(percent_decoded(name)).or_insert_with(|| json!([]));
            if let Some(values) = values.as_array_mut() {
                values.push(json!(percent_decoded(value)));
            }
        }
        return parameters;
    }
    let multi_value = string_lists(&event["multiValueQueryStringParameters"]);
    let parameters = if multi_value.is_empty() { string_lists(&event["queryStringParameters"]) } else { multi_value };
    if source != EventSource::LoadBalancer {
        return parameters;
    }
    // A load balancer does not decode parameters.
    let decode = |values: Value| -> Value {
        values.as_array().into_iter().flatten().filter_map(Value::as_str).map(percent_decoded).collect()
    };
    parameters.into_iter().map(|(name, values)| (percent_decoded(&name), decode(values))).collect()
}

/// Converts a map of strings or of lists of strings to one of lists. Other entries are dropped.
fn string_lists(map: &Value) -> Map<String, Value> {
    let entries = map.as_object().into_iter().flatten();
    entries
        .filter_map(|(name, value)| match value {
            Value::String(_) => Some((name.clone(), json!([value]))),
            Value::Array(values) if values.iter().all(Value::is_string) => Some((name.clone(), value.clone())),
            _ => None,
        })
        .collect()
}

/// Decodes `%` and `+` of a query.
fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut place = 0;
    while let Some(byte) = bytes.get(place) {
        let escape = bytes.get(place + 1..place + 3).filter(|_| *byte == b'%');
        let escaped = escape.and_then(|digits| hex::decode(digits).ok()).and_then(|bytes| bytes.first().copied());
        decoded.push(escaped.unwrap_or(if *byte == b'+' { b' ' } else { *byte }));
        place += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// Converts a response to the shape that the source expects.
fn shape_response(mut answer: Value, source: EventSource) -> Value {
    if source == EventSource::RestApi {
        return answer;
    }
    let single: Map<String, Value> = string_lists(&answer["multiValueHeaders"])
        .into_iter()
        .map(|(name, values)| {
            let values: Vec<&str> = values.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            (name, json!(values.join(", ")))
        })
        .collect();
    let Some(fields) = answer.as_object_mut() else { return answer };
    fields.insert("headers".to_owned(), Value::Object(single));
    match source {
        EventSource::HttpApi => {
            fields.remove("multiValueHeaders");
        }
        EventSource::LoadBalancer => {
            let status = fields.get("statusCode").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
            let status = status.and_then(|code| axum::http::StatusCode::from_u16(code).ok());
            fields.insert("statusDescription".to_owned(), json!(status.map(|status| status.to_string())));
        }
        EventSource::Direct | EventSource::RestApi => {}
    }
    answer
}

#[cfg(test)]
mod tests;
