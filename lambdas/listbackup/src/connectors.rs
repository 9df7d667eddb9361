//! Connectors list and fetch the files of a source: `http` and `s3`.
//!
//! [`validate`] checks a configuration when a source is written, and again before each use. A [`Connector`] then lists pages of
//! [`Listed`] files, and fetches one file as a stream. Further types are known by name only and are refused.
//!
//! Sources are foreign: an address may lead into this network, a bucket may be the backup's own, a listing may be endless. Every
//! limit is here or in `common::outbound`.

pub mod credentials;
mod http;
mod manifest;
pub mod paths;
pub mod policy;
mod s3;

use std::sync::Arc;

use aws_config::SdkConfig;
use axum::{body::Bytes, http::StatusCode};
use common::outbound::{Outbound, OutboundError, Ports, Settings};
use futures_util::stream::BoxStream;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use self::{credentials::SecretCache, http::HttpConnector, s3::S3Connector};
pub use self::{
    http::HttpConfig,
    policy::{Policy, SourceBuckets},
    s3::S3Config,
};
use crate::shared::{envelope::Problem, rows::Source};

/// How the connector introduces itself.
const USER_AGENT: &str = "listbackup";

/// Types that are known by name only.
const PLACEHOLDERS: [&str; 6] = ["google-drive", "dropbox", "slack", "onedrive", "notion", "github"];

/// A checked configuration.
#[derive(Debug, Clone, PartialEq)]
pub enum Config {
    /// Files at URLs.
    Http(HttpConfig),
    /// Objects of a bucket.
    S3(S3Config),
}

/// Where a connector fetches a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Origin {
    /// A URL, and the SHA-256 that its content must have.
    Http {
        /// The URL.
        url: String,
        /// In hexadecimal digits.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha256: Option<String>,
    },
    /// An object.
    S3 {
        /// Its key.
        key: String,
    },
    /// Nowhere: the file fails.
    Refused {
        /// Why.
        reason: String,
    },
}

/// A listed file.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// The path within the source.
    pub path: String,
    /// Where to fetch it.
    pub origin: Origin,
    /// The size, if it is listed.
    pub size: Option<u64>,
    /// The last change, if it is listed.
    pub modified_at: Option<String>,
    /// The source's tag of this version, if it has one.
    pub origin_tag: Option<String>,
}

/// A file that is being fetched.
pub struct Fetched {
    /// The content.
    pub stream: ByteStream,
    /// The size that the source announced.
    pub size: Option<u64>,
    /// The media type that the source gave.
    pub content_type: Option<String>,
    /// The source's tag of the fetched version.
    pub origin_tag: Option<String>,
    /// The SHA-256 that the content must have, in hexadecimal digits.
    pub sha256: Option<String>,
}

/// Content in chunks.
pub type ByteStream = BoxStream<'static, Result<Bytes, ConnectorError>>;

/// A failed listing or fetch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConnectorError {
    /// Whether a later attempt may succeed without a change of the source.
    pub is_transient: bool,
    /// A sentence without credentials.
    pub message: String,
}

impl ConnectorError {
    /// A failure that a repetition does not change.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self { is_transient: false, message: message.into() }
    }

    /// A failure that a repetition may change.
    pub fn transient(message: impl Into<String>) -> Self {
        Self { is_transient: true, message: message.into() }
    }
}

impl From<OutboundError> for ConnectorError {
    fn from(error: OutboundError) -> Self {
        Self { is_transient: error.is_transient(), message: error.to_string() }
    }
}

/// Checks a source's configuration.
///
/// # Errors
/// The response: 400 for an unknown type or an invalid configuration, 422 for a type that is not available.
pub fn validate(source_type: &str, config: &Value, policy: &Policy) -> Result<Config, Problem> {
    let config = match source_type {
        "http" => http::validate(config, policy).map(Config::Http),
        "s3" => s3::validate(config, policy).map(Config::S3),
        placeholder if PLACEHOLDERS.contains(&placeholder) => return Err(not_configured(placeholder)),
        _ => Err(Invalid::new("type", "the type must be http or s3")),
    };
    config.map_err(Problem::from)
}

