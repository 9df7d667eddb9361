//! A stage with two accounts, and requests to its functions.

use std::sync::{Arc, Mutex};

use aws_config::SdkConfig;
use axum::Router;
use common::http;
use contract::Function;
use lambda_runtime::{Context, LambdaEvent};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tables::testing::{Script, json_reply};

use super::super::aggregation::{Aggregation, AggregationError, BusEvent};
use crate::memory::Memory;

pub(super) const ANA: &str = "account:11111111-1111-4111-8111-111111111111";
pub(super) const BEN: &str = "account:22222222-2222-4222-8222-222222222222";
pub(super) const AGGREGATES: &str = "listbackup-test-analytics-aggregates";
pub(super) const ACCOUNTS: &str = "listbackup-test-accounts";
pub(super) const SOURCES: &str = "listbackup-test-sources";
pub(super) const JOBS: &str = "listbackup-test-jobs";
pub(super) const RUNS: &str = "listbackup-test-runs";
pub(super) const ACTIVITY: &str = "listbackup-test-activity";
pub(super) const REPORTS: &str = "listbackup-test-reports";

/// A stored object: path and content.
type Objects = Arc<Mutex<Vec<(String, String)>>>;

#[derive(Clone)]
pub(super) struct World {
    pub(super) memory: Memory,
    pub(super) script: Script,
    pub(super) objects: Objects,
}

impl World {
    pub(super) fn new() -> Self {
        let (memory, objects) = (Memory::default(), Objects::default());
        for account_id in [ANA, BEN] {
            memory.insert(ACCOUNTS, account(account_id));
        }
        let (tables, stored) = (memory.clone(), Arc::clone(&objects));
        let script = Script::new(move |request| match request.action.as_str() {
            "AWSEvents.PutEvents" => json_reply(json!({ "FailedEntryCount": 0, "Entries": [{ "EventId": "1" }] })),
            "SNS.SendEmail" => Some((200, "<SendEmailResponse/>".to_owned())),
            "S3.PUT" => {
                let content = request.body.as_str().map_or_else(|| request.body.to_string(), str::to_owned);
                stored.lock().expect("no panic").push((request.path.clone(), content));
                Some((200, String::new()))
            }
            _ => tables.answer(request),
        });
        Self { memory, script, objects }
    }

    /// Delivers an event of the bus.
    pub(super) async fn deliver(&self, event: &Value) -> Result<(), AggregationError> {
        let event: BusEvent = serde_json::from_value(event.clone()).expect("an event");
        Aggregation::new(environment(), &self.script.aws()).add(event).await
    }

    /// Calls a function as the gateway does, for a caller of an account.
    pub(super) async fn call<F: Function + DeserializeOwned>(
        &self,
        router: fn(F, &SdkConfig) -> Router,
        account_id: &str,
        (method, path, query, body): (&str, &str, &str, Value),
    ) -> (u64, Value) {
        let event = json!({
            "version": "2.0", "routeKey": format!("{method} {path}"), "rawPath": path, "rawQueryString": query, "headers": {},
            "requestContext": {
                "apiId": "api", "stage": "$default", "requestId": "request-1", "accountId": "1", "time": "t", "timeEpoch": 0,
                "routeKey": format!("{method} {path}"),
                "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1" },
                "authorizer": { "lambda": {
                    "userId": "user:1", "accountId": account_id, "role": "user", "email": "ana@example.com", "family": "f",
                    "canWrite": "false",
                } },
            },
            "body": body.to_string(), "isBase64Encoded": false,
        });
        let router = router(environment(), &self.script.aws());
        let answer = http::answer::<F>(router, LambdaEvent::new(event, Context::default())).await.expect("a response");
        let body = serde_json::from_str(answer["body"].as_str().expect("a body")).expect("JSON");
        (answer["statusCode"].as_u64().expect("a status"), body)
    }

    /// A bucket of an account, empty if it does not exist.
    pub(super) fn bucket(&self, account_id: &str, bucket: &str) -> Value {
        self.memory.get(AGGREGATES, &[account_id, bucket]).unwrap_or_default()
    }
}

fn environment<E: DeserializeOwned>() -> E {
    let environment = json!({
        "ANALYTICS_AGGREGATES_TABLE": AGGREGATES, "ACCOUNTS_TABLE": ACCOUNTS, "SOURCES_TABLE": SOURCES, "JOBS_TABLE": JOBS,
        "RUNS_TABLE": RUNS, "ACTIVITY_TABLE": ACTIVITY, "REPORTS_TABLE": REPORTS, "EVENT_BUS_NAME": "events",
        "DATA_BUCKET": "data", "PUBLIC_S3_ENDPOINT": "http://s3.example.com", "SES_FROM_EMAIL": "noreply@example.com",
    });
    serde_json::from_value(environment).expect("an environment")
}

fn account(account_id: &str) -> Value {
    json!({
        "accountId": account_id, "name": "Acme", "ownerUserId": "user:1", "plan": "free", "status": "trial",
        "billingEmail": "owner@example.com",
        "settings": {
            "maxSources": 3, "maxStorageGB": 5, "maxBackupJobs": 5, "retentionDays": 30, "encryptionEnabled": true,
            "twoFactorRequired": false,
        },
        "usage": { "sources": 0, "backupJobs": 0, "monthlyBackups": 0, "storageUsedGB": 0 },
        "createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z",
    })
}

/// The event of an ended run, which added a document of 1000 bytes and updated an image by 500.
pub(super) fn ended(account_id: &str, run: &str, at: &str, kind: &str) -> Value {
    let status = if kind == "Job Failed" { "failed" } else { "completed" };
    json!({
        "source": "listbackup.jobs", "detail-type": kind,
        "detail": {
            "eventId": format!("run:{run}:finished"), "accountId": account_id, "resourceId": format!("run:{run}"), "at": at,
            "runId": format!("run:{run}"), "jobId": "job:1", "sourceId": "source:1", "type": "manual", "status": status,
            "completedAt": at, "durationSeconds": 3, "filesTotal": 3, "filesProcessed": 3,
            "stats": {
                "filesAdded": 1, "filesUpdated": 1, "filesSkipped": 1, "filesError": 0, "bytesTransferred": 2000,
                "bytesStored": 900, "deltaBytes": 1500, "deltaStored": 700,
            },
            "typeDeltas": {
                "document": { "files": 1, "bytes": 1000, "storedBytes": 400 },
                "image": { "files": 0, "bytes": 500, "storedBytes": 300 },
            },
        },
    })
}

/// The event of a file that was added after its run had ended.
pub(super) fn amended(account_id: &str, run: &str, at: &str) -> Value {
    let mut event = ended(account_id, run, at, "Job Amended");
    let detail = &mut event["detail"];
    detail["eventId"] = json!(format!("run:{run}:amend:abc"));
    detail["stats"] = json!({ "filesAdded": 1, "filesError": -1, "deltaBytes": 10, "deltaStored": 5 });
    detail["typeDeltas"] = json!({ "code": { "files": 1, "bytes": 10, "storedBytes": 5 } });
    event
}
