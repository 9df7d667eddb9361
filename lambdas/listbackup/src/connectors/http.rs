//! The connector `http`: files at URLs that a user entered, or that a manifest lists.

use std::{collections::BTreeMap, time::Duration};

use common::outbound::{Credentials, Get, Outbound, OutboundError, Streamed};
use futures_util::{StreamExt, stream};
use serde_json::Value;

use super::{ConnectorError, Fetched, Invalid, Listed, Origin, Policy, manifest, paths};

/// The most URLs of a source without a manifest.
const MAX_URLS: usize = 1000;
/// The most redirects of a request.
const REDIRECTS: usize = 3;
/// The longest pause of a server.
const IDLE: Duration = Duration::from_secs(30);

/// A checked configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpConfig {
    /// Each URL is a file.
    Urls(Vec<String>),
    /// The URL of a list of files.
    Manifest(String),
}

pub(super) fn validate(config: &Value, policy: &Policy) -> Result<HttpConfig, Invalid> {
    let Value::Object(fields) = config else {
        return Err(Invalid::new("config", "the configuration must be an object"));
    };
    if let Some(unknown) = fields.keys().find(|name| !matches!(name.as_str(), "urls" | "manifestUrl")) {
        return Err(Invalid::new(format!("config.{unknown}"), "the field is unknown"));
    }
    let outbound = super::outbound(policy.rules.allow_private_sources);
    let url = |field: &str, value: &Value| {
        let Value::String(url) = value else { return Err(Invalid::new(field, "the URL must be a string")) };
        match outbound.check(url) {
            Ok(_) => Ok(url.clone()),
            Err(_) => Err(Invalid::new(field, "the URL is not allowed")),
        }
    };
    match (fields.get("urls"), fields.get("manifestUrl")) {
        (None, Some(manifest)) => Ok(HttpConfig::Manifest(url("config.manifestUrl", manifest)?)),
        (Some(Value::Array(urls)), None) if (1..=MAX_URLS).contains(&urls.len()) => {
            let urls = urls.iter().enumerate().map(|(index, value)| url(&format!("config.urls[{index}]"), value));
            Ok(HttpConfig::Urls(urls.collect::<Result<_, _>>()?))
        }
        (Some(_), None) => Err(Invalid::new("config.urls", format!("urls must be a list of 1 to {MAX_URLS} URLs"))),
        _ => Err(Invalid::new("config.urls", "either urls or manifestUrl is required")),
    }
}

/// An opened source of URLs.
#[derive(Debug, Clone)]
pub struct HttpConnector {
    config: HttpConfig,
    credentials: Credentials,
    outbound: Outbound,
}

impl HttpConnector {
    /// Limits the headers to the origins that were entered with them: those of the URLs, or the manifest's.
    pub(super) fn new(
        config: HttpConfig,
        headers: BTreeMap<String, String>,
        outbound: Outbound,
    ) -> Result<Self, ConnectorError> {
        let entered = match &config {
            HttpConfig::Urls(urls) => urls.as_slice(),
            HttpConfig::Manifest(url) => std::slice::from_ref(url),
        };
        let origins = entered.iter().map(|url| outbound.check(url)).collect::<Result<Vec<_>, _>>()?;
        let credentials =
            Credentials::new(origins, headers).map_err(|error| ConnectorError::permanent(error.to_string()))?;
        Ok(Self { config, credentials, outbound })
    }

    pub(super) async fn list(&self) -> Result<Vec<Listed>, ConnectorError> {
        match &self.config {
            HttpConfig::Urls(urls) => Ok(urls.iter().map(|url| listed(url)).collect()),
            HttpConfig::Manifest(url) => {
                let response = self.get(url, "application/json", manifest::MAX_BYTES).await?;
                let document = response.body.collect().await?;
                manifest::parse(&document).map_err(|error| ConnectorError::permanent(error.to_string()))
            }
        }
    }

    pub(super) async fn fetch(
        &self,
        url: &str,
        sha256: Option<&str>,
        max_bytes: u64,
    ) -> Result<Fetched, ConnectorError> {
        let response = self.get(url, "*/*", max_bytes).await?;
        let content_type = response.header("content-type").map(str::to_owned);
        // The length of an encoded body is not the file's.
        let is_encoded = response.header("content-encoding").is_some();
        let size = response.content_length.filter(|_| !is_encoded);
        let stream = stream::try_unfold(response.body, |mut body| async move {
            Ok(body.next().await.map_err(describe)?.map(|chunk| (chunk, body)))
        });
        Ok(Fetched { stream: stream.boxed(), size, content_type, origin_tag: None, sha256: sha256.map(str::to_owned) })
    }

    async fn get(&self, url: &str, accept: &'static str, max_bytes: u64) -> Result<Streamed, ConnectorError> {
        let get = Get {
            url,
            accept,
            credentials: Some(&self.credentials),
            redirects: REDIRECTS,
            idle_timeout: IDLE,
            max_bytes,
            decode: true,
        };
        let response = self.outbound.get_stream(&get).await.map_err(describe)?;
        match response.status {
            200 => Ok(response),
            status @ (408 | 425 | 429 | 500..) => {
                Err(ConnectorError::transient(format!("the server answered with status {status}")))
            }
            status => Err(ConnectorError::permanent(format!("the server answered with status {status}"))),
        }
    }
}

fn describe(error: OutboundError) -> ConnectorError {
    match error {
        OutboundError::TooLarge => ConnectorError::permanent("the file is too large"),
        other => other.into(),
    }
}

fn listed(url: &str) -> Listed {
    Listed {
        path: paths::of_url(url),
        origin: Origin::Http { url: url.to_owned(), sha256: None },
        size: None,
        modified_at: None,
        origin_tag: None,
    }
}
