//! Test tools: a scripted AWS, the API with an issuer of its own, and requests to it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_config::{BehaviorVersion, SdkConfig, retry::RetryConfig};
use aws_sdk_s3::config::{Credentials, Region, SharedCredentialsProvider};
use aws_smithy_runtime_api::{
    client::{
        http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        orchestrator::{HttpRequest, HttpResponse},
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use axum::Router;
use jiff::Timestamp;
use lambda_runtime::LambdaEvent;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use thakii_contract::Api as ApiEnvironment;

use crate::{
    app::App,
    fixtures::{Stub, TestIssuer},
    gateway, routes,
};

pub(crate) const ISSUER: &str = "https://cognito-idp.us-east-2.amazonaws.com/us-east-2_test";
pub(crate) const AUDIENCE: &str = "web-client";
pub(crate) const SECRET: &str = "the secret of the tests, which is long enough to sign with it...";
pub(crate) const VIDEO: &str = "7f1a2b3c-4d5e-4f60-8a7b-9c0d1e2f3a4b";

/// A configuration with credentials that are sufficient to sign.
pub(crate) fn aws() -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-2"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("AKID", "secret", None, None, "tests")))
        .build()
}

/// A request to AWS, as a script sees it.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// `DynamoDB.GetItem`, `SNS.Publish`, or S3's method: `S3.HEAD`.
    pub(crate) action: String,
    /// Path and query.
    pub(crate) path: String,
    /// JSON if it parses, otherwise a string.
    pub(crate) body: Value,
}

/// A scripted answer: status and body.
pub(crate) type Reply = (u16, String);

type Rule = Box<dyn FnMut(&Request) -> Option<Reply> + Send>;

/// A scripted AWS. Calls that the script does not answer fail.
#[derive(Clone)]
pub(crate) struct Script {
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
    pub(crate) fn new(rule: impl FnMut(&Request) -> Option<Reply> + Send + 'static) -> Self {
        Self { rule: Arc::new(Mutex::new(Box::new(rule))), requests: Arc::default(), pause: Duration::ZERO }
    }

    /// Delays every answer.
    pub(crate) fn slow(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    /// A configuration that sends every call to the script, without retries.
    pub(crate) fn aws(&self) -> SdkConfig {
        aws()
            .into_builder()
            .endpoint_url("http://aws.test")
            .http_client(self.clone())
            .retry_config(RetryConfig::disabled())
            .build()
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no panic").clone()
    }

    /// The bodies of all requests with this action.
    pub(crate) fn bodies(&self, action: &str) -> Vec<Value> {
        self.requests().into_iter().filter(|request| request.action == action).map(|request| request.body).collect()
    }
}

/// A successful answer.
pub(crate) fn json_reply(body: Value) -> Option<Reply> {
    Some((200, body.to_string()))
}

/// An error of a service with a JSON protocol.
pub(crate) fn error_reply(code: &str) -> Option<Reply> {
    Some((400, json!({"__type": format!("com.amazonaws#{code}"), "message": "no"}).to_string()))
}

/// Converts JSON to an item as DynamoDB writes it.
pub(crate) fn item(data: Value) -> Value {
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

/// A stored task.
pub(crate) fn task(status: &str) -> Value {
    json!({
        "video_id": VIDEO, "filename": "lecture.mp4", "user_id": "ana", "user_email": "ana@example.com",
        "status": status, "upload_date": "2026-01-31 12:00:00", "created_at": "2026-01-31T12:00:00.000Z",
        "updated_at": "2026-01-31T12:00:00.000Z", "s3_key": format!("videos/{VIDEO}/lecture.mp4"), "size": 7,
        "content_type": "video/mp4", "created_key": format!("2026-01-31T12:00:00.000Z#{VIDEO}"),
    })
}

/// The API, with an issuer whose keys are fetched over HTTP.
pub(crate) struct Api {
    pub(crate) router: Router,
    pub(crate) issuer: TestIssuer,
    pub(crate) keys: Stub,
}

impl Api {
    pub(crate) async fn new(script: Script) -> Self {
        let issuer = TestIssuer::default();
        let keys = Stub::start(200, issuer.jwks().to_string()).await;
        let app = App::new(environment(&keys.url), &script.aws()).expect("an environment");
        Self { router: routes::router(app), issuer, keys }
    }

    /// With an account that contains only the token secret.
    pub(crate) async fn empty() -> Self {
        Self::new(Script::new(empty_account)).await
    }

    /// A token of a user with a verified e-mail address.
    pub(crate) fn token(&self, uid: &str) -> String {
        self.issuer.token(&claims(uid))
    }

    pub(crate) async fn answer(&self, event: Value) -> Answer {
        let event = LambdaEvent::new(event, lambda_runtime::Context::default());
        Answer(gateway::answer(self.router.clone(), event).await.expect("an answer"))
    }

    pub(crate) async fn call(&self, method: &str, path: &str, token: Option<&str>, body: Option<&str>) -> Answer {
        let mut headers = json!({"Content-Type": ["application/json"]});
        if let Some(token) = token {
            headers["Authorization"] = json!([format!("Bearer {token}")]);
        }
        self.answer(event(method, path, headers, body)).await
    }

    pub(crate) async fn call_as(&self, uid: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.call(method, path, Some(&self.token(uid)), body.map(|body| body.to_string()).as_deref()).await
    }
}

/// An account that contains only the token secret.
pub(crate) fn empty_account(request: &Request) -> Option<Reply> {
    match request.action.as_str() {
        "secretsmanager.GetSecretValue" if request.body["VersionStage"] == "AWSCURRENT" => {
            json_reply(json!({"SecretString": SECRET}))
        }
        "secretsmanager.GetSecretValue" => error_reply("ResourceNotFoundException"),
        "DynamoDB.GetItem" => json_reply(json!({})),
        "DynamoDB.Query" => json_reply(json!({"Items": [], "Count": 0})),
        "DynamoDB.UpdateItem" | "DynamoDB.PutItem" | "DynamoDB.TransactWriteItems" => json_reply(json!({})),
        _ => None,
    }
}

/// An API Gateway event of stage `prod`. A query in the path must not be encoded.
pub(crate) fn event(method: &str, path: &str, headers: Value, body: Option<&str>) -> Value {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let query: Map<String, Value> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), json!([value])))
        .collect();
    json!({
        "resource": path, "path": path, "httpMethod": method, "headers": {}, "multiValueHeaders": headers,
        "multiValueQueryStringParameters": query,
        "requestContext": {"stage": "prod", "path": format!("/prod{path}"), "httpMethod": method, "identity": {"sourceIp": "192.0.2.1"}},
        "body": body, "isBase64Encoded": false,
    })
}

