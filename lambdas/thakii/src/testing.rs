//! Test tools: a scripted AWS, the API with an issuer of its own, and requests to it.

use axum::Router;
use jiff::Timestamp;
use lambda_runtime::LambdaEvent;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
pub(crate) use tables::testing::{Reply, Request, Script, aws, error_reply, item, json_reply};
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
