//! A stage: tables in memory, and answers of the other services.

use std::sync::{Arc, Mutex};

use aws_config::SdkConfig;
use axum::Router;
use contract::Function;
use lambda_runtime::LambdaEvent;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tables::testing::{Reply, Request, Script, error_reply, json_reply};

use crate::memory::Memory;

pub(super) const ANA: &str = "account:11111111-1111-4111-8111-111111111111";
pub(super) const BEN: &str = "account:22222222-2222-4222-8222-222222222222";
pub(super) const USER: &str = "user:33333333-3333-4333-8333-333333333333";
pub(super) const SOURCE: &str = "source:44444444-4444-4444-8444-444444444444";
pub(super) const JOB: &str = "job:55555555-5555-4555-8555-555555555555";
pub(super) const RUN: &str = "run:66666666-6666-4666-8666-666666666666";
/// An ID of no object.
pub(super) const UNKNOWN: &str = "99999999-9999-4999-8999-999999999999";

type Rule = Box<dyn Fn(&Request) -> Option<Reply> + Send>;

/// A stage with two accounts.
pub(super) struct World {
    pub(super) memory: Memory,
    pub(super) script: Script,
    rule: Arc<Mutex<Rule>>,
}

impl World {
    pub(super) fn new() -> Self {
        let memory = Memory::default();
        for account_id in [ANA, BEN] {
            memory.insert("accounts", account(account_id));
        }
        let rule: Arc<Mutex<Rule>> = Arc::new(Mutex::new(Box::new(|_: &Request| None)));
        let (tables, first) = (memory.clone(), Arc::clone(&rule));
        let script = Script::new(move |request| {
            let answer = first.lock().expect("no panic")(request);
            answer.or_else(|| tables.answer(request)).or_else(|| other_services(request))
        });
        Self { memory, script, rule }
    }

    /// Answers some requests differently.
    pub(super) fn answer(&self, rule: impl Fn(&Request) -> Option<Reply> + Send + 'static) {
        *self.rule.lock().expect("no panic") = Box::new(rule);
    }

    /// Calls a function as the gateway does.
    pub(super) async fn call<F>(&self, router: fn(F, &SdkConfig) -> Router, call: Event) -> Answer
    where
        F: Function + DeserializeOwned,
    {
        let router = router(environment::<F>(), &self.script.aws());
        let event = LambdaEvent::new(call.0, lambda_runtime::Context::default());
        Answer(common::http::answer::<F>(router, event).await.expect("an answer"))
    }

    /// The number of requests with this action.
    pub(super) fn count(&self, action: &str) -> usize {
        self.script.bodies(action).len()
    }

    /// The number of requests of DynamoDB.
    pub(super) fn table_calls(&self) -> usize {
        self.script.requests().iter().filter(|request| request.action.starts_with("DynamoDB.")).count()
    }
}

fn other_services(request: &Request) -> Option<Reply> {
    match request.action.as_str() {
        "AWSEvents.PutEvents" => json_reply(json!({ "FailedEntryCount": 0, "Entries": [{ "EventId": "e" }] })),
        "secretsmanager.CreateSecret" | "secretsmanager.PutSecretValue" | "secretsmanager.DeleteSecret" => {
            json_reply(json!({}))
        }
        "AmazonSQS.SendMessage" => json_reply(json!({ "MessageId": "m" })),
        "AmazonSQS.GetQueueAttributes" => json_reply(json!({ "Attributes": {} })),
        "AmazonSSM.GetParameter" => error_reply("ParameterNotFound"),
        _ => None,
    }
}

/// The environment of any function of the API.
pub(super) fn environment<E: DeserializeOwned>() -> E {
    let variables = json!({
        "STAGE": "test", "USERS_TABLE": "users", "ACCOUNTS_TABLE": "accounts", "SOURCES_TABLE": "sources",
        "JOBS_TABLE": "jobs", "RUNS_TABLE": "runs", "FILES_TABLE": "files", "ACTIVITY_TABLE": "activity",
        "OAUTH_STATES_TABLE": "oauth-states", "API_KEYS_TABLE": "api-keys", "EVENT_BUS_NAME": "bus",
        "ALLOW_PRIVATE_SOURCES": "false", "SOURCE_BUCKETS": "*", "DATA_BUCKET": "listbackup-data-test",
        "JOB_QUEUE_URL": "http://aws.test/0/jobs", "SSM_PREFIX": "/listbackup/test",
        "ALLOWED_ORIGINS": "https://app.example.com", "TABLES": "users,jobs",
        "ACCESS_SECRET_ARN": "arn:aws:secretsmanager:us-east-2:000000000000:secret:access",
    });
    serde_json::from_value(variables).expect("every variable")
}

/// A request of the gateway.
pub(super) struct Event(Value);

