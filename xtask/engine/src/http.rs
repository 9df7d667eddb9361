//! HTTPS for what is not AWS's API: what was deployed, and GitHub. The same TLS that the AWS clients have.

use std::{collections::BTreeMap, time::Duration};

use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{http::HttpConnector, orchestrator::HttpRequest};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use serde_json::Value;
use thiserror::Error;

/// How long an answer may take: API Gateway's own limit is 29 s.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{url} does not answer: {reason}")]
pub struct HttpError {
    /// Where it went.
    pub url: String,
    /// Why.
    pub reason: String,
}

/// Makes requests, one connection after another where the server keeps them open.
#[derive(Debug)]
pub struct Client(Connector);

impl Default for Client {
    fn default() -> Self {
        Self(Connector::builder().tls_provider(Provider::Rustls(CryptoMode::Ring)).build())
    }
}

impl Client {
    /// Makes a request. Redirects are answers like others.
    ///
    /// # Errors
    ///
    /// When nothing answers in time.
    pub async fn send(&self, request: Request) -> Result<Answer, HttpError> {
        let url = request.url.clone();
        let failed = |reason: String| HttpError { url: url.clone(), reason };
        match tokio::time::timeout(PATIENCE, self.answer(request)).await {
            Ok(answer) => answer.map_err(failed),
            Err(_) => Err(failed(format!("nothing came within {} s", PATIENCE.as_secs()))),
        }
    }

    async fn answer(&self, wanted: Request) -> Result<Answer, String> {
        let mut request = HttpRequest::new(wanted.body.map_or_else(SdkBody::empty, SdkBody::from));
        request.set_method(wanted.method).map_err(|error| error.to_string())?;
        request.set_uri(wanted.url).map_err(|error| error.to_string())?;
        request.headers_mut().insert("user-agent", concat!("xtask/", env!("CARGO_PKG_VERSION")));
        for (name, value) in wanted.headers {
            request.headers_mut().insert(name, value);
        }
        let answer = self.0.call(request).await.map_err(|error| crate::error::chain(&error).join(": "))?;
        let headers = answer.headers().iter().map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        let status = answer.status().as_u16();
        let body = ByteStream::new(answer.into_body()).collect().await.map_err(|error| error.to_string())?;
        Ok(Answer { status, headers, body: body.to_vec() })
    }
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    method: &'static str,
    url: String,
    headers: Vec<(String, String)>,
    body: Option<String>,
}

/// What came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers, by name in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body, where it is JSON.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

impl Request {
    /// A request of this method, in capitals.
    #[must_use]
    pub fn new(method: &'static str, url: impl Into<String>) -> Self {
        Self { method, url: url.into(), headers: Vec::new(), body: None }
    }

    /// A `GET`.
    #[must_use]
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// Also with this header, its name in lower case.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// With a body of JSON.
    #[must_use]
    pub fn json(mut self, body: &Value) -> Self {
        self.body = Some(body.to_string());
        self.header("content-type", "application/json")
    }

    /// Makes the request.
    ///
    /// # Errors
    ///
    /// When nothing answers in time.
    pub async fn send(self) -> Result<Answer, HttpError> {
        Client::default().send(self).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_does_not_answer_is_named() {
        let error = Request::get("http://127.0.0.1:9/health").send().await.expect_err("nobody listens there");
        assert!(error.to_string().starts_with("http://127.0.0.1:9/health does not answer: "), "{error}");
        let error = Request::get("https://127.0.0.1:9/health").send().await.expect_err("nobody listens there");
        assert!(!error.reason.contains("scheme"), "TLS is not there: {error}");
    }
}
