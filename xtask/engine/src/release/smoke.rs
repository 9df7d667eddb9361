//! Smoke tests: requests that each new version must serve before any traffic, and the API while and after traffic shifts.

use std::{convert::Infallible, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{aws::lambda::Invocation, http::Request};

/// A request, and the response that must follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SmokeTest {
    pub(crate) url: String,
    /// The expected status.
    pub(crate) status: u16,
    /// Fields that the response's JSON must contain; other fields are ignored.
    pub(crate) json: Option<Value>,
    /// How to send the request to the function itself, if the gateway passes it on without a check.
    pub(crate) direct: Option<DirectInvocation>,
}

/// A request as a function receives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DirectInvocation {
    /// The function's name in Lambda.
    pub(crate) function_name: String,
    /// The path below the API's URL.
    pub(crate) path: String,
    /// The name of the API's stage.
    pub(crate) stage: String,
}

/// How often a test is attempted before it fails: one lost connection must not revert a release.
const ATTEMPTS: u32 = 5;

/// Repeats an attempt until it passes. The outer error says that the attempt was not possible, the inner one how the last
/// attempt failed.
pub(super) async fn with_retries<E>(
    pause: Duration,
    mut attempt: impl AsyncFnMut() -> Result<Result<(), String>, E>,
) -> Result<Result<(), String>, E> {
    for _ in 1..ATTEMPTS {
        match attempt().await? {
            Ok(()) => return Ok(Ok(())),
            Err(_) => tokio::time::sleep(pause).await,
        }
    }
    Ok(attempt().await?.map_err(|why| format!("{why}, {ATTEMPTS} times")))
}

impl SmokeTest {
    /// Sends the request until the test passes, five times at most. The error describes the last failure.
    pub(crate) async fn run_with_retries(&self, pause: Duration) -> Result<(), String> {
        let Ok(result) = with_retries(pause, async || Ok::<_, Infallible>(self.run().await)).await;
        result
    }

    /// Sends the request once. The error describes the failure.
    pub(crate) async fn run(&self) -> Result<(), String> {
        let url = &self.url;
        let response = Request::get(url).send().await.map_err(|error| error.to_string())?;
        let status = response.status;
        if status != self.status {
            return Err(format!("{url} responds with {status} instead of {}", self.status));
        }
        let Some(expected) = &self.json else { return Ok(()) };
        let actual = response.json().ok_or_else(|| format!("{url} responds without JSON"))?;
        // The error is stored in the ledger, so it does not contain the response, which may contain anything.
        if contains(&actual, expected) { Ok(()) } else { Err(format!("{url} responds with JSON without {expected}")) }
    }

    /// Verifies a function's response to a direct invocation. The error describes the failure.
    pub(super) fn verify_invocation(&self, direct: &DirectInvocation, response: &Invocation) -> Result<(), String> {
        let path = &direct.path;
        if response.error.is_some() {
            let text = String::from_utf8_lossy(&response.payload);
            return Err(format!("GET {path} failed with {}", text.chars().take(500).collect::<String>()));
        }
        let response: Value = serde_json::from_slice(&response.payload).unwrap_or_default();
        let status = &response["statusCode"];
        if *status != self.status {
            return Err(format!("GET {path} returned status {status} instead of {}", self.status));
        }
        let Some(expected) = &self.json else { return Ok(()) };
        let actual = body(&response).ok_or_else(|| format!("GET {path} returned no JSON"))?;
        if contains(&actual, expected) { Ok(()) } else { Err(format!("GET {path} returned JSON without {expected}")) }
    }
}

/// Returns the JSON body of a proxy integration's response.
fn body(response: &Value) -> Option<Value> {
    let body = response["body"].as_str().unwrap_or_default();
    if response["isBase64Encoded"] == true {
        BASE64_STANDARD.decode(body).ok().and_then(|body| serde_json::from_slice(&body).ok())
    } else {
        serde_json::from_str(body).ok()
    }
}

impl DirectInvocation {
    /// Returns the event that a REST API makes of the request (API Gateway developer guide, "Input format of a Lambda function
    /// for proxy integration").
    pub(super) fn event(&self) -> Value {
        let (path, stage) = (&self.path, &self.stage);
        json!({
            "resource": path,
            "path": path,
            "httpMethod": "GET",
            "headers": { "Accept": "*/*", "Host": "release", "User-Agent": "xtask" },
            "multiValueHeaders": { "Accept": ["*/*"], "Host": ["release"], "User-Agent": ["xtask"] },
            "queryStringParameters": null,
            "multiValueQueryStringParameters": null,
            "pathParameters": null,
            "stageVariables": null,
            "requestContext": {
                "accountId": "",
                "apiId": "release",
                "httpMethod": "GET",
                "identity": { "sourceIp": "127.0.0.1", "userAgent": "xtask" },
                "path": format!("/{stage}{path}"),
                "protocol": "HTTP/1.1",
                "requestId": "release",
                "resourceId": "release",
                "resourcePath": path,
                "stage": stage,
            },
            "body": null,
            "isBase64Encoded": false,
        })
    }
}

/// Returns whether `actual` contains every field of `expected` with its value.
pub(crate) fn contains(actual: &Value, expected: &Value) -> bool {
    match (actual, expected) {
        (Value::Object(actual), Value::Object(expected)) => {
            expected.iter().all(|(key, expected)| actual.get(key).is_some_and(|actual| contains(actual, expected)))
        }
        (actual, expected) => actual == expected,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_direct_response_is_verified_by_status_and_json() {
        let direct =
            DirectInvocation { function_name: "f".to_owned(), path: "/health".to_owned(), stage: "prod".to_owned() };
        let test = SmokeTest {
            url: String::new(),
            status: 200,
            json: Some(json!({ "status": "healthy" })),
            direct: Some(direct.clone()),
        };
        let verified = |payload: Value, error: Option<&str>| {
            let response = Invocation { payload: payload.to_string().into_bytes(), error: error.map(str::to_owned) };
            test.verify_invocation(&direct, &response)
        };
        let body = r#"{"status":"healthy","more":1}"#;
        assert_eq!(verified(json!({ "statusCode": 200, "body": body }), None), Ok(()));
        let encoded = BASE64_STANDARD.encode(body);
        assert_eq!(verified(json!({ "statusCode": 200, "body": encoded, "isBase64Encoded": true }), None), Ok(()));
        for (payload, error, expected) in [
            (json!({ "statusCode": 500, "body": body }), None, "returned status 500 instead of 200"),
            (json!({ "statusCode": 200, "body": r#"{"status":"sick"}"# }), None, "returned JSON without"),
            (json!({ "statusCode": 200, "body": "<html>" }), None, "returned no JSON"),
            (json!({ "ready": true }), None, "returned status null"),
            (json!({ "errorMessage": "TABLE is missing" }), Some("Unhandled"), "failed with"),
        ] {
            let why = verified(payload, error).expect_err(expected);
            assert!(why.starts_with("GET /health") && why.contains(expected), "{why}");
        }
    }

    #[test]
    fn expected_fields_must_be_present_and_others_may_be() {
        let actual = json!({ "status": "ok", "checks": { "table": true, "bucket": true } });
        assert!(contains(&actual, &json!({ "status": "ok" })));
        assert!(contains(&actual, &json!({ "checks": { "table": true } })));
        assert!(!contains(&actual, &json!({ "checks": { "table": false } })));
        assert!(!contains(&actual, &json!({ "missing": 1 })));
    }
}
