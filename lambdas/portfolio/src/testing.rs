//! Helpers of the tests: a function with a scripted AWS, signed tokens, and API Gateway's events.

pub(crate) mod counters;
pub(crate) mod script;
pub(crate) mod tokens;

use std::sync::{Arc, Mutex};

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, Region, SharedCredentialsProvider, retry::RetryConfig};
use axum::Router;
use jiff::Timestamp;
use portfolio_contract::Api;
use serde_json::{Map, Value, json};

use self::script::Script;
use crate::{app::App, metrics::Metrics, routes, settings::Settings};

/// The time of all tests: 2024-03-15T10:30:00Z.
pub(crate) const NOW: Timestamp = Timestamp::constant(1_710_498_600, 0);
/// [`NOW`] in its stored form.
pub(crate) const STAMP: &str = "2024-03-15T10:30:00.000Z";
pub(crate) const ID: &str = "7f1a2b3c-4d5e-4f60-8a7b-9c0d1e2f3a4b";

pub(crate) fn environment() -> Api {
    Api {
        dynamodb_table_name: "portfolio".to_owned(),
        cognito_user_pool_id: "eu-central-1_test".to_owned(),
        cognito_client_id: "client".to_owned(),
        cognito_region: "eu-central-1".to_owned(),
        environment: "dev".to_owned(),
        log_level: "INFO".to_owned(),
        cors_origins: "https://example.com,https://www.example.com".to_owned(),
        sign_in_per_minute: "10".to_owned(),
        visitor_salt_param: "/portfolio/dev/visitor-salt".to_owned(),
        dynamodb_endpoint: None,
        cognito_endpoint: None,
        cognito_issuer: None,
        jwks_url: None,
        visitor_salt: None,
    }
}

/// A configuration that sends requests to the script.
pub(crate) fn aws(script: &Script) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("AKID", "secret", None, None, "tests")))
        .retry_config(RetryConfig::disabled())
        .http_client(script.clone())
        .build()
}

/// The function under test.
pub(crate) struct Function {
    router: Router,
    script: Script,
    metrics: Arc<Mutex<Vec<Value>>>,
}

impl Function {
    pub(crate) fn new(script: Script) -> Self {
        Self::with(environment(), script)
    }

    pub(crate) fn with(environment: Api, script: Script) -> Self {
        let metrics = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&metrics);
        let sink = move |line: &str| {
            lines.lock().expect("no panic").push(serde_json::from_str(line).expect("JSON"));
        };
        let settings = Settings::new(environment, None).expect("valid");
        let app = App::with(settings, aws(&script), Metrics::new("dev", sink), || NOW);
        Self { router: routes::router(app), script, metrics }
    }

    /// Returns the count of a metric.
    pub(crate) fn counted(&self, metric: &str) -> usize {
        self.metrics.lock().expect("no panic").iter().filter(|line| line[metric] == 1).count()
    }

    /// Sends a request and returns its response. The whole script must have been used.
    pub(crate) async fn send(&self, request: Request<'_>) -> Answer {
        let answer = self.attempt(request).await;
        self.script.assert_played();
        answer
    }

    /// Sends a request that may leave steps of the script unused.
    pub(crate) async fn attempt(&self, request: Request<'_>) -> Answer {
        let event = lambda_runtime::LambdaEvent::new(request.event(), lambda_runtime::Context::default());
        Answer(common::http::answer::<Api>(self.router.clone(), event).await.expect("an answer"))
    }
}

/// A request of a client.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    /// May have a query without escapes.
    pub(crate) path: &'a str,
    pub(crate) token: Option<String>,
    pub(crate) headers: Vec<(&'a str, &'a str)>,
    pub(crate) body: Option<Value>,
    /// Instead of the body.
    pub(crate) text: Option<&'a str>,
    /// Instead of the usual address of the client.
    pub(crate) address: Option<&'a str>,
}

impl<'a> Request<'a> {
    pub(crate) fn new(method: &'a str, path: &'a str) -> Self {
        Self { method, path, ..Self::default() }
    }

    /// As the owner.
    pub(crate) fn owner(self) -> Self {
        Self { token: Some(tokens::owner()), ..self }
    }

    pub(crate) fn token(self, token: String) -> Self {
        Self { token: Some(token), ..self }
    }

    pub(crate) fn header(mut self, name: &'a str, value: &'a str) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn json(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    pub(crate) fn text(self, text: &'a str) -> Self {
        Self { text: Some(text), ..self }
    }

    pub(crate) fn address(self, address: &'a str) -> Self {
        Self { address: Some(address), ..self }
    }

    /// Converts to API Gateway's event.
    fn event(self) -> Value {
        let (path, query) = self.path.split_once('?').unwrap_or((self.path, ""));
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let parameters: Map<String, Value> = pairs.map(|(name, value)| (name.to_owned(), json!([value]))).collect();
        let mut headers = Map::from_iter([("Host".to_owned(), json!(["api.test"]))]);
        if self.body.is_some() || self.text.is_some() {
            headers.insert("Content-Type".to_owned(), json!(["application/json"]));
        }
        if let Some(token) = self.token {
            headers.insert("Authorization".to_owned(), json!([format!("Bearer {token}")]));
        }
        for (name, value) in self.headers {
            headers.insert(name.to_owned(), json!([value]));
        }
        let body = self.body.map(|body| body.to_string()).or(self.text.map(str::to_owned));
        json!({
            "resource": path, "path": path, "httpMethod": self.method,
            "headers": {}, "multiValueHeaders": headers, "multiValueQueryStringParameters": parameters,
            "requestContext": {
                "stage": "dev", "path": format!("/dev{path}"), "httpMethod": self.method,
                "identity": {"sourceIp": self.address.unwrap_or("192.0.2.1"), "userAgent": "tests"},
            },
            "body": body, "isBase64Encoded": false,
        })
    }
}

/// A response of API Gateway's proxy integration.
#[derive(Debug)]
pub(crate) struct Answer(Value);

impl Answer {
    pub(crate) fn status(&self) -> u64 {
        self.0["statusCode"].as_u64().expect("a status")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.0["multiValueHeaders"][name][0].as_str()
    }

    pub(crate) fn headers(&self) -> &Value {
        &self.0["multiValueHeaders"]
    }

    pub(crate) fn body(&self) -> Value {
        serde_json::from_str(self.0["body"].as_str().expect("a body")).expect("JSON")
    }

    pub(crate) fn text(&self) -> &str {
        self.0["body"].as_str().unwrap_or_default()
    }

    /// Returns status, code and field of an error, and checks its shape.
    pub(crate) fn error(&self) -> (u64, String, Value) {
        let body = self.body();
        assert_eq!(body["statusCode"], self.status(), "{body}");
        assert!(body["error"].is_string() && body["message"].is_string(), "{body}");
        (self.status(), body["details"]["code"].as_str().expect("a code").to_owned(), body["details"]["field"].clone())
    }

    /// Checks the status and returns the body.
    pub(crate) fn ok(&self, status: u64) -> Value {
        assert_eq!(self.status(), status, "{:?}", self.0);
        self.body()
    }
}