/// The claims of a Cognito ID token that is valid for an hour.
pub(crate) fn claims(uid: &str) -> Value {
    let now = Timestamp::now().as_second();
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "token_use": "id", "sub": uid, "email": format!("{uid}@example.com"),
        "email_verified": true, "name": "Ana", "iat": now, "exp": now + 3600, "auth_time": now,
    })
}

/// The API's environment; `keys` is the address of the issuer's keys.
pub(crate) fn environment(keys: &str) -> ApiEnvironment {
    let issuers = json!([
        {"kind": "cognito", "primary": true, "issuer": ISSUER, "jwks_url": keys, "audience": AUDIENCE},
        {"kind": "firebase", "primary": false, "issuer": "https://securetoken.google.com/demo", "jwks_url": keys,
         "audience": "demo"},
    ]);
    let table = |name: &str| format!("thakii-{name}-test");
    ApiEnvironment {
        stage: "test".to_owned(),
        s3_bucket_name: "videos-test".to_owned(),
        allowed_origins: "http://localhost:3000,https://app.example.com".to_owned(),
        worker_service_url: None,
        table_video_tasks: table("video-tasks"),
        table_admin_users: table("admin-users"),
        table_processing_servers: table("processing-servers"),
        table_notifications: table("notifications"),
        table_uploads: table("uploads"),
        table_system: table("system"),
        tasks_queue_url: "http://aws.test/000000000000/tasks".to_owned(),
        tasks_dlq_url: "http://aws.test/000000000000/tasks-dlq".to_owned(),
        notifications_topic_arn: "arn:aws:sns:us-east-2:000000000000:notifications".to_owned(),
        backend_token_secret_arn: "arn:aws:secretsmanager:us-east-2:000000000000:secret:token".to_owned(),
        auth_issuers: issuers.to_string(),
        user_pool_id: "us-east-2_test".to_owned(),
        super_admins: "root@example.com".to_owned(),
        backend_token_hours: "72".to_owned(),
        sign_in_per_minute: "60".to_owned(),
        max_video_bytes: "5368709120".to_owned(),
        s3_public_endpoint: None,
    }
}

/// The environment of the status or the maintenance function.
pub(crate) fn background_environment<E: DeserializeOwned>() -> E {
    let environment = json!({
        "STAGE": "test",
        "S3_BUCKET_NAME": "videos",
        "TABLE_VIDEO_TASKS": "tasks",
        "TABLE_PROCESSING_SERVERS": "servers",
        "TABLE_NOTIFICATIONS": "notifications",
        "TABLE_SYSTEM": "system",
        "TASKS_QUEUE_URL": "http://aws.test/0/tasks",
        "TASKS_DLQ_URL": "http://aws.test/0/tasks-dlq",
        "TASK_EVENTS_DLQ_URL": "http://aws.test/0/events-dlq",
        "NOTIFICATIONS_TOPIC_ARN": "arn:aws:sns:us-east-2:000000000000:notifications",
        "BACKEND_TOKEN_SECRET_ARN": "arn:aws:secretsmanager:us-east-2:000000000000:secret:token",
    });
    serde_json::from_value(environment).expect("every name that it needs")
}

#[derive(Debug)]
pub(crate) struct Answer(pub(crate) Value);

impl Answer {
    pub(crate) fn status(&self) -> u64 {
        self.0["statusCode"].as_u64().expect("a status")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.0["multiValueHeaders"][name][0].as_str()
    }

    pub(crate) fn body(&self) -> Value {
        serde_json::from_str(self.0["body"].as_str().expect("a body")).expect("JSON")
    }

    /// The status and the text of an error.
    pub(crate) fn error(&self) -> (u64, String) {
        (self.status(), self.body()["error"].as_str().expect("an error").to_owned())
    }
}