fn not_configured(source_type: &str) -> Problem {
    let message = format!("The integration {source_type} is not configured");
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "INTEGRATION_NOT_CONFIGURED", message)
}

/// An invalid field of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Invalid {
    field: String,
    message: String,
}

impl Invalid {
    fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

impl From<Invalid> for Problem {
    fn from(Invalid { field, message }: Invalid) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "VALIDATION_FAILED", message).with("details", json!({ "field": field }))
    }
}

/// Creates a client that calls public web servers only, unless sources may be private.
fn outbound(allow_private_sources: bool) -> Outbound {
    Outbound::new(if allow_private_sources {
        Settings::open(USER_AGENT)
    } else {
        Settings { ports: Ports::Web, ..Settings::guarded(USER_AGENT) }
    })
}

/// Opens sources. Clones share clients and credentials.
#[derive(Debug, Clone)]
pub struct Connectors(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    aws: SdkConfig,
    stage: String,
    rules: policy::Rules,
    outbound: Outbound,
    secrets: Mutex<SecretCache>,
    buckets: Mutex<s3::ClientCache>,
}

/// An opened source.
#[derive(Debug, Clone)]
pub enum Connector {
    /// Files at URLs.
    Http(Box<HttpConnector>),
    /// Objects of a bucket.
    S3(Box<S3Connector>),
}

/// The state of a listing, between two pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Position {
    /// Before the first page.
    Start,
    /// After a page, with the source's token.
    After(String),
    /// After the last page.
    End,
}

impl Connectors {
    /// Uses the stage's rules.
    #[must_use]
    pub fn new(aws: &SdkConfig, stage: &str, rules: policy::Rules) -> Self {
        let outbound = outbound(rules.allow_private_sources);
        let (secrets, buckets) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { aws: aws.clone(), stage: stage.to_owned(), rules, outbound, secrets, buckets }))
    }

    /// Checks a source's configuration again, and reads its credentials.
    ///
    /// # Errors
    /// When the configuration is no longer allowed, or the credentials cannot be read.
    pub async fn open(&self, source: &Source) -> Result<Connector, ConnectorError> {
        let inner = &*self.0;
        let policy = Policy { rules: inner.rules.clone(), account_id: source.account_id.clone() };
        let config = validate(&source.source_type, &Value::Object(source.config.clone()), &policy)
            .map_err(|problem| ConnectorError::permanent(format!("{}: {}", problem.code, problem.message)))?;
        match config {
            Config::Http(config) => {
                let headers = match source.has_credentials {
                    true => inner.secrets.lock().await.headers(&inner.aws, &inner.stage, &source.source_id).await?,
                    false => Default::default(),
                };
                Ok(Connector::Http(Box::new(HttpConnector::new(config, headers, inner.outbound.clone())?)))
            }
            Config::S3(config) => {
                let client = inner.buckets.lock().await.client(&inner.aws, &config, &source.account_id).await;
                Ok(Connector::S3(Box::new(S3Connector::new(config, client))))
            }
        }
    }
}

impl Connector {
    /// Lists a page, and returns the position after it.
    ///
    /// # Errors
    /// When the source cannot be listed.
    pub async fn list(&self, position: &Position) -> Result<(Vec<Listed>, Position), ConnectorError> {
        match self {
            Self::Http(connector) => Ok((connector.list().await?, Position::End)),
            Self::S3(connector) => connector.list(position).await,
        }
    }

    /// Fetches a file of at most `max_bytes` bytes.
    ///
    /// # Errors
    /// When the file cannot be fetched.
    pub async fn fetch(&self, origin: &Origin, max_bytes: u64) -> Result<Fetched, ConnectorError> {
        match (self, origin) {
            (Self::Http(connector), Origin::Http { url, sha256 }) => {
                connector.fetch(url, sha256.as_deref(), max_bytes).await
            }
            (Self::S3(connector), Origin::S3 { key }) => connector.fetch(key, max_bytes).await,
            (_, Origin::Refused { reason }) => Err(ConnectorError::permanent(reason.clone())),
            _ => Err(ConnectorError::permanent("the source has changed its type since it was listed")),
        }
    }
}

#[cfg(test)]
mod tests;