impl Event {
    pub(super) fn new(method: &str, path: &str) -> Self {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        Self(json!({
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query,
            "headers": { "host": "api.example.com", "content-type": "application/json" },
            "requestContext": {
                "accountId": "0", "apiId": "abc", "stage": "$default", "routeKey": "$default",
                "domainName": "api.example.com", "requestId": "request-1",
                "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.7",
                          "userAgent": "test" },
                "time": "12/Mar/2020:19:03:58 +0000", "timeEpoch": 1_583_348_638_390_u64,
            },
            "isBase64Encoded": false,
        }))
    }

    /// With the context of an owner.
    pub(super) fn by(self, account_id: &str) -> Self {
        self.with(account_id, "owner", true)
    }

    /// With the context of a caller who reads only.
    pub(super) fn by_reader(self, account_id: &str) -> Self {
        self.with(account_id, "user", false)
    }

    fn with(mut self, account_id: &str, role: &str, can_write: bool) -> Self {
        self.0["requestContext"]["authorizer"] = json!({ "lambda": {
            "userId": USER, "accountId": account_id, "role": role, "email": "ana@example.com", "family": "f",
            "canWrite": can_write.to_string(),
        }});
        self
    }

    pub(super) fn body(self, body: &Value) -> Self {
        self.text(&body.to_string())
    }

    pub(super) fn text(mut self, body: &str) -> Self {
        self.0["body"] = json!(body);
        self
    }
}

/// A response to the gateway.
#[derive(Debug)]
pub(super) struct Answer(Value);

impl Answer {
    pub(super) fn status(&self) -> u64 {
        self.0["statusCode"].as_u64().expect("a status")
    }

    pub(super) fn body(&self) -> Value {
        match self.0["body"].as_str() {
            Some(text) if !text.is_empty() => serde_json::from_str(text).expect("JSON"),
            _ => Value::Null,
        }
    }

    /// The data of a success with this status.
    pub(super) fn data(&self, status: u64) -> Value {
        let body = self.body();
        assert_eq!((self.status(), &body["success"]), (status, &json!(true)), "{body}");
        assert_eq!(body["requestId"], "request-1");
        assert!(body["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{body}");
        body["data"].clone()
    }

    /// The body of an error with this status and code.
    pub(super) fn error(&self, status: u64, code: &str) -> Value {
        let body = self.body();
        assert_eq!((self.status(), &body["code"]), (status, &json!(code)), "{body}");
        assert_eq!((&body["success"], &body["requestId"]), (&json!(false), &json!("request-1")));
        assert!(body["error"].as_str().is_some_and(|text| !text.is_empty()) && body["timestamp"].is_string(), "{body}");
        body
    }

    /// The field that a 400 response names.
    pub(super) fn field(&self) -> String {
        self.error(400, "VALIDATION_FAILED")["details"]["field"].as_str().expect("a field").to_owned()
    }
}

fn account(account_id: &str) -> Value {
    json!({
        "accountId": account_id, "name": "A", "ownerUserId": USER, "plan": "free", "status": "trial",
        "billingEmail": "ana@example.com",
        "settings": { "maxSources": 3, "maxStorageGB": 5, "maxBackupJobs": 5, "retentionDays": 30,
                      "encryptionEnabled": true, "twoFactorRequired": false },
        "usage": { "sources": 0, "backupJobs": 0, "monthlyBackups": 0, "storageUsedGB": 0 },
        "createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z",
    })
}

/// A stored source.
pub(super) fn source(source_id: &str, account_id: &str) -> Value {
    json!({
        "sourceId": source_id, "accountId": account_id, "userId": USER, "name": "Photos", "type": "s3",
        "config": { "bucket": "lb-src" }, "status": "active",
        "createdAt": "2026-01-31T12:00:00.000Z", "updatedAt": "2026-01-31T12:00:00.000Z",
    })
}

/// A stored job.
pub(super) fn job(job_id: &str, account_id: &str, source_id: &str) -> Value {
    json!({
        "jobId": job_id, "accountId": account_id, "userId": USER, "sourceId": source_id, "name": "Nightly",
        "schedule": { "type": "manual" }, "type": "incremental", "config": {}, "status": "active", "runCount": 0,
        "createdAt": "2026-01-31T12:00:00.000Z", "updatedAt": "2026-01-31T12:00:00.000Z",
    })
}

/// A stored file. `number` is part of its ID and its time.
pub(super) fn file(number: u32, account_id: &str, source_id: &str, path: &str) -> Value {
    let name = path.rsplit('/').next().unwrap_or(path);
    let time = format!("2026-01-31T{:02}:{:02}:{:02}.000Z", number / 3600 % 24, number / 60 % 60, number % 60);
    json!({
        "fileId": format!("file:{number:032x}"), "accountId": account_id, "sourceId": source_id, "name": name,
        "path": path, "nameLower": name.to_lowercase(), "pathLower": path.to_lowercase(), "fileType": "document",
        "contentType": "text/html", "sizeBytes": 10, "storedBytes": 10, "hash": "h", "checksumMd5": "m",
        "compressed": false, "encrypted": true, "s3Key": format!("data/a/s/{path}"), "s3VersionId": "v1",
        "runId": RUN, "version": 1, "backedUpAt": time, "createdAt": time, "updatedAt": time, "metadata": {},
    })
}
