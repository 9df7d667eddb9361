//! A client of ListBackup's API, and its responses.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

/// The longest time that a run of a few small files takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// The password of every user of these tests.
pub(super) const PASSWORD: &str = "Correct-Horse-7-Battery";

/// A client with or without a token.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) http: reqwest::Client,
    pub(super) api: String,
    /// The value of the header `Authorization`.
    pub(super) authorization: Option<String>,
    /// The refresh token of the sign-in.
    pub(super) refresh_token: String,
    pub(super) account_id: String,
    pub(super) user_id: String,
}

/// A response: status and JSON. A body that is not JSON is a text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Said {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl Said {
    async fn read(response: Response) -> Self {
        let status = response.status().as_u16();
        let text = response.text().await.expect("a body");
        Self { status, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
    }

    /// Returns the data of a success with this status.
    pub(super) fn ok(self, status: u16) -> Value {
        assert_eq!((self.status, &self.body["success"]), (status, &json!(true)), "{:#}", self.body);
        assert!(self.body["timestamp"].is_string() && self.body["requestId"].is_string(), "{:#}", self.body);
        self.body["data"].clone()
    }

    /// Returns the code of an error with this status.
    pub(super) fn error(&self, status: u16) -> &str {
        assert_eq!((self.status, &self.body["success"]), (status, &json!(false)), "{:#}", self.body);
        assert!(self.body["error"].is_string() && self.body["requestId"].is_string(), "{:#}", self.body);
        self.body["code"].as_str().expect("a code")
    }

    /// Asserts that the gateway itself refused the request.
    pub(super) fn refused_by_gateway(&self, status: u16) {
        let message = if status == 401 { "Unauthorized" } else { "Forbidden" };
        assert_eq!((self.status, &self.body), (status, &json!({ "message": message })));
    }
}

impl Person {
    pub(super) fn with_authorization(&self, value: impl Into<String>) -> Self {
        Self { authorization: Some(value.into()), ..self.clone() }
    }

    pub(super) fn with_token(&self, token: &str) -> Self {
        self.with_authorization(format!("Bearer {token}"))
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.api));
        match &self.authorization {
            Some(value) => request.header("Authorization", value),
            None => request,
        }
    }

    pub(super) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Said {
        let request = self.request(method, path);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        Said::read(request.send().await.expect("a response")).await
    }

    /// Sends a body as it is.
    pub(super) async fn post_raw(&self, path: &str, body: impl Into<reqwest::Body>) -> Said {
        let request = self.request(Method::POST, path).header("Content-Type", "application/json").body(body);
        Said::read(request.send().await.expect("a response")).await
    }

    pub(super) async fn get(&self, path: &str) -> Said {
        self.call(Method::GET, path, None).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Said {
        self.call(Method::POST, path, Some(body)).await
    }

    pub(super) async fn put(&self, path: &str, body: Value) -> Said {
        self.call(Method::PUT, path, Some(body)).await
    }

    pub(super) async fn delete(&self, path: &str) -> Said {
        self.call(Method::DELETE, path, None).await
    }

    /// Registers a user, without signing in.
    pub(super) async fn register(&self, email: &str) -> Said {
        self.post("/auth/register", json!({ "email": email, "password": PASSWORD, "name": "Test User" })).await
    }

    pub(super) async fn login(&self, email: &str, password: &str) -> Said {
        self.post("/auth/login", json!({ "email": email, "password": password })).await
    }

    /// Signs a registered user in.
    pub(super) async fn signed_in(&self, email: &str) -> Self {
        let data = self.login(email, PASSWORD).await.ok(200);
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        Self {
            refresh_token: text(&data["refreshToken"]),
            account_id: text(&data["user"]["accountId"]),
            user_id: text(&data["user"]["userId"]),
            ..self.with_token(data["accessToken"].as_str().expect("a token"))
        }
    }

    /// Creates a source; returns its ID.
    pub(super) async fn source(&self, kind: &str, config: Value) -> String {
        let body = json!({ "name": "Files", "type": kind, "config": config });
        let data = self.post("/sources", body).await.ok(201);
        data["source"]["sourceId"].as_str().expect("an ID").to_owned()
    }

    /// Creates a job that only a user starts; returns its ID.
    pub(super) async fn job(&self, source_id: &str) -> String {
        let body = json!({ "name": "Backup", "sourceId": source_id, "schedule": { "type": "manual" } });
        let data = self.post("/jobs", body).await.ok(201);
        data["job"]["jobId"].as_str().expect("an ID").to_owned()
    }

    /// Starts a run; returns its ID.
    pub(super) async fn start(&self, job_id: &str) -> String {
        let data = self.post(&format!("/jobs/{job_id}/run"), json!({})).await.ok(202);
        assert_eq!((&data["status"], &data["jobId"]), (&json!("queued"), &json!(job_id)), "{data:#}");
        data["runId"].as_str().expect("an ID").to_owned()
    }

    pub(super) async fn run(&self, run_id: &str) -> Value {
        self.get(&format!("/runs/{run_id}")).await.ok(200)["run"].clone()
    }

    /// Waits until a run meets a condition; returns it.
    pub(super) async fn run_when(&self, run_id: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                last = self.run(run_id).await;
                if holds(&last) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        assert!(waited.await.is_ok(), "the run is not as expected after {PATIENCE:?}: {last:#}");
        last
    }

    /// Waits until a run has ended; returns it.
    pub(super) async fn ended(&self, run_id: &str) -> Value {
        self.run_when(run_id, |run| run["status"] == "completed" || run["status"] == "failed").await
    }

    /// Runs a job to its end.
    pub(super) async fn back_up(&self, job_id: &str) -> Value {
        let run_id = self.start(job_id).await;
        self.ended(&run_id).await
    }

    /// Returns all files of a source, by path.
    pub(super) async fn files(&self, source_id: &str) -> Vec<Value> {
        let data = self.get(&format!("/data/files?sourceId={source_id}&limit=100")).await.ok(200);
        let mut files = data["files"].as_array().expect("files").clone();
        files.sort_by_key(|file| file["path"].as_str().map(str::to_owned));
        files
    }
}
