//! The Media Uploader's API as a client sees it.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

/// How long processing may take; the spec's "wait".
const PATIENCE: Duration = Duration::from_secs(20);

/// A user of the API, signed in or not.
pub(crate) struct Client {
    http: reqwest::Client,
    api: String,
    token: Option<String>,
}

impl Client {
    pub(crate) fn new(api: &str, token: Option<String>) -> Self {
        let http =
            reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("an HTTP client");
        Self { http, api: api.to_owned(), token }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.api));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// A request that may come to nothing.
    pub(crate) async fn try_send(&self, method: Method, path: &str) -> reqwest::Result<Response> {
        self.request(method, path).send().await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Response {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await.expect("an answer")
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.send(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Response {
        self.send(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn options(&self, path: &str, origin: &str) -> Response {
        let request = self.http.request(Method::OPTIONS, format!("{}{path}", self.api)).header("Origin", origin);
        request.send().await.expect("an answer")
    }

    /// Asks for an upload link for `bytes` and uses it; returns the answer of route 1.
    pub(crate) async fn upload(&self, content_type: &str, bytes: &[u8], poster_for: Option<&str>) -> Value {
        let mut request = json!({ "contentType": content_type, "contentLength": bytes.len() });
        if let Some(video) = poster_for {
            request["posterFor"] = video.into();
        }
        let created = self.post("/media", request).await;
        assert_eq!(created.status(), 201, "{:?}", created.text().await);
        let created: Value = created.json().await.expect("JSON");
        let put = self.put(&created, bytes).await;
        assert_eq!(put.status(), 200, "{:?}", put.text().await);
        created
    }

    /// PUTs `bytes` to an upload link with the headers it asks for.
    pub(crate) async fn put(&self, created: &Value, bytes: &[u8]) -> Response {
        let mut request = self.http.put(created["uploadUrl"].as_str().expect("a link")).body(bytes.to_vec());
        for (name, value) in created["headers"].as_object().expect("headers") {
            request = request.header(name, value.as_str().expect("a header's value"));
        }
        request.send().await.expect("an answer")
    }

    pub(crate) async fn put_part(&self, url: &str, bytes: Vec<u8>) -> String {
        let response = self.http.put(url).body(bytes).send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        response.headers()["etag"].to_str().expect("an ETag").to_owned()
    }

    /// What a link serves: its content type and bytes.
    pub(crate) async fn fetch(&self, url: &str) -> (String, Vec<u8>) {
        let response = self.http.get(url).send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        let content_type = response.headers()["content-type"].to_str().expect("a content type").to_owned();
        (content_type, response.bytes().await.expect("a body").to_vec())
    }

    /// The bytes of one variant, through the API.
    pub(crate) async fn variant(&self, filename: &str, size: &str, extension: &str) -> Vec<u8> {
        let found = self.get(&format!("/media/{filename}?size={size}&extension={extension}")).await;
        assert_eq!(found.status(), 200, "{:?}", found.text().await);
        let found: Value = found.json().await.expect("JSON");
        self.fetch(found["url"].as_str().expect("a link")).await.1
    }

    /// Waits until the manifest satisfies `enough`, and returns it.
    pub(crate) async fn manifest_when(&self, filename: &str, enough: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                let answer = self.get(&format!("/media/{filename}/manifest")).await;
                if answer.status() == 200 {
                    last = answer.json().await.expect("JSON");
                    if enough(&last) {
                        return;
                    }
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        assert!(waited.await.is_ok(), "{filename} was not processed in {PATIENCE:?}: {last:#}");
        last
    }

    /// Waits until processing has ended, well or not, and returns the manifest.
    pub(crate) async fn processed(&self, filename: &str) -> Value {
        self.manifest_when(filename, |manifest| manifest["status"] != "processing").await
    }
}

/// The filename in an answer of the upload function.
pub(crate) fn filename(created: &Value) -> &str {
    created["filename"].as_str().expect("a filename")
}
