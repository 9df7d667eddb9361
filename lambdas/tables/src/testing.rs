//! A scripted AWS, for tests: every call of a client is recorded and answered by a function; and tables in memory for such answers.

mod expression;
mod memory;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_smithy_runtime_api::{
    client::{
        http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        orchestrator::{HttpRequest, HttpResponse},
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use aws_smithy_types::{body::SdkBody, retry::RetryConfig};
use aws_types::SdkConfig;
use serde_json::{Map, Value, json};

pub use memory::{Memory, Schema};

/// A configuration with credentials that are sufficient to sign.
#[must_use]
pub fn aws() -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-2"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("AKID", "secret", None, None, "tests")))
        .build()
}

/// A request to AWS, as a script sees it.
#[derive(Debug, Clone)]
pub struct Request {
    /// `DynamoDB.GetItem`, `SNS.Publish`, or S3's method: `S3.HEAD`.
    pub action: String,
    /// Path and query.
    pub path: String,
    /// JSON if it parses, otherwise a string.
    pub body: Value,
}

/// A scripted answer: status and body.
pub type Reply = (u16, String);

type Rule = Box<dyn FnMut(&Request) -> Option<Reply> + Send>;

/// A scripted AWS. Calls that the script does not answer fail.
#[derive(Clone)]
pub struct Script {
    rule: Arc<Mutex<Rule>>,
    requests: Arc<Mutex<Vec<Request>>>,
    pause: Duration,
}

impl std::fmt::Debug for Script {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Script")
    }
}

impl Script {
    /// Answers each call with what `rule` returns.
    pub fn new(rule: impl FnMut(&Request) -> Option<Reply> + Send + 'static) -> Self {
        Self { rule: Arc::new(Mutex::new(Box::new(rule))), requests: Arc::default(), pause: Duration::ZERO }
    }

    /// Delays every answer.
    #[must_use]
    pub fn slow(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    /// A configuration that sends every call to the script, without retries.
    #[must_use]
    pub fn aws(&self) -> SdkConfig {
        aws()
            .into_builder()
            .endpoint_url("http://aws.test")
            .http_client(self.clone())
            .retry_config(RetryConfig::disabled())
            .build()
    }

    /// All requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no panic").clone()
    }

    /// The bodies of all requests with this action.
    #[must_use]
    pub fn bodies(&self, action: &str) -> Vec<Value> {
        self.requests().into_iter().filter(|request| request.action == action).map(|request| request.body).collect()
    }
}

/// A successful answer.
#[must_use]
pub fn json_reply(body: Value) -> Option<Reply> {
    Some((200, body.to_string()))
}

/// An error of a service with a JSON protocol.
#[must_use]
pub fn error_reply(code: &str) -> Option<Reply> {
    Some((400, json!({"__type": format!("com.amazonaws#{code}"), "message": "no"}).to_string()))
}

/// Converts JSON to an item as DynamoDB writes it.
#[must_use]
pub fn item(data: Value) -> Value {
    let fields = data.as_object().expect("an object").iter();
    fields.map(|(name, value)| (name.clone(), attribute(value))).collect::<Map<_, _>>().into()
}

fn attribute(value: &Value) -> Value {
    match value {
        Value::Null => json!({"NULL": true}),
        Value::Bool(truth) => json!({"BOOL": truth}),
        Value::Number(number) => json!({"N": number.to_string()}),
        Value::String(text) => json!({"S": text}),
        Value::Array(values) => json!({"L": values.iter().map(attribute).collect::<Vec<_>>()}),
        Value::Object(_) => json!({"M": item(value.clone())}),
    }
}

impl HttpClient for Script {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Script {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let request = read(&request);
        let answer = (self.rule.lock().expect("no panic"))(&request);
        self.requests.lock().expect("no panic").push(request);
        let (status, body) = answer.unwrap_or_else(|| (501, r#"{"__type": "NotScripted"}"#.to_owned()));
        let status = StatusCode::try_from(status).expect("a status");
        let mut response = HttpResponse::new(status, SdkBody::from(body));
        response.headers_mut().insert("etag", "\"etag\"");
        let pause = self.pause;
        HttpConnectorFuture::new(async move {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            Ok(response)
        })
    }
}

fn read(request: &HttpRequest) -> Request {
    let path = request.uri().strip_prefix("http://aws.test").unwrap_or(request.uri()).to_owned();
    let text = request.body().bytes().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
    let target = request.headers().get("x-amz-target").and_then(|target| target.split_once('.'));
    let action = match target {
        Some((service, action)) => format!("{}.{action}", service.split('_').next().unwrap_or_default()),
        None if text.starts_with("Action=") => {
            format!("SNS.{}", text["Action=".len()..].split('&').next().unwrap_or(""))
        }
        None => format!("S3.{}", request.method()),
    };
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Request { action, path, body }
}
