//! HTTP(S) requests to everything but AWS: deployed APIs, the local cloud, GitHub. Uses the TLS stack and the proxies of the AWS clients.
//!
//! Follows no redirects.

use std::{collections::BTreeMap, sync::OnceLock, time::Duration};

use aws_smithy_http_client::{
    Connector,
    proxy::ProxyConfig,
    tls::{Provider, TlsContext, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{http::HttpConnector, orchestrator::HttpRequest};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use serde_json::Value;
use thiserror::Error;

use crate::{
    network::{self, NetworkError, Servers},
    surroundings,
};

/// The longest response time; API Gateway's own limit is 29 s.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request without a response.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no response from {url}: {reason}")]
pub struct HttpError {
    /// The URL of the request.
    pub url: String,
    /// The reason, without the URL.
    pub reason: String,
}

/// Sends requests and reuses connections.
#[derive(Debug, Default)]
pub struct Client {
    tls: OnceLock<Result<TlsContext, NetworkError>>,
    direct: OnceLock<Connector>,
    proxied: OnceLock<Connector>,
}

impl Client {
    /// Sends a request. A redirect is a response like any other.
    ///
    /// # Errors
    ///
    /// When there is no complete response within 30 s, or the request's own limit.
    pub async fn send(&self, request: Request) -> Result<Response, HttpError> {
        let (url, patience) = (request.url.clone(), request.patience);
        let failed = |reason: String| HttpError { url: url.clone(), reason };
        match tokio::time::timeout(patience, self.response(request)).await {
            Ok(response) => response.map_err(failed),
            Err(_) => Err(failed(format!("timed out after {} s", patience.as_secs()))),
        }
    }

    /// The connector for a URL: created when it is first used, because it reads the machine's certificates.
    fn connector(&self, url: &str) -> Result<&Connector, String> {
        let tls = self.tls.get_or_init(|| network::tls(Servers::Other));
        let tls = tls.as_ref().map_err(ToString::to_string)?;
        let create = |proxy| {
            let connector = Connector::builder().proxy_config(proxy);
            connector.tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(tls.clone()).build()
        };
        Ok(if network::is_near(url) {
            self.direct.get_or_init(|| create(ProxyConfig::disabled()))
        } else {
            self.proxied.get_or_init(|| create(ProxyConfig::from_env()))
        })
    }

    async fn response(&self, wanted: Request) -> Result<Response, String> {
        let simulated = surroundings::network();
        let connector: &dyn HttpConnector = match &simulated {
            Some(network) => network,
            None => self.connector(&wanted.url)?,
        };
        let mut request = HttpRequest::new(wanted.body.map_or_else(SdkBody::empty, SdkBody::from));
        request.set_method(wanted.method).map_err(|error| error.to_string())?;
        request.set_uri(wanted.url).map_err(|error| error.to_string())?;
        request.headers_mut().insert("user-agent", concat!("xtask/", env!("CARGO_PKG_VERSION")));
        for (name, value) in wanted.headers {
            request.headers_mut().insert(name, value);
        }
        let response = connector.call(request).await.map_err(|error| crate::error::chain(&error).join(": "))?;
        let headers = response.headers().iter().map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        let status = response.status().as_u16();
        let body = ByteStream::new(response.into_body()).collect().await.map_err(|error| error.to_string())?;
        Ok(Response { status, headers, body: body.to_vec() })
    }
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    method: &'static str,
    url: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
    patience: Duration,
}

/// A response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers, by name in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// Returns whether the status is 2xx.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..300)
    }

    /// Parses the body; `None` if it is not JSON.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

impl Request {
    /// A request with a method in capital letters.
    #[must_use]
    pub fn new(method: &'static str, url: impl Into<String>) -> Self {
        Self { method, url: url.into(), headers: Vec::new(), body: None, patience: PATIENCE }
    }

    /// A `GET` request.
    #[must_use]
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// Adds a header, its name in lower case.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds a bearer token.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// Waits this long for the complete response instead of 30 s.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: Vec<u8>) -> Self {
        self.body = Some(body);
        self
    }

    /// Sets a JSON body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.body(body.to_string().into_bytes()).header("content-type", "application/json")
    }

    /// Sends the request over a connection of its own.
    ///
    /// # Errors
    ///
    /// When there is no complete response within 30 s, or the request's own limit.
    pub async fn send(self) -> Result<Response, HttpError> {
        Client::default().send(self).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_error_names_the_url() {
        let error = Request::get("http://127.0.0.1:9/health").send().await.expect_err("a closed port");
        assert!(error.to_string().starts_with("no response from http://127.0.0.1:9/health: "), "{error}");
        let error = Request::get("https://127.0.0.1:9/health").send().await.expect_err("a closed port");
        assert!(!error.reason.contains("scheme"), "TLS is missing: {error}");
    }
}
