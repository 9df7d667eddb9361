//! What a system must serve: each new version by its number before any traffic, and the API while and after it moves.

use std::{convert::Infallible, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{aws::lambda::Answer, http::Request};

/// A request, and what must come of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Where.
    pub url: String,
    /// The status that must come.
    pub status: u16,
    /// What must be in the JSON that comes; fields that are not named may be anything.
    pub json: Option<Value>,
    /// How the function that answers is asked directly, where the gateway lets everybody through to it.
    pub direct: Option<Direct>,
}

/// A request as a function gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Direct {
    /// The function's name in Lambda.
    pub function_name: String,
    /// The path below the API's URL.
    pub path: String,
    /// The name of the API's stage.
    pub stage: String,
}

/// How often a check is made before its answer counts against a release: one lost connection is no reason to revert.
const TRIES: u32 = 5;
/// How long after a wrong answer a check is made again. A moved alias takes a moment to be seen everywhere.
pub(super) const AGAIN: Duration = Duration::from_secs(5);
/// The same for an emulator, which has one process.
pub(super) const AGAIN_LOCALLY: Duration = Duration::from_millis(200);

/// Asks until the answer is right, five times at most. The outer error is that nobody could be asked, the inner one what was
/// wrong with the last answer.
pub(super) async fn tried<E>(
    again: Duration,
    mut ask: impl AsyncFnMut() -> Result<Result<(), String>, E>,
) -> Result<Result<(), String>, E> {
    for _ in 1..TRIES {
        match ask().await? {
            Ok(()) => return Ok(Ok(())),
            Err(_) => tokio::time::sleep(again).await,
        }
    }
    Ok(ask().await?.map_err(|why| format!("{why}, {TRIES} times")))
}

impl Check {
    /// Makes the request until the answer is right, five times at most; an `Err` says what was wrong with the last answer.
    ///
    /// # Errors
    ///
    /// When nothing answers, or something else than expected, each time.
    pub async fn settle(&self, again: Duration) -> Result<(), String> {
        let Ok(settled) = tried(again, async || Ok::<_, Infallible>(self.run().await)).await;
        settled
    }

    /// Judges what the function answered when it was asked directly; an `Err` says what was wrong.
    pub(super) fn judge(&self, direct: &Direct, answer: &Answer) -> Result<(), String> {
        let path = &direct.path;
        if answer.error.is_some() {
            let text = String::from_utf8_lossy(&answer.payload);
            return Err(format!("GET {path} failed with {}", text.chars().take(500).collect::<String>()));
        }
        let response: Value = serde_json::from_slice(&answer.payload).unwrap_or_default();
        if response["statusCode"] != self.status {
            return Err(format!("GET {path} gets status {} instead of {}", response["statusCode"], self.status));
        }
        let Some(wanted) = &self.json else { return Ok(()) };
        let body = response["body"].as_str().unwrap_or_default();
        let found = if response["isBase64Encoded"] == true {
            BASE64_STANDARD.decode(body).ok().and_then(|body| serde_json::from_slice(&body).ok())
        } else {
            serde_json::from_str(body).ok()
        };
        let found: Value = found.ok_or_else(|| format!("GET {path} gets no JSON"))?;
        if contains(&found, wanted) { Ok(()) } else { Err(format!("GET {path} gets JSON without {wanted}")) }
    }

    /// Makes the request; an `Err` says what was wrong with the answer.
    ///
    /// # Errors
    ///
    /// When nothing answers, or something else than expected.
    pub async fn run(&self) -> Result<(), String> {
        let url = &self.url;
        let answer = Request::get(url).send().await.map_err(|error| error.to_string())?;
        let status = answer.status;
        if status != self.status {
            return Err(format!("{url} answers {status} instead of {}", self.status));
        }
        let Some(wanted) = &self.json else { return Ok(()) };
        let found = answer.json().ok_or_else(|| format!("{url} answers no JSON"))?;
        // What came instead may hold anything, and is kept in the ledger: it is not told.
        if contains(&found, wanted) { Ok(()) } else { Err(format!("{url} answers JSON without {wanted}")) }
    }
}

impl Direct {
    /// The event that a REST API makes of the request (API Gateway developer guide, "Input format of a Lambda function for proxy
    /// integration").
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

/// Is everything that is wanted there?
pub(crate) fn contains(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => {
            wanted.iter().all(|(key, wanted)| found.get(key).is_some_and(|found| contains(found, wanted)))
        }
        (found, wanted) => found == wanted,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_to_a_direct_request_is_judged_by_status_and_json() {
        let direct = Direct { function_name: "f".to_owned(), path: "/health".to_owned(), stage: "prod".to_owned() };
        let check = Check {
            url: String::new(),
            status: 200,
            json: Some(json!({ "status": "healthy" })),
            direct: Some(direct.clone()),
        };
        let judged = |payload: Value, error: Option<&str>| {
            let answer = Answer { payload: payload.to_string().into_bytes(), error: error.map(str::to_owned) };
            check.judge(&direct, &answer)
        };
        let body = r#"{"status":"healthy","more":1}"#;
        assert_eq!(judged(json!({ "statusCode": 200, "body": body }), None), Ok(()));
        let encoded = BASE64_STANDARD.encode(body);
        assert_eq!(judged(json!({ "statusCode": 200, "body": encoded, "isBase64Encoded": true }), None), Ok(()));
        for (payload, error, told) in [
            (json!({ "statusCode": 500, "body": body }), None, "gets status 500 instead of 200"),
            (json!({ "statusCode": 200, "body": r#"{"status":"sick"}"# }), None, "gets JSON without"),
            (json!({ "statusCode": 200, "body": "<html>" }), None, "gets no JSON"),
            (json!({ "ready": true }), None, "gets status null"),
            (json!({ "errorMessage": "TABLE is missing" }), Some("Unhandled"), "failed with"),
        ] {
            let why = judged(payload, error).expect_err(told);
            assert!(why.starts_with("GET /health") && why.contains(told), "{why}");
        }
    }

    #[test]
    fn what_is_wanted_must_be_there_and_more_may_be() {
        let found = json!({ "status": "ok", "checks": { "table": true, "bucket": true } });
        assert!(contains(&found, &json!({ "status": "ok" })));
        assert!(contains(&found, &json!({ "checks": { "table": true } })));
        assert!(!contains(&found, &json!({ "checks": { "table": false } })));
        assert!(!contains(&found, &json!({ "missing": 1 })));
    }
}
