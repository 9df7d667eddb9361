//! The events of API Gateway's proxies as requests: of REST APIs, and of HTTP APIs with payload format 2.0 (API Gateway developer guide,
//! "Create AWS Lambda proxy integrations for HTTP APIs in API Gateway").

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, header::SET_COOKIE},
    middleware::Next,
    response::Response,
};
use lambda_http::{
    aws_lambda_events::apigw::{ApiGatewayProxyRequest, ApiGatewayV2httpRequest},
    request::{LambdaRequest, RequestContext},
};
use serde_json::Value;

use crate::path;

/// The version of an HTTP API's events. Those of REST APIs have none.
const VERSION: &str = "2.0";

/// Parses an event; its path has no stage, because the contract's routes have none.
pub(crate) fn parse(event: Value) -> serde_json::Result<LambdaRequest> {
    if event["version"] == VERSION { http(event) } else { rest(event) }
}

fn rest(event: Value) -> serde_json::Result<LambdaRequest> {
    let mut request: ApiGatewayProxyRequest = serde_json::from_value(event)?;
    // `lambda_http` would prepend the stage to the path.
    request.request_context.stage = None;
    request.path = request.path.map(|path| path::escaped(&path));
    Ok(LambdaRequest::ApiGatewayV1(request))
}

fn http(event: Value) -> serde_json::Result<LambdaRequest> {
    let mut request: ApiGatewayV2httpRequest = serde_json::from_value(event)?;
    let stage = request.request_context.stage.take().unwrap_or_default();
    request.raw_path = request.raw_path.map(|path| path::escaped(without_stage(&path, &stage)));
    // `lambda_http` panics at a query that is no part of a URL.
    request.raw_query_string = request.raw_query_string.map(|query| path::escaped_query(&query));
    Ok(LambdaRequest::ApiGatewayV2(request))
}

/// Removes the stage, which precedes the path of every stage but `$default`.
fn without_stage<'a>(path: &'a str, stage: &str) -> &'a str {
    let rest = path.strip_prefix('/').and_then(|path| path.strip_prefix(stage));
    match rest {
        _ if stage.is_empty() || stage == "$default" => path,
        Some("") => "/",
        Some(rest) if rest.starts_with('/') => rest,
        _ => path,
    }
}

/// Middleware that joins the values of each header in a response for an HTTP API, whose format has one value for each. Cookies have a
/// field of their own.
pub(crate) async fn join_headers(request: Request, next: Next) -> Response {
    let is_http = matches!(request.extensions().get(), Some(RequestContext::ApiGatewayV2(_)));
    let mut response = next.run(request).await;
    if is_http {
        join(response.headers_mut());
    }
    response
}

fn join(headers: &mut HeaderMap) {
    let names: Vec<_> = headers.keys().filter(|name| **name != SET_COOKIE).cloned().collect();
    for name in names {
        let values: Vec<_> = headers.get_all(&name).iter().map(HeaderValue::as_bytes).collect();
        if values.len() < 2 {
            continue;
        }
        // Values of headers, joined by a comma, are a value.
        if let Ok(joined) = HeaderValue::from_bytes(&values.join(&b", "[..])) {
            headers.insert(name, joined);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_first_segment_is_the_stage() {
        for (path, stage, expected) in [
            ("/notes/1", "$default", "/notes/1"),
            ("/dev/notes/1", "dev", "/notes/1"),
            ("/dev", "dev", "/"),
            ("/development/1", "dev", "/development/1"),
            ("/notes", "", "/notes"),
        ] {
            assert_eq!(without_stage(path, stage), expected, "{path} {stage}");
        }
    }

    #[test]
    fn headers_are_joined_and_cookies_are_not() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("vary", "Origin"), ("vary", "Accept"), ("set-cookie", "a=1"), ("set-cookie", "b=2")] {
            headers.append(name, HeaderValue::from_static(value));
        }
        join(&mut headers);
        assert_eq!(headers.get_all("vary").iter().collect::<Vec<_>>(), ["Origin, Accept"]);
        assert_eq!(headers.get_all("set-cookie").iter().count(), 2);
    }
}
