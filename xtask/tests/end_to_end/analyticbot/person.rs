//! A client of AnalyticBot's API, and its responses.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use reqwest::{Method, RequestBuilder, Response, header::HeaderMap};
use serde_json::{Value, json};

/// The password of every user of these tests.
pub(super) const PASSWORD: &str = "Correct-Horse-7-Battery";

/// All bodies of responses, in which no token may be.
pub(super) type Heard = Arc<Mutex<Vec<String>>>;

/// A client with or without a token.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) http: reqwest::Client,
    pub(super) api: String,
    /// The value of the header `Authorization`.
    pub(super) authorization: Option<String>,
    /// The user's ID; 0 without a user.
    pub(super) id: u64,
    pub(super) heard: Heard,
}

/// A response: status, headers and JSON. A body that is not JSON is a text.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

impl Said {
    async fn read(response: Response, heard: &Heard) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("a body");
        heard.lock().expect("no panic").push(text.clone());
        Self { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
    }

    /// Returns the body of a success with this status.
    pub(super) fn ok(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{:#}", self.body);
        self.body
    }

    /// Returns the code of an error with this status, which has the headers of its kind.
    pub(super) fn error(&self, status: u16) -> &str {
        assert_eq!(self.status, status, "{:#}", self.body);
        let keys: BTreeSet<_> = self.body.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(keys, BTreeSet::from(["code", "detail", "error"]), "{:#}", self.body);
        assert_eq!(self.headers.contains_key("www-authenticate"), status == 401, "{:?}", self.headers);
        if status == 429 {
            let seconds = self.headers["retry-after"].to_str().expect("a text").parse::<u32>();
            assert!(seconds.is_ok_and(|seconds| seconds >= 1), "{:?}", self.headers);
        }
        self.body["code"].as_str().expect("a code")
    }

    /// Returns the names of the fields that status 422 is about.
    pub(super) fn invalid(&self) -> Vec<String> {
        assert_eq!(self.error(422), "VALIDATION_ERROR");
        let faults = self.body["detail"].as_array().expect("a list").iter();
        faults
            .map(|fault| {
                assert!(fault["msg"].is_string() && fault["type"].is_string(), "{fault}");
                let place = fault["loc"].as_array().and_then(|place| place.last());
                place.and_then(Value::as_str).expect("a place").to_owned()
            })
            .collect()
    }
}

impl Person {
    pub(super) fn with_authorization(&self, value: impl Into<String>) -> Self {
        Self { authorization: Some(value.into()), ..self.clone() }
    }

    pub(super) fn with_token(&self, token: &str) -> Self {
        self.with_authorization(format!("Bearer {token}"))
    }

    pub(super) fn token(&self) -> &str {
        self.authorization.as_deref().and_then(|value| value.strip_prefix("Bearer ")).expect("a token")
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
        Said::read(request.send().await.expect("a response"), &self.heard).await
    }

    /// Sends a body as it is.
    pub(super) async fn post_raw(&self, path: &str, media_type: &str, body: impl Into<reqwest::Body>) -> Said {
        let request = self.request(Method::POST, path).header("Content-Type", media_type).body(body);
        Said::read(request.send().await.expect("a response"), &self.heard).await
    }

    pub(super) async fn get(&self, path: &str) -> Said {
        self.call(Method::GET, path, None).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Said {
        self.call(Method::POST, path, Some(body)).await
    }

    pub(super) async fn patch(&self, path: &str, body: Value) -> Said {
        self.call(Method::PATCH, path, Some(body)).await
    }

    pub(super) async fn login(&self, name: &str, password: &str) -> Said {
        self.post("/api/auth/login", json!({ "username": name, "password": password })).await
    }

    pub(super) async fn create(&self, token: &str) -> Said {
        self.post("/api/user-bot/create", json!({ "bot_token": token })).await
    }

    pub(super) async fn status(&self) -> Said {
        self.get("/api/user-bot/status").await
    }

    pub(super) async fn verify(&self, body: Value) -> Said {
        self.post("/api/user-bot/verify", body).await
    }

    pub(super) async fn limit(&self, limits: Value) -> Said {
        self.patch("/api/user-bot/rate-limits", limits).await
    }

    pub(super) async fn remove(&self) -> Said {
        self.call(Method::DELETE, "/api/user-bot/remove", None).await
    }

    /// Returns the path of a route on this person's bot.
    pub(super) fn managed(&self, route: &str) -> String {
        format!("/api/admin/bots/{}/{route}", self.id)
    }
}
